import pytest

from edge_us.finding import AiState, SourceState
from edge_us.overlay.hud import NOTICE, Severity, hud_rows, layout_for, number_texts, status_rows
from edge_us.overlay.picture import Hud
from edge_us.overlay.text import line_height, text_mask
from tests.overlay.pictures import HUD, ellipse, found, shown


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({}, []),
        ({"source_state": SourceState.ENDED}, []),
        ({"source_state": SourceState.NO_SIGNAL}, ["NO SIGNAL"]),
        ({"source_state": SourceState.STALLED}, ["STALLED"]),
        ({"ai_state": AiState.STALE, "age_ms": 312.4}, ["STALE 312 ms"]),
        ({"ai_state": AiState.STALE, "age_ms": None}, ["STALE"]),
        ({"ai_state": AiState.OFF, "reason": "no model"}, ["AI OFF: no model"]),
        ({"ai_state": AiState.NOT_ANALYSABLE, "reason": "colour Doppler"}, ["NOT ANALYSABLE: colour Doppler"]),
        (
            {"source_state": SourceState.RECONNECTING, "ai_state": AiState.OFF, "reason": "no frame"},
            ["RECONNECTING", "AI OFF: no frame"],
        ),
    ],
)
def test_the_status_says_what_is_wrong_and_nothing_when_all_is_well(
    changes: dict[str, object], texts: list[str]
) -> None:
    assert [row.text for row in status_rows(shown(**changes))] == texts  # type: ignore[arg-type]


def test_every_source_state_but_the_good_ones_is_an_error() -> None:
    for state in SourceState:
        rows = status_rows(shown(source_state=state))
        assert [row.severity for row in rows] == (
            [] if state in (SourceState.RUNNING, SourceState.ENDED) else [Severity.ERROR]
        )


def test_a_result_of_unknown_age_is_reported() -> None:
    result = shown(found(ellipse(100, 100, 20, 20)), age_ms=None)
    assert "unknown age" in status_rows(result)[0].text


def test_the_numbers_say_unknown_as_a_dash() -> None:
    assert number_texts(shown(age_ms=None), Hud(None, 1, 2, "m")) == (
        "AI ON", "- fps", "age -", "dropped 1", "skipped 2", "m",
    )  # fmt: skip
    assert number_texts(shown(age_ms=8.4), HUD)[1:3] == ("60 fps", "age 8 ms")
    assert number_texts(shown(), Hud(4.26, 0, 0, "m"))[1] == "4.3 fps"


def test_a_withheld_result_shows_no_age_as_if_it_were_drawn() -> None:
    texts = number_texts(shown(ai_state=AiState.STALE, age_ms=500.0), HUD)
    assert "AI ON" not in texts
    assert "age -" in texts


@pytest.mark.parametrize("size", [(1920, 1080), (800, 600), (640, 480), (208, 208), (96, 64), (64, 64), (600, 96)])
def test_the_notice_always_fits_completely(size: tuple[int, int]) -> None:
    width, height = size
    layout = layout_for(width, height)
    assert " ".join(layout.notice) == NOTICE
    masks = [text_mask(line, layout.notice_px) for line in layout.notice]
    assert max(mask.shape[1] for mask in masks) + layout.margin <= width
    assert sum(mask.shape[0] for mask in masks) <= height / 2


@pytest.mark.parametrize("size", [(1920, 1080), (800, 600), (208, 208)])
def test_the_notice_is_readable_on_every_usual_size(size: tuple[int, int]) -> None:
    assert layout_for(*size).notice_px >= 11


@pytest.mark.parametrize("size", [(1920, 1080), (800, 600), (208, 208), (96, 64)])
def test_the_hud_fits_into_the_width_and_a_quarter_of_the_height(size: tuple[int, int]) -> None:
    width, height = size
    layout = layout_for(width, height)
    result = shown(ai_state=AiState.OFF, reason="a very long reason " * 20, source_state=SourceState.STALLED)
    rows = hud_rows(result, Hud(59.9, 123456, 123456, "a-very-long-model-name-" * 9), layout, width)
    assert rows[0] == (("STALLED",), Severity.ERROR)
    for texts, _ in rows:
        assert sum(text_mask(text, layout.font_px).shape[1] for text in texts) <= width - 2 * layout.margin
    assert len(rows) * line_height(layout.font_px) <= max(height / 4, line_height(layout.font_px))
