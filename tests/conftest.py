"""Fixtures that every room shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.rtsp import Serve, rtsp_servers

REPOSITORY = Path(__file__).resolve().parent.parent

with suppress(ImportError):  # `make test-gpu` does without
    from hypothesis import HealthCheck, settings

    # How long an example takes is the machine's business. In CI the examples are the same each time (Hypothesis' own
    # profile, which this one is made from).
    settings.register_profile("edge-us", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("edge-us")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Folder with the real recordings, images and weights; users do not have it, so tests skip by name."""
    folder = Path(os.environ.get("EDGE_US_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "clips").is_dir():
        pytest.skip(f"real recordings are not at {folder} (set EDGE_US_SHARED)")
    return folder


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts real RTSP servers; skips where gst-rtsp-server is not installed."""
    yield from rtsp_servers()


@pytest.fixture(scope="session")
def libcuda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a libcuda that is played (`tests/cuda/libcuda.cpp`)."""
    from tests.cuda.cpu_kernels import HERE, compile_shared

    folder = tmp_path_factory.mktemp("libcuda")
    library = compile_shared((HERE / "libcuda.cpp").read_text(), folder, "libcuda.so.1")
    (folder / "libcuda.so").symlink_to(library)  # the name that pycuda may be linked against
    return folder
