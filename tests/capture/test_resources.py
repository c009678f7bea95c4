"""What a long run costs: no descriptor, thread or memory is kept."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from edge_us.capture.gst import available_elements, load_gst
from edge_us.capture.gst_source import GstSource
from edge_us.capture.open import open_source
from edge_us.capture.pipelines import PipelineSpec, picture_tail
from edge_us.capture.state import BackOff
from edge_us.finding import SourceState
from tests.clips import make_clip, noise


def descriptors_and_threads() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))  # noqa: PTH208


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_hundred_openings_and_closings_leave_nothing_behind(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", noise(5, 160, 120))
    own_threads = threading.active_count()

    def cycle(frames: int) -> None:
        with open_source(str(path)) as source:
            for _ in range(frames):
                assert source.read(1.0) is not None

    for _ in range(10):
        cycle(2)
    before, before_mb = descriptors_and_threads(), resident_mb()
    for number in range(100):
        cycle(number % 5)
    after = descriptors_and_threads()
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 1  # GStreamer keeps a pool of its own threads
    assert resident_mb() - before_mb < 10
    assert threading.active_count() == own_threads


def test_a_source_that_is_rebuilt_leaves_nothing_behind() -> None:
    load_gst()
    tail = picture_tail(available_elements(), live=True)
    spec = PipelineSpec(f"videotestsrc num-buffers=3 ! video/x-raw,width=64,height=48 ! {tail}", {}, "flaky", live=True)
    with GstSource(spec, 5.0, back_off=BackOff(0.0, 0.0)) as source:

        def lives(count: int) -> None:
            frames = lost = 0
            while lost < count:
                before = source.state
                frames += source.read(0.0) is not None
                lost += (before, source.state) == (SourceState.RUNNING, SourceState.RECONNECTING)
            assert frames >= count  # of three pictures a life, a busy machine passes over those that are not newest

        lives(5)
        before, before_mb = descriptors_and_threads(), resident_mb()
        lives(100)
        after = descriptors_and_threads()
    assert after[0] <= before[0] + 2
    assert after[1] <= before[1] + 2
    assert resident_mb() - before_mb < 10


def test_memory_stays_flat_over_thousands_of_frames() -> None:
    load_gst()
    tail = picture_tail(available_elements(), live=False)
    caps = "video/x-raw,format=I420,width=640,height=480,framerate=30/1"
    spec = PipelineSpec(f"videotestsrc pattern=black num-buffers=4000 ! {caps} ! {tail}", {}, "black", live=False)
    with GstSource(spec, 5.0) as source:
        for _ in range(500):
            assert source.read(1.0) is not None
        before_mb = resident_mb()
        count = sum(1 for _ in source)
    assert count == 3500
    assert resident_mb() - before_mb < 5
