"""`Malignancy`: the opinion on a lesion that the classifier gives; `ByLogit`: what all classifiers' opinions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_us.colour import to_gray
from edge_us.finding import Finding, FindingKind, Unknown
from edge_us.tracking.looks import Mean

if TYPE_CHECKING:
    from edge_us.classify.classifier import Classifier
    from edge_us.frame import Frame, Rect


class ByLogit:
    """An opinion from the mean logit over the looks at a finding's crop.

    Parameters
    ----------
    classifier : Classifier
    """

    measures = False

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def begin(self) -> Mean:
        """No look yet."""
        return Mean()

    def look(self, frame: Frame, found: Finding, region: Rect | None, seen: Mean) -> None:
        """Classify the crop around a finding."""
        seen.add(self._classifier.logit(to_gray(frame, None), found.box, region))

    def unknown(self, reason: str) -> Unknown:
        """No opinion, with the reason."""
        return Unknown(reason)


class Malignancy(ByLogit):
    """The probability of malignancy of a lesion."""

    field = "malignancy"
    kind = FindingKind.LESION
    others = "only lesions are classified"

    def value(self, seen: Mean) -> float:
        """Probability of malignancy, 0 to 1."""
        return self._classifier.probability(seen.value)
