"""Which networks a configuration asks for: what a run opens, and what engines are built for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_us.classify.model import Task
from edge_us.errors import ModelError
from edge_us.finding import Exam
from edge_us.inference.registry import AXILLA_NAME, DEFAULT_NAME, find_entry
from edge_us.runtime.engine import precision_of_classifiers

if TYPE_CHECKING:
    from edge_us.classify.model import ClassifierModel
    from edge_us.config import RunConfig
    from edge_us.inference.backend import Network, Precision
    from edge_us.inference.model import Model

PLUGINS_OF = {Exam.BREAST: (Task.NODAL_RISK,), Exam.AXILLA: (Task.NODE,)}
"""A site's own classifiers that an exam has a use for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The networks of one configuration, calibrated as it says, with the precision that is asked of each.

    Attributes
    ----------
    detector : Model
    classifier : ClassifierModel or None
        Benign / malignant.
    plugins : tuple of ClassifierModel
        A site's own, as far as the exam has a use for them.
    precision : Precision
        As asked for.
    """

    detector: Model
    classifier: ClassifierModel | None
    plugins: tuple[ClassifierModel, ...]
    precision: Precision

    @property
    def with_precisions(self) -> tuple[tuple[Network, Precision], ...]:
        """Every network with the precision that is asked of its backend."""
        others = (*((self.classifier,) if self.classifier is not None else ()), *self.plugins)
        own = precision_of_classifiers(self.precision)
        return (self.detector, self.precision), *((each, own) for each in others)


def model_name(config: RunConfig) -> str:
    """The model that a configuration means: the default one is another for each exam.

    Raises
    ------
    ModelError
        No shipped model finds nodes.
    """
    if config.model != DEFAULT_NAME or config.exam is Exam.BREAST:
        return config.model
    if find_entry(AXILLA_NAME) is None:
        raise ModelError("no shipped model finds nodes", "Give one with a class named `node`: --model FILE.onnx.")
    return AXILLA_NAME


def wanted_networks(config: RunConfig) -> Wanted:
    """The networks that a configuration asks for; their files are read, nothing is compiled.

    Raises
    ------
    EdgeUsError
        One of them cannot be had, or is not what it is given as.
    """
    from edge_us.calibrate.score_calibration import calibrated
    from edge_us.classify.choose import choose_classifier
    from edge_us.classify.plugin import choose_plugin
    from edge_us.inference.detector import wanted_classes
    from edge_us.inference.model import load_model

    model = calibrated(load_model(model_name(config), config.precision), config.calibration)
    wanted_classes(model, config.exam)
    # Those of the other exam as well: what is wrong with them is better said now than when the exam changes.
    choices = ((Task.NODE, config.node_classifier), (Task.NODAL_RISK, config.nodal_risk))
    plugins = {task: found for task, choice in choices if (found := choose_plugin(choice, task)) is not None}
    return Wanted(
        model,
        choose_classifier(config.classifier, model, config.calibration),
        tuple(plugins[task] for task in PLUGINS_OF[config.exam] if task in plugins),
        config.precision,
    )
