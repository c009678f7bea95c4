from collections.abc import Iterator
from itertools import islice

import numpy as np

from edge_us.capture.replayed import Replayed
from edge_us.capture.sequence import Decoded, SequenceSource
from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.finding import SourceState

MS = 1_000_000


class Recording:
    """Opens a sequence of so many frames with its own odd times, and counts how often."""

    def __init__(self, frames: int) -> None:
        self.frames, self.opened = frames, 0
        self.last: Source | None = None

    def __call__(self) -> Source:
        self.opened += 1
        info = SourceInfo("clip", SourceKind.FILE, 25.0, self.frames)
        self.last = SequenceSource(info, self._decode(), [])
        return self.last

    def _decode(self) -> Iterator[Decoded]:
        for number in range(self.frames):
            yield Decoded(np.full((4, 4), number, np.uint8), (7 + 40 * number) * MS)


def test_a_loop_goes_on_over_the_seam_with_rising_times_and_indices() -> None:
    recording = Recording(3)
    with Replayed(recording, loop=True) as source:
        frames = list(islice(source, 8))
        assert source.info.frames is None
        assert source.state is SourceState.RUNNING
    assert [int(frame.pixels[0, 0]) for frame in frames] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [frame.index for frame in frames] == list(range(8))
    assert [frame.pts_ns // MS for frame in frames] == [7 + 40 * number for number in range(8)]
    assert recording.opened == 3
    assert list(source) == [], "closed is closed, loop or not"


def test_another_rate_gives_other_times_and_the_same_pictures() -> None:
    with Replayed(Recording(3), fps=50) as source:
        assert source.info.fps == 50
        frames = list(source)
        assert source.state is SourceState.ENDED
    assert [frame.pts_ns // MS for frame in frames] == [0, 20, 40]
    assert [int(frame.pixels[0, 0]) for frame in frames] == [0, 1, 2]


def test_a_recording_without_frames_does_not_loop_for_ever() -> None:
    recording = Recording(0)
    with Replayed(recording, loop=True) as source:
        assert list(source) == []
    assert recording.opened == 1
