"""The driver: ``python -m fuzz.run --target all --inputs 100000 --minutes 30 --seed 1``.

Every target runs in child processes. A child that dies, hangs or grows is the fault of the input in hand, which is kept
under ``out/fuzz``; a new child goes on behind it. Every kind of failure is counted once for each place in the code.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fuzz.campaign import Campaign, Result

TARGETS = (
    "containers",
    "metaimage",
    "configuration",
    "findings",
    "bundle",
    "dicom",
    "onnx",
    "video",
    "rtsp",
)


def main() -> int:
    """Run what the command line asks for; 0 where nothing failed that is ours."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.run", description=__doc__)
    parser.add_argument("--target", default="all", choices=("all", *TARGETS))
    parser.add_argument("--inputs", type=int, default=100_000, help="for each target")
    parser.add_argument("--minutes", type=float, default=30.0, help="for each target; whichever is first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="auto", choices=("auto", "seeded", "atheris"))
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"))
    arguments = parser.parse_args()
    engine = arguments.engine
    if engine == "auto":
        engine = "atheris" if find_spec("atheris") else "seeded"
    print(f"engine {engine}, seed {arguments.seed}")
    print(f"{'target':14} {'inputs':>8} {'accepted':>8} {'refused':>8} {'seconds':>8} {'peak MiB':>8}  failures")
    results = []
    for name in TARGETS if arguments.target == "all" else (arguments.target,):
        campaign = Campaign(name, engine, arguments.seed, arguments.out.resolve())
        result = campaign.run(arguments.inputs, arguments.minutes * 60)
        results.append(result)
        print(row(result), flush=True)
        for failure in result.failures.values():
            print(f"    {failure.kind} x{failure.count}: {failure.signature}; {failure.saved}", flush=True)
    write(arguments.out / f"result-{arguments.target}.json", engine, arguments.seed, results)
    return 1 if any(result.ours for result in results) else 0


def row(result: Result) -> str:
    """A line of the table."""
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(result.kinds.items())) or "none"
    return (
        f"{result.target:14} {result.inputs:8} {result.accepted:8} {result.refused:8} {result.seconds:8.1f} "
        f"{result.peak_bytes / 2**20:8.0f}  {counts}"
    )


def write(path: Path, engine: str, seed: int, results: list[Result]) -> None:
    """Write the figures as JSON."""
    content: dict[str, Any] = {
        "schema": "edge-us/fuzz/1",
        "engine": engine,
        "seed": seed,
        "targets": [result.about() for result in results],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
