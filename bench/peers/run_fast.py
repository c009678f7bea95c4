"""FAST: its network object with OpenVINO prepares and infers; OpenCV reads, draws and writes.

FAST's own movie streamer plays at the clip's pace and drops frames, so it cannot take part in a race.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

import fast
import numpy as np
from common import arguments, measure
from drawing import draw, play


def main() -> None:
    """Run once."""
    options = arguments()
    fast.Reporter.setGlobalReportMethod(fast.Reporter.NONE)
    network = fast.NeuralNetwork.create(str(options.weights), scaleFactor=1 / 255, inferenceEngine="OpenVINO")
    network.setPreserveAspectRatio(True)

    def look(frame: Any) -> int:
        network.setInputData(0, fast.Image.createFromArray(np.ascontiguousarray(frame[..., ::-1])))
        network.run()
        head, prototypes = (np.asarray(network.getOutputData(number)) for number in (0, 1))
        head, prototypes = head.T, np.moveaxis(prototypes, -1, 0)  # FAST turns tensors to channels last
        width, height = prototypes.shape[2] * 4, prototypes.shape[1] * 4
        scale = min(width / frame.shape[1], height / frame.shape[0])
        left, top = round((width - frame.shape[1] * scale) / 2), round((height - frame.shape[0] * scale) / 2)
        return draw(frame, head, prototypes, (width, height), scale, left, top)

    for _ in range(3):
        look(np.zeros((600, 800, 3), np.uint8))

    version = f"{importlib.metadata.version('pyfast')}, its own OpenVINO 2022.3"
    measure(lambda: play(options, look), version=version, precision="bf16 where the CPU has it",
            encoder={"own": "MPEG-4 part 2"}.get(options.save, options.save))  # fmt: skip


if __name__ == "__main__":
    main()
