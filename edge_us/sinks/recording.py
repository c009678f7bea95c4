"""`Recording`: the annotated video as fragmented MP4, so that a killed process leaves a playable file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_us.capture.gst import available_elements, element_opens, gst_version
from edge_us.errors import MissingDependencyError, PipelineError
from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.overlay.picture import Picture
from edge_us.sinks.feed import BackPressure, Feed
from edge_us.sinks.fragments import RunMerger
from edge_us.sinks.sink import Sees

FRAGMENT_MS = 500
"""Length of a fragment: what a SIGKILL can cost."""

ENCODERS = {
    "nvv4l2h264enc": "nvvidconv ! video/x-raw(memory:NVMM) ! nvv4l2h264enc bitrate=12000000 idrinterval={gop}",
    "nvh264enc": "nvh264enc preset=low-latency-hq gop-size={gop} bframes=0",
    # No B-frames and no look-ahead: a fragment never waits for a later picture.
    "x264enc": "x264enc speed-preset={preset} tune=zerolatency pass=qual quantizer={quality} bitrate=60000 "
    "vbv-buf-capacity=1000 bframes=0 sliced-threads=false threads=2 key-int-max={gop}",
    "openh264enc": "openh264enc bitrate=8000000 gop-size={gop} complexity=low",
}
"""Encoders, best first."""
HARDWARE = ("nvv4l2h264enc", "nvh264enc")
"""Encoders whose element may be installed where the device has none, as on Jetson Orin Nano."""
ONE_RUN_SINCE = (1, 22)
"""GStreamer version from which a fragment has a single track run; before, `RunMerger` sees to it."""
PRESET = "ultrafast"
QUALITY = 21
"""Measured on 150 frames of an 800x600 phantom (2 cores, one run): ultrafast at 21 costs 2.1 CPU ms per frame at
41.7 dB; superfast 5.2 ms at 36.6 dB, veryfast 6.9 ms at 36.8 dB. `bitrate` is only the ceiling of the rate control."""


def recording_pipeline(path: Path, fps: float, elements: frozenset[str]) -> str:
    """GStreamer pipeline of a recording.

    Raises
    ------
    MissingDependencyError
        No H.264 encoder is available.
    """
    encoder = next((text for name, text in ENCODERS.items() if name in elements), None)
    if encoder is None:
        raise MissingDependencyError("no H.264 encoder is installed", "sudo apt-get install gstreamer1.0-plugins-ugly")
    gop = _pictures_per_fragment(fps)
    place = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return (
        f"appsrc name=in format=time max-bytes=0 ! {encoder.format(gop=gop, preset=PRESET, quality=QUALITY)} "
        f"! h264parse ! mp4mux fragment-duration={FRAGMENT_MS} streamable=true "
        f'! filesink name=out buffer-mode=unbuffered sync=false location="{place}"'
    )


def encoders_that_open(elements: frozenset[str], opens: Callable[[str], bool] = element_opens) -> frozenset[str]:
    """The elements without those encoders whose device cannot be opened; ``opens`` says so of one."""
    return elements - {name for name in HARDWARE if name in elements and not opens(name)}


def _pictures_per_fragment(fps: float) -> int:
    return max(1, round(fps * FRAGMENT_MS / 1000))


def _merger(path: Path) -> RunMerger | None:
    return RunMerger(path) if gst_version() < ONE_RUN_SINCE else None


class Recording:
    """Record shown pictures to H.264 in MP4.

    When the picture's size changes in mid-stream, the recording goes on in ``NAME-2.mp4``, ``NAME-3.mp4``, …:
    players do not survive a change of size within one file. These further parts never overwrite a file: a number
    that is taken is passed over.

    Parameters
    ----------
    path : Path
        Overwritten.
    fps : float
        Nominal rate; the true times come with the frames.
    policy : BackPressure

    Raises
    ------
    PipelineError
        The file cannot be written.
    MissingDependencyError
        No H.264 encoder is available.
    """

    name = "recording"
    sees = Sees.KEPT

    def __init__(self, path: Path, fps: float, policy: BackPressure) -> None:
        self._path = path
        self._fps = fps
        self._policy = policy
        self._paths = [path]
        self._lost = 0
        self._size: tuple[int, int] | None = None
        self._first_pts_ns = 0
        pipeline = self._pipeline(path)  # first: a missing encoder must not cost an older recording
        try:
            path.open("wb").close()
        except OSError as error:
            raise PipelineError(
                f"cannot write the recording {path}: {error.strerror}", "Choose a writable place."
            ) from None
        self._feed: Feed | None = Feed(pipeline, f"recording {path}", policy)
        self._merger = _merger(path)
        self._pictures = 0

    @property
    def dropped(self) -> int:
        """Pictures that the encoder had no room for."""
        return self._lost + (self._feed.dropped if self._feed is not None else 0)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files written so far."""
        return tuple(self._paths)

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        """Encode one picture."""
        if picture is None or self._feed is None:
            return
        size = (picture.width, picture.height)
        if self._size is None:
            self._first_pts_ns = frame.pts_ns
        elif size != self._size:
            self._finish()
            self._first_pts_ns = frame.pts_ns
            self._feed = self._open_next_part()
        self._size = size
        self._feed.push(picture, frame.pts_ns - self._first_pts_ns, self._fps)
        self._pictures += 1
        if self._pictures % _pictures_per_fragment(self._fps) == 0:
            self._merge_runs()

    def close(self) -> None:
        """Finish the file."""
        if self._feed is None:
            return
        if self._size is None:
            self._feed.stop()  # nothing was ever pushed: there is no stream to end
            self._feed = None
            return
        self._finish()

    def _finish(self) -> None:
        if self._feed is not None:
            feed, self._feed = self._feed, None
            self._lost += feed.dropped
            feed.finish()
            self._merge_runs()

    def _merge_runs(self) -> None:
        if self._merger is None:
            return
        try:
            self._merger.step()
        except OSError as error:
            raise PipelineError(
                f"recording {self._paths[-1]} stopped: {error.strerror}", "Check free space and permissions."
            ) from None

    def _pipeline(self, path: Path) -> str:
        return recording_pipeline(path, self._fps, encoders_that_open(available_elements()))

    def _open_next_part(self) -> Feed:
        number = len(self._paths) + 1
        while (path := self._path.with_stem(f"{self._path.stem}-{number}")).exists():
            number += 1
        self._paths.append(path)
        self._merger = _merger(path)
        return Feed(self._pipeline(path), f"recording {path}", self._policy)
