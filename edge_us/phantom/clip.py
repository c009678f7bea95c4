"""`write_phantom_clip`: a phantom as an ordinary video file, with its truth beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from edge_us.colour import to_i420
from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.frame import Frame, PixelFormat
from edge_us.overlay.picture import Picture
from edge_us.phantom.render import render
from edge_us.phantom.spec import PhantomSpec
from edge_us.sinks.feed import BackPressure
from edge_us.sinks.recording import Recording


def write_phantom_clip(spec: PhantomSpec, path: Path) -> None:
    """Write H.264 in MP4, masks as ``NAME.masks.npz`` and the rest of the truth as ``NAME.truth.json``.

    The masks are packed bits, ``numpy.unpackbits`` of shape (frames, height, ceil(width / 8)); lesions are joined.

    Raises
    ------
    PipelineError
        The files cannot be written.
    """
    partial = path.with_suffix(".partial.mp4")
    recording = Recording(partial, spec.fps, BackPressure.BLOCK)
    masks, boxes = [], []
    region, scale = None, 0.0
    try:
        for index, made in enumerate(render(spec)):
            pts_ns = round(index * 1e9 / spec.fps)
            kind = PixelFormat.GRAY8 if made.image.ndim == 2 else PixelFormat.BGR
            frame = Frame(made.image, kind, made.image.shape[1], made.image.shape[0], index, pts_ns, 0)
            result = FrameResult(None, None, SourceState.RUNNING, AiState.OFF, reason="phantom")
            recording.write(frame, result, Picture(*to_i420(frame)))
            joined = np.zeros(made.image.shape[:2], bool)
            for mask in made.masks:
                joined |= mask
            masks.append(np.packbits(joined, axis=1))
            boxes.append([_box(mask) for mask in made.masks])
            region, scale = made.region, made.mm_per_px
    finally:
        recording.close()
    np.savez_compressed(path.with_suffix(".masks.npz"), masks=np.stack(masks))
    truth = {"spec": spec.key(), "region": region, "mm_per_px": scale, "boxes": boxes}
    path.with_suffix(".truth.json").write_text(json.dumps(truth) + "\n", encoding="utf-8")
    partial.replace(path)


def _box(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[int]:
    """Tight box as x1, y1, x2, y2 in px."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
