"""Which criteria are met, how the rule counts them, and what it never says."""

from __future__ import annotations

import json

import pytest

from edge_us.nodes.criteria import BULGE, CORTEX, CRITERIA, HILUM, OFFSET, RATIO, catalogue, judge, pattern, sum_up
from edge_us.nodes.pattern import NodePattern
from edge_us.nodes.reading import conclude, unknown
from edge_us.overlay.node import node_lines, node_words

QUIET = {CORTEX: 1.8, BULGE: 0.1, OFFSET: 0.02, HILUM: 14.0, RATIO: 2.6}


def names(numbers: dict[str, float]) -> set[str]:
    return {each.criterion.name for each in judge(numbers, {}) if each.met}


@pytest.mark.parametrize(
    ("number", "value", "expected"),
    [
        (CORTEX, 3.2, {"thick cortex"}),
        (CORTEX, 3.6, {"thick cortex", "very thick cortex"}),
        (BULGE, 0.9, {"focal bulge"}),
        (OFFSET, 0.5, {"hilum displaced"}),
        (HILUM, 3.0, {"hilum absent"}),
        (RATIO, 1.8, {"round shape"}),
    ],
)
def test_each_criterion_is_met_by_its_own_number(number: str, value: float, expected: set[str]) -> None:
    assert names(QUIET) == set()
    assert names(QUIET | {number: value}) == expected


def test_the_rule_counts_five_and_tells_the_unknown_apart() -> None:
    assert sum_up(judge(QUIET, {})) == "0 of 5 criteria"
    assert sum_up(judge(QUIET | {CORTEX: 4.0, RATIO: 1.5}, {})) == "2 of 5 criteria"
    uncalibrated = {name: value for name, value in QUIET.items() if name != CORTEX}
    assert sum_up(judge(uncalibrated | {BULGE: 2.0}, {CORTEX: "uncalibrated"})) == "1 of 4 criteria, 1 unknown"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, NodePattern.THIN),
        ({CORTEX: 4.0}, NodePattern.DIFFUSE),
        ({BULGE: 1.0}, NodePattern.FOCAL),
        ({OFFSET: 0.5, BULGE: 1.0}, NodePattern.DISPLACED),
        ({RATIO: 1.2, CORTEX: 4.0}, NodePattern.ROUND),
        ({HILUM: 2.0, RATIO: 1.2}, NodePattern.LOST),
    ],
)
def test_the_pattern_is_decided_in_a_fixed_order(change: dict[str, float], expected: NodePattern) -> None:
    assert pattern(QUIET | change) is expected


def test_every_criterion_names_its_source_in_the_report() -> None:
    told = catalogue()
    assert [each["name"] for each in told] == [each.name for each in CRITERIA]
    assert all(len(each["source"]) > 20 for each in told)
    assert sum(each["counts"] for each in told) == 5


def test_no_verdict_is_drawn_from_the_rule_alone() -> None:
    worst = conclude({CORTEX: 9.0, BULGE: 3.0, OFFSET: 0.9, HILUM: 9.0, RATIO: 1.0}, None, scaled=True)
    said = " ".join((node_words(worst), *node_lines(worst), json.dumps(catalogue()), worst.summary)).lower()
    for word in ("suspicious", "malignant", "metasta", "benign", "normal", "cancer"):
        assert word not in said


def test_what_is_unknown_has_no_summary() -> None:
    nothing = unknown("not analysable: frozen")
    assert nothing.summary == ""
    assert nothing.criteria == ()
