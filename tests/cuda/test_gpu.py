"""On a GPU: `make test-gpu`. Each part skips by name where something of it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_us.cuda.arena import Arena
from edge_us.cuda.driver import Driver, Provider, installed_provider, open_driver
from edge_us.cuda.kernels import Kernels
from edge_us.cuda.probe import DriverInfo, probe_driver
from edge_us.errors import EdgeUsError, MissingDependencyError
from edge_us.finding import Finding, Unknown
from edge_us.frame import PixelFormat, Rect
from edge_us.inference.backend import Backend, BackendName, Concurrency, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.letterbox import Letterbox
from edge_us.inference.model import Model, load_model
from edge_us.inference.onnxruntime_backend import OnnxRuntimeBackend
from tests.cuda import reference
from tests.cuda.agreement import assert_same, detect, phantoms
from tests.cuda.contract import CHECKS, FULL_601, LEVEL, LIMITED_709, Open, noise, run_letterbox

pytestmark = pytest.mark.gpu
LIMITS = {Precision.FP32: (0.1, 1e-3), Precision.FP16: (1.0, 0.01)}
"""How far boxes (px) and scores may be from the CPU's."""


@pytest.fixture(scope="module", autouse=True)
def gpu() -> DriverInfo:
    found = probe_driver()
    if isinstance(found, Unknown):
        pytest.skip(f"no GPU: {found.reason}")
    return found


@pytest.fixture(scope="module")
def expected() -> dict[str, list[tuple[Finding, ...]]]:
    """What the CPU finds, by model."""
    found = {}
    for name in ("lesion-fast", "lesion-accurate"):
        model = load_model(name)
        with closing(OnnxRuntimeBackend(model)) as backend:
            found[name] = detect(model, backend, phantoms())
    return found


@pytest.mark.parametrize("provider", [Provider.BINDINGS, Provider.PYCUDA], ids=lambda provider: provider.value)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_driver_layer_keeps_its_contract(provider: Provider, check: Callable[[Open], None]) -> None:
    _needs(provider)

    def open_() -> Driver:
        return open_driver(provider)

    check(open_)


@pytest.mark.parametrize("side", [320, 416, 640])
@pytest.mark.parametrize("pixels", [PixelFormat.NV12, PixelFormat.BGR, PixelFormat.GRAY8], ids=lambda each: each.value)
def test_the_letterbox_of_a_whole_screen_is_the_references(pixels: PixelFormat, side: int) -> None:
    _needs(Provider.AUTO)
    frame = noise(pixels, LIMITED_709 if pixels is PixelFormat.NV12 else FULL_601, 1920, 1080)
    box = Letterbox.fit(Rect(301, 77, 1203, 911), (side, side))
    with closing(Arena(open_driver())) as arena, arena.driver.current():
        kernels = Kernels(arena)
        for grey in (True, False):
            oracle = reference.letterbox(frame, box, channels=3, grey=grey)
            for half in (False, True):
                found = run_letterbox(
                    arena, kernels, frame, box, channels=3, grey=grey, half=half, mapped=False
                ).astype(np.float32)
                np.testing.assert_allclose(found, oracle, atol=1.15 * LEVEL)


@pytest.mark.parametrize("precision", list(LIMITS), ids=lambda precision: precision.value)
@pytest.mark.parametrize("name", ["lesion-fast", "lesion-accurate"])
def test_tensorrt_finds_what_the_cpu_finds(
    name: str, precision: Precision, expected: dict[str, list[tuple[Finding, ...]]]
) -> None:
    _needs(Provider.AUTO)
    model = load_model(name)
    try:
        from edge_us.tensorrt.prebuild import prebuild

        prebuild(model, precision)
    except MissingDependencyError as error:
        pytest.skip(error.message)
    _compare(model, BackendName.TENSORRT, precision, expected[name])


@pytest.mark.parametrize("precision", list(LIMITS), ids=lambda precision: precision.value)
@pytest.mark.parametrize("name", ["lesion-fast", "lesion-accurate"])
def test_onnx_runtime_on_the_gpu_finds_what_the_cpu_finds(
    name: str, precision: Precision, expected: dict[str, list[tuple[Finding, ...]]], tmp_path: Path
) -> None:
    model = load_model(name)
    if precision is Precision.FP16:
        from edge_us.tensorrt.source import source_file

        try:
            path = source_file(model, precision, tmp_path)
        except MissingDependencyError as error:
            pytest.skip(error.message)
        model = replace(model, path=path, stored=precision)
    _compare(model, BackendName.ONNXRUNTIME_CUDA, precision, expected[name])


def test_a_hundred_backends_one_after_the_other_leave_the_memory_as_it_was() -> None:
    model = load_model("lesion-fast")
    _needs(Provider.AUTO)
    _open(model, BackendName.TENSORRT, Precision.AUTO).close()
    with closing(Arena(open_driver())) as arena:
        with arena.driver.current():
            before = arena.driver.free_memory()
        for _ in range(100):
            _open(model, BackendName.TENSORRT, Precision.AUTO).close()
        with arena.driver.current():
            assert arena.driver.free_memory() >= before - (8 << 20)


def test_a_whole_run_on_the_gpu(tmp_path: Path) -> None:
    pytest.importorskip("typer")
    _open(load_model("default"), BackendName.TENSORRT, Precision.AUTO).close()
    source = "phantom:?probe=linear&lesion=benign&size=640x480&frames=60&fps=30&seed=1"
    options = ["--backend", "tensorrt", "--classifier", "off", "--report", str(tmp_path / "report.json")]
    done = subprocess.run(
        [sys.executable, "-c", "from edge_us.cli.main import main; main()", "run", source, *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"tensorrt"' in (tmp_path / "report.json").read_text()


def _needs(provider: Provider) -> None:
    try:
        installed_provider(provider)
    except MissingDependencyError as error:
        pytest.skip(error.message)


def _open(model: Model, name: BackendName, precision: Precision) -> Backend:
    try:
        return open_backend(model, name, precision, concurrency=Concurrency(lanes=2))
    except MissingDependencyError as error:
        pytest.skip(error.message)
    except EdgeUsError as error:
        if "was not built" in error.message:
            pytest.skip(error.message)
        raise


def _compare(model: Model, name: BackendName, precision: Precision, expected: list[tuple[Finding, ...]]) -> None:
    with closing(_open(model, name, precision)) as backend:
        assert backend.info.precision == precision.value
        box_px, score = LIMITS[precision]
        assert_same(detect(model, backend, phantoms()), expected, box_px=box_px, score=score)
