"""What every part of the GPU's benchmark needs: pictures, medians, and figures that are missing for a reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from edge_us.errors import EdgeUsError, one_line
from edge_us.frame import LIMITED_BT601, Frame, PixelFormat
from edge_us.phantom.render import render
from edge_us.phantom.spec import PhantomSpec

SCREEN = (1920, 1080)
WARM_UP = 20
Row = dict[str, Any]


def part(work: Callable[[], Row]) -> Row:
    """The figures of one part, or why there are none: nothing that fails takes the others with it."""
    try:
        return work()
    except EdgeUsError as error:
        return {"not measured": error.message}
    except Exception as error:  # of libraries, each with errors of its own
        return {"not measured": f"{type(error).__name__}: {one_line(error)}"}


def median_ms(work: Callable[[], None], rounds: int) -> float:
    """Median time of a piece of work, after a few rounds that do not count."""
    return round(float(np.median(times_ms(work, rounds))), 4)


def times_ms(work: Callable[[], None], rounds: int) -> list[float]:
    """Times of a piece of work, after a few rounds that do not count."""
    spent = []
    for _ in range(WARM_UP + rounds):
        started = time.perf_counter()
        work()
        spent.append((time.perf_counter() - started) * 1e3)
    return spent[WARM_UP:]


def screens(pixels: PixelFormat, count: int) -> Iterator[Frame]:
    """Phantoms as a screen of 1920x1080 shows them."""
    import cv2

    spec = PhantomSpec(width=640, height=480, frames=count)
    for number, phantom in enumerate(render(spec)):
        grey = np.asarray(cv2.resize(phantom.image, SCREEN, interpolation=cv2.INTER_LINEAR), np.uint8)
        values, colorimetry = grey, LIMITED_BT601
        if pixels is PixelFormat.BGR:
            values = np.repeat(grey[..., None], 3, axis=2)
        elif pixels is PixelFormat.NV12:
            values = np.concatenate([grey, np.full((SCREEN[1] // 2, SCREEN[0]), 128, np.uint8)])
        frame = Frame(values, pixels, *SCREEN, index=number, pts_ns=0, captured_ns=0)
        yield replace(frame, colorimetry=colorimetry) if pixels is PixelFormat.NV12 else frame
