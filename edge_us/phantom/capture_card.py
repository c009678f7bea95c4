"""A phantom's screen as it comes through a capture card: with noise, and compressed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_us.colour import to_i420
from edge_us.frame import Frame, PixelFormat
from edge_us.overlay.picture import Picture
from edge_us.sinks.feed import BackPressure, Feed

POOL_MARGIN_PX = 64
ENCODER = "x264enc speed-preset=ultrafast tune=zerolatency key-int-max=60 bitrate={kbit_s}"


def with_noise(screens: Iterable[NDArray[np.uint8]], sigma: float, seed: int) -> Iterator[NDArray[np.uint8]]:
    """The screens with grey noise of ``sigma`` levels, another cut of one field for each."""
    rng, field = np.random.default_rng([seed, 31]), None
    for screen in screens:
        height, width = screen.shape[:2]
        if field is None:
            shape = (height + POOL_MARGIN_PX, width + POOL_MARGIN_PX, 1)
            field = np.rint(rng.normal(0, sigma, shape)).astype(np.int16)
        y, x = rng.integers(0, POOL_MARGIN_PX, 2)
        yield np.clip(screen + field[y : y + height, x : x + width], 0, 255).astype(np.uint8)


def compress(screens: Iterable[NDArray[np.uint8]], path: Path, *, fps: float, kbit_s: int) -> Path:
    """Write BGR screens as H.264 in MP4 at a constant rate, as a streaming capture box does.

    Raises
    ------
    PipelineError
        The file cannot be written.
    """
    pipeline = (
        f"appsrc name=in format=time max-bytes=0 ! {ENCODER.format(kbit_s=kbit_s)} ! h264parse ! mp4mux "
        f"! filesink location={path}"
    )
    feed = Feed(pipeline, f"phantom {path}", BackPressure.BLOCK)
    try:
        for index, screen in enumerate(screens):
            frame = Frame(screen, PixelFormat.BGR, screen.shape[1], screen.shape[0], index, 0, 0)
            feed.push(Picture(*to_i420(frame)), round(index * 1e9 / fps), fps)
        feed.finish()
    finally:
        feed.stop()
    return path
