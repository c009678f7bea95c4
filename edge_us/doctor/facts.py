"""`Facts`: everything that the doctor's page depends on. `gather_facts` is the only part that looks at the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from edge_us._version import __version__
from edge_us.errors import EdgeUsError
from edge_us.finding import Unknown
from edge_us.inference.backends import Machine, probe_machine

SESSION = ("DISPLAY", "WAYLAND_DISPLAY")
"""Variables that say which screen there is."""


@dataclass(frozen=True, slots=True)
class Jetson:
    """State of a Jetson board; what it does not tell is None.

    Attributes
    ----------
    l4t : str or None
        Release of its system, such as ``36.4.3``.
    power_mode : str or None
        As ``nvpmodel -q`` names it.
    gpu_mhz, power_w, temperature_c : float or None
        As ``tegrastats`` says now.
    """

    l4t: str | None
    power_mode: str | None
    gpu_mhz: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found on a machine.

    Attributes
    ----------
    version : str
        Of edge-us.
    python, system : str
        Version, and operating system with architecture.
    cpu, board, governor : str or None
    cores : int or None
    flags : tuple of str
        Of the CPU, those that decide how fast inference is.
    jetson : Jetson or None
        None where this is no Jetson.
    gstreamer : str or Unknown
        Version in words; without it the reason.
    elements : frozenset of str
        GStreamer's, without decoders that are switched off.
    session : mapping
        Those variables of `SESSION` that are set.
    has_drm : bool
        The kernel has a display device.
    inference : Machine
        Backends, precisions and GPU.
    onnxruntime_cuda : bool
        ONNX Runtime has its CUDA provider; not asked where there is no GPU.
    cuda_bindings : str or None
        Version of cuda-bindings, None where it is not installed.
    unready : str
        Why an engine that a run needs, the default detector's or its classifier's, cannot be taken; empty where both
        are ready, or where GPU or TensorRT is missing.
    engines : tuple of str
        A line for each engine; empty where GPU or TensorRT is missing.
    models : tuple of (str, str) or Unknown
        Name and state of each shipped file.
    """

    version: str
    python: str
    system: str
    cpu: str | None
    board: str | None
    governor: str | None
    cores: int | None
    flags: tuple[str, ...]
    jetson: Jetson | None
    gstreamer: str | Unknown
    elements: frozenset[str]
    session: Mapping[str, str]
    has_drm: bool
    inference: Machine
    onnxruntime_cuda: bool
    cuda_bindings: str | None
    unready: str
    engines: tuple[str, ...]
    models: tuple[tuple[str, str], ...] | Unknown


def gather_facts(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> Facts:
    """Look at this machine; starts no inference, opens no device.

    Parameters
    ----------
    environment : mapping
    root : Path
        Where ``proc``, ``sys``, ``etc`` and ``dev`` are looked for.
    """
    from edge_us.bench.machine import describe_machine

    found = describe_machine(root)
    gstreamer, elements = _gstreamer()
    inference = probe_machine()
    unready, engines = ("", ()) if inference.gpu.missing else _engines()
    return Facts(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpu=found["cpu"],
        board=found["board"],
        governor=found["governor"],
        cores=found["cores"],
        flags=tuple(found["flags"]),
        jetson=None if found["jetson"] is None else _jetson(found["jetson"], root),
        gstreamer=gstreamer,
        elements=elements,
        session={name: environment[name] for name in SESSION if environment.get(name)},
        has_drm=(root / "dev/dri").is_dir(),
        inference=inference,
        onnxruntime_cuda=not isinstance(inference.gpu.driver, Unknown) and _has_cuda_provider(),
        cuda_bindings=_version("cuda-bindings"),
        unready=unready,
        engines=engines,
        models=_models(),
    )


def _jetson(found: Mapping[str, Any], root: Path) -> Jetson:
    from edge_us.cuda.probe import driver_release

    # Without that file this would be the version of a kernel module.
    l4t = driver_release(tegra=root / "etc/nv_tegra_release") if found["l4t"] else Unknown("no such file")
    now = found["tegrastats"] or {}
    return Jetson(
        None if isinstance(l4t, Unknown) else l4t,
        found["power_mode"],
        now.get("gpu_mhz"),
        now.get("power_w"),
        now.get("temperature_c"),
    )


def _gstreamer() -> tuple[str | Unknown, frozenset[str]]:
    from edge_us.capture.gst import load_gst, usable_elements

    try:
        return str(load_gst().version_string()), usable_elements()
    except EdgeUsError as error:
        return Unknown(error.message), frozenset()


def _engines() -> tuple[str, tuple[str, ...]]:
    from edge_us.config import load_config
    from edge_us.inference.gpu import unready_engine
    from edge_us.runtime.wanted import wanted_networks
    from edge_us.tensorrt.overview import overview

    try:
        # What `edge-us run` would open without further words: the detector and its classifier.
        wanted = wanted_networks(load_config({"source": "phantom:"}, environment={})).with_precisions
        return next(filter(None, (unready_engine(*each) for each in wanted)), ""), overview()
    except EdgeUsError as error:
        return error.message, ()


def _has_cuda_provider() -> bool:
    from edge_us.inference.libraries import load_onnxruntime
    from edge_us.inference.onnxruntime_cuda_backend import PROVIDER

    try:
        return PROVIDER in load_onnxruntime().get_available_providers()
    except ImportError:
        return False


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _models() -> tuple[tuple[str, str], ...] | Unknown:
    from edge_us.inference.registry import verify_models

    try:
        return verify_models()
    except EdgeUsError as error:
        return Unknown(error.message)
