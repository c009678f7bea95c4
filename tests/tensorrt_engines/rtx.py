"""TensorRT for RTX: the real parser, builder and serialiser, on a machine without a GPU."""

from __future__ import annotations

import pytest

from edge_us.errors import MissingDependencyError
from edge_us.tensorrt.api import Api, ApiName, load_api


def rtx_api() -> Api:
    """The module, or a skipped test."""
    try:
        return load_api(ApiName.TENSORRT_RTX)
    except MissingDependencyError as error:
        pytest.skip(f"{error.message} (pip install 'edge-us[dev]')")
