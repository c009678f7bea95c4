"""Record what Ultralytics itself predicts, so that the runtime's decoding is tested without it.

Writes names and numbers only, never pixels. Usage::

    python models/recipes/record_expectations.py WEIGHTS.pt MANIFEST.csv OUT.json [--split test] [--count 10]
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """Run lengths in row order, starting with the background."""
    flat = mask.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def main() -> None:
    """Predict the first images of a split, evenly spread over the manifest, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--conf", type=float, default=0.25)
    parser.add_argument("--iou", type=float, default=0.7)
    options = parser.parse_args()

    from ultralytics import YOLO, __version__

    with options.manifest.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == options.split and row["mask"]]
    chosen = rows[:: max(1, len(rows) // options.count)][: options.count]
    model = YOLO(options.weights)
    images: list[dict[str, Any]] = []
    for row in chosen:
        gray = cv2.imread(str(options.manifest.parent / row["image"]), cv2.IMREAD_GRAYSCALE)
        assert gray is not None, row["image"]
        picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
        result = model.predict(
            picture,
            imgsz=options.imgsz,
            conf=options.conf,
            iou=options.iou,
            rect=False,
            retina_masks=True,
            verbose=False,
            device="cpu",
        )[0]
        detections = []
        if result.masks is not None:
            order = np.argsort(-result.boxes.conf.numpy(), kind="stable")
            for index in order:
                mask = result.masks.data[int(index)].numpy() > 0.5
                detections.append(
                    {
                        "box": [round(float(side), 3) for side in result.boxes.xyxy[int(index)]],
                        "score": round(float(result.boxes.conf[int(index)]), 5),
                        "runs": runs(mask),
                    }
                )
        images.append({"image": row["image"], "detections": detections})
    record = {
        "ultralytics": __version__,
        "weights": options.weights.name,
        "imgsz": options.imgsz,
        "conf": options.conf,
        "iou": options.iou,
        "format": "boxes x1 y1 x2 y2 in image px; masks at image size as run lengths in row order, background first",
        "images": images,
    }
    options.out.write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
