"""What a model of lesions and nodes does in exam axilla: on phantoms, on the real frames of the axilla, on breasts.

Usage::

    python models/recipes/judge_axilla.py MANIFEST.csv --model FILE.onnx --split val [--min-score S] [--out out.json]

Every picture goes through the runtime's own analyser. Something outlined counts as found as a node (or as a lesion)
where a finding of that kind overlaps it with IoU 0.5 or more. In pictures of the breast every node is an error: a
cancer that is taken for one is the worst that this exam can do. Phantoms of `test` have other numbers than any that
were trained on.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from prepare_nodes import phantom

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from edge_us.capture.source import SourceKind
from edge_us.config import load_config
from edge_us.evaluate.matching import lesions_of
from edge_us.finding import Finding, FindingKind
from edge_us.frame import Frame, Geometry, PixelFormat
from edge_us.runtime.analyser import Analyser
from edge_us.runtime.build import build_analyser
from edge_us.runtime.networks import open_engine_for

PHANTOMS = {"val": 100_000, "test": 200_000}
COUNT = 180
IOU = 0.5

Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """A picture with its outlined structures."""

    group: str
    gray: Gray
    masks: tuple[NDArray[np.bool_], ...]


def pictures(manifest: Path, split: str) -> Iterator[Picture]:
    """Phantom nodes and lesions, frames of the axilla, and pictures of the breast of a split."""
    for is_node, count in ((True, COUNT), (False, COUNT // 3)):
        for number in range(PHANTOMS[split], PHANTOMS[split] + count):
            made = phantom(number, is_node=is_node)
            yield Picture("phantom nodes" if is_node else "phantom lesions", made.image, made.masks)
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        axilla = "axilla" in row["flags"]
        # Of the axilla there are so few frames that those of training are told as well, apart.
        if row["split"] != split and not (axilla and split == "test"):
            continue
        gray = np.asarray(cv2.imread(str(manifest.parent / row["image"]), cv2.IMREAD_GRAYSCALE), np.uint8)
        masks: tuple[NDArray[np.bool_], ...] = ()
        if row["mask"]:
            read = np.asarray(cv2.imread(str(manifest.parent / row["mask"]), cv2.IMREAD_GRAYSCALE), np.uint8)
            _, labels = cv2.connectedComponents((read > 0).astype(np.uint8))
            labels = np.asarray(labels)
            parts = [labels == number for number in range(1, int(labels.max()) + 1)]
            masks = tuple(part for part in parts if lesions_of(part))
        yield Picture(f"axilla {row['split']}" if axilla else f"breast {row['label']}", gray, masks)


def overlap(mask: NDArray[np.bool_], found: Finding) -> float:
    """Intersection over union of a mask with a finding's outline."""
    own = np.zeros(mask.shape, np.uint8)
    if len(found.contour) >= 3:
        cv2.fillPoly(own, [np.rint(found.contour).astype(np.int32)], 1)
    union = np.count_nonzero(mask | (own > 0))
    return float(np.count_nonzero(mask & (own > 0))) / max(int(union), 1)


def judge(analyser: Analyser, each: Picture, index: int) -> tuple[tuple[Finding, ...], dict[FindingKind, int]]:
    """The findings, and how many of the outlined structures were found as each kind."""
    height, width = each.gray.shape
    frame = Frame(each.gray, PixelFormat.GRAY8, width, height, index, 0, 0, geometry=Geometry())
    findings = analyser.analyse(frame).findings
    hits = {
        kind: sum(any(found.kind is kind and overlap(mask, found) >= IOU for found in findings) for mask in each.masks)
        for kind in FindingKind
    }
    return findings, hits


def measure(manifest: Path, model: str, split: str, min_score: float | None) -> dict[str, Any]:
    """Counts for every group of pictures."""
    config = load_config(
        {"source": "images:.", "model": model, "exam": "axilla", "classifier": "off", "measure": False,
         "min_score": min_score, "precision": "fp32", "probe": False, "analysable": "off", "region": "full"}
    )  # fmt: skip
    groups: dict[str, dict[str, int]] = {}
    with closing(open_engine_for(config, waits=True)) as engine:
        analyser = build_analyser(config, engine.share(), SourceKind.STILLS, engine.model.threshold)
        for index, each in enumerate(pictures(manifest, split)):
            findings, hits = judge(analyser, each, index)
            counts = groups.setdefault(each.group, {})
            nodes = sum(found.kind is FindingKind.NODE for found in findings)
            for name, number in (
                ("pictures", 1),
                ("outlined", len(each.masks)),
                ("found_as_node", hits[FindingKind.NODE]),
                ("found_as_lesion", hits[FindingKind.LESION]),
                ("pictures_with_a_node", int(nodes > 0)),
                ("findings_node", nodes),
                ("findings_lesion", len(findings) - nodes),
            ):
                counts[name] = counts.get(name, 0) + number
        judged = engine.model
    return {
        "schema": "edge-us/axilla-evaluation/1", "model": {"name": judged.name, "sha256": judged.sha256},
        "split": split, "threshold": judged.threshold, "iou": IOU, "groups": dict(sorted(groups.items())),
    }  # fmt: skip


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="axilla")
    parser.add_argument("--split", choices=sorted(PHANTOMS), required=True)
    parser.add_argument("--min-score", type=float)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    figures = measure(options.manifest, options.model, options.split, options.min_score)
    text = json.dumps(figures, indent=1)
    if options.out is not None:
        options.out.write_text(text + "\n")
    print(f"threshold {figures['threshold']}")
    for name, counts in figures["groups"].items():
        print(f"{name:22s} " + "  ".join(f"{key} {value}" for key, value in counts.items()))


if __name__ == "__main__":
    main()
