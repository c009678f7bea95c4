"""The GPU backends: what this machine has for them, and how they are opened.

The driver is asked before any GPU library is imported: some of them end the process where there is none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge_us.cuda.driver import Provider, installed_provider, open_driver
from edge_us.cuda.probe import DriverInfo, probe_driver
from edge_us.errors import EdgeUsError, MissingDependencyError, UsageError
from edge_us.finding import Unknown
from edge_us.inference.backend import BackendInfo, BackendName, Precision

if TYPE_CHECKING:
    from edge_us.inference.backend import Backend, Network

GPU_BACKENDS = (BackendName.TENSORRT, BackendName.ONNXRUNTIME_CUDA)
PROVIDER_VARIABLE = "EDGE_US_CUDA"
"""Names the package that offers the driver to TensorRT's backend."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """What matters of a machine for inference on its GPU.

    Attributes
    ----------
    driver : DriverInfo or Unknown
    provider : str or Unknown
        The package that offers the driver.
    tensorrt : bool
        Its module is installed; whether its libraries are whole shows when it is imported.
    """

    driver: DriverInfo | Unknown
    provider: str | Unknown
    tensorrt: bool

    @property
    def missing(self) -> str:
        """What TensorRT lacks here; empty where it lacks nothing."""
        if isinstance(self.driver, Unknown):
            return self.driver.reason
        if isinstance(self.provider, Unknown):
            return self.provider.reason
        return "" if self.tensorrt else "TensorRT is not installed"

    def describe(self) -> tuple[str, ...]:
        """A line for GPU and driver, and one for what is on it."""
        if isinstance(self.driver, Unknown):
            return (f"GPU none: {self.driver.reason}",)
        provider = "no cuda-bindings, no pycuda" if isinstance(self.provider, Unknown) else self.provider
        return (
            f"GPU {self.driver.describe()}",
            f"TensorRT {'installed' if self.tensorrt else 'not installed'}, driver through {provider}",
        )


NO_TENSORRT = Gpu(Unknown("TensorRT is not installed"), Unknown("was not looked for"), False)
"""Of a machine whose GPU was not looked for."""


def wanted_provider(environment: Mapping[str, str] = os.environ) -> Provider:
    """The package that was asked for with ``EDGE_US_CUDA``; any where nothing was.

    Raises
    ------
    UsageError
        There is no such package.
    """
    text = environment.get(PROVIDER_VARIABLE) or Provider.AUTO.value
    try:
        return Provider(text)
    except ValueError:
        names = ", ".join(each.value for each in Provider)
        raise UsageError(f"{PROVIDER_VARIABLE} is {text!r}", f"It takes one of {names}.") from None


def probe_gpu(name: BackendName | None = None) -> Gpu:
    """Look at this machine's GPU, as far as it matters for a backend (None: all of it); imports no library of it.

    The driver is asked only where somebody would use it: waking it up takes time.
    """
    tensorrt = find_spec("tensorrt") is not None
    if name is not None and name not in GPU_BACKENDS and not (name is BackendName.AUTO and tensorrt):
        return NO_TENSORRT
    try:
        provider: str | Unknown = installed_provider(wanted_provider()).value
    except MissingDependencyError as error:
        provider = Unknown(error.message)
    return Gpu(probe_driver(), provider, tensorrt)


def unready_engine(model: Network, precision: Precision) -> str:
    """Why TensorRT cannot take a model at once, and what to do; empty where its engine is ready.

    Only for machines with a GPU.
    """
    from edge_us.tensorrt.api import load_api
    from edge_us.tensorrt.cache import EngineState, engines_folder, key_for, status
    from edge_us.tensorrt.key import EngineOptions
    from edge_us.tensorrt.source import engine_precision
    from edge_us.tensorrt.target import target_here

    try:
        wanted = engine_precision(model, precision)
        key = key_for(model, wanted, load_api(), target_here(), EngineOptions())
        found = status(model, key, engines_folder())
    except EdgeUsError as error:
        return f"{error.message}; {error.hint}"
    return "" if found.state is EngineState.READY else f"{found.reason}; {found.command}"


def open_tensorrt(model: Network, precision: Precision, lanes: int) -> Backend:
    """Load the model's engine and run it; nothing is ever built here.

    Raises
    ------
    EdgeUsError
        Driver, GPU, package or engine is missing or does not fit; the message says which.
    """
    from edge_us.inference.model import output_names
    from edge_us.inference.tensorrt_backend import ReadyEngine, TensorRtBackend
    from edge_us.tensorrt.load import load_engine

    found = _driver()
    provider = installed_provider(wanted_provider())
    loaded = load_engine(model, precision)
    driver = open_driver(provider)
    device = f"{found.gpu.name} ({loaded.api}, {driver.name})"
    info = BackendInfo(BackendName.TENSORRT.value, loaded.precision.value, device)
    ready = ReadyEngine(loaded.engine, loaded.runtime, output_names(model.path), info)
    return TensorRtBackend(model, ready, driver, lanes, mapped=found.gpu.integrated)


def open_onnxruntime_cuda(model: Network, precision: Precision, lanes: int) -> Backend:
    """Run the model's file on ONNX Runtime's CUDA provider; raises `EdgeUsError` where it cannot be had."""
    from edge_us.inference.onnxruntime_cuda_backend import OnnxRuntimeCudaBackend

    return OnnxRuntimeCudaBackend(model, precision, _driver().gpu.name, lanes)


def _driver() -> DriverInfo:
    found = probe_driver()
    if isinstance(found, Unknown):
        raise MissingDependencyError(
            f"no GPU can be used: {found.reason}", "See `edge-us doctor`, or use --backend openvino."
        )
    return found
