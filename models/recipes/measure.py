"""Measure a shipped model in every way that its card shows, and write the card's figures anew. One command.

Usage::

    edge-us sweeps MANIFEST.csv runs/sweeps --split test
    python models/recipes/quiet_clips.py FOLDER runs/quiet.csv
    python models/recipes/measure.py NAME MANIFEST.csv --quiet runs/quiet.csv --sweeps runs/sweeps/sequences.csv \
        --unseen busi=runs/nobusi.onnx --unseen busbra=runs/nobusbra.onnx

Runs in the runtime's environment. Each report is `edge-us evaluate`'s own and lies in ``models/metrics``. A file given
with ``--unseen`` is the same recipe's network that never saw this data set; it is judged on all of its pictures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
METRICS = FOLDER.parent / "metrics"


def commands(name: str, options: argparse.Namespace) -> Iterator[list[str]]:
    """The arguments of each `edge-us evaluate`."""
    manifest = str(options.manifest)
    for split in ("val", "test"):
        for precision in options.precision:
            if split == "val" and precision == "bf16":
                continue  # thresholds are chosen in fp32 on `val`, and int8 has its gate there
            ending = "" if precision == "fp32" else f"-{precision}"
            report = METRICS / f"{name}-{split}{ending}.json"
            yield [manifest, "--split", split, "--precision", precision, "--model", name, "--report", str(report)]
    for kind, sequences in (("quiet", options.quiet), ("sweeps", options.sweeps)):
        if sequences is not None:
            report = METRICS / f"{name}-{kind}.json"
            yield [str(sequences), "--video", "--precision", "fp32", "--model", name, "--report", str(report)]
    for unseen in options.unseen:
        dataset, _, rest = unseen.partition("=")
        model, _, classifier = rest.partition(",")
        report = METRICS / f"{name}-unseen-{dataset}.json"
        yield [
            *(manifest, "--dataset", dataset, "--precision", "fp32", "--model", model),
            *(("--classifier", classifier) if classifier else ()),
            *("--report", str(report)),
        ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, evaluate, write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of a shipped model")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16", "int8"])
    parser.add_argument("--quiet", type=Path, help="sequences without a lesion, from quiet_clips.py")
    parser.add_argument("--sweeps", type=Path, help="sequences.csv from `edge-us sweeps`")
    parser.add_argument(
        "--unseen", action="append", default=[], metavar="DATASET=FILE.onnx[,CLASSIFIER.onnx]", help="may be repeated"
    )
    options = parser.parse_args(arguments)
    tool = Path(sys.executable).with_name("edge-us")
    for command in commands(options.name, options):
        print("edge-us evaluate", *command, flush=True)
        subprocess.run([str(tool), "evaluate", *command], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([sys.executable, str(FOLDER / "card.py"), options.name], check=True)


if __name__ == "__main__":
    main()
