"""Compare two results of the suite: has any step become slower against inference alone in the same process?

Usage::

    python bench/compare_suite.py BASE.json NEW.json [--limit 1.10]

Each benchmark holds what inference alone took right before and after it (``extra_info.reference_s``). What is compared
is the ratio of the two fastest times, so that another machine speed or a noisy neighbour does not decide. Exit code 1
where a ratio grew by more than the limit.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIMIT = 1.10


def ratios(result: Mapping[str, Any]) -> dict[str, float]:
    """Fastest time of each benchmark as a multiple of the fastest inference around it."""
    return {
        each["fullname"].rpartition("/")[2]: each["stats"]["min"] / each["extra_info"]["reference_s"]
        for each in result["benchmarks"]
        if "reference_s" in each.get("extra_info", {})
    }


def slower(base: Mapping[str, float], new: Mapping[str, float], limit: float) -> list[tuple[str, float]]:
    """Benchmarks of both whose ratio grew by more than the limit, the worst first."""
    grown = [(name, new[name] / base[name]) for name in base if name in new]
    return sorted([each for each in grown if each[1] > limit], key=lambda each: -each[1])


def main() -> None:
    """Read the command line, compare, say what became slower."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--limit", type=float, default=LIMIT)
    options = parser.parse_args()
    try:
        base, new = (ratios(json.loads(path.read_text(encoding="utf-8"))) for path in (options.base, options.new))
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"error: {error}\nhint: both files come from `make bench`")
    common = sorted(set(base) & set(new))
    if not common:
        sys.exit("error: the two results have no benchmark in common\nhint: both files come from `make bench`")
    found = slower(base, new, options.limit)
    for name, growth in found:
        print(f"slower: {name}: {growth:.2f} times its ratio ({base[name]:.3f} to {new[name]:.3f} inferences)")
    gone = sorted(set(base) - set(new))
    if gone:
        print(f"not measured any more: {', '.join(gone)}")
    print(f"{len(common)} compared, {len(found)} slower than {options.limit:g} times")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
