"""A network that looks at the picture and at its mirror image, and gives the mean of both as one YOLO head.

Boxes and scores of the mirror image are put back to their anchors and averaged. The mean of two masks' logits is exact,
too: both sets of prototypes go side by side, and each anchor's coefficients likewise, halved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

STRIDES = (8, 16, 32)
PROTOTYPE_STRIDE = 4


class Mirrored(nn.Module):  # type: ignore[misc]
    """Wraps a YOLO segmentation network in export mode.

    Parameters
    ----------
    network
        From pictures ``(1, 3, height, width)`` to a raw head ``(1, 4 + classes + k, anchors)`` and prototypes
        ``(1, k, height / 4, width / 4)``. This network's own outputs have ``2 k`` coefficients and prototypes.
    imgsz
        Height and width of the input in px.
    classes
        Number of classes.
    """

    def __init__(self, network: nn.Module, imgsz: tuple[int, int], classes: int = 1) -> None:
        super().__init__()
        height, width = imgsz
        self.network = network
        self.width = width
        self.classes = classes
        # Gathers by a fixed index, since not every runtime takes a slice with a negative step.
        self.register_buffer("columns", torch.arange(width).flip(0))
        self.register_buffer("prototype_columns", torch.arange(width // PROTOTYPE_STRIDE).flip(0))
        self.register_buffer("anchors", mirrored_anchors(height, width))

    def forward(self, picture: Any) -> tuple[Any, Any]:
        """Raw head and prototypes."""
        head, prototypes = self.network(picture)[:2]
        other, other_prototypes = self.network(torch.index_select(picture, 3, self.columns))[:2]
        other = torch.index_select(other, 2, self.anchors)
        other_prototypes = torch.index_select(other_prototypes, 3, self.prototype_columns)
        other_boxes = torch.cat([self.width - other[:, :1], other[:, 1:4]], 1)
        last = 4 + self.classes
        mean = torch.cat([head[:, :4] + other_boxes, head[:, 4:last] + other[:, 4:last]], 1) / 2
        coefficients = torch.cat([head[:, last:], other[:, last:]], 1) / 2
        return torch.cat([mean, coefficients], 1), torch.cat([prototypes, other_prototypes], 1)


def mirrored_anchors(height: int, width: int, strides: Sequence[int] = STRIDES) -> Any:
    """For each anchor the number of the one that lies mirrored, shape (anchors,)."""
    levels, first = [], 0
    for stride in strides:
        rows, columns = height // stride, width // stride
        numbers = first + torch.arange(rows * columns).reshape(rows, columns)
        levels.append(numbers.flip(1).reshape(-1))
        first += rows * columns
    return torch.cat(levels)
