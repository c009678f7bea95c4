from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge_us.classify.choose import choose_classifier
from edge_us.config import Mode, load_config
from edge_us.inference.backend import Concurrency, Precision
from edge_us.inference.model import load_model
from edge_us.phantom.clip import write_phantom_clip
from edge_us.phantom.spec import PhantomSpec
from edge_us.runtime.engine import divide, open_engine
from edge_us.runtime.networks import open_engine_for
from edge_us.runtime.run import Run


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engine") / "clip.mp4"
    write_phantom_clip(PhantomSpec(frames=30, width=320, height=240), path)
    return path


@pytest.mark.parametrize(
    ("cores", "waits", "sources", "expected"),
    [
        (2, True, 1, Concurrency(1, 1)),
        (8, True, 3, Concurrency(1, 3)),
        (1, False, 1, Concurrency(1, 2)),
        (2, False, 1, Concurrency(2, 4)),
        (16, False, 1, Concurrency(4, 8)),
        (2, False, 3, Concurrency(2, 6)),
        (8, False, 3, Concurrency(4, 9)),
    ],
)
def test_how_the_machine_is_divided(cores: int, waits: bool, sources: int, expected: Concurrency) -> None:
    assert divide(cores, waits=waits, sources=sources) == expected


def test_lanes_on_their_way_at_the_same_time_give_what_one_alone_gives() -> None:
    model = load_model("default")
    width, height = model.input_size
    pictures = np.random.default_rng(0).integers(0, 255, (2, height, width), dtype=np.uint8)
    shape = (height, width) if model.is_grey else (height, width, 3)
    inputs = [np.ascontiguousarray(np.broadcast_to(each[..., None], (height, width, 3))) for each in pictures]
    inputs = [each[..., 0].copy() if len(shape) == 2 else each for each in inputs]
    with closing(open_engine(model, waits=False, threads=2)) as engine:
        lanes = engine.share().lanes[:2]
        alone = [[head.copy() for head in lanes[0].infer(each)] for each in inputs]
        for lane, each in zip(lanes, inputs, strict=True):
            lane.start(each)
        together = [[head.copy() for head in lane.wait()] for lane in lanes]
    for one, other in zip(alone, together, strict=True):
        for head, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(head, same)


def test_int8_is_the_detectors_and_the_classifier_keeps_a_precision_of_its_own() -> None:
    model = load_model("lesion-fast", Precision.INT8)
    classifier = choose_classifier("auto", model)
    assert classifier is not None
    with closing(open_engine(model, classifier, precision=Precision.INT8)) as engine:
        assert engine.info.precision == "int8"
        assert engine.share().classifier is not None


def test_closing_an_engine_with_work_on_its_way_waits_for_it() -> None:
    model = load_model("default")
    width, height = model.input_size
    black = np.zeros((height, width) if model.is_grey else (height, width, 3), np.uint8)
    engine = open_engine(model, waits=False, threads=2)
    for lane in engine.share().lanes:
        lane.start(black)
    engine.close()
    engine.close()
    assert not engine.share().lanes, "nobody computes on memory that is gone"


def test_a_recording_has_several_frames_on_their_way_and_a_live_source_one(clip: Path) -> None:
    for mode, several in ((Mode.EVERY, True), (Mode.LIVE, False)):
        with closing(open_engine_for(load_config({"source": str(clip), "mode": mode, "threads": 2}))) as engine:
            assert (len(engine.share().lanes) > 1) is several


@pytest.mark.parametrize("stop_after", [None, 7])
def test_no_frame_is_lost_between_lanes(clip: Path, stop_after: int | None) -> None:
    options = {"source": str(clip), "threads": 2, "max_frames": stop_after}
    running = Run(load_config(options))
    indices = [frame.index for frame, result in running if result.frame_index == frame.index]
    assert indices == list(range(stop_after or 30))
    assert running.report is not None
    assert running.report["frames"] == {
        "captured": len(indices), "inferred": len(indices), "shown": len(indices), "skipped": 0, "dropped": {},
    }  # fmt: skip


def test_stopping_shows_what_was_begun_and_breaking_off_counts_it_as_dropped(clip: Path) -> None:
    running = Run(load_config({"source": str(clip), "threads": 2}))
    shown = 0
    for _ in running:
        shown += 1
        if shown == 5:
            running.stop()
    assert running.report is not None
    assert running.report["frames"]["captured"] == running.report["frames"]["shown"] == shown
    broken = Run(load_config({"source": str(clip), "threads": 2}))
    for _ in broken:
        break
    assert broken.report is not None
    counts = broken.report["frames"]
    assert (counts["captured"], counts["shown"], counts["dropped"]) == (4, 1, {"run broken off": 3})
