"""The whole way from a manifest to report and page, with the shipped model."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from edge_us.cli.evaluate import summary
from edge_us.cli.main import app
from edge_us.errors import InputError, ModelError, PipelineError, UsageError
from edge_us.evaluate import Evaluation, evaluate
from edge_us.evaluate.page import build_page
from edge_us.evaluate.pictures import worst_misses
from edge_us.evaluate.summary import Bootstrap, Sample, metrics
from edge_us.inference.registry import list_models
from edge_us.schema import schema_path
from tests.conftest import REPOSITORY
from tests.evaluate.cases import observation, write_case, write_manifest


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of six drawn pictures of three patients."""
    folder = tmp_path_factory.mktemp("phantoms")
    rows = []
    for number in range(6):
        is_lesion = number % 3 != 2
        write_case(folder, f"p{number}", lesion=is_lesion)
        mask, label = (f"masks/p{number}.png", "benign") if is_lesion else ("", "normal")
        rows.append(f"drawn,images/p{number}.png,{mask},{label},,g{number // 2},,test")
    return write_manifest(folder, rows)


@pytest.fixture(scope="module")
def drawn(phantoms: Path) -> Evaluation:
    return evaluate(phantoms, "test", resamples=200)


def test_the_report_fits_its_schema(drawn: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    drawn.write_report(path)
    report = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(report, json.loads(schema_path("evaluation-1").read_text(encoding="utf-8")))
    assert report["counts"] == {"images": 6, "lesions": 4, "normals": 2, "groups": 3}
    assert report["settings"]["bootstrap"] == {"unit": "group", "resamples": 200, "seed": 0, "confidence": 0.95}


def test_two_evaluations_are_the_same(drawn: Evaluation, phantoms: Path) -> None:
    assert evaluate(phantoms, "test", resamples=200).report == drawn.report


def test_a_limit_draws_pictures_and_says_so(phantoms: Path) -> None:
    report = evaluate(phantoms, "test", limit=2, resamples=100).report
    assert report["counts"]["images"] == 2
    assert report["manifest"]["sampled"] == 2


def test_progress_is_told(phantoms: Path) -> None:
    told: list[tuple[int, int]] = []
    evaluate(phantoms, "test", limit=3, resamples=100, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_missing_picture_is_one_clear_error(phantoms: Path, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, ["s,absent.png,,normal,,g,,test"])
    with pytest.raises(InputError, match=r"absent\.png"):
        evaluate(path)


def test_an_unreadable_picture_is_named_with_its_row(phantoms: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes((phantoms.parent / "images" / "p0.png").read_bytes()[:60])
    path = write_manifest(tmp_path, ["s,torn.png,,normal,,g,,test"])
    with pytest.raises(InputError, match=r"row 2 of manifest\.csv: .*torn\.png"):
        evaluate(path)


def test_a_normal_picture_with_a_lesion_in_its_mask_is_one_clear_error(phantoms: Path, tmp_path: Path) -> None:
    row = f"s,{phantoms.parent}/images/p0.png,{phantoms.parent}/masks/p0.png,normal,,g,,test"
    outcome = CliRunner().invoke(app, ["evaluate", str(write_manifest(tmp_path, [row]))])
    assert isinstance(outcome.exception, InputError)
    assert "holds a lesion" in outcome.exception.message


def test_names_outside_ascii_are_read_and_shown(tmp_path: Path) -> None:
    folder = tmp_path / "Größe 乳房"
    folder.mkdir()
    write_case(folder, "läsion é", lesion=True)
    path = write_manifest(folder, ["Bücher,images/läsion é.png,masks/läsion é.png,benign,,Müller,,test"])
    page = tmp_path / "Ä.html"
    outcome = CliRunner().invoke(app, ["evaluate", str(path), "--min-score", "0.99", "--html", str(page)])
    assert outcome.exit_code == 0, outcome.output
    assert "läsion é.png" in page.read_text(encoding="utf-8")
    assert "Bücher" in page.read_text(encoding="utf-8")


def test_a_manifest_of_normals_alone_is_measured(phantoms: Path, tmp_path: Path) -> None:
    rows = [f"s,{phantoms.parent}/images/p{n}.png,,normal,,g{n},,test" for n in (2, 5)]
    report, page = tmp_path / "r.json", tmp_path / "r.html"
    options = ["--report", str(report), "--html", str(page)]
    outcome = CliRunner().invoke(app, ["evaluate", str(write_manifest(tmp_path, rows)), *options])
    assert outcome.exit_code == 0, outcome.output
    found = json.loads(report.read_text(encoding="utf-8"))
    jsonschema.validate(found, json.loads(schema_path("evaluation-1").read_text(encoding="utf-8")))
    assert found["classifier"] is not None
    assert found["classification_reason"] == "no lesion was detected"
    assert found["segmentation"]["dice_mean"]["value"] is None
    assert found["normals"]["specificity"]["value"] is not None
    check(page.read_text(encoding="utf-8"))


def test_a_manifest_of_one_class_says_so(phantoms: Path, tmp_path: Path) -> None:
    rows = [f"s,{phantoms.parent}/images/p{n}.png,{phantoms.parent}/masks/p{n}.png,benign,,g{n},,t" for n in (0, 1)]
    report = tmp_path / "r.json"
    options = ["--report", str(report), "--min-score", "0.01"]
    outcome = CliRunner().invoke(app, ["evaluate", str(write_manifest(tmp_path, rows)), *options])
    assert outcome.exit_code == 0, outcome.output
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["classification"] is None
    assert "are benign" in found["classification_reason"]


def test_what_is_measured_is_what_a_run_finds(phantoms: Path, tmp_path: Path) -> None:
    """The same pictures as `edge-us run images:FOLDER`, with the model's own threshold."""
    findings = tmp_path / "findings.jsonl"
    outcome = CliRunner().invoke(app, ["run", f"images:{phantoms.parent / 'images'}", "--findings", str(findings)])
    assert outcome.exit_code == 0, outcome.output
    shown = [json.loads(line) for line in findings.read_text(encoding="utf-8").splitlines()]
    frames = [line for line in shown if "findings" in line]
    result = evaluate(phantoms, "test", resamples=100)
    assert len(frames) == len(result.sample.observations) == 6
    assert any(line["findings"] for line in frames)
    for line, seen in zip(frames, result.sample.observations, strict=True):
        kept = seen.scores >= result.sample.threshold
        assert [each["score"] for each in line["findings"]] == pytest.approx(seen.scores[kept].tolist(), abs=1e-3)
        boxes = np.array([each["box"] for each in line["findings"]]).reshape(-1, 4)
        np.testing.assert_allclose(boxes, seen.boxes[kept], atol=0.1)
        chances = [np.nan if each["malignancy"] is None else each["malignancy"] for each in line["findings"]]
        np.testing.assert_allclose(chances, seen.malignancy[kept], atol=1e-3)


def test_an_unknown_model_and_silly_settings_are_clear_errors(phantoms: Path) -> None:
    with pytest.raises(ModelError):
        evaluate(phantoms, model="no such model")
    with pytest.raises(UsageError):
        evaluate(phantoms, limit=0)
    with pytest.raises(UsageError):
        evaluate(phantoms, resamples=3)


def test_a_report_that_cannot_be_written_is_one_clear_error(drawn: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot write"):
        drawn.write_report(tmp_path / "absent" / "report.json")


class Checker(HTMLParser):
    """Collects what a page would load, and whether its tags are balanced."""

    VOID = frozenset({"meta", "img", "br", "circle", "path", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.images.append(values.get("src") or "")
        if tag in ("script", "link", "iframe", "object"):
            self.loads.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def check(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.loads == []
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    return checker


def test_names_of_data_sets_are_text_in_the_page(phantoms: Path, tmp_path: Path) -> None:
    rows = [f"<script>x</script>&,{phantoms.parent}/images/p2.png,,normal,,g,,test"]
    page = tmp_path / "p.html"
    evaluate(write_manifest(tmp_path, rows), resamples=100).write_html(page)
    text = page.read_text(encoding="utf-8")
    assert "&lt;script&gt;x&lt;/script&gt;&amp;" in text
    check(text)


def test_the_page_is_self_contained_and_shows_the_worst_misses(phantoms: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    evaluate(phantoms, "test", threshold=0.9999, resamples=100).write_html(path)
    page = path.read_text(encoding="utf-8")
    checker = check(page)
    assert len(checker.images) == 4  # no finding reaches the threshold: all lesions are missed, and there are no alarms
    assert all(each.startswith("data:image/jpeg;base64,") for each in checker.images)
    assert "Research use only. Not for diagnosis." in page
    assert page.count("<svg") == 2


def test_a_hit_with_a_poor_outline_is_no_miss() -> None:
    assert worst_misses([observation("a", hits={0.9: 0}, dice=0.6)], 0.25) == []


def test_the_page_of_a_classifier_has_roc_and_reliability() -> None:
    rng = np.random.default_rng(0)
    seen = [
        observation(
            str(number),
            hits={0.9: 0},
            label="malignant" if number % 2 else "benign",
            malignancy=float(np.clip(rng.normal(0.3 + 0.4 * (number % 2), 0.2), 0, 1)),
            lesions=1,
            dice=0.9,
        )
        for number in range(40)
    ]
    sample = Sample(seen, 0.25, Bootstrap(100, 0))
    report = {
        "schema": "edge-us/evaluation/1",
        "manifest": {"name": "m<.csv", "sha256": "0" * 64, "split": None, "excluded": {"axilla": 2}, "sampled": None},
        "model": {"name": "<m>", "sha256": "0" * 64, "threshold": 0.25, "input_size": [320, 320]},
        "backend": {"name": "b", "precision": "fp32", "device": "CPU"},
        "settings": {"bootstrap": {"resamples": 100, "seed": 0}},
        "counts": sample.counts(),
        **metrics(sample),
        "strata": {},
    }
    # Without lesions there are no misses to be shown: these observations have no pictures.
    page = build_page(Evaluation(report, Sample([replace(each, lesions=()) for each in seen], 0.25, Bootstrap(100, 0))))
    check(page)
    assert page.count("<svg") == 4
    assert "malignancy: auc" in page
    assert "&lt;m&gt;" in page
    assert "2 axilla" in page


def test_recorded_metrics_belong_to_the_shipped_models() -> None:
    """Numbers that lie beside the models fit the schema and were measured on the very file that is shipped.

    Reports on a data set that the model never saw are of other files of the same recipe.
    """
    schemas = {
        f"edge-us/{name}/{number}": json.loads(schema_path(f"{name}-{number}").read_text(encoding="utf-8"))
        for name, number in (("evaluation", 1), ("video-evaluation", 2))
    }
    shipped = {entry.name: {entry.sha256, entry.quantised().sha256} for entry in list_models()}
    recorded = sorted((REPOSITORY / "models" / "metrics").glob("*.json"))
    assert recorded
    for path in recorded:
        report = json.loads(path.read_text(encoding="utf-8"))
        if report["schema"] != "edge-us/axilla-evaluation/1":  # a recipe's own
            jsonschema.validate(report, schemas[report["schema"]])
            assert report["manifest"].get("sampled") is None
        if "-unseen-" not in path.name:
            assert path.name.startswith(report["model"]["name"])
            assert report["model"]["sha256"] in shipped[report["model"]["name"]], path.name


def test_the_summary_says_what_was_measured_on_what(drawn: Evaluation) -> None:
    lines = summary(drawn.report)
    assert "6 images, 4 lesions, 2 normals, 3 groups" in lines[0]
    assert any(line.startswith("AP50 ") for line in lines)


def test_the_command_refuses_outputs_that_cannot_be_written_before_it_measures(phantoms: Path) -> None:
    for target in (phantoms, phantoms.parent, phantoms.parent / "absent" / "x.json"):
        outcome = CliRunner().invoke(app, ["evaluate", str(phantoms), "--report", str(target)])
        assert isinstance(outcome.exception, UsageError)
        assert "--report" in outcome.exception.message


def test_the_command_writes_report_and_page_and_prints_the_numbers(phantoms: Path, tmp_path: Path) -> None:
    report, page = tmp_path / "out.json", tmp_path / "out.html"
    options = ["--split", "test", "--limit", "2", "--report", str(report), "--html", str(page)]
    outcome = CliRunner().invoke(app, ["evaluate", str(phantoms), *options])
    assert outcome.exit_code == 0, outcome.output
    assert "on 2 images" in outcome.output
    assert json.loads(report.read_text(encoding="utf-8"))["manifest"]["split"] == "test"
    check(page.read_text(encoding="utf-8"))


def test_real_pictures_are_measured_near_what_is_known_of_the_model(shared_dir: Path, tmp_path: Path) -> None:
    """Twenty pictures of one data set's test part, on which the first model has a Dice of 0.89."""
    source = shared_dir / "data" / "manifest.csv"
    if not source.is_file():
        pytest.skip(f"real stills are not at {source.parent}")
    with source.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == "busbra" and row["split"] == "test"][:20]
    for row in rows:
        row["image"] = str(source.parent / row["image"])
        row["mask"] = str(source.parent / row["mask"])
    path = tmp_path / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    report = evaluate(path, "test", resamples=200).report
    assert report["counts"]["images"] == 20
    assert report["detection"]["ap50"]["value"] > 0.85
    assert report["segmentation"]["dice_mean"]["value"] > 0.8
    assert report["operating_point"]["sensitivity"]["value"] > 0.85
