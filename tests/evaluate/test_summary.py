"""Metrics of sets of pictures, against numbers computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_us.evaluate.manifest import Manifest
from edge_us.evaluate.observe import Observation
from edge_us.evaluate.summary import Bootstrap, Sample, metrics, strata
from tests.evaluate.cases import observation


def sample(*observations: Observation, threshold: float = 0.25) -> Sample:
    return Sample(observations, threshold, Bootstrap(200, 0))


def four_patients() -> Sample:
    """A good hit with an alarm; a weak hit; a quiet normal; a normal with an alarm."""
    return sample(
        observation("a", hits={0.9: 0}, alarms=(0.4,), dice=0.8),
        observation("b", hits={0.2: 0}, dice=0.0),
        observation("c", lesions=0, alarms=(0.1,), dice=1.0),
        observation("d", lesions=0, alarms=(0.6, 0.5), dice=0.0),
    )


def test_the_operating_point_counts_only_what_is_shown() -> None:
    result = metrics(four_patients())
    assert result["operating_point"]["sensitivity"]["value"] == 0.5
    assert result["operating_point"]["false_positives_per_image"]["value"] == 0.75
    assert result["operating_point"]["threshold"] == 0.25


def test_sensitivity_at_rates_uses_all_scores() -> None:
    """Before the weak hit come three alarms on four pictures: 0.75 a picture."""
    rates = metrics(four_patients())["detection"]["sensitivity_at_fp_per_image"]
    assert [rates[rate]["value"] for rate in ("0.05", "0.1", "0.25", "0.5", "1")] == [0.5, 0.5, 0.5, 0.5, 1.0]


def test_a_miss_counts_zero_in_dice_and_normal_pictures_do_not_count() -> None:
    result = metrics(four_patients())["segmentation"]
    assert result["dice_mean"]["value"] == pytest.approx(0.4)
    assert result["iou_mean"]["value"] == pytest.approx(0.8 / 1.2 / 2, abs=1e-6)
    assert result["dice_detected"]["value"] == pytest.approx(0.8)


def test_specificity_is_the_share_of_normal_pictures_without_a_finding() -> None:
    assert metrics(four_patients())["normals"]["specificity"]["value"] == 0.5


def test_counts_name_images_lesions_normals_and_groups() -> None:
    both = sample(observation("a", lesions=2), observation("a", lesions=0), observation("b", dataset="x"))
    assert both.counts() == {"images": 3, "lesions": 3, "normals": 1, "groups": 2}


def test_groups_of_different_data_sets_with_the_same_name_stay_apart() -> None:
    assert sample(observation("1", dataset="x"), observation("1", dataset="y")).group_count == 2


def test_without_a_classifier_classification_is_null_with_the_reason() -> None:
    result = metrics(four_patients(), None)
    assert result["classification"] is None
    assert result["classification_reason"] == "the model has no classifier"


def test_classification_is_measured_on_detected_lesions_only() -> None:
    result = metrics(
        sample(
            observation("a", hits={0.9: 0}, label="malignant", malignancy=0.9),
            observation("b", hits={0.8: 0}, label="malignant", malignancy=0.4),
            observation("c", hits={0.7: 0}, alarms=(0.3,), malignancy=0.6),
            observation("d", hits={0.6: 0}, malignancy=0.1),
            observation("e", hits={0.1: 0}, label="malignant", malignancy=0.0),
        )
    )["classification"]
    assert result["lesions"] == 4
    assert result["auc"]["value"] == 0.75
    assert result["sensitivity"]["value"] == 0.5
    assert result["specificity"]["value"] == 0.5


def test_one_class_alone_is_null_with_the_reason() -> None:
    result: Any = metrics(sample(observation("a", hits={0.9: 0}, malignancy=0.9)))
    assert result["classification"] is None
    assert result["classification_reason"] == "all classified lesions (1) are benign"


def test_without_a_detected_lesion_that_is_the_reason() -> None:
    normals = sample(observation("a", lesions=0), observation("b", lesions=0, alarms=(0.9,), malignancy=0.8))
    assert metrics(normals)["classification_reason"] == "no lesion was detected"
    weak = sample(observation("a", hits={0.1: 0}, malignancy=0.9))
    assert metrics(weak)["classification_reason"] == "no lesion was detected"


def test_withheld_probabilities_are_counted() -> None:
    judged = [
        observation("a", hits={0.9: 0}, label="malignant", malignancy=0.9),
        observation("b", hits={0.9: 0}, malignancy=0.1),
    ]
    withheld = [observation("c", hits={0.9: 0}), observation("d", hits={0.1: 0})]
    found = metrics(sample(*judged, *withheld))["classification"]
    assert (found["lesions"], found["withheld"]) == (2, 1)
    assert (
        metrics(sample(*withheld))["classification_reason"]
        == "no detected lesion was classified; 1 withheld as not analysable"
    )


def test_dice_of_the_detected_is_of_pictures_on_which_a_lesion_is_hit() -> None:
    """An outline that touches the lesion but is no hit is a miss here as everywhere."""
    result = metrics(
        sample(observation("a", hits={0.9: 0}, dice=0.8), observation("b", alarms=(0.9,), dice=0.3), threshold=0.25)
    )["segmentation"]
    assert result["dice_detected"]["value"] == pytest.approx(0.8)
    assert result["dice_mean"]["value"] == pytest.approx(0.55)


def test_strata_split_by_data_set_label_and_size_and_by_marks_only_where_marks_are_known() -> None:
    flagged = {"known": frozenset({"marks"}), "unknown": frozenset()}
    manifest = Manifest(Path("m.csv"), "0" * 64, None, (), (), {}, flagged)
    seen = [
        observation("a", dataset="known", share=0.01),
        observation("b", dataset="unknown", share=0.2),
        observation("c", dataset="known", lesions=0),
    ]
    kinds = strata(seen, manifest)
    assert {kind: {value: len(each) for value, each in values.items()} for kind, values in kinds.items()} == {
        "callipers": {"calliper-free": 2},
        "dataset": {"known": 2, "unknown": 1},
        "label": {"benign": 2, "normal": 1},
        "size": {"1 small (< 3 % of the picture)": 1, "3 large (> 10 %)": 1},
    }


def test_intervals_hold_the_value_and_lie_between_zero_and_one() -> None:
    rng = np.random.default_rng(0)
    many = [
        observation(str(n), hits={float(rng.random()): 0}, alarms=(float(rng.random()),), dice=float(rng.random()))
        for n in range(60)
    ]
    result = metrics(sample(*many))
    for value in (result["detection"]["ap50_95"], result["segmentation"]["dice_mean"]):
        low, high = value["ci95"]
        assert 0 <= low < value["value"] < high <= 1
