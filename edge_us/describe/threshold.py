"""`Threshold`: where one word ends and the next begins, and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNCERTAIN = "uncertain"
"""The word while a number lies too near to a threshold."""

Numbers = Mapping[str, float]
"""What descriptors are decided from, by name; means over the looks at a track."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit between two words.

    Attributes
    ----------
    value : float
    margin : float
        Within this distance of the value nothing is said.
    source : str
        Literature, or what was measured.
    """

    value: float
    margin: float
    source: str

    def side(self, number: float) -> int:
        """-1 below, 1 above, 0 too near."""
        away = number - self.value
        return 0 if abs(away) < self.margin else 1 if away > 0 else -1
