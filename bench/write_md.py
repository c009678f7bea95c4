"""Write BENCH.md from the results that lie in bench/results.

Usage::

    python bench/write_md.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))

from compare import tables
from compare_suite import ratios

from edge_us.bench.page import about_machine, text_table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
HEAD = """# Benchmarks

Written by `python bench/write_md.py` from `bench/results/*.json`; how each was made stands above it. Compare within a
table: all of it was measured in one run, rounds interleaved, on a machine that did nothing else.
"""
SETTINGS = {
    "own": "everybody's own defaults, encoder included",
    "equal": "fp32 where that can be chosen, pictures to the same H.264 encoder (x264 ultrafast, quantizer 21)",
    "none": "nothing drawn into a file",
}


def read(pattern: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Results by name."""
    for path in sorted(RESULTS.glob(pattern)):
        yield path.name, json.loads(path.read_text(encoding="utf-8"))


def peers() -> Iterator[str]:
    """A section for each race."""
    for name, report in read("peers*.json"):
        used = ", ".join(dict.fromkeys(row["setting"] for row in report["rows"]))
        yield f"\n## Race against peers: {name}\n"
        yield f"`python bench/peers/compare.py` ({report['rounds']} rounds). {about_machine(report['machine'])}.\n"
        yield "\n".join(f"- **{key}**: {text}." for key, text in SETTINGS.items() if key in used) + "\n"
        yield tables(report)


def pipeline() -> Iterator[str]:
    """A section for each `edge-us bench --json`."""
    for name, report in read("pipeline*.json"):
        settings = report["settings"]
        yield f"\n## Pipeline: {name}\n"
        yield (
            f"`edge-us bench` ({settings['rounds']} rounds of {settings['seconds']:g} s, {settings['warm_up_s']:g} s "
            f"warm-up left out). {about_machine(report['machine'])}.\n"
        )
        yield text_table(report) + "\n"


def suite() -> Iterator[str]:
    """The steps of a frame as multiples of inference alone."""
    for name, result in read("suite*.json"):
        rows = {each["fullname"].rpartition("/")[2]: each for each in result["benchmarks"]}
        share: Mapping[str, float] = ratios(result)
        yield f"\n## Steps of a frame: {name}\n"
        cpu = result["machine_info"]["cpu"].get("brand_raw", "CPU unknown")
        yield f"`make bench` on {cpu}. Fastest time, and the same in inferences of the default model right around it.\n"
        yield "| step | ms | inferences |\n|---|---|---|"
        for key, each in rows.items():
            if key in share:
                yield f"| {key.partition('::')[2]} | {each['stats']['min'] * 1e3:.3f} | {share[key]:.3f} |"


def main() -> None:
    """Write the file."""
    text = "\n".join([HEAD, *peers(), *pipeline(), *suite()])
    (HERE.parent / "BENCH.md").write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
