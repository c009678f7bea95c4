"""Keep of a suite's result what is compared and printed: ``python bench/slim.py RESULT.json``, in place.

pytest-benchmark keeps every single time (tens of MB) and the name of the machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

STATISTICS = ("min", "median", "mean", "stddev", "rounds", "iterations")


def slim(result: dict[str, Any]) -> dict[str, Any]:
    """The result without single times, machine name and repository state."""
    cpu = {key: result["machine_info"]["cpu"].get(key) for key in ("brand_raw", "arch", "count")}
    return {
        "machine_info": {"cpu": cpu, "python_version": result["machine_info"]["python_version"]},
        "datetime": result["datetime"],
        "benchmarks": [
            {
                "fullname": each["fullname"],
                "extra_info": each["extra_info"],
                "stats": {key: each["stats"][key] for key in STATISTICS},
            }
            for each in result["benchmarks"]
        ],
    }


def main() -> None:
    """Rewrite the file."""
    path = Path(sys.argv[1])
    path.write_text(json.dumps(slim(json.loads(path.read_text(encoding="utf-8"))), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
