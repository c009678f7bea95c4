"""Evaluate a model on labelled stills as strictly as the field should: by group, with intervals, normals included."""

from edge_us.evaluate.evaluation import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
