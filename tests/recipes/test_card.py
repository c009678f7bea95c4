"""Cards and lists of quiet clips: what is written is what was measured."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_us.builder.ranges import read_cache
from edge_us.builder.record import BuildRecord
from edge_us.evaluate.video.sequences import read_sequences
from edge_us.inference.backend import Precision
from edge_us.inference.model import load_model
from edge_us.inference.registry import Entry, list_models
from tests.conftest import REPOSITORY
from tests.recipes.recipes import card, floors, quiet_clips

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def breast_models() -> list[Entry]:
    """Models of the other exam are judged by `judge_axilla.py`: tests/recipes/test_nodes.py."""
    return [entry for entry in list_models() if not entry.finds_nodes]


def test_the_cards_say_what_was_measured() -> None:
    """`models/recipes/card.py` was run after the last measurement."""
    for entry in breast_models():
        text = (REPOSITORY / "models" / "cards" / f"{entry.name}.md").read_text(encoding="utf-8")
        reports = card.read_reports(entry.name, REPOSITORY / "models" / "metrics")
        assert {"val", "test", "test-bf16", "quiet", "sweeps"} <= set(reports), entry.name
        assert text == card.card_with_numbers(text, reports)
        assert reports["test"]["operating_point"]["threshold"] == entry.threshold


def test_what_is_asked_for_and_missed_is_said() -> None:
    reports = card.read_reports("lesion-fast", REPOSITORY / "models" / "metrics")
    by_name = {floor.what: floor for floor in floors.FLOORS}
    dice = by_name["BUS-BRA Dice"].measured(reports)
    assert dice == reports["test"]["strata"]["dataset"]["busbra"]["dice_mean"]["value"]
    for floor in floors.FLOORS:
        value = floor.measured(reports)
        assert value is not None, floor.what
        line = next(line for line in floors.table(reports) if line.startswith(f"| {floor.what} |"))
        short = value > floor.limit if floor.is_most else value < floor.limit
        assert ("**not reached**" in line) == short
    del reports["unseen-busi"]
    assert any("not measured" in line for line in floors.table(reports))


def video_report(recall: float | None, lesions: int) -> dict[str, Any]:
    """A report of one clip set, with values that tell where they come from."""

    def known(value: float | None) -> dict[str, Any]:
        return {"value": value, "ci95": None if value is None else [value / 2, value * 2]}

    row = {
        "counts": {"minutes": 2.0, "lesions": lesions},
        "lesion_sensitivity": known(0.5),
        "false_positive_tracks_per_minute": {"0": known(4.0), "0.2": known(3.0), "0.5": known(2.0), "1": known(1.0)},
        "normal_frames_with_findings": known(None),
        "seconds_to_detect": {"mean": known(0.7), "median": known(0.3)},
        "flicker_per_second": known(0.1),
        "ultradet": {
            "0.8": {"score": 0.2, "false_tracks_per_minute": known(6.0)},
            "0.9": {"score": recall, "false_tracks_per_minute": known(None if recall is None else 8.0)},
        },
    }
    return {"schema": "edge-us/video-evaluation/2", "note": None, **row, "datasets": {"set": row}}


def test_a_card_says_what_happens_on_clips() -> None:
    card_of = functools.partial(card.card_with_numbers, f"{card.BEGIN}\n{card.END}")
    rows = [line for line in card_of({"sweeps": video_report(None, 4)}).splitlines() if line.startswith("| ")]
    titles, values = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows[:2])
    said = dict(zip(titles, values, strict=True))
    assert said["median s to detect"] == "0.300 (0.150-0.600)"
    assert said["on/off changes per s"] == "0.100 (0.050-0.200)"
    assert said["false tracks per minute at recall 0.8 / 0.9"] == "6.0 (3.0-12.0) / not reached"
    assert said["false tracks per minute >= 0 / 0.2 / 0.5 / 1 s"].startswith("4.0 (2.0-8.0) / 3.0")
    assert "/ 8.0 (4.0-16.0) |" in card_of({"sweeps": video_report(0.1, 4)})
    assert "not reached" not in card_of({"quiet": video_report(None, 0)})


def test_reduced_precision_loses_at_most_half_a_point() -> None:
    for entry in breast_models():
        reports = card.read_reports(entry.name, REPOSITORY / "models" / "metrics")
        pairs = [("test", "test-bf16")]
        if entry.int8 is not None:
            pairs += [("val", "val-int8"), ("test", "test-int8")]
            assert (
                reports["val-int8"]["model"]["sha256"] == reports["test-int8"]["model"]["sha256"] == entry.int8.sha256
            )
        for before, after in pairs:
            full, reduced = reports[before], reports[after]
            assert full["manifest"] == reduced["manifest"]
            assert after.endswith(reduced["backend"]["precision"])
            for part, name in (("segmentation", "dice_mean"), ("operating_point", "sensitivity")):
                assert reduced[part][name]["value"] >= full[part][name]["value"] - 0.005, (entry.name, after)


def test_a_shipped_int8_file_says_what_it_was_made_from() -> None:
    """The record, the cache of ranges, the manifest and the file's own metadata are about one file."""
    for entry in list_models():
        if entry.int8 is None:
            continue
        record = BuildRecord.model_validate_json(entry.int8.path.with_suffix(".json").read_bytes())
        cache = read_cache(REPOSITORY / "calibration" / "int8" / f"{entry.name}.json")
        assert (record.sha256, record.source.sha256) == (entry.int8.sha256, entry.sha256)
        assert record.calibration is not None
        assert record.calibration.cache_sha256 == cache.sha256()
        assert cache.model_sha256 == entry.sha256
        assert cache.pictures.split == "train", "never calibrated on what it is judged by"
        assert record.gate is not None
        assert record.gate.passed
        assert record.gate.split == "val"
        shipped = load_model(entry.name, Precision.INT8)
        copied = load_model(str(entry.int8.path))
        for field in ("threshold", "mask_threshold", "is_grey", "classes", "classifier", "licence", "data_rights"):
            assert getattr(copied, field) == getattr(shipped, field), field


def test_a_card_without_its_marks_is_refused() -> None:
    with pytest.raises(SystemExit, match="lacks the lines"):
        card.card_with_numbers("# a card", {})


def test_clips_without_a_lesion_become_sequences_that_evaluate_takes(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    for name in ("b.mp4", "a.MKV", "notes.txt"):
        (tmp_path / "clips" / name).write_bytes(b"")
    assert quiet_clips.list_clips(tmp_path / "clips", tmp_path / "quiet.csv") == 2
    clips = read_sequences(tmp_path / "quiet.csv").clips
    assert [clip.name for clip in clips] == ["clips/a.MKV", "clips/b.mp4"]
    assert all(clip.label == "normal" and not clip.synthetic for clip in clips)
    assert len({clip.group for clip in clips}) == 2


def test_a_folder_without_clips_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no clip in"):
        quiet_clips.list_clips(tmp_path, tmp_path / "quiet.csv")


def test_the_manifest_repeats_what_was_measured() -> None:
    content = tomllib.loads((REPOSITORY / "models" / "manifest.toml").read_text(encoding="utf-8"))
    for name in (entry.name for entry in breast_models()):
        table = content["models"][name]
        quantised = table.get("int8", {}).get("metrics", {})
        for split, numbers in (
            *table["metrics"].items(),
            *((f"{key}-int8", value) for key, value in quantised.items()),
        ):
            report = card.read_reports(name, REPOSITORY / "models" / "metrics")[split]
            point = report["operating_point"]
            measured = {
                "ap50": report["detection"]["ap50"],
                "dice": report["segmentation"]["dice_mean"],
                "sensitivity": point["sensitivity"],
                "false_findings_per_image": point["false_positives_per_image"],
                "normals_quiet": report["normals"]["specificity"],
            }
            assert numbers == {key: round(value["value"], 3) for key, value in measured.items()}
