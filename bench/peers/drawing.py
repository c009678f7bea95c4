"""Decoding and drawing of the loops that have none of their own: masks inside the boxes, outline, box and score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from common import THRESHOLD, open_writer


def play(options: Any, look: Callable[[Any], int]) -> tuple[int, int]:
    """OpenCV reads the clip and writes what ``look`` drew into each frame; returns frames and lesions drawn."""
    reader = cv2.VideoCapture(str(options.clip))
    size = (int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    writer = open_writer(options.save, options.folder, size)
    frames = drawn = 0
    while True:
        there, frame = reader.read()
        if not there:
            break
        frames += 1
        drawn += look(frame)
        if writer is not None:
            writer.write(frame)
    if writer is not None:
        writer.release()
    return frames, drawn


def draw(frame: Any, head: Any, prototypes: Any, size: tuple[int, int], scale: float, left: int, top: int) -> int:
    """Draw each lesion into the frame; returns their number.

    Parameters
    ----------
    frame : ndarray of uint8, shape (height, width, 3)
    head : ndarray of float32, shape (5 + coefficients, anchors)
    prototypes : ndarray of float32, shape (coefficients, height / 4, width / 4)
    size : (int, int)
        Width and height of the network's input.
    scale, left, top
        Of the letterbox: input px per frame px, and where the picture begins in the input.
    """
    rows = head[:, head[4] >= THRESHOLD]
    if not rows.shape[1]:
        return 0
    corners = np.stack([rows[0] - rows[2] / 2, rows[1] - rows[3] / 2, rows[2], rows[3]], 1)
    kept = cv2.dnn.NMSBoxes(corners.tolist(), rows[4].tolist(), THRESHOLD, 0.5)
    cells = prototypes.shape[1:]
    for index in np.asarray(kept).ravel():
        x, y, w, h = corners[index]
        x0, y0 = max(int((x - left) / scale), 0), max(int((y - top) / scale), 0)
        x1 = min(int((x + w - left) / scale), frame.shape[1])
        y1 = min(int((y + h - top) / scale), frame.shape[0])
        if x1 <= x0 or y1 <= y0:
            continue
        a0, b0 = max(int(x * cells[1] / size[0]), 0), max(int(y * cells[0] / size[1]), 0)
        a1, b1 = int(np.ceil((x + w) * cells[1] / size[0])), int(np.ceil((y + h) * cells[0] / size[1]))
        crop = prototypes[:, b0:b1, a0:a1]
        logits = (rows[5:, index] @ crop.reshape(len(crop), -1)).reshape(crop.shape[1:])
        mask = (cv2.resize(logits, (x1 - x0, y1 - y0)) > 0).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x0, y0))
        cv2.drawContours(frame, outlines, -1, (0, 255, 255), 2, cv2.LINE_AA)
        cv2.rectangle(frame, (x0, y0), (x1, y1), (0, 200, 0), 1)
        cv2.putText(frame, f"lesion {rows[4, index]:.2f}", (x0, max(y0 - 4, 10)), cv2.FONT_HERSHEY_SIMPLEX, 0.5,
                    (255, 255, 255), 1, cv2.LINE_AA)  # fmt: skip
    return len(kept)
