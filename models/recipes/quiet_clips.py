"""List clips without any lesion as sequences: whatever a model shows on them is a false alarm.

Usage::

    python models/recipes/quiet_clips.py FOLDER runs/quiet.csv
    edge-us evaluate runs/quiet.csv --video --model MODEL

Every clip is a group of its own. What is listed is taken to be free of lesions; nothing checks that.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

COLUMNS = ("dataset", "clip", "masks", "label", "group", "fps", "split", "synthetic")
SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".mha", ".dcm"})


def list_clips(folder: Path, out: Path) -> int:
    """Write the manifest and return the number of clips; raises SystemExit where there is none."""
    clips = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not clips:
        raise SystemExit(f"error: no clip in {folder}; known are {', '.join(sorted(SUFFIXES))}")
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for path in clips:
            writer.writerow(
                {
                    "dataset": path.stem,
                    "clip": os.path.relpath(path, out.resolve().parent),
                    "label": "normal",
                    "group": path.stem,
                    "synthetic": "no",
                }
            )
    return len(clips)


def main() -> None:
    """Read the command line and write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    print(f"{list_clips(options.folder, options.out)} clips in {options.out}")


if __name__ == "__main__":
    main()
