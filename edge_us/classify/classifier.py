"""`Classifier`: a picture and a box in, the logit of malignancy out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge_us.classify.crop import crop

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_us.classify.model import ClassifierModel
    from edge_us.frame import Rect
    from edge_us.inference.backend import Lane


class Classifier:
    """A compiled benign / malignant network.

    Parameters
    ----------
    model : ClassifierModel
    lane : Lane
        Of a backend compiled from the same model; nobody else's.
    """

    def __init__(self, model: ClassifierModel, lane: Lane) -> None:
        self.model = model
        self._lane = lane

    def logit(self, gray: NDArray[np.uint8], box: tuple[float, float, float, float], bounds: Rect | None) -> float:
        """Logit of malignancy of one lesion, before the temperature.

        Parameters
        ----------
        gray : ndarray of uint8, shape (height, width)
            The whole frame, full range.
        box : (float, float, float, float)
            ``x1, y1, x2, y2`` in px of the frame.
        bounds : Rect or None
            The image region; None is the whole frame.
        """
        (heads,) = self._lane.infer(crop(gray, box, self.model.input_size[0], bounds))
        return float(heads[0, 0])

    def probability(self, logit: float) -> float:
        """Probability of malignancy, 0..1, with the model's temperature."""
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit / self.model.temperature))))
