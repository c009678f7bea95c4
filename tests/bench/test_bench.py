import inspect
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from edge_us.cli.bench import bench_command, parse_duration
from edge_us.errors import UsageError
from edge_us.phantom.clip import write_phantom_clip
from edge_us.phantom.spec import PhantomSpec
from tests.rtsp import Serve, free_port

CLI = (sys.executable, "-m", "edge_us.cli.main", "bench")
FRAMES = 6
"""Of the clip: a third of a second of the paced pass, so that a slow machine has to begin it again, too."""


def bench(arguments: Sequence[object]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CLI, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=1200)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "clip.mp4"
    write_phantom_clip(PhantomSpec(frames=FRAMES, width=320, height=240), path)
    return path


@pytest.fixture(scope="module")
def report(clip: Path) -> tuple[dict[str, Any], str, str]:
    out, page = clip.with_name("b.json"), clip.with_name("b.html")
    done = bench(
        [clip, "--seconds", 0.8, "--warm-up", 0.2, "--rounds", 2, "--paced", 20, "--json", out, "--html", page]
    )
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text()), page.read_text(), done.stdout


def test_every_case_is_measured_in_every_round(report: tuple[dict[str, Any], str, str]) -> None:
    found, _, table = report
    assert found["schema"] == "edge-us/benchmark/1"
    assert found["machine"]["cores"] >= 1
    assert "/tmp" not in json.dumps(found), "names of files, not their places: folders tell of patients and machines"
    assert [entry["case"]["mode"] for entry in found["cases"]] == ["every", "live"]
    for entry in found["cases"]:
        assert len(entry["rounds"]) == 2
        for figures in entry["rounds"]:
            assert figures["fps"] == pytest.approx((figures["frames"] - 1) / figures["seconds"], rel=0.01)
            assert figures["model"]["sha256"]
            assert figures["backend"]["name"] == "openvino"
            assert figures["raw_inference"]["ms"] > 0
            latency = figures["capture_to_shown_ms"]
            assert 0 < latency["p50"] <= latency["p99"] <= latency["max"]
            assert {"preprocess", "infer", "decode", "overlay", "sinks"} <= set(figures["stages_ms"])
            assert figures["cdf"][-1] == [latency["max"], 1.0]
    # How fast a machine is that is busy with other things is left to chance; nothing is faster than its pace, though.
    every, live = found["cases"]
    assert every["median"]["dropped"] == 0, "as fast as the machine can, and every frame"
    assert live["median"]["fps"] < 1.5 * 20, "at its pace, but for those that waited in the queue"
    assert live["rounds"][0]["frames"] > FRAMES, "a loop, longer than the clip"
    assert "| every, default, clip.mp4 |" in table


class Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.charts = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.charts += tag == "svg"
        self.loads += [value or "" for name, value in attributes if name in ("src", "href")]
        self.loads += [tag] if tag in ("script", "link", "iframe") else []


def test_the_page_loads_nothing_and_has_three_charts_a_case(report: tuple[dict[str, Any], str, str]) -> None:
    reader = Addresses()
    reader.feed(report[1])
    assert reader.loads == []
    assert reader.charts == 6


def test_a_case_that_cannot_run_says_why_and_leaves_with_its_exit_code(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video" * 200)
    done = bench([broken, "--seconds", 1, "--rounds", 1])
    assert done.returncode == 3
    assert "broken.mp4" in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_size_that_no_model_has_is_refused_with_the_command_that_makes_one(clip: Path) -> None:
    done = bench([clip, "--imgsz", 640])
    assert done.returncode == 2
    assert "no model has an input of 640 px" in done.stderr
    assert "export.py" in done.stderr


@pytest.mark.parametrize("words", [[], ["--region", "10,10,200,200"]])
def test_a_live_source_is_recorded_only_where_its_region_is_named(
    words: list[str], serve: Serve, tmp_path: Path
) -> None:
    out, port = tmp_path / "b.json", free_port()
    serve(port, "someone", "hunter2secret")
    address = f"rtsp://someone:hunter2secret@127.0.0.1:{port}/live"
    done = bench([address, *words, "--seconds", 1, "--warm-up", 0.5, "--rounds", 1, "--json", out])
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(out.read_text())["cases"]
    assert entry["case"]["mode"] == "live"
    assert entry["case"]["source"] == f"rtsp://127.0.0.1:{port}/live"
    assert entry["case"]["save"] is bool(words)
    assert ("without recording" in done.stderr) is not bool(words)
    assert entry["rounds"][0]["frames"] > 1
    assert "hunter2" not in f"{out.read_text()}{done.stdout}{done.stderr}"


def test_a_live_source_that_shall_be_recorded_needs_a_region_that_bench_takes(serve: Serve) -> None:
    port = free_port()
    serve(port, "someone", "hunter2secret")
    done = bench([f"rtsp://someone:hunter2secret@127.0.0.1:{port}/live", "--save", "--seconds", 1, "--rounds", 1])
    assert done.returncode == 2
    assert "hunter2" not in f"{done.stdout}{done.stderr}"
    assert "no image region is named" in done.stderr
    named = set(re.findall(r"--[\w-]+", done.stderr.partition("hint:")[2])) - {"--out"}
    assert named == {"--region", "--preset", "--record-full-screen"}
    taken = inspect.signature(bench_command).parameters
    assert {name[2:].replace("-", "_") for name in named} <= set(taken)


def test_a_soak_is_one_long_round_with_windows(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    done = bench(
        [clip, "--mode", "every", "--soak", "6s", "--warm-up", 0.5, "--json", out, "--html", tmp_path / "s.html"]
    )
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(out.read_text())["cases"]
    (figures,) = entry["rounds"]
    assert len(figures["windows"]) >= 3, "of a second each, those with ten frames and more"
    assert figures["health"][0]["rss_mb"] > 50
    assert "Last third against first" in (tmp_path / "s.html").read_text()


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "m", "1d", "-3s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration(text)
