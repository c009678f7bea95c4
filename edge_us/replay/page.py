"""A replay that differs, as one self-contained page: the first frame, both pictures side by side."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Frame
from edge_us.overlay.overlay import Overlay
from edge_us.overlay.picture import Hud
from edge_us.page.html import document, table
from edge_us.replay.records import FrameRecord, result_of
from edge_us.replay.replay import Step, Verdict


def build_page(bundle: Path, verdict: Verdict, reason: str, model: str) -> str:
    """HTML of a finished replay."""
    parts = [
        "<h1>edge_us replay</h1>",
        f'<p class="quiet">{escape(bundle.name)}: {verdict.frames} frames, {verdict.differing} differ. '
        f"Compared as {escape(reason)}.</p>",
        '<p class="notice">Research use only. Not for diagnosis.</p>',
    ]
    if verdict.first is None:
        parts.append("<p>Every frame is as it was.</p>")
    else:
        parts += _first(verdict.first, model)
    return document("edge_us replay", parts)


def _first(step: Step, model: str) -> list[str]:
    both = (("then", step.before), ("now", step.now))
    pictures = "".join(
        f"<figure style='max-width:520px'><img alt='{title}' "
        f"src='data:image/png;base64,{_png(step.frame, record, model)}'><figcaption>{title}</figcaption></figure>"
        for title, record in both
    )
    rows = [
        [title, str(found.track), f"{found.score:.4f}", _sides(found.box), str(found.unseen)]
        for title, record in both
        for found in record.findings
    ]
    return [
        f"<h2>The first that differs: frame {step.frame.index}, {step.frame.pts_ns / 1e9:.3f} s</h2>",
        f"<p>{escape(step.difference or '')}</p>",
        f"<div class='row'>{pictures}</div>",
        table(("", "track", "score", "box x1, y1, x2, y2 (px)", "unseen"), rows),
    ]


def _sides(box: tuple[float, float, float, float]) -> str:
    return ", ".join(f"{side:.2f}" for side in box)


def _png(frame: Frame, record: FrameRecord, model: str) -> str:
    import cv2

    picture = Overlay().draw(frame, result_of(record), Hud(None, 0, 0, model))
    planar: NDArray[np.uint8] = picture.pixels
    bgr = cv2.cvtColor(planar, cv2.COLOR_YUV2BGR_I420)
    return base64.b64encode(cv2.imencode(".png", bgr)[1].tobytes()).decode()
