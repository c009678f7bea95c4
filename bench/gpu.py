"""Measure the GPU: networks, whole detections, live passes, and our kernels; writes bench/results/gpu-NAME.json.

Usage::

    python bench/gpu.py                 # shipped detectors (320 and 416 px), and one of 640 px for timing
    python bench/gpu.py --model my-640.onnx

Engines are built first where they are missing. The file is written anew after every row, and what cannot be measured
here stands in it with its reason.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from gpu_figures import Row, part  # noqa: E402
from gpu_kernels import kernels  # noqa: E402
from gpu_networks import networks  # noqa: E402

from edge_us.bench.machine import describe_machine  # noqa: E402
from edge_us.cuda.probe import DriverInfo, probe_driver  # noqa: E402
from edge_us.finding import Unknown  # noqa: E402
from edge_us.tensorrt.cache import engines_folder, write_whole  # noqa: E402

SCHEMA = "edge-us/gpu-bench/2"


def main() -> None:
    """Measure, write and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", action="append", default=[], help="another model or ONNX file; may be repeated")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--live-seconds", type=float, default=10.0, help="length of each live pass")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    found = probe_driver()
    if isinstance(found, Unknown):
        sys.exit(f"error: no GPU can be measured: {found.reason}\nhint: edge-us doctor")
    path = options.out / f"gpu-{file_name(found)}.json"
    folder = engines_folder() / "bench"
    measure(
        path,
        {"schema": SCHEMA, "machine": describe_machine(), "gpu": found.describe(), "rounds": options.rounds},
        {
            "kernels": lambda: kernels(options.rounds),
            "networks": lambda: networks(options.model, options.rounds, options.live_seconds, folder),
        },
    )
    print(path)


def measure(path: Path, head: Row, parts: dict[str, Callable[[], Iterator[Row]]]) -> None:
    """Write the rows of each part as they come; a part that breaks off says why and leaves the others alone."""
    result: Row = dict(head)
    for name, rows in parts.items():
        told: list[Row] = []
        result[name] = told

        def add(rows: Callable[[], Iterator[Row]] = rows, told: list[Row] = told) -> Row:
            for row in rows():
                told.append(row)
                print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
                write_whole(path, (json.dumps(result, indent=1) + "\n").encode())
            return {}

        if broken := part(add):
            told.append(broken)
        write_whole(path, (json.dumps(result, indent=1) + "\n").encode())


def file_name(found: DriverInfo) -> str:
    """The GPU's name, fit for a file."""
    return re.sub(r"[^a-z0-9]+", "-", found.gpu.name.lower()).strip("-")


if __name__ == "__main__":
    main()
