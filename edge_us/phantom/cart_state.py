"""What the operator of a phantom cart has set, frame by frame, and how that is written in a URI."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from enum import Enum


class CartView(str, Enum):
    """What the cart shows."""

    LIVE = "live"
    DUAL = "dual"
    """Two images beside each other, each at half the size; the right one stands still."""
    FREEZE = "freeze"
    """The picture stands still, and the geometry is what it was."""
    THYROID = "thyroid"
    """Live with another application's settings: their name and the frequency change, depth and ruler do not."""


@dataclass(frozen=True, slots=True)
class CartState:
    """One setting of the cart; ``zoom`` magnifies the middle of the picture."""

    depth_mm: float = 40.0
    zoom: float = 1.0
    view: CartView = CartView.LIVE

    def __post_init__(self) -> None:
        if not 20.0 <= self.depth_mm <= 150.0:
            raise ValueError("a depth from 20 to 150 mm")
        if not 1.0 <= self.zoom <= 4.0:
            raise ValueError("a zoom from 1 to 4")


Script = tuple[tuple[int, CartState], ...]
"""From which frame on each setting holds, rising from frame 0."""

_STEP = re.compile(r"(\d{1,6}):(\d{1,3}(?:\.\d{1,2})?)(?:x(\d(?:\.\d{1,2})?))?(?:/([a-z]+))?")
SYNTAX = "FRAME:DEPTH[xZOOM][/dual|/freeze|/thyroid],… from frame 0 on, for example 0:40,60:60,90:40x1.5,120:40/dual"


def parse_script(text: str) -> Script:
    """Read ``0:40,60:60,90:40x1.5,120:40/dual``; raises ValueError where it is none."""
    steps = []
    for part in text.split(","):
        found = _STEP.fullmatch(part)
        if found is None:
            raise ValueError(SYNTAX)
        first, depth, zoom, view = found.groups()
        steps.append((int(first), CartState(float(depth), float(zoom or 1), CartView(view or "live"))))
    check_script(tuple(steps))
    return tuple(steps)


def check_script(script: Script) -> None:
    """Raise ValueError unless the script begins at frame 0 and rises."""
    firsts = [first for first, _ in script]
    if firsts[0] != 0 or any(b <= a for a, b in itertools.pairwise(firsts)):
        raise ValueError(SYNTAX)


def state_at(script: Script, index: int) -> CartState:
    """What is set on a frame."""
    return next(state for first, state in reversed(script) if first <= index)
