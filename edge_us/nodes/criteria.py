"""Criteria that radiologists judge nodes by: each a number, a threshold and a source; and the rule that counts them.

The rule: of five criteria, how many are met; those whose number is unknown are told apart, never guessed. Alone each is
weak (see the sources), and the count says nothing about a person: no word is drawn from it. The stricter of two
thresholds for the cortex is told but not counted, since the milder one counts already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_us.finding import Unknown
from edge_us.nodes.pattern import NodePattern

CORTEX, BULGE, OFFSET, HILUM, RATIO = "cortex_max_mm", "bulge", "hilum_offset", "hilum_contrast_db", "long_to_short"
ROUND = 1.5
"""Long over short axis below which the pattern is `NodePattern.ROUND`, whatever the cortex is like."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion.

    Attributes
    ----------
    name : str
    number : str
        What it is decided from, a name in `Reading.values`.
    threshold : float
    above : bool
        Whether it is met above the threshold, or below.
    counts : bool
        Whether the rule counts it.
    source : str
    """

    name: str
    number: str
    threshold: float
    above: bool
    counts: bool
    source: str

    def met(self, value: float) -> bool:
        """Whether a number meets it."""
        return value > self.threshold if self.above else value < self.threshold


_ALONE = "alone: cortical thickness has sensitivity 35-96 %, specificity 36-92 % over studies"
CRITERIA = (
    Criterion("thick cortex", CORTEX, 3.0, True, True, f"Bedi et al., AJR 191:646, 2008: thin is up to 3 mm; {_ALONE}"),
    Criterion("very thick cortex", CORTEX, 3.5, True, False, f"stricter threshold in use beside 3 mm; {_ALONE}"),
    Criterion(
        *("focal bulge", BULGE, 0.6, True, True),
        "Bedi et al., AJR 191:646, 2008: focal cortical lobulation; the number is measured on phantoms: docs/nodes.md",
    ),
    Criterion(
        *("hilum displaced", OFFSET, 0.3, True, True),
        "Bedi et al., AJR 191:646, 2008; the number is measured on phantoms: docs/nodes.md",
    ),
    Criterion(
        *("hilum absent", HILUM, 7.5, False, True),
        "alone: sensitivity 83 %, specificity 58 %; the number is measured on phantoms: docs/nodes.md",
    ),
    Criterion(
        *("round shape", RATIO, 2.0, False, True),
        "Vassallo et al., Radiology 183:215, 1992; alone: sensitivity 83 %, specificity 54 %",
    ),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A criterion with what it came to; ``met`` is None where the number is unknown."""

    criterion: Criterion
    value: float | Unknown
    met: bool | None


def judge(numbers: Mapping[str, float], missing: Mapping[str, str]) -> tuple[Judged, ...]:
    """Every criterion, by the numbers that are known.

    Parameters
    ----------
    numbers : mapping of str to float
    missing : mapping of str to str
        Why a number is not there.
    """
    judged = []
    for each in CRITERIA:
        if each.number in numbers:
            judged.append(Judged(each, numbers[each.number], each.met(numbers[each.number])))
        else:
            judged.append(Judged(each, Unknown(missing.get(each.number, "not measured")), None))
    return tuple(judged)


def sum_up(judged: tuple[Judged, ...]) -> str:
    """The rule, such as ``2 of 5 criteria`` or ``1 of 4 criteria, 1 unknown``."""
    counted = [each for each in judged if each.criterion.counts]
    known = [each for each in counted if each.met is not None]
    text = f"{sum(bool(each.met) for each in known)} of {len(known)} criteria"
    return text if len(known) == len(counted) else f"{text}, {len(counted) - len(known)} unknown"


def pattern(numbers: Mapping[str, float]) -> NodePattern | None:
    """The pattern of cortex and hilum; None where only a scale could tell."""
    limits = {each.name: each for each in CRITERIA}
    if limits["hilum absent"].met(numbers[HILUM]):
        return NodePattern.LOST
    if numbers[RATIO] < ROUND:
        return NodePattern.ROUND
    if limits["hilum displaced"].met(numbers[OFFSET]):
        return NodePattern.DISPLACED
    if limits["focal bulge"].met(numbers[BULGE]):
        return NodePattern.FOCAL
    if CORTEX not in numbers:
        return None
    return NodePattern.DIFFUSE if limits["thick cortex"].met(numbers[CORTEX]) else NodePattern.THIN


def catalogue() -> list[dict[str, Any]]:
    """For the report: every criterion with its threshold and source."""
    return [
        {
            "name": each.name,
            "number": each.number,
            "threshold": each.threshold,
            "met": "above" if each.above else "below",
            "counts": each.counts,
            "source": each.source,
        }
        for each in CRITERIA
    ]
