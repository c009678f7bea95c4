"""Whether a CUDA driver and a GPU are there, asked of the driver itself: no package is needed, and nothing is reserved.

Whoever loads a GPU library asks here first: some of them end the process where there is no driver (TensorRT's
``deserialize_cuda_engine`` does).
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_us.finding import Unknown

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_NAME_BYTES = 256
# Numbers of CUdevice_attribute in cuda.h.
_INTEGRATED, _MAJOR, _MINOR = 18, 75, 76
_MODULE = Path("/proc/driver/nvidia/version")
_TEGRA = Path("/etc/nv_tegra_release")


@dataclass(frozen=True, slots=True)
class GpuInfo:
    """One GPU.

    Attributes
    ----------
    name : str
    capability : (int, int)
        Compute capability: 8.7 is Orin.
    memory_bytes : int
    integrated : bool
        It shares the memory of the CPU, as on Jetson.
    """

    name: str
    capability: tuple[int, int]
    memory_bytes: int
    integrated: bool

    @property
    def sm(self) -> str:
        """``sm_87``, as compilers call it."""
        return f"sm_{self.capability[0]}{self.capability[1]}"


@dataclass(frozen=True, slots=True)
class DriverInfo:
    """A working driver with at least one GPU.

    Attributes
    ----------
    cuda : str
        Newest CUDA version that it runs, as ``12.6``.
    release : str or Unknown
        Its own version (``560.35.05``), or the L4T release on Jetson (``36.4.3``).
    gpus : tuple of GpuInfo
        In the driver's order; the runtime uses the first. ``CUDA_VISIBLE_DEVICES`` chooses.
    """

    cuda: str
    release: str | Unknown
    gpus: tuple[GpuInfo, ...]

    @property
    def gpu(self) -> GpuInfo:
        """The one that is used."""
        return self.gpus[0]

    def describe(self) -> str:
        """One line for people."""
        gpu = self.gpu
        release = "" if isinstance(self.release, Unknown) else f", driver {self.release}"
        return f"{gpu.name} ({gpu.sm}, {gpu.memory_bytes / 2**30:.1f} GiB), CUDA {self.cuda}{release}"


def probe_driver(load: Callable[[], Any] | None = None) -> DriverInfo | Unknown:
    """Ask the driver what is there; without one, or without a GPU, the reason.

    Parameters
    ----------
    load : callable, optional
        Gives the driver's library; raises OSError where there is none.
    """
    try:
        library = ctypes.CDLL(LIBRARY) if load is None else load()
    except OSError:
        return Unknown(f"no CUDA driver is installed ({LIBRARY} is missing)")
    try:
        return _ask(library)
    except _CallError as failed:
        return Unknown(str(failed))
    except AttributeError as error:  # a stub library, as containers of compilers bring it
        return Unknown(f"{LIBRARY} is not a whole driver: {error}")


class _CallError(Exception):
    pass


def _ask(library: Any) -> DriverInfo:
    def call(name: str, *arguments: Any) -> None:
        code = getattr(library, name)(*arguments)
        if code:
            raise _CallError(f"{name} failed: {_error_name(library, code)}")

    def number(name: str, *arguments: Any) -> int:
        value = ctypes.c_int()
        call(name, ctypes.byref(value), *arguments)
        return value.value

    call("cuInit", 0)
    version = number("cuDriverGetVersion")
    count = number("cuDeviceGetCount")
    if count < 1:
        raise _CallError("the driver sees no GPU")
    gpus = []
    for ordinal in range(count):
        device = number("cuDeviceGet", ordinal)
        name = ctypes.create_string_buffer(_NAME_BYTES)
        call("cuDeviceGetName", name, _NAME_BYTES, device)
        memory = ctypes.c_size_t()
        call("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
        integrated, *capability = (
            number("cuDeviceGetAttribute", which, device) for which in (_INTEGRATED, _MAJOR, _MINOR)
        )
        gpus.append(
            GpuInfo(name.value.decode(errors="replace"), (capability[0], capability[1]), memory.value, bool(integrated))
        )
    return DriverInfo(f"{version // 1000}.{version % 1000 // 10}", driver_release(), tuple(gpus))


def driver_release(module: Path = _MODULE, tegra: Path = _TEGRA) -> str | Unknown:
    """The driver's own version, which the CUDA interface does not tell: from the kernel module, or from L4T's file."""
    patterns = {tegra: r"# R(\d+) \(release\), REVISION: ([\d.]+)", module: r"Kernel Module.*?(\d+\.[\d.]+)"}
    for path, pattern in patterns.items():
        try:
            found = re.search(pattern, path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        if found:
            return ".".join(found.groups())
    return Unknown("neither the kernel module nor L4T says it")


def _error_name(library: Any, code: int) -> str:
    text = ctypes.c_char_p()
    if library.cuGetErrorName(code, ctypes.byref(text)) or text.value is None:
        return f"error {code}"
    return text.value.decode(errors="replace")
