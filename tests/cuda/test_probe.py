"""The probe of the CUDA driver, against a driver library that is played."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from edge_us.cuda.probe import DriverInfo, driver_release, probe_driver
from edge_us.finding import Unknown

NO_DEVICE = 100


class Library:
    """What the probe calls of libcuda; ``fails`` names the call that gives an error."""

    def __init__(self, count: int = 1, fails: str = "") -> None:
        self.count, self.fails = count, fails

    def _result(self, name: str) -> int:
        return NO_DEVICE if name == self.fails else 0

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self._result("cuInit")

    def cuDriverGetVersion(self, out: Any) -> int:  # noqa: N802
        out._obj.value = 12060
        return self._result("cuDriverGetVersion")

    def cuDeviceGetCount(self, out: Any) -> int:  # noqa: N802
        out._obj.value = self.count
        return self._result("cuDeviceGetCount")

    def cuDeviceGet(self, out: Any, ordinal: int) -> int:  # noqa: N802
        out._obj.value = ordinal
        return self._result("cuDeviceGet")

    def cuDeviceGetName(self, name: Any, size: int, device: int) -> int:  # noqa: N802
        name.value = b"Orin"
        return self._result("cuDeviceGetName")

    def cuDeviceTotalMem_v2(self, out: Any, device: int) -> int:  # noqa: N802
        out._obj.value = 8 << 30
        return self._result("cuDeviceTotalMem_v2")

    def cuDeviceGetAttribute(self, out: Any, which: int, device: int) -> int:  # noqa: N802
        out._obj.value = {18: 1, 75: 8, 76: 7}[which]
        return self._result("cuDeviceGetAttribute")

    def cuGetErrorName(self, code: int, out: Any) -> int:  # noqa: N802
        out._obj.value = b"CUDA_ERROR_NO_DEVICE"
        return 0


def test_a_driver_says_what_gpu_it_has() -> None:
    info = probe_driver(Library)
    assert isinstance(info, DriverInfo)
    assert (info.cuda, len(info.gpus)) == ("12.6", 1)
    gpu = info.gpu
    assert (gpu.name, gpu.capability, gpu.sm, gpu.memory_bytes, gpu.integrated) == (
        "Orin",
        (8, 7),
        "sm_87",
        8 << 30,
        True,
    )
    assert info.describe().startswith("Orin (sm_87, 8.0 GiB), CUDA 12.6")


@pytest.mark.parametrize(
    "name",
    ["cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2"],
)
def test_a_call_that_fails_is_the_reason(name: str) -> None:
    assert probe_driver(lambda: Library(fails=name)) == Unknown(f"{name} failed: CUDA_ERROR_NO_DEVICE")


def test_a_driver_without_a_gpu_is_no_gpu() -> None:
    assert probe_driver(lambda: Library(count=0)) == Unknown("the driver sees no GPU")


def test_no_library_and_half_a_library_are_reasons_and_no_crash() -> None:
    def missing() -> Any:
        raise OSError("not found")

    for load, words in ((missing, "no CUDA driver is installed"), (lambda: ctypes.CDLL(None), "not a whole driver")):
        found = probe_driver(load)
        assert isinstance(found, Unknown)
        assert words in found.reason


def test_this_machine_can_be_asked() -> None:
    found = probe_driver()
    assert found.reason if isinstance(found, Unknown) else found.gpus


def test_the_release_comes_from_the_kernel_module_or_from_l4t(tmp_path: Path) -> None:
    module, tegra, none = tmp_path / "module", tmp_path / "tegra", tmp_path / "none"
    module.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  560.35.05  Thu Sep 1 2026\nGCC version: 12\n")
    tegra.write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n")
    assert driver_release(module, none) == "560.35.05"
    assert driver_release(module, tegra) == "36.4.3"
    assert isinstance(driver_release(none, none), Unknown)
