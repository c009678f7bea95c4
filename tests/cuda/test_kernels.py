"""The kernels: their PTX comes from their source, every promised GPU takes it, and they compute what the CPU does."""

from __future__ import annotations

import importlib.util
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.colour import to_bgr, to_gray
from edge_us.cuda.kernels import LETTERBOX_JOB, MASK_JOB, PTX, SOURCE, letterbox_job, mask_job, mask_windows
from edge_us.frame import Colorimetry, Frame, PixelFormat, Rect
from edge_us.inference.letterbox import Letterbox
from edge_us.inference.onnxruntime_backend import fill_input
from tests.cuda import reference
from tests.cuda.contract import CASES, FULL_601, LEVEL, LIMITED_709, noise
from tests.cuda.cpu_kernels import CpuKernels

TARGETS = (75, 80, 86, 87, 89, 90, 100, 110, 120)
SIZES = [(64, 48), (48, 64), (128, 96)]


@pytest.fixture(scope="module")
def build_kernels() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "build_kernels.py"
    spec = importlib.util.spec_from_file_location("build_kernels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on_cpu(
    kernels: CpuKernels, frame: Frame, box: Letterbox, *, channels: int, grey: bool, half: bool
) -> NDArray[np.floating]:
    width, height = box.input_size
    out = np.full((channels, height, width), np.nan, np.float16 if half else np.float32)
    job = letterbox_job(
        frame.pixels.ctypes.data, frame.size, frame.format, frame.colorimetry, box, out.ctypes.data,
        channels=channels, grey=grey, half=half,
    )  # fmt: skip
    kernels.run("letterbox", job, (-(-width // 32), -(-height // 8), 1), (32, 8, 1))
    return out


def by_the_runtime(frame: Frame, box: Letterbox, *, channels: int, grey: bool) -> NDArray[np.float32]:
    """The CPU's own path: colour, letterbox, and what ONNX Runtime is given."""
    pixels = to_gray(frame, box.region) if grey else to_bgr(frame, box.region)
    out = np.empty((1, channels, box.input_size[1], box.input_size[0]), np.float32)
    fill_input(box.apply(pixels), out, grey)
    return np.asarray(out[0])


@pytest.mark.parametrize(("pixels", "colorimetry", "grey", "region"), CASES)
@pytest.mark.parametrize("size", SIZES)
def test_the_reference_is_what_the_cpu_path_gives(
    pixels: PixelFormat, colorimetry: Colorimetry, grey: bool, region: Rect, size: tuple[int, int]
) -> None:
    frame, box = noise(pixels, colorimetry), Letterbox.fit(region, size)
    oracle = reference.letterbox(frame, box, channels=3, grey=grey)
    found = by_the_runtime(frame, box, channels=3, grey=grey)
    # OpenCV's fixed-point resize may lose a code value of chroma, of which the matrix makes 2.1 levels of blue.
    is_chroma = not grey and frame.format in (PixelFormat.NV12, PixelFormat.I420)
    np.testing.assert_allclose(found, oracle, atol=(4.01 if is_chroma else 1.01) * LEVEL)
    assert np.abs(found - oracle).mean() < 0.5 * LEVEL


@pytest.mark.parametrize(("pixels", "colorimetry", "grey", "region"), CASES)
@pytest.mark.parametrize("size", SIZES)
def test_the_letterbox_kernel_run_on_the_cpu_is_within_a_grey_level_of_the_reference(
    cpu_kernels: CpuKernels,
    pixels: PixelFormat,
    colorimetry: Colorimetry,
    grey: bool,
    region: Rect,
    size: tuple[int, int],
) -> None:
    frame, box = noise(pixels, colorimetry), Letterbox.fit(region, size)
    oracle = reference.letterbox(frame, box, channels=3, grey=grey)
    found = on_cpu(cpu_kernels, frame, box, channels=3, grey=grey, half=False)
    np.testing.assert_allclose(found, oracle, atol=1.01 * LEVEL)
    assert np.mean(np.abs(found - oracle) > 1e-3) < 0.01, "a level apart is the exception"
    half = on_cpu(cpu_kernels, frame, box, channels=3, grey=grey, half=True)
    np.testing.assert_array_equal(half, found.astype(np.float16))


def test_a_network_of_one_channel_gets_one(cpu_kernels: CpuKernels) -> None:
    frame, box = noise(PixelFormat.NV12, LIMITED_709), Letterbox.fit(Rect(0, 0, 90, 70), (64, 64))
    found = on_cpu(cpu_kernels, frame, box, channels=1, grey=True, half=False)
    oracle = reference.letterbox(frame, box, channels=1, grey=True)
    np.testing.assert_allclose(found, oracle, atol=1.01 * LEVEL)


def test_a_picture_of_the_input_size_goes_through_unchanged(cpu_kernels: CpuKernels) -> None:
    whole = Rect(0, 0, 64, 48)
    for pixels, grey in ((PixelFormat.GRAY8, True), (PixelFormat.BGR, False)):
        frame, box = noise(pixels, FULL_601, 64, 48), Letterbox(whole, (64, 48), whole)
        found = on_cpu(cpu_kernels, frame, box, channels=3, grey=grey, half=False)
        expected = by_the_runtime(frame, box, channels=3, grey=grey)
        np.testing.assert_array_equal(np.rint(found * 255), np.rint(expected * 255))
        np.testing.assert_allclose(found, expected, atol=1e-7)


def test_the_mask_kernel_run_on_the_cpu_gives_the_references_logits(cpu_kernels: CpuKernels) -> None:
    rng = np.random.default_rng(1)
    prototypes = rng.normal(size=(32, 20, 24)).astype(np.float32)
    coefficients = rng.normal(size=(3, 32)).astype(np.float32)
    windows = np.array([[0, 0, 24, 20], [5, 3, 1, 1], [10, 7, 9, 13]], np.int32)
    table, total, largest = mask_windows(windows)
    logits = np.full(total, np.nan, np.float32)
    job = mask_job(
        prototypes.ctypes.data, (32, 20, 24), coefficients.ctypes.data, table.ctypes.data, 3, logits.ctypes.data
    )
    cpu_kernels.run("mask_logits", job, (-(-largest // 128), 3, 1), (128, 1, 1))
    oracle = np.concatenate([each.ravel() for each in reference.mask_logits(prototypes, coefficients, windows)])
    np.testing.assert_allclose(logits, oracle, atol=1e-3)


def test_the_structures_are_laid_out_as_the_compiler_does(cpu_kernels: CpuKernels) -> None:
    assert (LETTERBOX_JOB.itemsize, MASK_JOB.itemsize) == (cpu_kernels.job_size(0), cpu_kernels.job_size(1))
    assert f".param .align 8 .b8 letterbox_param_0[{LETTERBOX_JOB.itemsize}]".encode() in PTX.read_bytes()
    assert f".param .align 8 .b8 mask_logits_param_0[{MASK_JOB.itemsize}]".encode() in PTX.read_bytes()


@pytest.mark.parametrize("value", [0.0, 1.0, 1 / 255, 114 / 255, 0.3333333, 6e-8, 5.9e-5, 65504.0, 1e9, -2.5])
def test_the_half_floats_of_the_cpu_are_halves(cpu_kernels: CpuKernels, value: float) -> None:
    with np.errstate(over="ignore"):
        assert cpu_kernels.half(value) == int(np.float32(value).astype(np.float16).view(np.uint16))


def test_the_ptx_is_made_from_the_source(build_kernels: ModuleType) -> None:
    if build_kernels.library() is None:
        pytest.skip("NVRTC 12.6 is not installed (nvidia-cuda-nvrtc-cu12)")
    assert build_kernels.compile_ptx(SOURCE.read_bytes()) == PTX.read_bytes(), "run scripts/build_kernels.py"


def test_the_ptx_is_read_by_the_oldest_driver_that_is_promised() -> None:
    lines = PTX.read_text().splitlines()
    assert ".version 8.5" in lines, "CUDA 12.6 reads no later dialect"
    assert ".target sm_72" in lines


def test_every_promised_gpu_can_have_the_kernels(tmp_path: Path) -> None:
    ptxas = _ptxas()

    def assemble(target: int) -> None:
        out = tmp_path / f"{target}.cubin"
        subprocess.run([str(ptxas), f"-arch=sm_{target}", str(PTX), "-o", str(out)], check=True, timeout=600)
        assert out.stat().st_size

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(assemble, TARGETS))


def _ptxas() -> Path:
    try:
        found = find_spec("nvidia")
    except ModuleNotFoundError:
        found = None
    for folder in [] if found is None else found.submodule_search_locations or []:
        path = Path(folder) / "cu13" / "bin" / "ptxas"
        if path.is_file():
            return path
    pytest.skip("ptxas of CUDA 13 is not installed (nvidia-cuda-nvcc)")
