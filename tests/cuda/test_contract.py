"""The driver layer does what it says: played, and with the real packages on a libcuda that is played."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from edge_us.cuda.driver import Provider, installed_provider
from edge_us.errors import MissingDependencyError
from tests.cuda.contract import CHECKS, Open
from tests.cuda.cpu_kernels import CpuKernels
from tests.cuda.fake_driver import FakeDriver
from tests.cuda.hanging_gpu import AFTER, WAIT_S

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("graphs", [True, False])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_fake_keeps_the_contract(check: Callable[[Open], None], graphs: bool, cpu_kernels: CpuKernels) -> None:
    drivers: list[FakeDriver] = []

    def open_() -> FakeDriver:
        drivers.append(FakeDriver(cpu_kernels, graphs=graphs))
        return drivers[-1]

    check(open_)
    assert all(+driver.live == {} and driver.closed for driver in drivers)


@pytest.mark.parametrize("provider", [Provider.BINDINGS, Provider.PYCUDA], ids=lambda provider: provider.value)
def test_a_real_package_keeps_the_contract_on_a_libcuda_that_is_played(provider: Provider, libcuda: Path) -> None:
    try:
        installed_provider(provider)
    except MissingDependencyError as error:
        pytest.skip(error.message)
    said = with_libcuda(libcuda, "-m", "tests.cuda.played_gpu", provider.value)
    assert len(said.split()) == len(CHECKS) + 3


@pytest.mark.parametrize("fallback", ["none", "cpu"])
@pytest.mark.parametrize("provider", [Provider.BINDINGS, Provider.PYCUDA], ids=lambda provider: provider.value)
def test_a_program_whose_gpu_hangs_for_good_shows_the_picture_until_its_end_and_ends(
    provider: Provider, fallback: str, libcuda: Path
) -> None:
    try:
        installed_provider(provider)
    except MissingDependencyError as error:
        pytest.skip(error.message)
    report = json.loads(with_libcuda(libcuda, "-m", "tests.cuda.hanging_gpu", provider.value, fallback))
    frames = report["frames"]
    assert report["after"] == AFTER, "the picture went on while the GPU hung"
    assert report["restarts"]["hang"] >= 1
    assert frames["captured"] == frames["shown"] + sum(frames["dropped"].values())
    assert report["longest_gap_s"] < WAIT_S / 4, "no thread that waits for the GPU keeps the others from working"
    assert report["seconds_after_the_last_frame"] < WAIT_S / 4, "nobody waits for the GPU at the end"
    if fallback == "cpu":
        assert report["backend"]["name"] == "openvino"
    else:
        assert "the AI was off at the end: inference hangs" in report["warnings"][0]


def test_the_benchmark_runs_where_most_is_missing_and_says_of_each_part_what(
    libcuda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec("tensorrt") is not None:
        pytest.skip("TensorRT must not meet a driver that is played")
    try:
        installed_provider()
    except MissingDependencyError as error:
        pytest.skip(error.message)
    monkeypatch.setenv("EDGE_US_ENGINES", str(tmp_path / "engines"))
    with_libcuda(libcuda, "bench/gpu.py", "--rounds", "1", "--out", str(tmp_path))
    result = json.loads((tmp_path / "gpu-played-gpu.json").read_text())
    missing = {row["backend"]: row["not measured"] for row in result["networks"]}
    assert missing["tensorrt"] == "TensorRT is not installed"
    assert "onnxruntime-cuda" in missing
    assert any(row["px"] == 640 for row in result["networks"])
    assert all(row["cpu_ms"] > 0 and row["gpu_ms"] > 0 for row in result["kernels"])
    assert len(result["kernels"]) == 7


def with_libcuda(folder: Path, *arguments: str) -> str:
    """What a program says on a libcuda that is played; it must end well."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
