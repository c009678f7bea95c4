"""`edge-us calibrate scores`: too few cases are refused, enough give a file that run and evaluate take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from edge_us.calibrate.fit_scores import fit_scores, operating_point
from edge_us.calibrate.score_calibration import ScoreCalibration, calibrated, read_score_calibration
from edge_us.calibrate.temperature import temper
from edge_us.cli.main import app
from edge_us.errors import InputError, UsageError
from edge_us.evaluate import evaluate
from edge_us.inference.backend import Precision
from edge_us.inference.model import load_model
from tests.conftest import REPOSITORY
from tests.evaluate.cases import observation, write_case, write_manifest


@pytest.mark.parametrize(
    ("alarms", "target", "allowed"),
    [([0.9, 0.8, 0.3, 0.2], 0.1, 1), ([0.9, 0.8, 0.3, 0.2], 0.2, 2), ([0.9, 0.8, 0.8], 0.1, 1), ([0.5], 0.05, 0)],
)
def test_the_operating_point_lets_through_as_many_false_alarms_as_were_put_up_with(
    alarms: list[float], target: float, allowed: int
) -> None:
    pictures = [observation(f"g{n}", hits={0.99: 0}, alarms=tuple(alarms[n : n + 1])) for n in range(10)]
    at = operating_point(pictures, target)
    assert sum(score >= at for score in alarms) <= allowed
    if len(set(alarms)) == len(alarms):
        # Not one more than necessary is lost.
        assert sum(score >= at - 0.01 for score in alarms) > allowed or allowed == len(alarms)


def test_the_operating_point_is_the_same_behind_any_temperature() -> None:
    rng = np.random.default_rng(0)
    pictures = [observation(f"g{n}", hits={0.95: 0}, alarms=tuple(rng.uniform(0.05, 0.9, 3))) for n in range(40)]
    alarms = np.concatenate([each.scores[~each.hits()] for each in pictures])
    for temperature in (0.5, 1.0, 3.0):
        at = operating_point(pictures, 0.1, temperature)
        assert (temper(alarms, temperature) >= at).sum() == 4


def test_too_few_cases_are_refused_with_the_numbers_needed(tmp_path: Path) -> None:
    write_case(tmp_path, "a", lesion=True)
    manifest = write_manifest(tmp_path, ["own,images/a.png,masks/a.png,benign,,p1,,"])
    done = CliRunner().invoke(app, ["calibrate", "scores", str(manifest), "--out", str(tmp_path / "c.json")])
    assert isinstance(done.exception, InputError)
    assert "1 patients with a lesion and 1 pictures: 50 and 100 are needed" in done.exception.message
    assert not (tmp_path / "c.json").exists()


def test_an_impossible_aim_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 false positives"):
        fit_scores(tmp_path / "none.csv", false_positives=0)


@pytest.fixture(scope="module")
def manifest(shared_dir: Path) -> Path:
    return shared_dir / "data" / "manifest.csv"


@pytest.fixture(scope="module")
def fitted(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibration") / "c.json"
    command = ["calibrate", "scores", str(manifest), "--split", "val", "--precision", "fp32", "--out", str(path)]
    done = CliRunner().invoke(app, command)
    assert done.exception is None, done.output
    assert "optimistic" in done.output
    return path


def test_a_calibration_does_what_it_says_on_the_cases_that_it_was_fitted_on(fitted: Path, manifest: Path) -> None:
    found = read_score_calibration(fitted)
    again = evaluate(manifest, "val", precision=Precision.FP32, calibration=fitted, resamples=100).report
    point = again["operating_point"]
    assert point["threshold"] == found.threshold
    assert point["sensitivity"]["value"] == pytest.approx(found.sensitivity, abs=1e-3)
    assert point["false_positives_per_image"]["value"] == pytest.approx(found.false_positives_per_image, abs=1e-3)
    assert found.false_positives_per_image <= 0.1
    assert again["model"]["score_temperature"] == found.score_temperature != 1
    assert again["counts"]["images"] == found.cases.images == 262


def test_a_temperature_does_not_change_the_ranking(fitted: Path, manifest: Path) -> None:
    options: dict[str, Any] = {"precision": Precision.FP32, "resamples": 100, "limit": 60}
    plain = evaluate(manifest, "val", **options).report["detection"]
    tempered = evaluate(manifest, "val", calibration=fitted, **options).report["detection"]
    assert tempered["ap50"]["value"] == pytest.approx(plain["ap50"]["value"], abs=1e-3)


def test_the_shipped_calibration_belongs_to_the_shipped_model() -> None:
    path = REPOSITORY / "calibration" / "scores" / "lesion-fast.json"
    assert (
        calibrated(load_model("lesion-fast"), path).score_temperature == read_score_calibration(path).score_temperature
    )


def test_a_run_takes_the_calibration_and_says_so(fitted: Path, tmp_path: Path) -> None:
    found = read_score_calibration(fitted)
    report = tmp_path / "report.json"
    command = ["run", "phantom:?frames=5", "--calibration", str(fitted), "--report", str(report)]
    done = CliRunner().invoke(app, command)
    assert done.exception is None, done.output
    model = json.loads(report.read_text())["model"]
    assert (model["threshold"], model["score_temperature"]) == (found.threshold, found.score_temperature)


def write_calibration(path: Path, **changes: object) -> Path:
    model = load_model("default")
    content = {
        "schema": "edge-us/score-calibration/1",
        "model": model.name,
        "model_sha256": model.sha256,
        "precision": "fp32",
        "score_temperature": 1.5,
        "threshold": 0.4,
        "false_positives_per_image": 0.1,
        "sensitivity": 0.9,
        "normals_quiet": None,
        "cases": {
            **{"manifest": "m.csv", "manifest_sha256": "0" * 64, "split": None},
            **{"images": 100, "normals": 0, "lesions": 100, "groups": 60},
        },
    } | changes
    path.write_text(json.dumps(content))
    return path


def test_a_calibration_in_another_arithmetic_is_said(phantom_manifest: Path, tmp_path: Path) -> None:
    fp32, bf16 = (write_calibration(tmp_path / f"{name}.json", precision=name) for name in ("fp32", "bf16"))
    report = tmp_path / "report.json"
    told = "bf16.json was fitted in bf16, this runs in fp32: scores may differ slightly"
    for path, said in ((fp32, []), (bf16, [told])):
        options = ["--precision", "fp32", "--calibration", str(path)]
        done = CliRunner().invoke(app, ["run", "phantom:?frames=3", *options, "--report", str(report)])
        assert done.exception is None, done.output
        assert json.loads(report.read_text())["warnings"] == said
        done = CliRunner().invoke(app, ["evaluate", str(phantom_manifest), *options])
        assert done.exception is None, done.output
        assert (told in done.stderr) == bool(said)


@pytest.fixture
def phantom_manifest(tmp_path: Path) -> Path:
    write_case(tmp_path, "a", lesion=True)
    return write_manifest(tmp_path, ["own,images/a.png,masks/a.png,benign,,p1,,"])


@pytest.mark.parametrize("normals", [0, 1])
def test_a_calibration_without_normal_pictures_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, normals: int
) -> None:
    content = json.loads(write_calibration(tmp_path / "c.json", normals_quiet=0.9 if normals else None).read_text())
    monkeypatch.setattr(
        "edge_us.calibrate.fit_scores.fit_scores", lambda *_, **__: ScoreCalibration.model_validate(content)
    )
    done = CliRunner().invoke(app, ["calibrate", "scores", "m.csv", "--out", str(tmp_path / "out.json")])
    assert done.exception is None, done.output
    assert ("no normal picture is among them" in done.stderr) == (not normals)


def test_a_calibration_changes_threshold_and_temperature_of_its_own_model(tmp_path: Path) -> None:
    model = calibrated(load_model("default"), write_calibration(tmp_path / "c.json"))
    assert (model.threshold, model.score_temperature) == (0.4, 1.5)


def test_a_written_calibration_reads_back(tmp_path: Path) -> None:
    found = read_score_calibration(write_calibration(tmp_path / "c.json"))
    found.write(tmp_path / "d.json")
    assert read_score_calibration(tmp_path / "d.json") == found
    assert isinstance(found, ScoreCalibration)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_sha256": "0" * 64}, "was made for"),
        ({"threshold": 1.5}, "threshold"),
        ({"schema": "edge-us/findings/1"}, "schema"),
        ({"score_temperature": 0}, "score_temperature"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = write_calibration(tmp_path / "c.json", **changes)
    with pytest.raises(InputError, match=said):
        calibrated(load_model("default"), path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(InputError, match="not a score calibration"):
        calibrated(load_model("default"), tmp_path / "c.json")
    with pytest.raises(InputError, match="cannot read"):
        calibrated(load_model("default"), tmp_path / "missing.json")
