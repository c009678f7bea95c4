"""`NodePattern`: how cortex and hilum of a node lie to each other."""

from __future__ import annotations

from enum import Enum


class NodePattern(str, Enum):
    """Patterns that radiologists tell apart (after the types of Bedi et al., AJR 191:646, 2008)."""

    THIN = "thin cortex"
    """Even and thin around a hilum."""
    DIFFUSE = "diffuse thickening"
    """Even and thick around a hilum."""
    FOCAL = "focal bulge"
    """Thicker at one place."""
    DISPLACED = "hilum displaced"
    """The hilum is pushed to one side."""
    LOST = "hilum lost"
    """No hilum to be seen."""
    ROUND = "round"
    """Nearly as short as long, with a hilum."""
