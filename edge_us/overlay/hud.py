"""What the HUD says: pure functions from result and numbers to rows of text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from edge_us.finding import SHOWING, AiState, Exam, FrameResult, SourceState
from edge_us.overlay.picture import Hud
from edge_us.overlay.text import line_height, line_width, shorten, wrap

NOTICE = "Research use only. Not for diagnosis."
"""Stands in every picture, whatever its size and state."""


class Severity(Enum):
    """How a status row is coloured."""

    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Status:
    """One row that says how source or AI are."""

    text: str
    severity: Severity


_SOURCE_WORDS = {
    SourceState.CONNECTING: "CONNECTING",
    SourceState.STALLED: "STALLED",
    SourceState.NO_SIGNAL: "NO SIGNAL",
    SourceState.RECONNECTING: "RECONNECTING",
    SourceState.FAILED: "SOURCE FAILED",
}


def may_draw(result: FrameResult) -> bool:
    """Whether findings may be drawn: the AI's state allows it, and the age of its result is known."""
    return result.ai_state in SHOWING and result.age_ms is not None


def status_rows(result: FrameResult) -> tuple[Status, ...]:
    """What is wrong with source and AI, the worse first; nothing when all is well."""
    rows = []
    if result.source_state in _SOURCE_WORDS:
        rows.append(Status(_SOURCE_WORDS[result.source_state], Severity.ERROR))
    reason = f": {result.reason}" if result.reason else ""
    if result.ai_state is AiState.STALE:
        age = "" if result.age_ms is None else f" {result.age_ms:.0f} ms"
        rows.append(Status(f"STALE{age}", Severity.WARNING))
    elif result.ai_state is AiState.NOT_ANALYSABLE:
        rows.append(Status(f"NOT ANALYSABLE{reason}", Severity.WARNING))
        if result.findings and result.age_ms is None:
            rows.append(Status("NOT DRAWN: result of unknown age", Severity.WARNING))
    elif result.ai_state is AiState.OFF:
        rows.append(Status(f"AI OFF{reason}", Severity.ERROR))
    elif result.findings and result.age_ms is None:
        rows.append(Status("NOT DRAWN: result of unknown age", Severity.WARNING))
    return tuple(rows)


def number_texts(result: FrameResult, hud: Hud) -> tuple[str, ...]:
    """The AI's being on, an exam other than the breast, then the numbers by importance; unknown ones as a dash."""
    fps = "-" if hud.fps is None else f"{hud.fps:.0f}" if hud.fps >= 9.95 else f"{hud.fps:.1f}"
    age = result.age_ms if result.ai_state in SHOWING else None
    return (
        *(("AI ON",) if result.ai_state is AiState.ON else ()),
        *(("AXILLA",) if result.exam is Exam.AXILLA else ()),
        f"{fps} fps",
        "age -" if age is None else f"age {max(0.0, age):.0f} ms",
        f"dropped {hud.dropped}",
        f"skipped {hud.skipped}",
        hud.model,
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes in px for one picture size.

    Attributes
    ----------
    font_px : int
        Font of HUD and labels.
    margin : int
        Distance of all text from the picture's edge; even.
    notice : tuple of str
        The notice, broken into as many lines as it needs.
    notice_px : int
        Its font: the same, or smaller where a word would not fit.
    hud_rows : int
        How many rows the HUD may have: a quarter of the picture, but at least one.
    """

    font_px: int
    margin: int
    notice: tuple[str, ...]
    notice_px: int
    hud_rows: int


@lru_cache(maxsize=16)
def layout_for(width: int, height: int) -> Layout:
    """Choose sizes: text grows with the picture between 11 and 30 px; the notice always fits completely."""
    font = min(30, max(11, round(min(height, 0.75 * width) / 36)))
    margin = 2 * (font // 8) if min(width, height) >= 160 else 0
    room = width - 2 * margin
    notice_px = font
    while True:
        notice = wrap(NOTICE, notice_px, room)
        widest = max(line_width(line, notice_px) for line in notice)
        if notice_px <= 5 or (widest <= room and len(notice) * line_height(notice_px) <= max(height // 2, 1)):
            break
        notice_px -= 1
    rows = max(1, (height // 4) // line_height(font))
    return Layout(font, margin, notice, notice_px, rows)


Row = tuple[tuple[str, ...], Severity | None]
"""Texts of one row, left to right, and the severity if it is a status."""


def hud_rows(result: FrameResult, hud: Hud, layout: Layout, width: int) -> tuple[Row, ...]:
    """Flow status and numbers into rows that fit into ``width`` px; what does not fit is left out, last first."""
    room, px = width - 2 * layout.margin, layout.font_px
    rows: list[Row] = [((shorten(row.text, px, room),), row.severity) for row in status_rows(result)]
    texts: list[str] = []
    used = 0
    for text in number_texts(result, hud):
        text = shorten(text, px, room)
        needed = line_width(text, px)
        if texts and used + needed > room:
            rows.append((tuple(texts), None))
            texts, used = [], 0
        texts.append(text)
        used += needed
    rows.append((tuple(texts), None))
    return tuple(rows[: layout.hud_rows])
