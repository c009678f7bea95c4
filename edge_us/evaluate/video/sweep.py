"""Synthetic sweeps: a labelled still seen through a window that moves as a probe does.

A sweep is not a recording. The tissue is one picture: it is panned, zoomed, slowly bent and amplified, and its speckle
decorrelates as it does when a probe leaves the plane, but no new plane ever comes into view. Sweeps prove temporal
behaviour (how soon, how steadily, how quietly) and nothing about anatomy; whatever is made of them is called synthetic.

The window never leaves the still, so there are no wedges, and masks go through the very map that the pixels take.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Grey = NDArray[np.uint8]
Box = tuple[float, float, float, float]

BEND_SHARE = 0.012
"""Largest displacement of the tissue, as share of the still's shorter side."""
BEND_MODES = 3
GAIN_GREY = 9.0
"""Largest drift of the gain in grey levels: about 2 dB of a 60 dB picture."""
SPECKLE_GREY = 9.0
"""Standard deviation of the changing part of the speckle. In a log-compressed picture it is added, not multiplied."""
SPECKLE_FRAMES = 8
"""Frames after which the changing part is another one."""
SPECKLE_SIGMA_PX = (1.2, 0.7)
"""Size of a speckle, lateral and axial."""
NOISE_GREY = 1.5
"""Receiver noise, new in every frame."""
DARK_GREY = 48.0
"""Below this grey the changes fade out: black outside of the sector and in cysts stays black."""
LEAST_WINDOW_PX = 96
LEAST_PASS_SHARE = 0.33
"""Narrowest window of a passing lesion, as share of the still's width."""


class Motion(str, Enum):
    """What the lesions do during a sweep."""

    PASS = "pass"
    """They enter the picture and leave it; first and last frame show none of them."""
    WITHIN = "within"
    """They stay in the picture."""
    NORMAL = "normal"
    """There are none."""


ZOOM = {Motion.PASS: 0.02, Motion.WITHIN: 0.06, Motion.NORMAL: 0.06}
"""Largest change of scale, as share."""


@dataclass(frozen=True, slots=True, eq=False)
class SweepPlan:
    """All that is random about a sweep; rendering adds nothing.

    Attributes
    ----------
    size : (int, int)
        Width and height of the frames in px, both even.
    centres : ndarray, shape (frames, 2)
        Centre of the window, x and y in px of the still.
    scales : ndarray, shape (frames,)
        Px of the still for one px of the frame.
    gains : ndarray, shape (frames,)
        Grey levels added where there is signal.
    waves : ndarray, shape (modes, 7)
        Bending: cycles per px in x and y, phase, amplitude in x and y in px, cycles per frame, phase in time.
    seed : int
        Of the speckle.
    """

    size: tuple[int, int]
    centres: Floats
    scales: Floats
    gains: Floats
    waves: Floats
    seed: int


def plan_sweep(
    size: tuple[int, int], box: Box | None, motion: Motion, frames: int, fps: float, rng: np.random.Generator
) -> SweepPlan | None:
    """Draw the course of a sweep.

    Parameters
    ----------
    size : (int, int)
        Width and height of the still in px.
    box : (float, float, float, float) or None
        Box around all lesions, ``x1, y1, x2, y2`` in px; None for a normal still.
    motion : Motion
    frames : int
    fps : float
    rng : numpy.random.Generator

    Returns
    -------
    SweepPlan or None
        None where the still has no room: it is too small, or no window beside the lesion is wide enough to pass.
    """
    bend = BEND_SHARE * min(size)
    zoom = ZOOM[motion]
    margin = bend + 2  # the window's own pixels must find their neighbours inside the still
    lesion = None if box is None else (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
    window = _window(size, lesion, motion, margin, rng)
    if window is None:
        return None
    out = (int(window[0]) // 2 * 2, int(window[1]) // 2 * 2)
    high = (out[0] * (1 + zoom), out[1] * (1 + zoom))
    low = (out[0] * (1 - zoom), out[1] * (1 - zoom))
    free = [(high[axis] / 2 + margin, size[axis] - high[axis] / 2 - margin) for axis in (0, 1)]
    if motion is Motion.WITHIN and lesion is not None:
        free = [_holding(free[axis], lesion[axis], lesion[axis + 2], low[axis]) for axis in (0, 1)]
        x = _wander(free[0], frames, fps, rng)
    elif motion is Motion.PASS and lesion is not None:
        free[1] = _holding(free[1], lesion[1], lesion[3], low[1])
        x = _pass(free[0], lesion[0] - high[0] / 2, lesion[2] + high[0] / 2, (lesion[0] + lesion[2]) / 2, frames, rng)
    else:
        x = _wander(free[0], frames, fps, rng)
    return SweepPlan(
        size=out,
        centres=np.stack([x, _wander(free[1], frames, fps, rng)], axis=1),
        scales=_wander((1 - zoom, 1 + zoom), frames, fps, rng),
        gains=_wander((-GAIN_GREY, GAIN_GREY), frames, fps, rng),
        waves=_waves(size, bend, fps, rng),
        seed=int(rng.integers(2**31)),
    )


def render_sweep(still: Grey, labels: Grey, plan: SweepPlan) -> Iterator[tuple[Grey, Grey]]:
    """The frames of a sweep, each with its lesions.

    Parameters
    ----------
    still : ndarray of uint8, shape (height, width)
    labels : ndarray of uint8, shape (height, width)
        0 is tissue, every other value one lesion.
    plan : SweepPlan
        Made for a still of this size.

    Yields
    ------
    frame, labels : ndarray of uint8, shape (frame height, frame width)
    """
    import cv2

    values = [int(value) for value in np.unique(labels) if value]
    lesions = [np.where(labels == value, np.float32(1), np.float32(0)) for value in values]
    signal = np.clip(still / np.float32(DARK_GREY), 0, 1).astype(np.float32)
    grey = still.astype(np.float32)
    keys: dict[int, NDArray[np.float32]] = {}
    for number in range(len(plan.scales)):
        speckle = _speckle(keys, plan.seed, number, still.shape)
        tissue = grey + signal * (SPECKLE_GREY * speckle + np.float32(plan.gains[number]))
        map_x, map_y = sample_map(plan, number)

        def look(
            picture: NDArray[np.float32], map_x: NDArray[np.float32] = map_x, map_y: NDArray[np.float32] = map_y
        ) -> NDArray[np.float32]:
            return np.asarray(cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR), np.float32)

        frame = look(tissue)
        noise = np.random.default_rng([plan.seed, 1, number]).standard_normal(frame.shape, np.float32)
        frame += NOISE_GREY * noise * look(signal)
        shown = np.zeros(frame.shape, np.uint8)
        for value, lesion in zip(values, lesions, strict=True):
            shown[look(lesion) >= 0.5] = value
        yield np.clip(np.rint(frame), 0, 255).astype(np.uint8), shown


def sample_map(plan: SweepPlan, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where in the still each pixel of a frame is taken from: x and y in px, each of shape (height, width)."""
    width, height = plan.size
    scale, (centre_x, centre_y) = plan.scales[number], plan.centres[number]
    # Centres count from the still's edge, pixels from the middle of the first one.
    column = (centre_x - 0.5 + (np.arange(width) - (width - 1) / 2) * scale)[None, :]
    row = (centre_y - 0.5 + (np.arange(height) - (height - 1) / 2) * scale)[:, None]
    map_x, map_y = np.broadcast_arrays(column, row)
    map_x, map_y = map_x.copy(), map_y.copy()
    for per_x, per_y, phase, by_x, by_y, per_frame, start in plan.waves:
        wave = np.sin(2 * np.pi * (per_x * column + per_y * row) + phase)
        wave *= np.sin(2 * np.pi * per_frame * number + start)
        map_x += by_x * wave
        map_y += by_y * wave
    return map_x.astype(np.float32), map_y.astype(np.float32)


def _window(
    size: tuple[int, int], lesion: Box | None, motion: Motion, margin: float, rng: np.random.Generator
) -> tuple[float, float] | None:
    """Width and height of the window at scale 1; None where there is no room."""
    zoom = ZOOM[motion]
    most_x, most_y = ((side - 2 * margin) / (1 + zoom) for side in size)
    least_x = least_y = float(LEAST_WINDOW_PX)
    if lesion is not None:
        least_x = max(least_x, (lesion[2] - lesion[0]) / (1 - zoom))
        least_y = max(least_y, (lesion[3] - lesion[1]) / (1 - zoom))
    if motion is Motion.PASS and lesion is not None:
        most_x = min(most_x, (max(lesion[0], size[0] - lesion[2]) - margin) / (1 + zoom))
        least_x = max(least_x, LEAST_PASS_SHARE * size[0])
        if most_x < least_x or most_y < least_y:
            return None
        width = rng.uniform(0.35, 0.55) * size[0]
        height = 1.4 * width
    else:
        width, height = rng.uniform(0.68, 0.85) * size[0], rng.uniform(0.8, 0.9) * size[1]
    chosen = min(max(width, least_x), most_x), min(max(height, least_y), most_y)
    return chosen if min(chosen) >= LEAST_WINDOW_PX else None


def _holding(free: tuple[float, float], first: float, last: float, side: float) -> tuple[float, float]:
    """Those centres of a window of this side from which a stretch is seen whole; the best one where none sees it."""
    low, high = max(free[0], last - side / 2), min(free[1], first + side / 2)
    if low <= high:
        return low, high
    best = min(max((first + last) / 2, free[0]), free[1])
    return best, best


def _wander(limits: tuple[float, float], frames: int, fps: float, rng: np.random.Generator) -> Floats:
    """A slow course between two values, as a hand moves: two waves of a few seconds."""
    seconds = np.arange(frames) / fps
    slow, fast = rng.uniform(0.1, 0.25), rng.uniform(0.3, 0.6)
    course = 0.7 * np.sin(2 * np.pi * (slow * seconds + rng.uniform()))
    course += 0.3 * np.sin(2 * np.pi * (fast * seconds + rng.uniform()))
    low, high = limits
    return np.asarray(low + (high - low) * (0.5 + 0.5 * course), np.float64)


def _pass(
    free: tuple[float, float], before: float, behind: float, middle: float, frames: int, rng: np.random.Generator
) -> Floats:
    """From where the lesion is out of sight, over it, and out of sight again, on the same side if there is no other."""
    ends = [end for end in (before, behind) if free[0] <= end <= free[1]]
    start = ends[int(rng.integers(len(ends)))]
    end = next((other for other in ends if other != start), start)
    top = min(max(middle, free[0]), free[1])
    rest, meet = rng.uniform(0.08, 0.15), rng.uniform(0.42, 0.5)
    times = np.array([0, rest, meet, meet + 0.08, 1 - rest, 1])
    values = np.array([start, start, top, top, end, end])
    share = np.linspace(0, 1, frames)
    step = np.clip(np.searchsorted(times, share, side="right") - 1, 0, len(times) - 2)
    part = (share - times[step]) / (times[step + 1] - times[step])
    eased = part * part * (3 - 2 * part)
    return np.asarray(values[step] + (values[step + 1] - values[step]) * eased, np.float64)


def _waves(size: tuple[int, int], bend: float, fps: float, rng: np.random.Generator) -> Floats:
    rows = []
    for _ in range(BEND_MODES):
        angle = rng.uniform(0, 2 * np.pi)
        rows.append(
            [
                rng.uniform(0.4, 1.3) / size[0],
                rng.uniform(0.4, 1.3) / size[1],
                rng.uniform(0, 2 * np.pi),
                bend / BEND_MODES * np.cos(angle),
                bend / BEND_MODES * np.sin(angle),
                rng.uniform(0.2, 0.6) / fps,
                rng.uniform(0, 2 * np.pi),
            ]
        )
    return np.array(rows, np.float64)


def _speckle(
    keys: dict[int, NDArray[np.float32]], seed: int, number: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """The changing part of the speckle, mean 0 and deviation 1: it turns from one field of noise into the next.

    Sine and cosine keep the deviation while it turns. ``keys`` holds the fields that are still in use.
    """
    first, part = divmod(number, SPECKLE_FRAMES)
    for key in [key for key in keys if key < first]:
        del keys[key]
    for key in (first, first + 1):
        if key not in keys:
            keys[key] = _grain(np.random.default_rng([seed, 0, key]), shape)
    turn = 0.5 * np.pi * part / SPECKLE_FRAMES
    return np.asarray(np.cos(turn) * keys[first] + np.sin(turn) * keys[first + 1], np.float32)


def _grain(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    import cv2

    field = rng.standard_normal(shape, np.float32)
    field = np.asarray(cv2.GaussianBlur(field, (0, 0), SPECKLE_SIGMA_PX[0], sigmaY=SPECKLE_SIGMA_PX[1]), np.float32)
    return np.asarray(field / field.std(), np.float32)
