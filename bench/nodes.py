"""How exactly phantom nodes are read, for docs/nodes.md; phantom figures only.

Usage::

    python bench/nodes.py [--nodes 500] [--json bench/results/nodes.json]

Nodes of six cortical patterns in turn, each with its own place, tilt, gain and speckle, read once: from the exact
outline, from outlines that are off by long waves, and from those of the axilla's default network.
"""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from pathlib import Path

from edge_us.finding import Exam
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.detector import Detector
from edge_us.inference.model import load_model
from edge_us.nodes.proof import TOLERANCE_MM, TOLERANCE_PX, read, summary

ROUGH_PX = (0.0, 1.0, 2.0)


def main() -> None:
    """Read the command line, read the nodes, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--first", type=int, default=1000, help="the constants were chosen on the numbers below 240")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = {
        f"outline_sd_px={px:g}": summary(read(options.first + number, px) for number in range(options.nodes))
        for px in ROUGH_PX
    }
    model = load_model("axilla")
    with closing(open_backend(model, BackendName.AUTO, Precision.FP32)) as backend:
        detector = Detector(model, backend.lanes, model.threshold, exam=Exam.AXILLA)
        figures[f"outline_of={model.name}"] = summary(
            read(options.first + number, detector=detector) for number in range(options.nodes)
        )
    text = json.dumps({"tolerance": {"mm": TOLERANCE_MM, "px": TOLERANCE_PX}, "outlines": figures}, indent=1)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
