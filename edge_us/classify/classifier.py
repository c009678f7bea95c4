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
    from edge_us.inference.backend import Backend


class Classifier:
    """A compiled benign / malignant network.

    Parameters
    ----------
    model : ClassifierModel
    backend : Backend
        Compiled from the same model.
    """

    def __init__(self, model: ClassifierModel, backend: Backend) -> None:
        self.model = model
        self._backend = backend

    def warm_up(self) -> None:
        """Run the network twice on black, so that the first real lesion is not the slow one."""
        import numpy as np

        side = self.model.input_size[0]
        for _ in range(2):
            self._backend.infer(np.zeros((side, side), np.uint8))

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
        (heads,) = self._backend.infer(crop(gray, box, self.model.input_size[0], bounds))
        return float(heads[0, 0])

    def probability(self, logit: float) -> float:
        """Probability of malignancy, 0..1, with the model's temperature."""
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit / self.model.temperature))))

    def close(self) -> None:
        """Release the network; may be called more than once."""
        self._backend.close()
