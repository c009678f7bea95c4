"""The packages of the extra ``edge-us[build]``: imported when a model is built, and never by a run."""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any

from edge_us.errors import MissingDependencyError
from edge_us.inference.libraries import silence_telemetry

EXTRA_HINT = "pip install 'edge-us[build]'"
RECORDED = ("onnx", "onnxruntime", "onnxconverter-common", "openvino", "numpy")
"""Packages whose versions stand in the record of a build."""


def load_package(module: str, package: str) -> Any:
    """Import a module of the extra.

    Raises
    ------
    MissingDependencyError
        The package is not installed, or something that it needs.
    """
    silence_telemetry()  # the quantiser brings ONNX Runtime
    try:
        return import_module(module)
    except ImportError as error:
        # A package of its own that this one needs may be what is missing.
        name = (error.name or package).split(".")[0]
        missing = package if name == module.split(".")[0] else name
        raise MissingDependencyError(
            f"building a model needs {package}, but {missing} is not installed", EXTRA_HINT
        ) from None


def load_onnx() -> Any:
    """The package ``onnx``, with the parts that are used; raises `MissingDependencyError` without it."""
    for part in ("helper", "numpy_helper", "shape_inference", "checker"):
        load_package(f"onnx.{part}", "onnx")
    return load_package("onnx", "onnx")


def tool_versions() -> dict[str, str]:
    """Versions of the packages that a build's result depends on, as far as they are installed."""
    found = {}
    for name in RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
