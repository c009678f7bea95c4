"""Generated phantoms, kept: synthesis is slower than real time, so a clip is made once and then played.

A clip is one ``.npy`` file, mapped rather than read, and a ``.json`` beside it that is written last: without it, or
when length or checksum disagree, the clip is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.errors import UsageError
from edge_us.frame import Rect
from edge_us.phantom.render import render
from edge_us.phantom.spec import GENERATOR_VERSION, PhantomSpec

MOST_BYTES = 4 << 30
"""Largest clip that is generated, and most that the cache keeps beside the newest clip."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """All pictures of a phantom, shape (frames, height, width[, 3]), read-only, with region and scale."""

    images: NDArray[np.uint8]
    region: Rect
    mm_per_px: float


def cache_folder() -> Path:
    """Where generated phantoms are kept (``$XDG_CACHE_HOME/edge-us/phantom``)."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "edge-us" / "phantom"


def load_clip(spec: PhantomSpec, folder: Path | None = None) -> Clip:
    """The pictures of a spec, from the cache or made now; a cache that cannot be used is made anew or left out.

    Raises
    ------
    UsageError
        The clip would be larger than `MOST_BYTES`.
    """
    _check_size(spec)
    folder = cache_folder() if folder is None else folder
    key = hashlib.sha256(f"{GENERATOR_VERSION} {spec.key()}".encode()).hexdigest()[:24]
    stored = _read(folder / f"{key}.npy", spec)
    if stored is not None:
        return stored
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(folder / f"{key}.npy", spec)
    except OSError:  # a read-only home or a full disk is no reason not to play
        return _generate(spec, np.empty(_shape(spec), np.uint8))


def _shape(spec: PhantomSpec) -> tuple[int, ...]:
    shape = (spec.frames, spec.height, spec.width)
    return (*shape, 3) if spec.is_screen else shape


def _check_size(spec: PhantomSpec) -> None:
    size = int(np.prod(_shape(spec), dtype=np.int64))
    if size > MOST_BYTES:
        most = spec.frames * MOST_BYTES // size
        raise UsageError(
            f"phantom: {spec.frames} frames of {spec.width}x{spec.height} would take {size / 2**30:.0f} GiB",
            f"use frames= up to {most}, a smaller size=, or loop=1 to play a short clip for ever",
        )


def _read(path: Path, spec: PhantomSpec) -> Clip | None:
    try:
        meta = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        images = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        if images.shape != _shape(spec) or images.dtype != np.uint8 or _checksum(images) != meta["crc32"]:
            return None
        clip = Clip(images, Rect(*(int(v) for v in meta["region"])), float(meta["mm_per_px"]))
        path.touch()  # used last, thrown away last
    except Exception:  # missing, truncated or foreign: numpy and json raise many kinds, all mean "make it anew"
        return None
    return clip


def _write(path: Path, spec: PhantomSpec) -> Clip:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        # Not np.lib.format.open_memmap: writing into holes of a full disk is a SIGBUS, a write() is an OSError.
        with partial.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": _shape(spec)}
            write_header: Any = np.lib.format.write_array_header_1_0  # untyped before numpy 2.3
            write_header(file, header)
            checksum, region, scale = 0, Rect(0, 0, 0, 0), 0.0
            for frame in render(spec):
                data = frame.image.tobytes()
                checksum = zlib.crc32(data, checksum)
                file.write(data)
                region, scale = frame.region, frame.mm_per_px
        note = path.with_suffix(f".{os.getpid()}.note")
        note.write_text(json.dumps({"crc32": checksum, "region": region, "mm_per_px": scale}), encoding="utf-8")
        partial.replace(path)
        note.replace(path.with_suffix(".json"))
    finally:
        partial.unlink(missing_ok=True)
    _prune(path)
    clip = _read(path, spec)
    if clip is None:
        raise OSError(f"{path} did not keep what was written")
    return clip


def _prune(newest: Path) -> None:
    """Throw away the clips that were used longest ago, until the others fit."""
    others = [(p.stat().st_mtime, p.stat().st_size, p) for p in newest.parent.glob("*.npy") if p != newest]
    kept = 0
    for _, size, path in sorted(others, reverse=True):
        kept += size
        if kept > MOST_BYTES:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)


def _checksum(images: NDArray[np.uint8]) -> int:
    checksum = 0
    for image in images:
        checksum = zlib.crc32(image, checksum)
    return checksum


def _generate(spec: PhantomSpec, images: NDArray[np.uint8]) -> Clip:
    region, scale = Rect(0, 0, 0, 0), 0.0
    for number, frame in enumerate(render(spec)):
        images[number] = frame.image
        region, scale = frame.region, frame.mm_per_px
    images.setflags(write=False)
    return Clip(images, region, scale)
