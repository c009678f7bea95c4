"""`Malignancy`: the opinion on a lesion that the classifier gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_us.colour import to_gray
from edge_us.finding import Finding, FindingKind, Unknown
from edge_us.tracking.looks import Mean

if TYPE_CHECKING:
    from edge_us.classify.classifier import Classifier
    from edge_us.frame import Frame, Rect


class Malignancy:
    """The probability of malignancy: that of the mean logit over the looks at a lesion.

    Parameters
    ----------
    classifier : Classifier
    """

    field = "malignancy"
    kind = FindingKind.LESION
    others = "only lesions are classified"
    measures = False

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def begin(self) -> Mean:
        """No look yet."""
        return Mean()

    def look(self, frame: Frame, found: Finding, region: Rect | None, seen: Mean) -> None:
        """Classify the crop around a lesion."""
        seen.add(self._classifier.logit(to_gray(frame, None), found.box, region))

    def value(self, seen: Mean) -> float:
        """Probability of malignancy, 0 to 1."""
        return self._classifier.probability(seen.value)

    def unknown(self, reason: str) -> Unknown:
        """No probability, with the reason."""
        return Unknown(reason)
