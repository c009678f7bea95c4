"""Export a checkpoint as an ONNX file that the runtime takes: raw head, no NMS, float32, batch of one.

Usage::

    python models/recipes/export.py runs/fast/weights/best.pt lesion-320.onnx --imgsz 320
    python models/recipes/export.py runs/fast/weights/best.pt lesion-256x320.onnx --imgsz 256 320

Decoding and NMS belong to the runtime (NMS inside the file does not parse everywhere), and so does the precision: other
precisions are made from this file. Names, input size, stride and task are in the file's metadata.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("YOLO_AUTOINSTALL", "false")

OPSET = 17
"""The newest that TensorRT 10.3, OpenVINO 2024 and ONNX Runtime 1.17 all read without a remark."""


def export(checkpoint: Path, out: Path, imgsz: tuple[int, int], end_to_end: bool = False) -> str:
    """Write the ONNX file.

    Parameters
    ----------
    checkpoint
        What ``train.py`` wrote; of a checkpoint in mid-training its moving average is taken.
    out
        The file to write; replaced only when everything went well.
    imgsz
        Height and width of the input in px, multiples of 32.
    end_to_end
        For YOLO26 only: export the head that needs no NMS instead of the raw one.

    Returns
    -------
    str
        The file's sha256.
    """
    import onnx
    from ultralytics import YOLO

    if imgsz[0] % 32 or imgsz[1] % 32:
        raise SystemExit(f"the input size must be a multiple of 32, not {imgsz[0]}x{imgsz[1]}")
    with tempfile.TemporaryDirectory() as folder:
        # Ultralytics writes beside the checkpoint, where a training may be at work.
        copy = Path(folder) / f"{out.stem}.pt"
        shutil.copyfile(checkpoint, copy)
        model = YOLO(copy, task="segment")
        made = Path(
            model.export(
                format="onnx",
                imgsz=list(imgsz),
                batch=1,
                opset=OPSET,
                simplify=False,
                dynamic=False,
                device="cpu",
                nms=False if end_to_end else None,  # False asks for YOLO26's second head, None for the raw one
            )
        )
        graph = onnx.load(made)
        onnx.checker.check_model(graph)
        shape = [dimension.dim_value for dimension in graph.graph.input[0].type.tensor_type.shape.dim]
        if shape != [1, 3, *imgsz]:
            raise SystemExit(f"the exported input is {shape}, not 1x3x{imgsz[0]}x{imgsz[1]}")
        # The export's date would give the same weights another hash on every day.
        kept = [entry for entry in graph.metadata_props if entry.key != "date"]
        del graph.metadata_props[:]
        graph.metadata_props.extend(kept)
        onnx.save(graph, made)
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_suffix(".part")
        shutil.copyfile(made, part)
        part.replace(out)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def main() -> None:
    """Read the command line, export, print hash and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--imgsz", type=int, nargs="+", default=[320], metavar="PX", help="side, or height and width")
    parser.add_argument("--end-to-end", action="store_true", help="YOLO26: the head that needs no NMS")
    options = parser.parse_args()
    if len(options.imgsz) > 2:
        parser.error("--imgsz takes one or two numbers")
    size = (options.imgsz[0], options.imgsz[-1])
    digest = export(options.checkpoint, options.out, size, options.end_to_end)
    print(f"{options.out}: input {size[0]}x{size[1]} px, {options.out.stat().st_size / 1e6:.1f} MB, sha256 {digest}")


if __name__ == "__main__":
    main()
