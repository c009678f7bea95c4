"""Classifiers that a site trains and calibrates itself: of a node's crop, and of a lesion's for the risk of its nodes.

Nothing is shown of one that was not calibrated on labelled patients; the file itself says whether it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_us.classify.choose import OFF
from edge_us.classify.malignancy import ByLogit
from edge_us.classify.model import ClassifierModel, Task, load_classifier
from edge_us.errors import ModelError
from edge_us.finding import Assessment, FindingKind
from edge_us.tracking.looks import Mean

if TYPE_CHECKING:
    from edge_us.classify.classifier import Classifier

PHANTOM = "trained on phantoms: it says nothing about a person"
_FIELDS = {Task.NODE: "node_class", Task.NODAL_RISK: "nodal_risk"}
_KINDS = {Task.NODE: FindingKind.NODE, Task.NODAL_RISK: FindingKind.LESION}


def choose_plugin(choice: str, task: Task) -> ClassifierModel | None:
    """The classifier that a site gave for a task; None where it gave none.

    Parameters
    ----------
    choice : str
        ``off``, the name of a shipped classifier, or the path of an ONNX file.
    task : Task

    Raises
    ------
    ModelError
        Unknown name, missing or corrupt file, another task, or never calibrated.
    """
    if choice == OFF:
        return None
    found = load_classifier(choice)
    if found.task is not task:
        raise ModelError(
            f"{found.path} is a classifier for {found.task.value}, not for {task.value}",
            "Train one with models/recipes/train_nodes.py.",
        )
    if found.calibrated_by is None and not found.is_phantom:
        raise ModelError(
            f"{found.path} was never calibrated: nothing that it says may be shown",
            "Calibrate it on your own labelled patients: models/recipes/train_nodes.py writes that into the file.",
        )
    return found


class Assess(ByLogit):
    """What a site's classifier says of a node or lesion.

    Parameters
    ----------
    classifier : Classifier
        From `choose_plugin`.
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(classifier)
        task = classifier.model.task
        self.field, self.kind = _FIELDS[task], _KINDS[task]
        self.others = f"only {self.kind.value}s are classified"

    def value(self, seen: Mean) -> Assessment:
        """The assessment after the looks so far."""
        model = self._classifier.model
        reason = PHANTOM if model.is_phantom else ""
        return Assessment(model.name, self._classifier.probability(seen.value), model.threshold, reason)
