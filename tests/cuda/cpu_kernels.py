"""kernels.cu as plain C++, compiled for this CPU: proves the kernels' arithmetic where there is no GPU."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.cuda.driver import Size3
from edge_us.cuda.kernels import SOURCE

HERE = Path(__file__).parent
_ENTRY = """
#include "on_cpu.h"
extern "C" int run_named(const char *name, const void *job, const unsigned int *grid, const unsigned int *block) {
    return run_kernel(name, job, grid, block);
}
extern "C" unsigned short half_of(float value) { return host_half_bits(value); }
extern "C" unsigned long size_of(int which) { return which ? sizeof(MaskJob) : sizeof(LetterboxJob); }
"""


def compiler() -> str:
    """A C++ compiler; skips where there is none."""
    found = shutil.which("g++") or shutil.which("clang++")
    if found is None:
        pytest.skip("there is no C++ compiler (g++)")
    return found


def compile_shared(source: str, folder: Path, name: str) -> Path:
    """A shared library from C++ that may include ``on_cpu.h``."""
    text, out = folder / f"{name}.cpp", folder / name
    text.write_text(source)
    command = [compiler(), "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", f"-I{HERE}"]
    command += [f"-I{SOURCE.parent}", str(text), "-o", str(out)]
    subprocess.run(command, check=True, timeout=600)
    return out


class CpuKernels:
    """Runs a kernel by name on memory of this process."""

    def __init__(self, folder: Path) -> None:
        self._library = ctypes.CDLL(str(compile_shared(_ENTRY, folder, "kernels_on_cpu.so")))
        self._library.half_of.argtypes = [ctypes.c_float]
        self._library.half_of.restype = ctypes.c_uint16
        self._library.size_of.restype = ctypes.c_ulong

    def run(self, name: str, job: NDArray[Any], grid: Size3, block: Size3) -> None:
        sizes = (np.array(grid, np.uint32), np.array(block, np.uint32))
        job = np.ascontiguousarray(job)
        at = [ctypes.c_void_p(each.ctypes.data) for each in (job, *sizes)]
        assert self._library.run_named(name.encode(), *at) == 0, f"there is no kernel {name}"

    def half(self, value: float) -> int:
        return int(self._library.half_of(value))

    def job_size(self, which: int) -> int:
        """Bytes of LetterboxJob (0) or MaskJob (1), as the compiler lays them out."""
        return int(self._library.size_of(which))
