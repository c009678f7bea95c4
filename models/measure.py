"""Measure a model on labelled stills through the runtime's own path; the figures of the model cards.

Usage::

    python models/measure.py MANIFEST.csv --split test [--model NAME] [--precision fp32] [--threshold 0.25]

A missed lesion counts as Dice 0; images whose flags name the axilla are left out. Sensitivity is the share of lesion
images with a finding that overlaps the lesion by IoU >= 0.5 (boxes); quiet is the share of normal images without any
finding. Intervals: 95 % bootstrap over groups (2000 resamples, seed 0).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from edge_us.finding import Finding
from edge_us.frame import Frame, PixelFormat
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.detector import Detector
from edge_us.inference.model import load_model
from edge_us.tracking.tracker import iou_matrix

RESAMPLES = 2000


def dice_of(findings: list[Finding], truth: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    """Dice of all filled contours together against the truth."""
    filled = np.zeros(truth.shape, np.uint8)
    for found in findings:
        if len(found.contour):
            cv2.fillPoly(filled, [np.rint(found.contour).astype(np.int32)], 1)
    mask = filled.astype(bool)
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


def interval(values: list[float], groups: list[str]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean, resampling groups."""
    names, index = np.unique(groups, return_inverse=True)
    sums = np.bincount(index, values)
    counts = np.bincount(index)
    draws = np.random.default_rng(0).integers(0, len(names), (RESAMPLES, len(names)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Run over the split and print one JSON object per data set, and the pooled one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--model", default="default")
    parser.add_argument("--precision", type=Precision, default=Precision.FP32)
    parser.add_argument("--threshold", type=float)
    options = parser.parse_args()

    model = load_model(options.model)
    threshold = model.threshold if options.threshold is None else options.threshold
    detector = Detector(model, open_backend(model, BackendName.OPENVINO, options.precision), threshold)
    measured: dict[str, dict[str, list[tuple[float, str]]]] = defaultdict(lambda: defaultdict(list))
    with options.manifest.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == options.split and "axilla" not in row["flags"]]
    for row in rows:
        gray = np.asarray(cv2.imread(str(options.manifest.parent / row["image"]), cv2.IMREAD_GRAYSCALE), np.uint8)
        height, width = gray.shape
        findings = list(detector.detect(Frame(gray, PixelFormat.GRAY8, width, height, 0, 0, 0), None))
        for name in (row["dataset"], "pooled"):
            into = measured[name]
            if not row["mask"]:
                into["quiet"].append((float(not findings), row["group"]))
                into["false_per_image"].append((float(len(findings)), row["group"]))
                continue
            mask = cv2.imread(str(options.manifest.parent / row["mask"]), cv2.IMREAD_GRAYSCALE)
            truth = np.asarray(mask) > 0
            ys, xs = np.nonzero(truth)
            box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
            hits = np.zeros(len(findings), bool)
            if findings:
                hits = iou_matrix(np.array([found.box for found in findings], np.float32), box)[:, 0] >= 0.5
            into["dice"].append((dice_of(findings, truth), row["group"]))
            into["sensitivity"].append((float(hits.any()), row["group"]))
            into["false_per_image"].append((float((~hits).sum()), row["group"]))
    for name, columns in sorted(measured.items()):
        summary: dict[str, object] = {"data": name, "split": options.split, "threshold": threshold}
        for column, pairs in sorted(columns.items()):
            values, groups = [value for value, _ in pairs], [group for _, group in pairs]
            low, high = interval(values, groups)
            summary[column] = [round(float(np.mean(values)), 3), round(low, 3), round(high, 3), len(values)]
        print(json.dumps(summary))


if __name__ == "__main__":
    main()
