"""Train, calibrate and judge a site's own classifier: of a node's crop, or of a lesion's for the risk of its nodes.

Usage::

    python models/recipes/train_nodes.py MANIFEST.csv --start DETECTOR.pt --out runs/node --site "Our hospital"
    python models/recipes/train_nodes.py MANIFEST.csv --task nodal-risk --start DETECTOR.pt --out runs/risk --site …
    python models/recipes/train_nodes.py --phantoms 600 --start DETECTOR.pt --out runs/node-phantom

The manifest is that of lesions (`prepare.py`, with ``group``): the mask outlines the node (or the primary lesion), and
the label ``malignant`` means that nodes were affected by histology. The network is `train_classifier.py`'s. Temperature
and threshold come from `val`, figures from `test` with intervals over patients. With fewer than 50 patients in either
the file is written without a calibration, and the runtime refuses it. With ``--phantoms`` it learns to tell a thin from
a changed cortex on phantoms: that proves the way, and the file says that it says nothing about a person.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from edge_us.calibrate.temperature import fit_temperature, temper
from edge_us.classify.crop import crop
from edge_us.classify.model import PHANTOM_ORIGIN, Task
from edge_us.evaluate import classification
from edge_us.evaluate.bootstrap import RESAMPLES, draw_weights, estimate
from edge_us.evaluate.manifest import read_manifest
from edge_us.evaluate.matching import lesion_pixels, lesions_of
from edge_us.nodes.pattern import NodePattern
from edge_us.nodes.proof import make

LEAST_GROUPS = 50
"""Patients of `val`, and of `test`, below which nothing is calibrated: the runtime's own rule for scores."""
SENSITIVITY = 0.9
"""That the threshold is chosen for on `val`."""
CHANGED = frozenset({NodePattern.DIFFUSE, NodePattern.FOCAL, NodePattern.DISPLACED, NodePattern.LOST})
"""Patterns that count as affected among phantoms."""
NAMES = {Task.NODE: "['not affected', 'affected']", Task.NODAL_RISK: "['nodes not affected', 'nodes affected']"}
SPLITS = ("train",) * 7 + ("val", "test", "test")


@dataclass(frozen=True)
class Scored:
    """Logits of a split, with truth and patients."""

    logits: NDArray[np.float64]
    truth: NDArray[np.bool_]
    groups: NDArray[np.int64]

    @property
    def patients(self) -> int:
        """How many there are."""
        return len(np.unique(self.groups))

    @property
    def has_both(self) -> bool:
        """Whether there are cases of both classes."""
        return bool(self.truth.any() and not self.truth.all())


def write_phantoms(folder: Path, count: int) -> Path:
    """Phantom nodes with masks and a manifest as a site has it; every node a patient of its own."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        node, made = make(10_000 + number)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), made.image)
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), made.masks[0].astype(np.uint8) * 255)
        label = "malignant" if node.pattern in CHANGED else "benign"
        # Patterns come in turn, so that whole rounds of them go into one split.
        split = SPLITS[number // len(NodePattern) % len(SPLITS)]
        rows.append(("phantom", f"images/{number}.png", f"masks/{number}.png", label, f"node{number}", "", split))
    path = folder / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("dataset", "image", "mask", "label", "group", "flags", "split"))
        writer.writerows(rows)
    return path


def score(file: Path, manifest: Path, split: str) -> Scored:
    """Logits of the exported file on every outlined node or lesion of a split."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    logits, truth, groups = [], [], []
    for case in read_manifest(manifest, split).cases:
        if case.mask is None or case.is_normal:
            continue
        gray = np.asarray(cv2.imread(str(case.image), cv2.IMREAD_GRAYSCALE), np.uint8)
        mask = np.asarray(cv2.imread(str(case.mask), cv2.IMREAD_GRAYSCALE), np.uint8)
        for lesion in lesions_of(lesion_pixels(mask)):
            picture = crop(gray, lesion.box, int(entry.shape[2]))[None, None].astype(np.float32) / 255
            logits.append(float(session.run(None, {entry.name: picture})[0][0, 0]))
            truth.append(case.label == "malignant")
            groups.append(case.group)
    numbers = np.unique(np.array(groups), return_inverse=True)[1].astype(np.int64)
    return Scored(np.array(logits), np.array(truth, bool), numbers)


def calibrate(scored: Scored) -> tuple[float, float] | None:
    """Temperature and threshold from `val`; None where there are too few patients for them."""
    if scored.patients < LEAST_GROUPS or not scored.has_both:
        return None
    chances = temper(1 / (1 + np.exp(-scored.logits)), 1.0)
    temperature = fit_temperature(chances, scored.truth)
    calibrated = temper(chances, temperature)
    return round(temperature, 4), round(float(np.quantile(calibrated[scored.truth], 1 - SENSITIVITY)), 4)


def judge(scored: Scored, temperature: float, threshold: float) -> dict[str, Any]:
    """Figures of `test`, with intervals over patients."""
    chances = temper(1 / (1 + np.exp(-scored.logits)), temperature)
    weights = draw_weights(int(scored.groups.max()) + 1, RESAMPLES, 0)
    given = (chances, scored.truth, scored.groups)
    figures = {
        "auc": classification.auc(*given),
        "sensitivity": classification.sensitivity(*given, threshold),
        "specificity": classification.specificity(*given, threshold),
        "ece": classification.ece(*given),
        "brier": classification.brier(*given),
    }
    return {
        "cases": len(scored.truth),
        "affected": int(scored.truth.sum()),
        "patients": scored.patients,
        **{name: estimate(statistic, weights).as_json() for name, statistic in figures.items()},
    }


def metadata(task: Task, site: str | None, fitted: tuple[float, float] | None, patients: int) -> dict[str, str]:
    """What the file says of itself; without a site it is of phantoms."""
    said = {"task": task.value, "names": NAMES[task], "licence": "AGPL-3.0"}
    said["origin"] = PHANTOM_ORIGIN if site is None else "patients"
    if site is not None and fitted is not None:
        own = {"site": site, "temperature": fitted[0], "threshold": fitted[1], "patients": patients}
        said["calibration"] = json.dumps(own)
    return said


def write_metadata(file: Path, said: dict[str, str]) -> None:
    """Put it into an ONNX file instead of what is there."""
    import onnx

    graph = onnx.load(file)
    del graph.metadata_props[:]
    for key, value in said.items():
        graph.metadata_props.add(key=key, value=value)
    onnx.save(graph, file)


def card(said: dict[str, str], figures: dict[str, Any], fitted: tuple[float, float] | None) -> str:
    """A card in Markdown."""
    calibration = "none: too few patients, so the runtime shows nothing of it"
    if said["origin"] == PHANTOM_ORIGIN:
        calibration = "none: trained on phantoms, it says nothing about a person, and the runtime shows nothing of it"
    elif fitted is not None:
        calibration = f"on `val`: temperature {fitted[0]:g}, threshold {fitted[1]:g} (sensitivity {SENSITIVITY:g})"
    rows = [f"| {name} | {_told(value)} |" for name, value in figures.items()]
    return "\n".join(
        (
            f"# {said['task']}",
            "",
            "**Research use only. Not for diagnosis.**",
            "",
            f"- Origin of the labels: {said['origin']}. Calibration: {calibration}.",
            "",
            "| `test` | value (95 % interval over patients) |",
            "|---|---|",
            *rows,
            "",
        )
    )


def _told(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if value["value"] is None:
        return "undefined"
    ends = "" if value["ci95"] is None else f" ({value['ci95'][0]:.3f}-{value['ci95'][1]:.3f})"
    return f"{value['value']:.3f}{ends}"


def main() -> None:
    """Read the command line; train, calibrate, judge, write file and card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?", help="labelled pictures of the site; none with --phantoms")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint of a detector, from train.py")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--task", choices=("node", "nodal-risk"), default="node")
    parser.add_argument("--site", help="whose patients these are; written into the file")
    parser.add_argument("--phantoms", type=int, help="make so many phantom nodes instead")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--imgsz", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.0004)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu, or cuda:0")
    parser.add_argument("--threads", type=int, default=1, help="on the CPU")
    options = parser.parse_args()
    if (options.phantoms is None) == (options.manifest is None or options.site is None):
        parser.error("give a manifest and --site, or --phantoms")

    import train_classifier

    if options.phantoms is not None:
        options.manifest, options.task = write_phantoms(options.out / "phantoms", options.phantoms), "node"
    options.exclude_dataset, options.head_only = [], False
    train_classifier.train(options)
    file = options.out / "classifier.onnx"
    task = Task(f"edge-us/{options.task}")
    val, test = (score(file, options.manifest, split) for split in ("val", "test"))
    fitted = calibrate(val)
    if test.patients < LEAST_GROUPS or not test.has_both:
        fitted = None
    temperature, threshold = fitted or (1.0, 0.5)
    figures = judge(test, temperature, threshold)
    said = metadata(task, None if options.phantoms is not None else options.site, fitted, val.patients)
    write_metadata(file, said)
    (options.out / "test.json").write_text(json.dumps(figures, indent=1) + "\n")
    text = card(said, figures, fitted)
    (options.out / "card.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
