"""Phantom nodes are read as what they are by construction; `bench/nodes.py` does the same with 500."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from edge_us.nodes.pattern import NodePattern
from edge_us.nodes.proof import Read, make, read, summary

FIRST, NODES = 2000, 30
"""Other nodes than the constants were chosen on, and than the 500."""


@cache
def reads() -> tuple[Read, ...]:
    return tuple(read(number) for number in range(FIRST, FIRST + NODES))


def test_a_hilum_is_seen_where_there_is_one_and_only_there() -> None:
    assert [each.has_hilum for each in reads()] == [each.node.has_hilum for each in reads()]


def test_every_cortical_pattern_is_recognised() -> None:
    assert [each.said for each in reads()] == [each.node.pattern.value for each in reads()]


def test_the_cortex_is_measured_to_a_third_of_a_millimetre() -> None:
    figures = summary(reads())["all"]
    assert figures["thickness_close"] >= 0.95
    assert abs(figures["thickness_error_mm"]["mean"]) < 0.1


@pytest.mark.parametrize("pattern", list(NodePattern))
def test_masks_of_node_and_hilum_are_those_of_the_construction(pattern: NodePattern) -> None:
    node, made = make(list(NodePattern).index(pattern))
    (mask,), (hilum,) = made.masks, made.hila
    assert node.pattern is pattern
    assert not (hilum & ~mask).any()
    assert hilum.any() == node.has_hilum
    area_mm2 = float(np.count_nonzero(mask)) * made.mm_per_px**2
    oval = np.pi * node.semi_long_mm * node.semi_short_mm
    bulge = 0.0 if node.bulge is None else node.bulge.out_mm * node.bulge.width_mm * np.sqrt(2 * np.pi)
    assert area_mm2 == pytest.approx(oval + bulge, rel=0.04)


@pytest.mark.parametrize("pattern", [NodePattern.THIN, NodePattern.DIFFUSE, NodePattern.ROUND])
def test_an_even_cortex_is_as_thick_as_it_was_made(pattern: NodePattern) -> None:
    import cv2

    node, made = make(list(NodePattern).index(pattern))
    hilum = made.hila[0].astype(np.uint8)
    depth = cv2.distanceTransform(made.masks[0].astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    edge = (hilum > 0) & (np.asarray(cv2.erode(hilum, np.ones((3, 3), np.uint8))) == 0)
    # A gate lets the hilum through the cortex; at most places it does not.
    assert np.median(np.asarray(depth)[edge]) * made.mm_per_px == pytest.approx(node.thickest_mm, abs=0.15)
