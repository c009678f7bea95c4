"""The kernels on the CPU, compiled once."""

from __future__ import annotations

import pytest

from tests.cuda.cpu_kernels import CpuKernels


@pytest.fixture(scope="session")
def cpu_kernels(tmp_path_factory: pytest.TempPathFactory) -> CpuKernels:
    return CpuKernels(tmp_path_factory.mktemp("kernels"))
