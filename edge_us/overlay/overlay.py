"""`Overlay`: a frame and its result become the picture that is recorded and displayed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_us.colour import to_i420
from edge_us.finding import AiState, Finding, FindingKind, FrameResult, SourceState
from edge_us.frame import Frame
from edge_us.overlay.canvas import Bgr, Canvas, text_bitmap
from edge_us.overlay.marks import axes, crosses, dashes, label_place, outline
from edge_us.overlay.picture import Hud, Picture

NOTICE = "Research use only. Not for diagnosis."
LESION: Bgr = (80, 230, 255)
NODE: Bgr = (255, 200, 90)
HELD: Bgr = (120, 150, 160)
WHITE: Bgr = (235, 235, 235)
ALERT: Bgr = (80, 120, 255)
DARK: Bgr = (0, 0, 0)

_SOURCE_WORDS = {
    SourceState.CONNECTING: "CONNECTING",
    SourceState.STALLED: "STALLED",
    SourceState.NO_SIGNAL: "NO SIGNAL",
    SourceState.RECONNECTING: "NO SIGNAL, RECONNECTING",
    SourceState.FAILED: "SOURCE FAILED",
}


class Overlay:
    """Draws into one reused buffer: a picture is valid until the next one is drawn."""

    def __init__(self) -> None:
        self._buffer: NDArray[np.uint8] | None = None

    def draw(self, frame: Frame, result: FrameResult, hud: Hud) -> Picture:
        """Compose the picture of one shown frame.

        Findings are drawn only when the AI is on and the result's age is known.
        """
        pixels, width, height, colorimetry = to_i420(frame)
        if self._buffer is None or self._buffer.shape != pixels.shape:
            self._buffer = np.empty(pixels.shape, np.uint8)
        np.copyto(self._buffer, pixels)
        canvas = Canvas(self._buffer, width, height, colorimetry)
        text_px = max(11, min(26, round(height / 38)))
        if result.ai_state is AiState.ON and result.age_ms is not None:
            for found in result.findings:
                _draw_finding(canvas, found, text_px)
        _draw_hud(canvas, result, hud, text_px)
        return Picture(self._buffer, width, height, colorimetry)


def _draw_finding(canvas: Canvas, found: Finding, text_px: int) -> None:
    color = HELD if found.unseen else NODE if found.kind is FindingKind.NODE else LESION
    line = 1 if canvas.height < 700 else 2
    if len(found.contour) >= 3:
        edge = outline(found.contour, offset_px=1.5 + line)
        if found.unseen:
            canvas.lines(dashes(edge), color, line)
        else:
            canvas.polyline(edge, DARK, line + 2, closed=True)
            canvas.polyline(edge, color, line, closed=True)
        arm = max(3.0, canvas.height / 150)
        for axis in axes(found.contour):
            canvas.lines(crosses(axis, arm), color, 1)
    label = f"{'node ' if found.kind is FindingKind.NODE else ''}"
    label += f"#{found.track} {found.score:.2f}" if found.track is not None else f"{found.score:.2f}"
    _, size = text_bitmap(label, text_px)
    x, y = label_place(found.box, size, (canvas.width, canvas.height), gap_px=6 + line)
    canvas.text(label, x, y, text_px, color)


def _draw_hud(canvas: Canvas, result: FrameResult, hud: Hud, text_px: int) -> None:
    """Numbers at the upper left, state below them, and the notice at the lower left: the notice always fits."""
    notice_px = text_px
    while notice_px > 8 and text_bitmap(NOTICE, notice_px)[1][0] > canvas.width:
        notice_px -= 1
    _, (_, rows) = text_bitmap(NOTICE, notice_px)
    canvas.text(NOTICE, 0, canvas.height - rows, notice_px, WHITE)
    y = 0
    for line in _fit_lines(hud_lines(result, hud), canvas.width, text_px):
        canvas.text(line, 0, y, text_px, WHITE)
        y += text_bitmap(line, text_px)[1][1]
    alert = alert_text(result)
    if alert:
        while len(alert) > 8 and text_bitmap(alert, text_px)[1][0] > canvas.width:
            alert = alert[:-4] + "..."
        canvas.text(alert, 0, y, text_px, ALERT)


def hud_lines(result: FrameResult, hud: Hud) -> tuple[str, ...]:
    """The HUD's parts: rate and age first, then losses, then the model."""
    fps = "-" if hud.fps is None else f"{hud.fps:.0f}"
    age = "-" if result.age_ms is None else f"{result.age_ms:.0f} ms"
    return f"{fps} fps", f"age {age}", f"skipped {hud.skipped} dropped {hud.dropped}", hud.model


def alert_text(result: FrameResult) -> str:
    """What the viewer must know about source and AI; empty when all is well."""
    if result.source_state in _SOURCE_WORDS:
        return _SOURCE_WORDS[result.source_state]
    if result.ai_state is AiState.STALE:
        age = "" if result.age_ms is None else f" {result.age_ms:.0f} ms"
        return f"STALE{age}: no findings shown"
    if result.ai_state is AiState.NOT_ANALYSABLE:
        return f"NOT ANALYSABLE: {result.reason}"
    if result.ai_state is AiState.OFF:
        return f"AI OFF: {result.reason}"
    if result.age_ms is None and result.findings:
        return "AGE UNKNOWN: no findings shown"
    return ""


def _fit_lines(parts: tuple[str, ...], width: int, text_px: int) -> list[str]:
    """Join the parts into as few lines as fit; on a narrow picture only the first two stay."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]}  {part}" if lines else part
        if lines and text_bitmap(joined, text_px)[1][0] <= width * 0.7:
            lines[-1] = joined
        elif len(lines) < 2:
            lines.append(part)
    return lines
