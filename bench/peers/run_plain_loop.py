"""The loop that a good engineer writes in a day: OpenCV reads and writes, OpenVINO infers, masks inside the boxes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import openvino as ov
from common import arguments, measure
from drawing import draw, play


def main() -> None:
    """Run once."""
    options = arguments()
    core = ov.Core()
    steps = ov.preprocess.PrePostProcessor(core.read_model(options.weights))
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().tensor().set_color_format(ov.preprocess.ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).convert_color(ov.preprocess.ColorFormat.RGB).scale(
        255.0
    )
    config = {"PERFORMANCE_HINT": "LATENCY"}
    if options.precision == "fp32":
        config["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = core.compile_model(steps.build(), "CPU", config)
    hint = str(compiled.get_property("INFERENCE_PRECISION_HINT"))
    precision = "bf16" if "bfloat16" in hint else "fp32"
    request = compiled.create_infer_request()
    _, height, width, _ = compiled.input(0).shape
    for _ in range(3):
        request.infer([np.zeros((1, height, width, 3), np.uint8)])

    measure(lambda: play(options, lambda frame: look(frame, request, (width, height))),
            version=f"OpenCV {cv2.__version__}, OpenVINO {ov.__version__.split('-')[0]}", precision=precision,
            encoder={"own": "MPEG-4 part 2"}.get(options.save, options.save))  # fmt: skip


def look(frame: Any, request: ov.InferRequest, size: tuple[int, int]) -> int:
    """Letterbox, infer and draw; returns the number of lesions."""
    scale = min(size[0] / frame.shape[1], size[1] / frame.shape[0])
    inner = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    picture = np.full((1, size[1], size[0], 3), 114, np.uint8)
    picture[0, top : top + inner[1], left : left + inner[0]] = cv2.resize(frame, inner)
    heads = request.infer([picture])
    return draw(frame, heads[0][0], heads[1][0], size, scale, left, top)


if __name__ == "__main__":
    main()
