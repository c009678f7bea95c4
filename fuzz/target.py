"""What a target is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """One parser under test.

    Attributes
    ----------
    seeds : callable
        Takes a scratch folder; gives good inputs that mutation starts from.
    check : callable
        Takes an input and a scratch folder. Returns where the input was accepted, raises an `EdgeUsError` where it was
        refused; whatever else happens is a failure.
    tokens : tuple of bytes
        Words of the format, put in and looked for by the mutations.
    limit_s : float
        An input that takes longer hangs.
    limit_bytes : int
        Growth of resident memory over one input that is a failure.
    """

    seeds: Callable[[Path], list[bytes]]
    check: Callable[[bytes, Path], None]
    tokens: tuple[bytes, ...] = ()
    limit_s: float = 5.0
    limit_bytes: int = 1 << 30
