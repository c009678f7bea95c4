"""What descriptors say on labelled real stills, for docs/measurements.md.

Usage::

    python bench/descriptors.py MANIFEST.csv [--split test] [--cases N]

Words from the readers' own outlines against what a BI-RADS category and a histology imply, words and sizes from the
network's outline against those from the reader's, and what gain and gamma change. Prints Markdown.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_us.config import load_config
from edge_us.describe import margin, shape
from edge_us.describe.describe import DESCRIPTORS, describe, look
from edge_us.describe.threshold import UNCERTAIN
from edge_us.evaluate.manifest import Case, read_manifest
from edge_us.finding import Finding, FindingKind, Unknown
from edge_us.frame import Frame, PixelFormat
from edge_us.measure.size import measure_size
from edge_us.measure.stage import skin_above

Image = NDArray[np.uint8]
Contour = NDArray[np.float32]
DYNAMIC_RANGE_DB = 58.0
"""Taken for the pictures' dynamic range, which no header tells: 6 dB are 26 of 255 levels."""
GREY_MAPS = {
    "+6 dB": (6, 1.0),
    "-6 dB": (-6, 1.0),
    "+3 dB": (3, 1.0),
    "-3 dB": (-3, 1.0),
    "0.7": (0, 0.7),
    "1.4": (0, 1.4),
}
LEFT_OUT = frozenset({"doppler", "combined-view"})
BENIGN_WORDS = {"shape": {"oval", "round"}, "orientation": {"parallel"}, "margin": {"circumscribed"}}
NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Seen:
    """One lesion with its reader's outline, and what was said of it."""

    case: Case
    gray: Image
    contour: Contour
    numbers: dict[str, float]
    words: dict[str, str]
    histology: str


def frame_of(gray: Image) -> Frame:
    height, width = gray.shape
    return Frame(gray, PixelFormat.GRAY8, width, height, 0, 0, 0)


def said(gray: Image, contour: Contour) -> tuple[dict[str, float], dict[str, str]]:
    """Numbers and words from one outline; ``not known`` where there is no word."""
    (x1, y1), (x2, y2) = contour.min(axis=0).tolist(), contour.max(axis=0).tolist()
    found = Finding(FindingKind.LESION, (x1, y1, x2 + 1, y2 + 1), 1.0, contour)
    frame = frame_of(gray)
    numbers = look(frame, contour, None, float(skin_above(frame, found, None)))
    written = describe(numbers)
    words = {term.name: written[term.name] for term in DESCRIPTORS}
    return numbers, {name: NOT_KNOWN if isinstance(word, Unknown) else str(word) for name, word in words.items()}


def read(manifest: Path, split: str | None, most: int | None) -> Iterator[Seen]:
    """Lesions of a split, each with its reader's outline."""
    histology = {}
    table = manifest.parent / "busbra" / "bus_data.csv"
    if table.exists():
        with table.open(newline="", encoding="utf-8-sig") as file:
            histology = {row["ID"]: row["Histology"] for row in csv.DictReader(file)}
    cases = [each for each in read_manifest(manifest, split).cases if each.mask and not each.flags & LEFT_OUT]
    chosen = np.random.default_rng(0).permutation(len(cases))[:most]
    for number in sorted(chosen.tolist()):
        case = cases[number]
        gray, mask = (
            np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8) for path in (case.image, case.mask)
        )
        outlines, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if not outlines:
            continue
        contour = np.asarray(max(outlines, key=cv2.contourArea), np.float32)[:, 0]
        if cv2.contourArea(contour) < 150:
            continue
        yield Seen(case, gray, contour, *said(gray, contour), histology.get(case.image.stem, ""))


def shares(title: str, seen: list[Seen], groups: dict[str, Callable[[Seen], bool]]) -> None:
    """A table of how often each word is said, by group."""
    members = {name: [each for each in seen if belongs(each)] for name, belongs in groups.items()}
    print(f"\n**{title}**\n")
    print(f"| descriptor | word | {' | '.join(f'{name} ({len(group)})' for name, group in members.items())} |")
    print("|---|---|" + "---|" * len(members))
    for term in DESCRIPTORS:
        for word in (*term.words, UNCERTAIN, NOT_KNOWN):
            row = [
                f"{100 * sum(each.words[term.name] == word for each in group) / max(len(group), 1):.0f} %"
                for group in members.values()
            ]
            print(f"| {term.name} | {word} | {' | '.join(row)} |")


def implied(seen: list[Seen]) -> None:
    """Agreement with the words that a category implies, of those that are certain."""
    print("\n**Against what the reader's category implies** (benign lesions of category 2 and 3 are oval or round,")
    print("parallel and circumscribed; a lesion of category 5 is not all of that)\n")
    print("| descriptor | category 2 and 3, benign: agree | disagree | left open |")
    print("|---|---|---|---|")
    mild = [each for each in seen if each.case.birads in ("2", "3") and each.case.label == "benign"]
    severe = [each for each in seen if each.case.birads == "5"]
    for name, words in BENIGN_WORDS.items():
        counts = Counter(
            "open"
            if each.words[name] in (UNCERTAIN, NOT_KNOWN)
            else "agree"
            if each.words[name] in words
            else "disagree"
            for each in mild
        )
        print(
            f"| {name} | "
            + " | ".join(f"{100 * counts[key] / len(mild):.0f} %" for key in ("agree", "disagree", "open"))
            + " |"
        )

    def all_benign(each: Seen) -> bool:
        return all(each.words[name] in words for name, words in BENIGN_WORDS.items())

    for title, group in (("2 and 3, benign", mild), ("5", severe)):
        print(f"\nAll three said together: category {title}: {sum(map(all_benign, group))} of {len(group)}.")


def best_cuts(seen: list[Seen]) -> None:
    """Where category 2 and 3 part best from 5 (the largest sum of sensitivity and specificity)."""
    mild = [each for each in seen if each.case.birads in ("2", "3") and each.case.label == "benign"]
    severe = [each for each in seen if each.case.birads == "5"]
    for name, direction in ((shape.DEVIATION, 1), (margin.SHARE, -1)):
        low = np.array([each.numbers[name] for each in mild if name in each.numbers])
        high = np.array([each.numbers[name] for each in severe if name in each.numbers])
        cuts = np.linspace(min(low.min(), high.min()), max(low.max(), high.max()), 400)
        sums = [
            np.mean(direction * low < direction * cut) + np.mean(direction * high >= direction * cut) for cut in cuts
        ]
        best = [cut for cut, value in zip(cuts, sums, strict=True) if value > max(sums) - 0.02]
        about = f"within 0.02 of the best Youden index, {max(sums) - 1:.2f}"
        print(f"\n`{name}`: best cut {best[0]:.3f} to {best[-1]:.3f} ({about}).")


def grey_maps(seen: list[Seen]) -> None:
    """How often gain and gamma change a word into another, and into or out of being open."""
    print("\n**Gain and gamma** (share of the words that change into another word; into or out of uncertain)\n")
    print(f"| descriptor | {' | '.join(GREY_MAPS)} |")
    print("|---|" + "---|" * len(GREY_MAPS))
    level = np.arange(256) / 255
    cells: dict[str, list[str]] = {term.name: [] for term in DESCRIPTORS}
    for gain_db, gamma in GREY_MAPS.values():
        table = np.where(level > 0, np.clip(level + gain_db / DYNAMIC_RANGE_DB, 0, 1), 0) ** gamma
        codes = np.rint(255 * table).astype(np.uint8)
        changed = [said(np.asarray(cv2.LUT(each.gray, codes), np.uint8), each.contour)[1] for each in seen]
        for name, row in cells.items():
            pairs = [(one.words[name], other[name]) for one, other in zip(seen, changed, strict=True)]
            flips = sum(one != other and not {one, other} & {UNCERTAIN, NOT_KNOWN} for one, other in pairs)
            opened = sum(one != other for one, other in pairs) - flips
            row.append(f"{100 * flips / len(pairs):.1f} %; {100 * opened / len(pairs):.1f} %")
    for name, row in cells.items():
        print(f"| {name} | {' | '.join(row)} |")


def against_network(seen: list[Seen], model: str) -> None:
    """Sizes and words from the network's outline against those from the reader's."""
    from edge_us.capture.source import SourceKind
    from edge_us.inference.model import load_model
    from edge_us.runtime.build import build_analyser
    from edge_us.runtime.engine import open_engine

    loaded = load_model(model)
    config = load_config({"source": "images:", "region": "full"}, environment={})
    errors: dict[str, list[float]] = {"long axis": [], "short axis": [], "area": [], "height_to_width": []}
    pairs: dict[str, list[tuple[str, str]]] = {term.name: [] for term in DESCRIPTORS}
    with closing(open_engine(loaded, None, backend=config.backend, precision=config.precision, threads=2)) as engine:
        analyser = build_analyser(config, engine.share(), SourceKind.STILLS, loaded.threshold)
        for each in seen:
            found = analyser.analyse(frame_of(each.gray)).findings
            best = max(found, key=lambda one: overlap(one.contour, each), default=None)
            if best is None or overlap(best.contour, each) < 0.5:
                continue
            truth, size = measure_size(each.contour), measure_size(best.contour)
            if truth is None or size is None:
                continue
            errors["long axis"].append(size.axes.long_length / truth.axes.long_length - 1)
            errors["short axis"].append(size.axes.short_length / truth.axes.short_length - 1)
            errors["area"].append(size.area / truth.area - 1)
            errors["height_to_width"].append(size.height_to_width / truth.height_to_width - 1)
            _, words = said(each.gray, best.contour)
            for name, word in words.items():
                pairs[name].append((each.words[name], word))
    hits = len(errors["area"])
    print(
        f"\n**The network's outline against the reader's** ({hits} of {len(seen)} lesions met with IoU 0.5 or more)\n"
    )
    print("| measure | median difference | half of all within | 90 % within |\n|---|---|---|---|")
    for name, values in errors.items():
        away = np.abs(np.array(values) - np.median(values))
        half, most = np.quantile(away, (0.5, 0.9))
        print(f"| {name} | {100 * np.median(values):+.1f} % | ± {100 * half:.1f} % | ± {100 * most:.1f} % |")
    print("\n| descriptor | same word | other word | left open by one or both |\n|---|---|---|---|")
    for name, both in pairs.items():
        open_ = sum(bool({one, other} & {UNCERTAIN, NOT_KNOWN}) for one, other in both)
        same = sum(one == other for one, other in both if not {one, other} & {UNCERTAIN, NOT_KNOWN})
        cells = (same, len(both) - open_ - same, open_)
        print(f"| {name} | " + " | ".join(f"{100 * cell / max(hits, 1):.0f} %" for cell in cells) + " |")


def overlap(contour: Contour, seen: Seen) -> float:
    """Intersection over union of an outline and the reader's."""
    masks: list[Any] = [np.zeros(seen.gray.shape, np.uint8) for _ in range(2)]
    for mask, points in zip(masks, (contour, seen.contour), strict=True):
        if len(points) >= 3:
            cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
    one, other = masks
    return float((one & other).sum() / max((one | other).sum(), 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--split", default=None)
    parser.add_argument("--cases", type=int, default=None)
    parser.add_argument("--model", default="default")
    parser.add_argument("--cuts", action="store_true", help="only where the thresholds of shape and margin would lie")
    options = parser.parse_args()
    seen = list(read(options.manifest, options.split, options.cases))
    print(f"{len(seen)} lesions, split {options.split or 'all'}.")
    if options.cuts:
        best_cuts(seen)
        return
    shares(
        "Words by diagnosis and category",
        seen,
        {
            "benign": lambda each: each.case.label == "benign",
            "malignant": lambda each: each.case.label == "malignant",
            "cyst, category 2": lambda each: each.histology == "cyst" and each.case.birads == "2",
            "fibroadenoma": lambda each: each.histology == "fibroadenoma",
            "category 5": lambda each: each.case.birads == "5",
        },
    )
    implied(seen)
    grey_maps(seen)
    against_network(seen, options.model)


if __name__ == "__main__":
    main()
