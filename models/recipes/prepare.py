"""Turn a manifest of breast ultrasound images with masks into a YOLO segmentation data set.

Usage::

    python models/recipes/prepare.py MANIFEST.csv runs/data/all
    python models/recipes/prepare.py MANIFEST.csv runs/data/no-busi --exclude-dataset busi

The manifest has the columns ``dataset, image, mask, label, flags, split``; paths are relative to it. Pictures labelled
``normal`` are background; one that is labelled so but has lesion pixels in its mask is an error, as for
``edge-us evaluate``, and so is one with a lesion's label and no mask. The same manifest gives the same data set, byte
for byte.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from outlines import Gray, Outline, box_of, outlines_of, yolo_line

from edge_us.evaluate.manifest import LABELS
from edge_us.evaluate.matching import lesion_pixels

COLUMNS = ("dataset", "image", "mask", "label", "flags", "split")

# Marks that every image of a data set carries at the same place (left, top, right, bottom in shares of the picture).
# They tell the network which hospital it looks at, and with that how likely a lesion is. Taken from the mean and
# the deviation over all training images: the body mark at the lower right, the maker's sign at the upper left.
BURNED_IN: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "bus_uclm": ((0.895, 0.855, 1.0, 1.0), (0.065, 0.0, 0.1, 0.03)),
}

# How often an image is drawn per epoch: BUS-BRA alone has 56 % of the training images and no normal one. Normal
# tissue is what detectors of this field get wrong, so it is drawn more often than its share.
REPEATS: dict[tuple[str, bool], int] = {
    ("busi", True): 2,
    ("busi", False): 4,
    ("bus_uclm", True): 3,
    ("bus_uclm", False): 2,
}

_SMALLEST_CROP_PX = 96
_CROP_MARGIN = 0.06


@dataclass(frozen=True)
class Row:
    """One image of the manifest."""

    dataset: str
    image: str
    mask: str
    label: str
    split: str

    @property
    def name(self) -> str:
        """A file name that keeps the folder, so that equal names in two data sets do not collide."""
        return Path(self.image).with_suffix("").as_posix().replace("/", "__")


@dataclass
class Report:
    """What was written."""

    images: Counter[str] = field(default_factory=Counter)
    draws: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


def read_manifest(path: Path, exclude: frozenset[str]) -> tuple[list[Row], Counter[str]]:
    """Read the manifest; axilla frames and excluded data sets are left out and counted.

    Raises
    ------
    SystemExit
        Where a column is missing, a label is unknown, or a lesion has no mask; the message names it.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
        if missing:
            raise SystemExit(f"{path}: the manifest lacks the column(s) {', '.join(missing)}")
        raw = list(reader)
    rows: list[Row] = []
    left_out: Counter[str] = Counter()
    for record in raw:
        if record["dataset"] in exclude:
            left_out[f"{record['dataset']} (excluded)"] += 1
        elif "axilla" in record["flags"]:
            left_out["axilla"] += 1
        else:
            row = Row(
                record["dataset"], record["image"], record["mask"].strip(), record["label"].lower(), record["split"]
            )
            if row.label not in LABELS:
                raise SystemExit(f"{row.image} has the label {record['label']!r}: labels are {', '.join(LABELS)}")
            if row.label != "normal" and not row.mask:
                raise SystemExit(f"{row.image} is {row.label} but has no mask: only normal pictures have none")
            rows.append(row)
    return rows, left_out


def cover_burned_in(gray: Gray, regions: tuple[tuple[float, float, float, float], ...]) -> Gray:
    """Replace regions by their neighbouring tissue, mirrored left to right (depth stays where it is)."""
    height, width = gray.shape
    covered: Gray = gray.copy()
    for left, top, right, bottom in regions:
        x1, x2 = int(left * width), int(np.ceil(right * width))
        y1, y2 = int(top * height), int(np.ceil(bottom * height))
        span = x2 - x1
        source = gray[y1:y2, x1 - span : x1] if x1 >= span else gray[y1:y2, x2 : x2 + span]
        covered[y1:y2, x1:x2] = source[:, ::-1]
    return covered


def lesion_free_crop(gray: Gray, outlines: list[Outline]) -> Gray | None:
    """Cut the largest band of tissue beside, above or below all lesions.

    Bands beside the lesion are narrow. Enlarged to the network's input they would show speckle of a size that no
    scanner makes, so they are continued with their own mirror image until they have an ordinary picture's shape.

    Returns
    -------
    Gray or None
        None where no band is large enough.
    """
    box = box_of(outlines)
    if box is None:
        return None
    height, width = gray.shape
    margin = _CROP_MARGIN * max(width, height)
    x1, y1 = int(box[0] - margin), int(box[1] - margin)
    x2, y2 = int(np.ceil(box[2] + margin)), int(np.ceil(box[3] + margin))
    bands = [gray[:, : max(x1, 0)], gray[:, x2:], gray[: max(y1, 0)], gray[y2:]]
    usable = [band for band in bands if min(band.shape, default=0) >= _SMALLEST_CROP_PX]
    if not usable:
        return None
    band = max(usable, key=lambda candidate: candidate.size)
    parts = [band]
    while sum(part.shape[1] for part in parts) < 0.75 * band.shape[0]:
        parts.append(parts[-1][:, ::-1])
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def _chosen(name: str, share: float) -> bool:
    """Draw by the name's hash: the choice does not depend on the order of the manifest."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) < share * 2**32


def _write(folder: Path, part: str, name: str, gray: Gray, outlines: list[Outline]) -> str:
    """Write picture and label; returns the line for the list of images."""
    height, width = gray.shape
    cv2.imwrite(str(folder / "images" / part / f"{name}.png"), gray, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    lines = [yolo_line(outline, width, height) for outline in outlines]
    (folder / "labels" / part / f"{name}.txt").write_text("".join(line + "\n" for line in lines))
    return f"./images/{part}/{name}.png"


def prepare(manifest: Path, out: Path, exclude: frozenset[str] = frozenset(), crops: float = 0.35) -> Report:
    """Write the data set.

    Parameters
    ----------
    manifest
        The data manifest.
    out
        Folder to write; an earlier data set there is replaced.
    exclude
        Data sets to leave out of both `train` and `val`.
    crops
        Share of training images with a lesion that also give a lesion-free crop.
    """
    rows, left_out = read_manifest(manifest, exclude)
    report = Report(left_out=left_out)
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for part in lists:
        for kind in ("images", "labels"):
            shutil.rmtree(out / kind / part, ignore_errors=True)
            (out / kind / part).mkdir(parents=True)
    for row in rows:
        if row.split not in lists:
            continue
        gray = cv2.imread(str(manifest.parent / row.image), cv2.IMREAD_GRAYSCALE)
        if gray is None:
            raise SystemExit(f"{row.image}: no readable picture beside {manifest}")
        outlines: list[Outline] = []
        if row.mask:
            mask = cv2.imread(str(manifest.parent / row.mask), cv2.IMREAD_GRAYSCALE)
            if mask is None or mask.shape != gray.shape:
                raise SystemExit(f"{row.mask}: no readable mask of the picture's size beside {manifest}")
            if row.label != "normal":
                outlines = outlines_of(np.asarray(mask, np.uint8))
            elif lesion_pixels(mask).any():
                raise SystemExit(f"{row.image} is labelled normal, but its mask {row.mask} holds a lesion")
            if row.label != "normal" and not outlines:  # shown as normal tissue it would teach the network to miss it
                report.left_out["mask without a lesion"] += 1
                continue
        picture = np.asarray(gray, np.uint8)
        repeats = 1
        if row.split == "train":  # validation sees what a user's frame grabber sees
            picture = cover_burned_in(picture, BURNED_IN.get(row.dataset, ()))
            repeats = REPEATS.get((row.dataset, bool(outlines)), 1)
        key = f"{row.split} {row.dataset} {'lesion' if outlines else 'normal'}"
        report.images[key] += 1
        report.draws[key] += repeats
        lists[row.split] += [_write(out, row.split, row.name, picture, outlines)] * repeats
        if row.split == "train" and outlines and _chosen(row.name, crops):
            crop = lesion_free_crop(picture, outlines)
            if crop is not None:
                key = f"train {row.dataset} lesion-free crop"
                report.images[key] += 1
                report.draws[key] += 1
                lists["train"].append(_write(out, "train", f"{row.name}__free", crop, []))
    for part, lines in lists.items():
        (out / f"{part}.txt").write_text("".join(line + "\n" for line in lines))
    (out / "data.yaml").write_text(
        f"path: {out.resolve()}\ntrain: train.txt\nval: val.txt\nnames:\n  0: lesion\n", encoding="utf-8"
    )
    summary = {
        "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        "excluded": sorted(exclude),
        "crops": crops,
        "images": dict(sorted(report.images.items())),
        "draws": dict(sorted(report.draws.items())),
        "left_out": dict(sorted(report.left_out.items())),
    }
    (out / "prepared.json").write_text(json.dumps(summary, indent=2) + "\n")
    return report


def main() -> None:
    """Read the command line, write the data set, print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--exclude-dataset", action="append", default=[], metavar="NAME", help="may be repeated")
    parser.add_argument("--crops", type=float, default=0.35, help="share of lesion images that also give a crop")
    options = parser.parse_args()
    report = prepare(options.manifest, options.out, frozenset(options.exclude_dataset), options.crops)
    for key in sorted(report.images):
        print(f"{key:40s} {report.images[key]:5d} images {report.draws[key]:5d} draws per epoch")
    for key in sorted(report.left_out):
        print(f"left out: {key:30s} {report.left_out[key]:5d}")
    total = sum(count for key, count in report.draws.items() if key.startswith("train"))
    lesions = sum(count for key, count in report.draws.items() if key.startswith("train") and key.endswith("lesion"))
    print(f"{total} training draws per epoch, {1 - lesions / total:.0%} without a lesion; see {options.out}/data.yaml")


if __name__ == "__main__":
    main()
