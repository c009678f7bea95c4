"""What somebody at the screen may change while a run goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

import edge_us
from edge_us.finding import Exam, FrameResult
from edge_us.frame import Frame
from edge_us.overlay.details import chosen, detail_lines
from edge_us.overlay.picture import Picture
from edge_us.runtime.composer import Captured, Composer
from edge_us.runtime.controls import Controls, next_track
from edge_us.runtime.ledger import Ledger
from edge_us.runtime.outputs import Outputs
from edge_us.sinks.sink import Sees
from tests.overlay.pictures import ellipse, found, grey, measured, shown
from tests.runtime.test_runtime import result


class Screen:
    name = "screen"
    sees = Sees.SCREEN
    dropped = 0

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, str]] = []

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        assert picture is not None
        self.seen.append((picture.pixels.tobytes(), repr([each.track for each in result.findings])))

    def close(self) -> None:
        return None


@pytest.mark.parametrize(
    ("tracks", "selected", "then"),
    [((), None, None), ((), 3, None), ((3, 5, 9), None, 3), ((3, 5, 9), 3, 5), ((3, 5, 9), 4, 5), ((3, 5, 9), 9, 3)],
)
def test_tab_goes_from_track_to_track_and_round(
    tracks: tuple[int, ...], selected: int | None, then: int | None
) -> None:
    assert next_track(tracks, selected) == then


def test_keys_select_what_is_on_the_screen_and_change_the_exam() -> None:
    run = edge_us.run("phantom:")
    controls = run.controls
    controls.press("Tab")
    assert controls.selected is None, "nothing is on the screen"
    lesion = result(0).findings[0]
    controls.shows(replace(result(0), findings=(replace(lesion, track=7), replace(lesion, track=4))))
    for key, selected in (("Tab", 4), ("x", 4), ("Tab", 7), ("Tab", 4), ("Escape", None)):
        controls.press(key)
        assert controls.selected == selected
    controls.press("e")
    exams = [run.exams.wanted]
    controls.press("E")
    exams.append(run.exams.wanted)
    assert exams == [Exam.AXILLA, Exam.BREAST]


def test_an_exam_that_cannot_be_had_is_said_and_the_picture_goes_on() -> None:
    run = edge_us.run("phantom:", bundle="somewhere")  # a bundle keeps one exam
    assert isinstance(run.controls, Controls)
    run.controls.press("e")
    assert run.exams.wanted is Exam.BREAST


def test_the_block_tells_of_the_selected_track_however_small_while_it_is_there() -> None:
    large, small = found(ellipse(150, 120, 60, 40), track=1), found(ellipse(40, 40, 10, 8), track=2)
    both = [replace(each, measurements={"height_to_width": 0.7}) for each in (large, small)]
    assert all(each.axes is not None for each in both)
    assert [getattr(chosen(both, None, selected), "track", None) for selected in (None, 1, 2, 9)] == [1, 1, 2, 1]
    assert detail_lines(both[1], "selected")[0].startswith("#2 selected")


def test_what_is_selected_stands_in_the_picture_of_a_run() -> None:
    """The same run twice, then with a track selected: only then another picture, and the same findings."""
    seen: list[tuple[bytes, str]] = []
    for selected in (None, None, 2):
        screen = Screen()
        frame = grey(640, 480)
        composer = Composer(Outputs([screen]), Ledger(), "model", lambda selected=selected: selected)  # type: ignore[misc]
        both = (
            measured(frame, found(ellipse(200, 200, 60, 40))),
            measured(frame, found(ellipse(450, 120, 20, 15), track=2)),
        )
        composer.show(Captured(frame, frame), shown(*both))
        seen.append(screen.seen[0])
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[2][0]
    assert seen[0][1] == seen[2][1]
