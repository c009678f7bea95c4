"""Generated phantoms, kept: synthesis is slower than real time, so a clip is made once and then played."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Rect
from edge_us.phantom.render import render
from edge_us.phantom.spec import GENERATOR_VERSION, PhantomSpec


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """All pictures of a phantom, shape (frames, height, width[, 3]), with region and scale."""

    images: NDArray[np.uint8]
    region: Rect
    mm_per_px: float


def cache_folder() -> Path:
    """Where generated phantoms are kept (``$XDG_CACHE_HOME/edge-us/phantom``)."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "edge-us" / "phantom"


def load_clip(spec: PhantomSpec, folder: Path | None = None) -> Clip:
    """The pictures of a spec, from the cache or made now; a cache that cannot be used is made anew or left out."""
    folder = cache_folder() if folder is None else folder
    key = hashlib.sha256(f"{GENERATOR_VERSION} {spec.key()}".encode()).hexdigest()[:24]
    path = folder / f"{key}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            images, meta = stored["images"], stored["meta"]
            if images.shape[0] == spec.frames and images.dtype == np.uint8:
                return Clip(images, Rect(*(int(v) for v in meta[:4])), float(meta[4]))
    except Exception:  # missing, truncated or foreign: numpy raises many kinds, and all mean "make it anew"
        pass
    clip = _generate(spec)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{key}.{os.getpid()}.partial.npz"
        np.savez(partial, images=clip.images, meta=np.array([*clip.region, clip.mm_per_px], np.float64))
        partial.replace(path)
    except OSError:
        pass  # a read-only home is no reason not to play
    return clip


def _generate(spec: PhantomSpec) -> Clip:
    images: NDArray[np.uint8] | None = None
    region, scale = Rect(0, 0, 0, 0), 0.0
    for number, frame in enumerate(render(spec)):
        if images is None:
            images = np.empty((spec.frames, *frame.image.shape), np.uint8)
            region, scale = frame.region, frame.mm_per_px
        images[number] = frame.image
    assert images is not None
    return Clip(images, region, scale)
