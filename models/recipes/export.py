"""Export checkpoints as an ONNX file that the runtime takes: raw head, no NMS, float32, batch of one.

Usage::

    python models/recipes/export.py runs/fast/weights/best.pt lesion-320.onnx --imgsz 320
    python models/recipes/export.py runs/fast/weights/best.pt lesion-256x320.onnx --imgsz 256 320
    python models/recipes/export.py runs/fast/weights/best.pt runs/hard/weights/best.pt lesion-mean.onnx --mirror

    python models/recipes/export.py ... --threshold 0.22 --mask-threshold 0.45 --classifier lesion-malignancy

With ``--threshold`` the file brings its operating point with it, and what else a name in the runtime's manifest would
bring; without, the runtime takes 0.25 and no classifier.

Of several checkpoints the mean of their weights is exported: of trainings that began from one another it finds more
than each of them, at no cost (Wortsman et al., Model soups, ICML 2022). With ``--mirror`` the network also looks at the
picture's mirror image, for twice the arithmetic.

Decoding and NMS belong to the runtime (NMS inside the file does not parse everywhere), and so does the precision: other
precisions are made from this file. Names, input size, stride and task are in the file's metadata.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from edge_us.inference.backend import Precision
from edge_us.inference.built import Inherited
from edge_us.inference.registry import list_classifiers

os.environ.setdefault("YOLO_AUTOINSTALL", "false")

LICENCE = "AGPL-3.0"
"""Of whatever was trained from Ultralytics' weights."""
OPSET = 17
"""The newest that TensorRT 10.3, OpenVINO 2024 and ONNX Runtime 1.17 all read without a remark."""


def export(
    checkpoints: Sequence[Path],
    out: Path,
    imgsz: tuple[int, int],
    *,
    end_to_end: bool = False,
    mirror: bool = False,
    brings: Inherited | None = None,
) -> str:
    """Write the ONNX file.

    Parameters
    ----------
    checkpoints
        What ``train.py`` wrote; of a checkpoint in mid-training its moving average is taken, of several the mean.
    out
        The file to write; replaced only when everything went well.
    imgsz
        Height and width of the input in px, multiples of 32.
    end_to_end
        For YOLO26 only: export the head that needs no NMS instead of the raw one.
    mirror
        Export `mirrored.Mirrored`.
    brings
        Operating point, classifier and rights, for the file's metadata.

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
        if len(checkpoints) == 1:
            shutil.copyfile(checkpoints[0], copy)
        else:
            write_mean(checkpoints, copy)
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
        if mirror:
            metadata = {entry.key: entry.value for entry in graph.metadata_props}
            graph = mirrored_graph(copy, Path(folder) / "mirrored.onnx", imgsz)
            onnx.helper.set_model_props(graph, metadata)
        onnx.checker.check_model(graph)
        shape = [dimension.dim_value for dimension in graph.graph.input[0].type.tensor_type.shape.dim]
        if shape != [1, 3, *imgsz]:
            raise SystemExit(f"the exported input is {shape}, not 1x3x{imgsz[0]}x{imgsz[1]}")
        set_metadata(graph, brings)
        onnx.save(graph, made)
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_suffix(".part")
        shutil.copyfile(made, part)
        part.replace(out)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def set_metadata(graph: Any, brings: Inherited | None) -> None:
    """Write what the file brings beside what is there, and drop what the weights do not decide.

    The date would change the hash on every day; the folder that Ultralytics says it was trained on is somebody's own.
    """
    import onnx

    entries = {entry.key: entry.value for entry in graph.metadata_props if entry.key != "date"}
    if "description" in entries:
        entries["description"] = entries["description"].partition(" trained on ")[0]
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, entries | (brings.as_metadata(Precision.FP32) if brings else {}))


def brought(options: argparse.Namespace) -> Inherited | None:
    """What the command line says that the file brings; None without a threshold.

    Raises
    ------
    SystemExit
        A threshold is not between 0 and 1, the classifier is not in the manifest, or something needs `--threshold`.
    """
    if options.threshold is None:
        if (options.mask_threshold, options.classifier, options.data_rights) != (None, None, None):
            raise SystemExit("error: --mask-threshold, --classifier and --data-rights need --threshold")
        return None
    mask = 0.5 if options.mask_threshold is None else options.mask_threshold
    for name, value in (("--threshold", options.threshold), ("--mask-threshold", mask)):
        if not 0 < value < 1:
            raise SystemExit(f"error: {name} {value:g} is not between 0 and 1")
    known = [entry.name for entry in list_classifiers()]
    if options.classifier is not None and options.classifier not in known:
        raise SystemExit(f"error: there is no classifier {options.classifier!r} in the manifest: {', '.join(known)}")
    return Inherited(
        is_grey=True,  # the recipes train on grey pictures
        threshold=options.threshold,
        mask_threshold=mask,
        licence=LICENCE,
        data_rights=options.data_rights or "unknown",
        classifier=options.classifier,
    )


def write_mean(checkpoints: Sequence[Path], out: Path) -> None:
    """Write a checkpoint whose weights are the mean of several.

    Raises
    ------
    SystemExit
        They are not of one architecture.
    """
    from ultralytics import YOLO

    models: list[Any] = [YOLO(checkpoint, task="segment") for checkpoint in checkpoints]
    states = [model.model.float().state_dict() for model in models]
    for checkpoint, state in zip(checkpoints, states, strict=True):
        if {key: value.shape for key, value in state.items()} != {key: each.shape for key, each in states[0].items()}:
            raise SystemExit(f"{checkpoint} is of another architecture than {checkpoints[0]}: there is no mean of both")
    mean = {
        key: sum(state[key] for state in states) / len(states) if value.is_floating_point() else value
        for key, value in states[0].items()
    }
    models[0].model.load_state_dict(mean)
    models[0].save(out)


def mirrored_graph(checkpoint: Path, out: Path, imgsz: tuple[int, int]) -> Any:
    """The ONNX graph of `mirrored.Mirrored` around a checkpoint; `out` is written on the way."""
    import onnx
    import torch
    from mirrored import Mirrored
    from ultralytics import YOLO
    from ultralytics.nn.modules import C2f

    network: Any = YOLO(checkpoint, task="segment").model.float().fuse().eval()
    head = network.model[-1]
    head.export, head.format, head.dynamic = True, "onnx", False
    for part in network.modules():
        if isinstance(part, C2f):
            part.forward = part.forward_split  # as Ultralytics exports it: chunks would compute shapes in the graph
    module = Mirrored(network, imgsz, head.nc).eval()
    picture = torch.zeros(1, 3, *imgsz)
    with torch.no_grad():
        module(picture)  # the head makes its anchors at the first call, which must not be in the graph
        torch.onnx.export(
            module,
            (picture,),
            out,
            input_names=["images"],
            output_names=["output0", "output1"],
            opset_version=OPSET,
            dynamo=False,
        )
    return onnx.load(out)


def main() -> None:
    """Read the command line, export, print hash and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+", help="one, or several to take the mean of")
    parser.add_argument("out", type=Path)
    parser.add_argument("--imgsz", type=int, nargs="+", default=[320], metavar="PX", help="side, or height and width")
    parser.add_argument("--end-to-end", action="store_true", help="YOLO26: the head that needs no NMS")
    parser.add_argument("--mirror", action="store_true", help="look at the mirror image, too")
    parser.add_argument("--threshold", type=float, help="operating threshold of the score, chosen on val")
    parser.add_argument("--mask-threshold", type=float, help="probability from which a pixel is lesion; default 0.5")
    parser.add_argument("--classifier", metavar="NAME", help="classifier of models/manifest.toml that goes with it")
    parser.add_argument("--data-rights", metavar="TEXT", help="terms of the data that it was trained on")
    options = parser.parse_args()
    if len(options.imgsz) > 2:
        parser.error("--imgsz takes one or two numbers")
    size = (options.imgsz[0], options.imgsz[-1])
    digest = export(
        options.checkpoints,
        options.out,
        size,
        end_to_end=options.end_to_end,
        mirror=options.mirror,
        brings=brought(options),
    )
    print(f"{options.out}: input {size[0]}x{size[1]} px, {options.out.stat().st_size / 1e6:.1f} MB, sha256 {digest}")


if __name__ == "__main__":
    main()
