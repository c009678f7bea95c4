"""`PhantomSpec`: everything that decides the bytes of a synthetic clip, and how it is written as a URI."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from typing import TypeVar
from urllib.parse import parse_qsl, unquote

from edge_us.errors import UsageError
from edge_us.nodes.pattern import NodePattern
from edge_us.phantom.cart_state import SYNTAX, Script, check_script, parse_script

SCHEME = "phantom:"
GENERATOR_VERSION = 3
"""Raised whenever the same spec gives other bytes, so that no stale cache is ever played."""

MIN_SIDE_PX, MAX_SIDE_PX = 96, 4096
MAX_FRAMES = 100_000


class Probe(str, Enum):
    """Transducer geometry."""

    LINEAR = "linear"
    CONVEX = "convex"
    SECTOR = "sector"


class LesionKind(str, Enum):
    """What grows in the phantom."""

    CYST = "cyst"
    """Anechoic, thin wall, posterior enhancement."""
    BENIGN = "benign"
    """Oval, parallel, circumscribed, hypoechoic."""
    MALIGNANT = "malignant"
    """Irregular, taller than wide, angular margin, shadowing."""


_DEFAULT_DEPTH_MM = {Probe.LINEAR: 40.0, Probe.CONVEX: 60.0, Probe.SECTOR: 60.0}


@dataclass(frozen=True, slots=True)
class PhantomSpec:
    """What to synthesise; the same spec gives the same bytes on the same machine.

    Attributes
    ----------
    probe : Probe
    lesions : tuple of LesionKind
        In the order in which the moving probe meets them; empty for normal tissue.
    width, height : int
        Picture size in px: of the whole screen where ``screen`` is set, else of the image itself.
    frames : int
    fps : float
        Nominal frame rate in 1/s; it sets the time stamps, not the motion.
    seed : int
    screen : bool
        Whether the image is shown inside the screen of a cart.
    depth_mm : float
        Imaging depth; 0 takes the usual one of the probe.
    freeze, no_contact : (int, int)
        Frames ``[first, last)`` in which the picture is frozen, or the probe is in the air.
    cart : tuple of (int, CartState)
        What is set on the screen of a cart that says depth and zoom, from which frame on; empty for no such screen.
    nodes : tuple of NodePattern
        Lymph nodes, met after the lesions; with any the tissue is that of an axilla.
    """

    probe: Probe = Probe.LINEAR
    lesions: tuple[LesionKind, ...] = (LesionKind.BENIGN,)
    width: int = 800
    height: int = 600
    frames: int = 300
    fps: float = 30.0
    seed: int = 1
    screen: bool = False
    depth_mm: float = 0.0
    freeze: tuple[int, int] = (0, 0)
    no_contact: tuple[int, int] = (0, 0)
    cart: Script = ()
    nodes: tuple[NodePattern, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("height", self.height)):
            if not MIN_SIDE_PX <= value <= MAX_SIDE_PX:
                raise _bad("size", f"{name} {value}", f"{MIN_SIDE_PX} to {MAX_SIDE_PX} px per side")
        if self.screen and (self.width < 480 or self.height < 360):
            raise _bad("size", f"{self.width}x{self.height}", "at least 480x360 with screen=1")
        if self.cart:
            if min(self.width - 640, self.height - 480) < 0 or self.screen:
                raise _bad("cart", "1", "at least size=640x480, without screen, freeze or no_contact")
            try:
                check_script(self.cart)
            except ValueError as error:
                raise _bad("cart", "…", str(error)) from None
        if not 1 <= self.frames <= MAX_FRAMES:
            raise _bad("frames", str(self.frames), f"1 to {MAX_FRAMES}")
        if not (math.isfinite(self.fps) and 0.1 <= self.fps <= 1000):
            raise _bad("fps", str(self.fps), "0.1 to 1000")
        if not 0 <= self.seed < 2**32:
            raise _bad("seed", str(self.seed), "0 to 4294967295")
        if self.depth_mm != 0.0 and not 20.0 <= self.depth_mm <= 150.0:
            raise _bad("depth", str(self.depth_mm), "20 to 150 mm, or 0 for the probe's usual depth")
        if len(self.lesions) + len(self.nodes) > 8:
            raise _bad("lesion", ",".join(self.lesions), "at most 8 lesions and nodes")

    @property
    def imaging_depth_mm(self) -> float:
        """Imaging depth in mm with the default resolved."""
        return self.depth_mm or _DEFAULT_DEPTH_MM[self.probe]

    @property
    def is_screen(self) -> bool:
        """Whether the picture is more than the image."""
        return self.screen or bool(self.cart)

    def key(self) -> str:
        """Canonical text of all that decides the bytes; equal specs have equal keys."""
        return repr(tuple((f.name, getattr(self, f.name)) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Playback:
    """How a phantom is played, which changes no pixel.

    Attributes
    ----------
    live : bool
        Whether it is a live source; pacing is the caller's business.
    loop : bool
        Whether it is played for ever, bouncing back and forth so that the probe never jumps.
    """

    live: bool = False
    loop: bool = False


_T = TypeVar("_T")


def _bad(key: str, value: str, allowed: str) -> UsageError:
    return UsageError(f"phantom: {key}={value} is not possible", f"use {key}=: {allowed}")


def _number(kind: Callable[[str], _T], allowed: str) -> Callable[[str, str], _T]:
    def read(key: str, value: str) -> _T:
        try:
            return kind(value)
        except ValueError:
            raise _bad(key, value, allowed) from None

    return read


def _flag(key: str, value: str) -> bool:
    if value not in ("0", "1"):
        raise _bad(key, value, "0 or 1")
    return value == "1"


def _is_number(text: str) -> bool:
    """Plain digits, not too many: ``isdigit`` alone takes superscripts, and ``int`` no more than 4300 digits."""
    return text.isascii() and text.isdigit() and len(text) <= 9


def _size(key: str, value: str) -> tuple[int, int]:
    width, _, height = value.lower().partition("x")
    if not (_is_number(width) and _is_number(height)):
        raise _bad(key, value, "WIDTHxHEIGHT, for example 800x600")
    return int(width), int(height)


def _span(key: str, value: str) -> tuple[int, int]:
    first, _, last = value.partition("-")
    if not (_is_number(first) and _is_number(last) and int(first) < int(last)):
        raise _bad(key, value, "FIRST-LAST in frames, the last one excluded, for example 40-70")
    return int(first), int(last)


def _probe(key: str, value: str) -> Probe:
    try:
        return Probe(value)
    except ValueError:
        raise _bad(key, value, ", ".join(p.value for p in Probe)) from None


def _lesions(key: str, value: str) -> tuple[LesionKind, ...]:
    if value == "none":
        return ()
    try:
        return tuple(LesionKind(part) for part in value.split(","))
    except ValueError:
        kinds = ", ".join(k.value for k in LesionKind)
        raise _bad(key, value, f"none, or one or more of {kinds}, separated by commas") from None


def _cart(key: str, value: str) -> Script:
    try:
        return parse_script(value)
    except ValueError:
        raise _bad(key, value, SYNTAX) from None


NODE_WORDS = {each.name.lower(): each for each in NodePattern}


def _nodes(key: str, value: str) -> tuple[NodePattern, ...]:
    try:
        return tuple(NODE_WORDS[part] for part in value.split(","))
    except KeyError:
        raise _bad(key, value, f"one or more of {', '.join(NODE_WORDS)}, separated by commas") from None


_int, _float = _number(int, "a whole number"), _number(float, "a number")
_SPEC_KEYS: dict[str, tuple[str, Callable[[str, str], object]]] = {
    "probe": ("probe", _probe),
    "lesion": ("lesions", _lesions),
    "frames": ("frames", _int),
    "fps": ("fps", _float),
    "seed": ("seed", _int),
    "screen": ("screen", _flag),
    "depth": ("depth_mm", _float),
    "freeze": ("freeze", _span),
    "no_contact": ("no_contact", _span),
    "cart": ("cart", _cart),
    "node": ("nodes", _nodes),
}
URI_KEYS = ("size", *_SPEC_KEYS, "live", "loop")
"""Every key that ``phantom:?key=value&...`` takes."""


def parse_uri(uri: str) -> tuple[PhantomSpec, Playback]:
    """Read ``phantom:`` or ``phantom:?probe=linear&lesion=benign&size=800x600&frames=300&fps=30&seed=1``.

    Raises
    ------
    UsageError
        For an unknown key or an impossible value, naming the allowed ones.
    """
    if not uri.startswith(SCHEME):
        raise UsageError(f"{uri} is not a phantom", "write phantom:?probe=linear&lesion=benign&seed=1")
    query = uri[len(SCHEME) :].lstrip("/")
    if query and not query.startswith("?"):
        raise UsageError(f"phantom: {unquote(query)!r} is not understood", "write phantom:?key=value&key=value")
    spec: dict[str, object] = {}
    playback: dict[str, bool] = {}
    for key, value in parse_qsl(query[1:], keep_blank_values=True):
        if key == "size":
            spec["width"], spec["height"] = _size(key, value)
        elif key in ("live", "loop"):
            playback[key] = _flag(key, value)
        elif key in _SPEC_KEYS:
            name, read = _SPEC_KEYS[key]
            spec[name] = read(key, value)
        else:
            raise UsageError(f"phantom: has no key {key!r}", f"allowed keys: {', '.join(URI_KEYS)}")
    return PhantomSpec(**spec), Playback(**playback)  # type: ignore[arg-type]
