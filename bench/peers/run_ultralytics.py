"""Ultralytics `predict` with OpenVINO, as its documentation shows it."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_VERBOSE", "false")

import openvino as ov
from common import THRESHOLD, X264Pipe, arguments, measure
from ultralytics import YOLO, __version__


def convert(weights: Path, folder: Path) -> Path:
    """What ``yolo export format=openvino`` does with its ONNX file: an IR and the metadata beside it."""
    target = folder / f"{weights.stem}_openvino_model"
    model = ov.Core().read_model(weights)
    import onnx

    metadata = {each.key: each.value for each in onnx.load(weights).metadata_props}
    target.mkdir(exist_ok=True)
    ov.save_model(model, target / f"{weights.stem}.xml", compress_to_fp16=False)
    values = {}
    for key, value in metadata.items():
        try:
            values[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            values[key] = value
    # YAML reads JSON.
    (target / "metadata.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items()))
    return target


def main() -> None:
    """Run once."""
    options = arguments()
    if options.precision == "fp32":
        compile_model = ov.Core.compile_model

        def in_fp32(self: ov.Core, *given: Any, **named: Any) -> Any:
            named["config"] = {**(named.get("config") or {}), "INFERENCE_PRECISION_HINT": "f32"}
            return compile_model(self, *given, **named)

        ov.Core.compile_model = in_fp32
    model = YOLO(convert(options.weights, options.folder), task="segment")
    size = ov.Core().read_model(options.weights).input(0).shape[2]
    settings = {"imgsz": int(size), "conf": THRESHOLD, "verbose": False, "device": "cpu"}
    import numpy as np

    for _ in range(3):
        model.predict(np.zeros((600, 800, 3), np.uint8), **settings)

    def work() -> tuple[int, int]:
        frames = drawn = 0
        pipe: X264Pipe | None = None
        saves = {"save": options.save == "own", "project": str(options.folder), "name": "out", "exist_ok": True}
        for result in model.predict(str(options.clip), stream=True, **saves, **settings):
            frames += 1
            drawn += len(result.boxes)
            if options.save == "x264":
                picture = result.plot()
                pipe = pipe or X264Pipe(options.folder / "out.mp4", picture.shape[1::-1])
                pipe.write(picture)
        if pipe is not None:
            pipe.release()
        return frames, drawn

    measure(work, version=f"{__version__}, OpenVINO {ov.__version__.split('-')[0]}",
            precision="bf16 where the CPU has it" if options.precision == "default" else "fp32",
            encoder={"own": "MJPEG"}.get(options.save, options.save))  # fmt: skip


if __name__ == "__main__":
    main()
