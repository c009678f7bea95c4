"""The exam: what is looked for, that a breast has no nodes, and changing it while a run goes on."""

from __future__ import annotations

import copy
import json
import shutil
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import edge_us
from edge_us.cli.run import change_exam_on_signal
from edge_us.errors import EdgeUsError, ExitCode, ModelError, UsageError
from edge_us.finding import Exam, FindingKind, FrameResult
from edge_us.inference.decode import HeadLayout, select
from edge_us.inference.model import load_model
from edge_us.nodes.criteria import CORTEX
from edge_us.replay.replay import judge, open_replay
from edge_us.runtime.networks import Networks
from edge_us.runtime.status import Status
from edge_us.schema import schema_path
from tests.conftest import REPOSITORY

NODES = "phantom:?lesion=none&node=focal&size=320x240&frames=80&seed=2"
BOTH = "phantom:?lesion=malignant&node=diffuse&size=320x240&frames=40&seed=2"


def kinds(results: list[FrameResult]) -> set[FindingKind]:
    return {found.kind for found in chain.from_iterable(result.findings for result in results)}


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_in_the_axilla_nodes_are_found_read_and_reported(tmp_path: Path) -> None:
    findings, report = tmp_path / "out.jsonl", tmp_path / "out.json"
    running = edge_us.run(NODES, exam="axilla", findings=findings, report=report)
    results = [result for _, result in running]
    assert kinds(results) == {FindingKind.NODE}
    assert {result.exam for result in results} == {Exam.AXILLA}
    read = [found.node for result in results for found in result.findings if found.node and found.node.criteria]
    assert len(read) > 20
    assert read[-1].values["hilum"] == "present"
    assert isinstance(read[-1].values[CORTEX], float)
    schema = json.loads(schema_path("findings-1").read_text())
    for record in lines(findings):
        jsonschema.validate(record, schema)
    told = json.loads(report.read_text())
    jsonschema.validate(told, json.loads(schema_path("report-1").read_text()))
    assert told["exam"] == "axilla"
    assert {each["name"] for each in told["nodes"]} >= {"thick cortex", "hilum absent"}
    assert told["latency_ms"]["stages"]["nodes"]["p50"] is not None


def test_in_the_breast_nothing_is_called_a_node_whatever_the_model_knows() -> None:
    path = str(load_model("axilla-fast").path)
    results = [result for _, result in edge_us.run(NODES, model=path, probe=False)]
    assert FindingKind.NODE not in kinds(results)
    assert {result.exam for result in results} == {Exam.BREAST}


def test_what_is_also_like_a_node_keeps_its_score_as_a_lesion_in_the_breast() -> None:
    head = np.zeros((4 + 2 + 1, 3), np.float32)
    head[:4] = np.array([[50, 50, 20, 20], [50, 50, 20, 20], [150, 150, 20, 20]], np.float32).T
    head[4], head[5] = (0.4, 0.1, 0.05), (0.9, 0.2, 0.8)
    both = select(head, HeadLayout.RAW, 2, floor=0.25)
    assert both.classes.tolist() == [1, 1]
    breast = select(head, HeadLayout.RAW, 2, floor=0.25, wanted=(0,))
    assert breast.classes.tolist() == [0]
    assert breast.scores.tolist() == pytest.approx([0.4])
    rows = np.array([[0, 0, 9, 9, 0.9, 1, 0], [20, 20, 29, 29, 0.5, 0, 0]], np.float32)
    assert select(rows, HeadLayout.END2END, 2, floor=0.25, wanted=(0,)).classes.tolist() == [0]


def test_a_model_without_nodes_is_refused_in_the_axilla() -> None:
    with pytest.raises(ModelError, match="no class for a node"):
        next(iter(edge_us.run(NODES, exam="axilla", model="lesion-fast")))


@pytest.mark.parametrize("mode", ["every", "live"])
def test_the_exam_changes_while_running_and_findings_say_from_where(mode: str, tmp_path: Path) -> None:
    findings = tmp_path / "out.jsonl"
    running = edge_us.run(NODES, mode=mode, loop=True, findings=findings, max_age_ms=3_600_000, max_frames=3000)
    results = []
    for _, result in running:
        results.append(result)
        if result.exam is Exam.BREAST:
            running.exams.change(Exam.AXILLA)
        if any(found.kind is FindingKind.NODE for found in result.findings):
            running.stop()
    seen = [result for result in results if result.exam is not None]
    assert seen[0].exam is Exam.BREAST
    assert seen[-1].exam is Exam.AXILLA
    first = next(number for number, result in enumerate(seen) if result.exam is Exam.AXILLA)
    assert kinds(seen[:first]) <= {FindingKind.LESION}
    assert {result.exam for result in seen[first:]} == {Exam.AXILLA}
    assert FindingKind.NODE in kinds(seen[first:])
    written = [(record["exam"], record["model"]) for record in lines(findings) if "exam" in record]
    models = {Exam.BREAST.value: load_model("default").sha256, Exam.AXILLA.value: load_model("axilla").sha256}
    assert written
    assert all(models[str(exam)] == model for exam, model in written)
    assert running.report is not None
    assert running.report["exam"] == "axilla"
    assert running.report["restarts"] == {}


def test_a_signal_changes_the_exam_and_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    running = edge_us.run(BOTH)
    wanted = []
    try:
        change_exam_on_signal([running])
        for _ in range(2):
            signal.raise_signal(signal.SIGUSR1)
            wanted.append(running.exams.wanted)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert wanted == [Exam.AXILLA, Exam.BREAST]


def test_where_the_networks_cannot_be_had_the_exam_stays_and_a_warning_says_why() -> None:
    running = edge_us.run(BOTH, model="lesion-fast", max_frames=20)
    results = []
    for _, result in running:
        results.append(result)
        if len(results) == 3:
            running.exams.change(Exam.AXILLA)
    assert {result.exam for result in results} == {Exam.BREAST}
    assert len(results) == 20
    assert running.report is not None
    assert any("the exam is still breast" in warning for warning in running.report["warnings"])


def test_a_bundle_keeps_one_exam(tmp_path: Path) -> None:
    running = edge_us.run(BOTH, bundle=tmp_path / "bundle")
    with pytest.raises(UsageError, match="a bundle keeps one exam"):
        running.exams.change(Exam.AXILLA)


def test_whatever_keeps_the_other_exam_from_opening_is_said_once_and_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        tried.append(1)
        raise RuntimeError("no memory")

    tried: list[int] = []
    told: list[str] = []
    monkeypatch.setattr(Networks, "change_exam", broken)
    monkeypatch.setattr(Status, "warns", lambda _self, text: told.append(text))
    running = edge_us.run("phantom:?size=320x240&frames=40", mode="live")
    running.exams.change(Exam.AXILLA)
    shown = len([result for _, result in running])
    assert len(tried) == 1
    assert told == ["the exam is still breast: RuntimeError: no memory"]
    assert running.report is not None
    # A busy machine may come too late for a live picture; the run goes on to the last one.
    assert shown + sum(running.report["frames"]["dropped"].values()) == 40
    assert shown > 0
    assert running.report["warnings"] == told


def test_a_signal_before_the_first_frame_ends_no_run(tmp_path: Path) -> None:
    """However early it comes: one source, and several."""
    for count in (1, 2):
        folder = tmp_path / str(count)
        folder.mkdir()
        words = ["run", *["phantom:?size=320x240&frames=60&loop=1"] * count, "--findings", str(folder / "f.jsonl")]
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_us.cli.main", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        end = time.monotonic() + 60
        while b"openvino" not in Path(f"/proc/{process.pid}/maps").read_bytes() and time.monotonic() < end:
            time.sleep(0.02)
        for _ in range(5):
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.05)
        while sum(path.stat().st_size > 0 for path in folder.iterdir()) < count and time.monotonic() < end:
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.05)
        process.terminate()
        assert process.wait(60) == ExitCode.INTERRUPTED, process.stderr.read().decode()
        process.stderr.close()


def test_a_signal_after_the_last_frame_ends_no_run_either() -> None:
    """As the interpreter goes, too, which gives signals back what they do by default."""
    words = ["run", "phantom:?size=320x240&frames=5"]
    process = subprocess.Popen([sys.executable, "-m", "edge_us.cli.main", *words], stderr=subprocess.PIPE)
    assert process.stderr is not None
    end = time.monotonic() + 60
    while b"openvino" not in Path(f"/proc/{process.pid}/maps").read_bytes() and time.monotonic() < end:
        time.sleep(0.02)
    while process.poll() is None and time.monotonic() < end:
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.001)
    assert process.wait(60) == ExitCode.OK, process.stderr.read().decode()
    process.stderr.close()


def test_what_is_wrong_with_a_classifier_of_the_other_exam_is_said_at_the_start() -> None:
    for options in ({"node_classifier": "/nowhere.onnx"}, {"nodal_risk": "/nowhere.onnx", "exam": "axilla"}):
        with pytest.raises(EdgeUsError, match="nowhere"):
            list(edge_us.run("phantom:?size=320x240&frames=3", **options))


def test_an_axilla_replays_from_anywhere_and_every_number_of_its_nodes_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(REPOSITORY / "models" / "node-phantom.onnx", tmp_path / "own.onnx")
    monkeypatch.chdir(tmp_path)
    list(edge_us.run(NODES, exam="axilla", node_classifier="own.onnx", bundle="bundle", probe=False))
    monkeypatch.chdir("/")
    bundle = tmp_path / "bundle"
    assert judge(open_replay(bundle)).differing == 0
    records = lines(bundle / "findings.jsonl")
    for name in ("node", "node_class"):
        changed = copy.deepcopy(records)
        found = next(each for record in changed for each in record["findings"] if isinstance(each.get(name), dict))  # type: ignore[attr-defined]
        key = "hilum" if name == "node" else "probability"
        found[name][key] = "absent" if name == "node" else 0.123
        (bundle / "findings.jsonl").write_text("".join(json.dumps(record) + "\n" for record in changed))
        verdict = judge(open_replay(bundle))
        assert verdict.differing == 1, name
        assert verdict.first is not None
        assert verdict.first.difference == "measurements, descriptors or readings differ"
