"""Cards and lists of quiet clips: what is written is what was measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_us.evaluate.video.sequences import read_sequences
from edge_us.inference.registry import list_models
from tests.conftest import REPOSITORY
from tests.recipes.recipes import card, quiet_clips

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def test_the_cards_say_what_was_measured() -> None:
    """`models/recipes/card.py` was run after the last measurement."""
    for entry in list_models():
        text = (REPOSITORY / "models" / "cards" / f"{entry.name}.md").read_text(encoding="utf-8")
        reports = card.read_reports(entry.name, REPOSITORY / "models" / "metrics")
        assert {"val", "test", "test-bf16", "quiet", "sweeps"} <= set(reports), entry.name
        assert text == card.card_with_numbers(text, reports)
        assert reports["test"]["operating_point"]["threshold"] == entry.threshold


def test_reduced_precision_loses_at_most_half_a_point() -> None:
    for entry in list_models():
        reports = card.read_reports(entry.name, REPOSITORY / "models" / "metrics")
        full, reduced = reports["test"], reports["test-bf16"]
        for part, name in (("segmentation", "dice_mean"), ("operating_point", "sensitivity")):
            assert reduced[part][name]["value"] >= full[part][name]["value"] - 0.005, entry.name


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
    for name, table in content["models"].items():
        for split, numbers in table["metrics"].items():
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
