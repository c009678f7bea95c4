import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_us.config import load_config
from edge_us.finding import FrameResult
from edge_us.phantom.clip import write_phantom_clip
from edge_us.phantom.spec import PhantomSpec
from edge_us.runtime import several
from edge_us.runtime.composer import Captured, Composer

CLI = (sys.executable, "-m", "edge_us.cli.main", "run")
TOGETHER = 50
"""So many of the last frames of two live sources of the same rate, which end together, fall into the same time."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("several")
    one, two = folder / "one.mp4", folder / "two.mp4"
    write_phantom_clip(PhantomSpec(frames=40, width=320, height=240, seed=1), one)
    write_phantom_clip(PhantomSpec(frames=25, width=400, height=300, seed=2), two)
    return one, two


def run(arguments: Sequence[object]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CLI, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


def indices(path: Path) -> list[int]:
    return [json.loads(line)["frame"] for line in path.read_text().splitlines()]


def test_each_of_several_sources_gets_what_it_gets_alone(clips: tuple[Path, Path], tmp_path: Path) -> None:
    done = run([*clips, "--findings", tmp_path / "f.jsonl", "--report", tmp_path / "r.json", "--deterministic"])
    assert done.returncode == 0, done.stderr
    assert re.search(r"together 65 frames in [\d.]+ s, [\d.]+ CPU ms per frame", done.stdout)
    for number, (clip, frames) in enumerate(zip(clips, (40, 25), strict=True), 1):
        alone = run([clip, "--findings", tmp_path / "alone.jsonl", "--deterministic"])
        assert alone.returncode == 0, alone.stderr
        assert (tmp_path / f"f-{number}.jsonl").read_text() == (tmp_path / "alone.jsonl").read_text()
        report = json.loads((tmp_path / f"r-{number}.json").read_text())
        assert report["source"] == str(clip)
        assert report["frames"] == {
            "captured": frames, "inferred": frames, "shown": frames, "skipped": 0, "dropped": {},
        }  # fmt: skip
        assert report["cpu_ms_per_frame"] is None, "of one process's CPU time nobody knows which source used it"
        assert report["latency_ms"]["capture_to_shown"]["p99"] > 0


def test_a_source_that_fails_ends_alone(clips: tuple[Path, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all" * 100)
    done = run([clips[0], broken, "--findings", tmp_path / "f.jsonl"])
    assert done.returncode == 3, done.stderr
    assert re.search(r"^2 error: .*broken\.mp4", done.stderr, re.M)
    assert re.search(r"^2 hint: ", done.stderr, re.M)
    assert indices(tmp_path / "f-1.jsonl") == list(range(40))


def test_a_run_that_is_stuck_is_noticed_although_others_go_on(
    clips: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the watchdog hears is that every run is alive, not that one is."""
    monkeypatch.setattr(several, "STUCK_S", 0.5)
    show, may = Composer.show, threading.Event()

    def stuck(self: Composer, captured: Captured, result: FrameResult) -> None:
        if captured.frame.size == (400, 300) and captured.frame.index == 5:
            may.wait(20)
        show(self, captured, result)

    monkeypatch.setattr(Composer, "show", stuck)
    config = load_config({"source": "-", "mode": "live", "loop": True}, environment={})
    alive = []
    with several.Several(several.configs_of(config, [str(clip) for clip in clips])) as runs:
        began = 0.0
        for shown in runs:
            began = began or (time.monotonic() if shown > 20 else 0.0)
            alive.append(runs.is_alive)
            if not may.is_set() and (not runs.is_alive or (began and time.monotonic() > began + 10)):
                may.set()
            elif may.is_set() and runs.is_alive:
                break
    assert alive[0]
    assert not all(alive), "one of them was stuck"
    assert alive[-1], "and went on"


def test_a_missing_source_is_said_before_anything_is_written(clips: tuple[Path, Path], tmp_path: Path) -> None:
    done = run([clips[0], tmp_path / "none.mp4", "--findings", tmp_path / "f.jsonl"])
    assert done.returncode == 3
    assert "none.mp4" in done.stderr
    assert not list(tmp_path.iterdir())


def test_live_sources_share_the_backend_fairly_and_one_signal_ends_all(tmp_path: Path) -> None:
    sources = [f"phantom:?live=1&loop=1&fps=20&frames=30&size=320x240&seed={seed}" for seed in (1, 2)]
    command = [*CLI, *sources, "--report", str(tmp_path / "r.json"), "--findings", str(tmp_path / "f.jsonl")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        if all(len(list_lines(tmp_path / f"f-{number}.jsonl")) > TOGETHER for number in (1, 2)):
            break
        time.sleep(0.2)
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, (out, err)
    inferred = []
    for number in (1, 2):
        last = [json.loads(line) for line in list_lines(tmp_path / f"f-{number}.jsonl")[-TOGETHER:]]
        assert len(last) == TOGETHER
        inferred.append(len({line["result_frame"] for line in last}))
    assert min(inferred) > 0.6 * max(inferred), "neither starves, whichever began first"
    for number in (1, 2):
        frames = json.loads((tmp_path / f"r-{number}.json").read_text())["frames"]
        assert frames["captured"] == frames["shown"] + sum(frames["dropped"].values())


def list_lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
