"""The doctor's page on machines that are not here, and on this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_us.doctor.diagnosis import Diagnosis, diagnose
from edge_us.doctor.facts import Facts, Jetson, _engines, gather_facts
from edge_us.doctor.page import as_json, as_text
from edge_us.errors import ExitCode
from edge_us.finding import Unknown
from edge_us.inference.backend import Network, Precision
from edge_us.inference.gpu import Gpu
from tests.bench.test_machine import ORIN
from tests.conftest import REPOSITORY
from tests.doctor.machines import CORE, GPU_WITHOUT_TENSORRT, JETSON, MACHINES, NO_GPU, RTX

GOLDEN = REPOSITORY / "tests" / "golden" / "doctor"


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_the_page_of_a_machine_says_what_is_used_and_how_to_get_the_rest(name: str) -> None:
    facts = MACHINES[name]
    text = as_text(facts, diagnose(facts))
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("EDGE_US_UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
    assert len(text.splitlines()) <= 40, "one page"


def first(facts: Facts) -> tuple[ExitCode, str]:
    found = diagnose(facts)
    return found.exit_code, found.problems[0].message if found.problems else ""


def test_without_a_gpu_nothing_is_wrong_and_the_cpu_is_used() -> None:
    assert first(NO_GPU) == (ExitCode.OK, "")
    assert diagnose(NO_GPU).used["inference"][0] == "openvino bf16 on the CPU"


def test_a_gpu_without_tensorrt_is_no_problem_but_said_with_what_is_missing() -> None:
    found = diagnose(GPU_WITHOUT_TENSORRT)
    assert found.exit_code is ExitCode.OK
    assert found.used["inference"][0] == "openvino fp32 on the CPU"
    assert "no GPU is used" in found.used["inference"][1]
    assert {advice.what for advice in found.advice} >= {"inference on the GPU: TensorRT"}
    assert found.used["recording"] == ("nvh264enc", "x264enc where its device cannot be opened")


def advice(facts: Facts, words: str) -> str:
    """How to get what these words name; empty where nothing is said of it."""
    return next((each.how for each in diagnose(facts).advice if words in each.what), "")


def test_a_gpu_that_onnx_runtime_could_use_at_once_is_said_with_the_option() -> None:
    assert advice(GPU_WITHOUT_TENSORRT, "now") == ""
    assert "--backend onnxruntime-cuda" in advice(replace(GPU_WITHOUT_TENSORRT, onnxruntime_cuda=True), "now")
    assert advice(replace(JETSON, onnxruntime_cuda=True), "now") == "", "TensorRT is there"


@pytest.mark.parametrize(("cuda", "bound"), [("12.6", " 'cuda-bindings<13'"), ("13.0", ""), ("14.1", "")])
def test_the_package_for_the_driver_is_that_of_its_major_version(cuda: str, bound: str) -> None:
    gpu = Gpu(replace(RTX, cuda=cuda), Unknown("no cuda-bindings"), False)
    facts = replace(GPU_WITHOUT_TENSORRT, inference=replace(GPU_WITHOUT_TENSORRT.inference, gpu=gpu))
    assert advice(facts, "way to its driver") == f"pip install 'edge-us[cuda]'{bound} (docs/gpu.md)"


@pytest.mark.parametrize(("version", "told"), [("13.5.0", True), ("12.9.4", False), (None, False)])
def test_a_package_that_is_too_new_for_the_driver_is_said(version: str | None, told: bool) -> None:
    how = advice(replace(JETSON, cuda_bindings=version), "too new for CUDA 12.6")
    assert how == ("pip install 'cuda-bindings<13', or a newer driver" if told else "")


def test_a_jetson_with_engines_uses_its_gpu_and_its_decoders() -> None:
    found = diagnose(JETSON)
    assert found.used["inference"][0] == "tensorrt on the GPU"
    assert found.used["decoding"][0] == "H.264 nvv4l2decoder, H.265 nvv4l2decoder, MJPEG nvjpegdec"
    assert [advice.what for advice in found.advice] == ["live sources (DeckLink)", "all of the board's speed"]


def test_a_jetson_without_engines_says_the_command_and_uses_the_cpu() -> None:
    found = diagnose(replace(JETSON, unready="there is no engine of lesion-fast fp16"))
    assert found.exit_code is ExitCode.OK
    assert found.used["inference"][0] == "openvino fp32 on the CPU"
    assert any("edge-us models prebuild" in advice.how for advice in found.advice)


def test_a_jetsons_container_without_nvidias_runtime_is_told_so() -> None:
    found = diagnose(replace(NO_GPU, jetson=JETSON.jetson, board=JETSON.board))
    assert any("--runtime nvidia" in advice.how for advice in found.advice if advice.what == "decoding in hardware")


@pytest.mark.parametrize(
    ("facts", "code", "text"),
    [
        (replace(NO_GPU, gstreamer=Unknown("GStreamer for Python is not installed"), elements=frozenset()),
         ExitCode.MISSING, "GStreamer for Python"),
        (replace(NO_GPU, elements=CORE - {"appsink", "videoscale"}), ExitCode.MISSING, "appsink, videoscale"),
        (replace(NO_GPU, elements=CORE), ExitCode.MISSING, "decoder for H.264"),
        (replace(NO_GPU, inference=replace(NO_GPU.inference, openvino=None, onnxruntime=None)),
         ExitCode.MISSING, "no inference backend"),
        (replace(NO_GPU, models=(("lesion-fast", "sha256 differs"),)), ExitCode.MODEL, "lesion-fast: sha256 differs"),
        (replace(NO_GPU, models=Unknown("the manifest is missing")), ExitCode.MODEL, "manifest"),
    ],
)  # fmt: skip
def test_what_keeps_a_run_from_running_is_said_with_its_exit_code(facts: Facts, code: ExitCode, text: str) -> None:
    found = diagnose(facts)
    assert found.exit_code is code
    assert text in found.problems[0].message
    assert found.problems[0].hint
    page = as_text(facts, found)
    assert page.endswith("not ready\n")
    assert f"problem: {found.problems[0].message}" in page
    assert as_json(facts, found)["ready"] is False


def test_the_screen_is_found_as_the_display_finds_it() -> None:
    def display(facts: Facts) -> str:
        return diagnose(facts).used["display"][0]

    assert display(JETSON) == "waylandsink, on WAYLAND_DISPLAY=wayland-0, DISPLAY=:0"
    assert display(replace(NO_GPU, session={"DISPLAY": ":0"})) == "xvimagesink, on DISPLAY=:0"
    assert display(replace(NO_GPU, has_drm=True)).startswith("kmssink")
    assert display(NO_GPU).startswith("none: neither")
    assert display(replace(NO_GPU, elements=CORE, session={"DISPLAY": ":0"})).startswith("none: no video sink")


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_the_json_holds_what_the_page_holds(name: str) -> None:
    facts = MACHINES[name]
    found = json.loads(json.dumps(as_json(facts, diagnose(facts))))
    assert found["ready"] is True
    assert found["used"]["inference"][0] in as_text(facts, diagnose(facts))
    assert (found["gpu"] is None) == (found["gpu_reason"] is not None)
    assert (found["jetson"] is None) == (facts.jetson is None)


def test_a_jetsons_files_are_read_and_what_they_do_not_say_is_unknown(tmp_path: Path) -> None:
    for name, text in {
        "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
        "proc/device-tree/model": "NVIDIA Jetson Orin NX\0",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    facts = gather_facts({"WAYLAND_DISPLAY": "wayland-0", "HOME": "/x"}, tmp_path)
    assert facts.jetson is not None
    assert facts.jetson.l4t == "36.4.3"
    assert facts.board == "NVIDIA Jetson Orin NX"
    assert facts.session == {"WAYLAND_DISPLAY": "wayland-0"}
    assert "L4T 36.4.3 (JetPack 6.1 or 6.2), power mode unknown" in as_text(facts, diagnose(facts))
    assert gather_facts({}, tmp_path / "none").jetson is None


def test_a_jetsons_tools_are_asked_for_power_mode_and_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, said in {"nvpmodel": "NV Power Mode: MAXN_SUPER\n2", "tegrastats": ORIN}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    facts = gather_facts({}, tmp_path)
    assert facts.jetson == Jetson(None, "MAXN_SUPER", 611.0, 7.563, 50.25)
    page = as_text(facts, diagnose(facts))
    assert "power mode MAXN_SUPER, GPU at 611 MHz, 7.6 W, 50 °C" in page
    assert "nvpmodel" not in page


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_us.cli.main", "doctor", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def test_the_command_says_for_this_machine_what_diagnosing_it_says() -> None:
    done = run("--json")
    found: Diagnosis = diagnose(gather_facts())
    assert done.returncode == found.exit_code, done.stderr
    told = json.loads(done.stdout)
    assert told["ready"] is (not found.problems)
    assert told["used"] == {topic: list(texts) for topic, texts in found.used.items()}


def test_an_engine_that_only_the_classifier_lacks_is_missed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def unready(network: Network, precision: Precision) -> str:
        asked.append(network.name)
        return "" if network.name == "lesion-fast" else f"no engine of {network.name}"

    monkeypatch.setattr("edge_us.inference.gpu.unready_engine", unready)
    monkeypatch.setattr("edge_us.tensorrt.overview.overview", lambda: ("one line",))
    assert _engines() == ("no engine of lesion-malignancy", ("one line",))
    assert asked[0] == "lesion-fast"
