"""The commands as a user types them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest

import edge_us
from edge_us.errors import ExitCode
from edge_us.phantom.clip import write_phantom_clip
from edge_us.phantom.render import render
from edge_us.phantom.spec import PhantomSpec
from edge_us.replay.records import read_findings
from edge_us.schema import schema_path


def command(*words: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run ``edge-us`` in its own process."""
    line = [sys.executable, "-m", "edge_us.cli.main", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("phantom") / "clip.mp4"
    write_phantom_clip(PhantomSpec(frames=90, width=640, height=480), path)
    return path


def test_a_clip_becomes_a_video_findings_and_a_report(phantom: Path, tmp_path: Path) -> None:
    out = {name: tmp_path / f"out.{name}" for name in ("mp4", "jsonl", "json")}
    done = command("run", phantom, "--record", out["mp4"], "--findings", out["jsonl"], "--report", out["json"])
    assert done.returncode == ExitCode.OK, done.stderr
    assert "90 frames shown" in done.stdout
    report = json.loads(out["json"].read_text())
    jsonschema.validate(report, json.loads(schema_path("report-1").read_text()))
    counts = report["frames"]
    assert counts == {"captured": 90, "inferred": 90, "shown": 90, "skipped": 0, "dropped": {}}
    schema = json.loads(schema_path("findings-1").read_text())
    records = lines(out["jsonl"])
    assert [record["frame"] for record in records] == list(range(90))
    for record in records:
        jsonschema.validate(record, schema)
        assert record["result_frame"] == record["frame"]
        assert record["model"] == report["model"]["sha256"]
        assert record["classifier"] == report["classifier"]["sha256"]
    assert [record.frame for record in read_findings(out["jsonl"])] == list(range(90))
    capture = cv2.VideoCapture(str(out["mp4"]))
    assert (
        int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 90 or sum(1 for _ in iter(lambda: capture.read()[0], False)) == 90
    )


def test_the_lesion_is_outlined_where_the_phantoms_mask_is(phantom: Path, tmp_path: Path) -> None:
    findings = tmp_path / "out.jsonl"
    assert command("run", phantom, "--findings", findings).returncode == ExitCode.OK
    packed = np.load(phantom.with_suffix(".masks.npz"))["masks"]
    masks = np.unpackbits(packed, axis=2)[:, :, :640].astype(bool)
    overlaps = []
    for record, mask in zip(lines(findings), masks, strict=True):
        if mask.sum() > 6000 and record["findings"]:
            drawn = np.zeros(mask.shape, np.uint8)
            for found in record["findings"]:
                cv2.fillPoly(drawn, [np.rint(found["contour"]).astype(np.int32)], 1)
            overlaps.append((drawn.astype(bool) & mask).sum() / (drawn.astype(bool) | mask).sum())
    assert len(overlaps) >= 20
    assert np.median(overlaps) > 0.75
    tracks = {found["track"] for record in lines(findings) for found in record["findings"]}
    assert len(tracks) <= 3


def test_two_deterministic_runs_give_the_same_bytes(phantom: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    for path in (first, second):
        assert command("run", phantom, "--findings", path, "--deterministic").returncode == ExitCode.OK
    assert first.read_bytes() == second.read_bytes()
    assert all(record["age_ms"] == 0 for record in lines(first))


def test_live_mode_shows_every_frame_with_a_true_age(tmp_path: Path) -> None:
    findings, report = tmp_path / "out.jsonl", tmp_path / "out.json"
    done = command(
        *("run", "phantom:?size=320x240&frames=60&fps=30&seed=2", "--mode", "live"),
        *("--findings", findings, "--report", report),
    )
    assert done.returncode == ExitCode.OK, done.stderr
    counts = json.loads(report.read_text())["frames"]
    assert counts["shown"] + sum(counts["dropped"].values()) == counts["captured"] == 60
    for record in lines(findings):
        assert record["age_ms"] is None or 0 <= record["age_ms"] <= 200 or record["ai_state"] == "stale"


def test_a_calibrated_phantom_is_measured_and_described_and_the_report_says_by_what_thresholds(tmp_path: Path) -> None:
    findings, report = tmp_path / "out.jsonl", tmp_path / "out.json"
    source = "phantom:?lesion=benign&size=480x360&frames=90&seed=2"
    assert command("run", source, "--findings", findings, "--report", report).returncode == ExitCode.OK
    told = json.loads(report.read_text())
    jsonschema.validate(told, json.loads(schema_path("report-1").read_text()))
    assert {"measure", "describe"} <= set(told["latency_ms"]["stages"])
    records = lines(findings)
    schema = json.loads(schema_path("findings-1").read_text())
    for record in records:
        jsonschema.validate(record, schema)
    last = next(record["findings"][0] for record in reversed(records) if record["findings"])
    made = next(
        frame
        for number, frame in enumerate(render(PhantomSpec(width=480, height=360, frames=90, seed=2)))
        if number == 80
    )
    measured = next(record["findings"][0] for record in records[80:] if record["findings"])["measurements"]
    area = made.masks[0].sum() * made.mm_per_px**2
    # The network's outline, not the phantom's, is measured; it need only be the same lesion.
    assert measured["area_mm2"] == pytest.approx(area, rel=0.3)
    assert 0 < measured["short_axis_mm"] < measured["long_axis_mm"] < 40
    assert last["callipers"] is not None
    for name, entry in told["descriptors"].items():
        assert last["descriptors"][name] in [*entry["words"], None]
    assert last["descriptors"]["orientation"] == "parallel"


def test_what_is_switched_off_is_neither_measured_nor_described(phantom: Path, tmp_path: Path) -> None:
    findings, report = tmp_path / "out.jsonl", tmp_path / "out.json"
    done = command("run", phantom, "--no-measure", "--findings", findings, "--report", report)
    assert done.returncode == ExitCode.OK, done.stderr
    told = json.loads(report.read_text())
    assert told["descriptors"] is None
    assert not {"measure", "describe"} & set(told["latency_ms"]["stages"])
    found = [each for record in lines(findings) for each in record["findings"]]
    assert found
    assert all(each["callipers"] is None and not each["measurements"] and not each["descriptors"] for each in found)


def test_a_clip_without_a_scale_has_reasons_in_place_of_millimetres(phantom: Path, tmp_path: Path) -> None:
    findings = tmp_path / "out.jsonl"
    assert command("run", phantom, "--findings", findings).returncode == ExitCode.OK
    found = [each["measurements"] for record in lines(findings) for each in record["findings"]]
    assert found
    for each in found:
        assert each["long_axis_mm"] is None
        assert each["long_axis_mm_reason"]
    assert any(each["height_to_width"] is not None for each in found)


def test_stills_are_independent_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "stills"
    folder.mkdir()
    for number in (2, 1):
        cv2.imwrite(str(folder / f"scan{number}.png"), np.full((100, 140), 90, np.uint8))
    findings = tmp_path / "out.jsonl"
    assert command("run", f"images:{folder}", "--findings", findings).returncode == ExitCode.OK
    assert [record["image"] for record in lines(findings)] == ["scan1.png", "scan2.png"]


def test_lesions_on_real_stills_are_found_without_tracks(shared_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stills"
    folder.mkdir()
    for name in ("bus_0028-r", "bus_0153-r", "bus_0381-r", "bus_0759-s"):
        (folder / f"{name}.jpg").symlink_to(shared_dir / "data" / "busbra" / "images" / f"{name}.jpg")
    findings = tmp_path / "out.jsonl"
    assert command("run", f"images:{folder}", "--findings", findings).returncode == ExitCode.OK
    for record in lines(findings):
        mask_name = record["image"].replace(".jpg", ".png")
        mask_path = shared_dir / "data" / "busbra" / "masks" / mask_name
        truth = np.asarray(cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)) > 0
        drawn = np.zeros(truth.shape, np.uint8)
        for found in record["findings"]:
            assert found["track"] is None
            cv2.fillPoly(drawn, [np.rint(found["contour"]).astype(np.int32)], 1)
        assert 2 * (drawn.astype(bool) & truth).sum() / (drawn.sum() + truth.sum()) > 0.7, record["image"]


@pytest.mark.parametrize(
    "clip",
    [
        "dicom/examples_jpeg2k.dcm",
        "dicom/examples_palette.dcm",
        "dicom/examples_rgb_color.dcm",
        "dicom/examples_ybr_color.dcm",
        "plus/BoneUltrasound_L14.igs.mha",
        "plus/UltrasonixLinearScanConvertedData.igs.mha",
    ],
)
def test_every_kind_of_real_recording_runs(shared_dir: Path, tmp_path: Path, clip: str) -> None:
    words: list[str | Path] = ["--record", tmp_path / "out.mp4", "--record-full-screen", "--max-frames", "10"]
    done = command("run", shared_dir / "clips" / clip, *words)
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run", "missing.mp4"], ExitCode.INPUT, "cannot read missing.mp4"),
        (["run", "phantom:?probe=round"], ExitCode.USAGE, "probe=round"),
        (["run", "phantom:", "--model", "nonesuch"], ExitCode.MODEL, "nonesuch"),
        (["run", "phantom:", "--region", "1,2,3"], ExitCode.USAGE, "--region"),
        (["run", "phantom:", "--record", "nowhere/out.mp4"], ExitCode.USAGE, "does not exist"),
        (["run", "phantom:", "--report", "same", "--findings", "same"], ExitCode.USAGE, "same file"),
        (["run", "phantom:", "--min-score", "2"], ExitCode.USAGE, "--min-score"),
        (["run", "phantom:", "--config", "missing.toml"], ExitCode.USAGE, "missing.toml"),
    ],
)
def test_a_users_mistake_is_one_message_a_hint_and_an_exit_code(words: list[str], code: ExitCode, says: str) -> None:
    done = command(*words)
    assert done.returncode == code
    assert says in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_source_is_never_overwritten(phantom: Path) -> None:
    before = phantom.read_bytes()
    assert command("run", phantom, "--record", phantom).returncode == ExitCode.USAGE
    assert phantom.read_bytes() == before


def test_a_configuration_file_is_read_and_options_win(phantom: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(f'max_frames = 7\nfindings = "{tmp_path / "a.jsonl"}"\n')
    assert command("run", phantom, "--config", config).returncode == ExitCode.OK
    assert len(lines(tmp_path / "a.jsonl")) == 7
    assert command("run", phantom, "--config", config, "--max-frames", "3").returncode == ExitCode.OK
    assert len(lines(tmp_path / "a.jsonl")) == 3


def test_a_stopped_run_keeps_its_files_whole(tmp_path: Path) -> None:
    import signal

    record, findings = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    line = [sys.executable, "-m", "edge_us.cli.main", "run", "phantom:?size=320x240&frames=100&loop=1"]
    process = subprocess.Popen([*line, "--record", str(record), "--findings", str(findings)], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (findings.exists() and findings.stat().st_size > 20_000):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == ExitCode.INTERRUPTED
    assert process.stdout is not None
    process.stdout.close()
    capture = cv2.VideoCapture(str(record))
    count = sum(1 for _ in iter(lambda: capture.read()[0], False))
    assert count == len(lines(findings)) > 20


def test_doctor_and_models_say_what_is_here() -> None:
    done = command("doctor")
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    assert "because" in done.stdout
    assert "GStreamer 1." in done.stdout
    assert command("models", "verify").returncode == ExitCode.OK
    listed = command("models", "list").stdout
    assert "AGPL-3.0" in listed
    assert "licence" in command("models", "show", "default").stdout


def test_the_readmes_python_works_as_written(
    phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").symlink_to(phantom)
    exec(compile(code, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(re.fullmatch(r"\d+ \d+ \([-\d., e]+\) 0\.\d\d -?\d+ ms", line) for line in lines), lines[0]


def test_importing_edge_us_is_quick_and_brings_nothing_heavy() -> None:
    heavy = ("cv2", "openvino", "onnxruntime", "gi", "pydantic")
    code = f"import edge_us, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_api_refuses_an_unknown_option() -> None:
    with pytest.raises(edge_us.EdgeUsError, match="colour"):
        edge_us.run("clip.mp4", colour=True)
