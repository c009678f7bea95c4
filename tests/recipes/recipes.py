"""The recipes' modules under one name, so that the tests import them like a package."""

from __future__ import annotations

import augment
import burned_in
import card
import export
import floors
import geometry
import lesion_crops
import outlines
import physics
import prepare
import prepare_nodes
import quiet_clips
import train
import train_nodes

__all__ = [
    "augment",
    "burned_in",
    "card",
    "export",
    "floors",
    "geometry",
    "lesion_crops",
    "outlines",
    "physics",
    "prepare",
    "prepare_nodes",
    "quiet_clips",
    "train",
    "train_nodes",
]
