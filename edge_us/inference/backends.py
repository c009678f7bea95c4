"""Which backend and precision this machine gets, and why."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge_us.errors import MissingDependencyError, ModelError, UsageError
from edge_us.finding import Unknown
from edge_us.inference.backend import ONE_AT_A_TIME, Backend, BackendName, Concurrency, Precision
from edge_us.inference.gpu import (
    NO_TENSORRT,
    Gpu,
    open_onnxruntime_cuda,
    open_tensorrt,
    probe_gpu,
    unready_engine,
)
from edge_us.inference.libraries import load_openvino

if TYPE_CHECKING:
    from edge_us.inference.backend import Network


_BUILD_HINT = "Make an int8 file first: edge-us models build MODEL --precision int8 …, or use --precision auto."


@dataclass(frozen=True, slots=True)
class Machine:
    """What matters of a machine for the choice.

    ``openvino`` and ``onnxruntime`` are versions, None where not installed; ``native`` holds the precisions that
    the CPU computes natively.
    """

    architecture: str
    openvino: str | None
    onnxruntime: str | None
    native: frozenset[Precision]
    gpu: Gpu = NO_TENSORRT

    def describe(self) -> tuple[str, ...]:
        """A line each for CPU and backends."""
        native = ", ".join(sorted(precision.value for precision in self.native))
        return (
            f"CPU {self.architecture}, native precisions: {native}",
            f"OpenVINO {self.openvino or 'not installed'}",
            f"ONNX Runtime {self.onnxruntime or 'not installed'}",
            *self.gpu.describe(),
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, a precision, and the sentences that explain them.

    ``floats`` is the arithmetic of what a quantised network leaves unquantised; None where all is in ``precision``.
    ``unused_gpu`` is as in `BackendInfo`.
    """

    name: BackendName
    precision: Precision
    device: str
    reasons: tuple[str, ...]
    floats: Precision | None = None
    unused_gpu: str = ""


def probe_machine(name: BackendName | None = None) -> Machine:
    """Look at this machine, as far as it matters for a backend (None: all of it); starts no inference."""
    native = {Precision.FP32}
    if find_spec("openvino") is not None:
        able = load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        native |= {Precision.BF16} if "BF16" in able else set()
    onnxruntime = _version("onnxruntime") or _version("onnxruntime-gpu")
    return Machine(platform.machine(), _version("openvino"), onnxruntime, frozenset(native), probe_gpu(name))


def choose_backend(
    machine: Machine,
    name: BackendName,
    precision: Precision,
    stored: Precision = Precision.FP32,
    unready: Callable[[], str] = lambda: "",
) -> Choice:
    """Pick backend and precision; never silently slower or less precise than asked for.

    Parameters
    ----------
    machine : Machine
    name : BackendName
    precision : Precision
        As the user asked for it.
    stored : Precision
        What lies in the file. A quantised file is computed in int8 and in nothing else: its weights are
        rounded for good.
    unready : callable
        Why the model's TensorRT engine cannot be taken, and what to do; empty where it is ready. Only called where
        a GPU is there.

    Raises
    ------
    UsageError
        The precision cannot be had with this backend on this machine.
    MissingDependencyError
        The backend, or every backend, is not installed.
    """
    if name is BackendName.AUTO:
        why_not = machine.gpu.missing or unready()
        if not why_not:
            return Choice(BackendName.TENSORRT, precision, "GPU", ("a GPU is there, and an engine that fits it",))
        unused = _unused(machine.gpu, why_not)
        try:
            return replace(_on_cpu(machine, precision, stored, f"no GPU is used: {why_not}"), unused_gpu=unused)
        except UsageError as error:
            raise UsageError(
                error.message, f"{error.hint} No GPU is used: {unused}" if unused else error.hint
            ) from None
    if name is BackendName.OPENVINO:
        if machine.openvino is None:
            raise MissingDependencyError("OpenVINO is not installed", "pip install openvino")
        return _openvino(machine, precision, stored, ("it was asked for",))
    if name is BackendName.TENSORRT:
        if machine.gpu.missing:
            raise MissingDependencyError(f"TensorRT cannot be used: {machine.gpu.missing}", "See `edge-us doctor`.")
        return Choice(name, precision, "GPU", ("it was asked for",))
    if machine.onnxruntime is None:
        raise MissingDependencyError("ONNX Runtime is not installed", "pip install onnxruntime")
    if name is BackendName.ONNXRUNTIME_CUDA:
        return _onnxruntime_cuda(machine, precision, stored)
    return _onnxruntime(precision, stored, ("it was asked for",))


def open_backend(
    model: Network,
    name: BackendName = BackendName.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
    concurrency: Concurrency = ONE_AT_A_TIME,
) -> Backend:
    """Compile ``model`` on the chosen backend.

    With ``auto``, the GPU is taken only where nothing is missing and the engine was built (where not, the backend's
    ``info.unused_gpu`` says why), and a graph that OpenVINO cannot compile goes to ONNX Runtime; asked for by name it
    is a `ModelError`.
    """
    machine = probe_machine(name)
    choice = choose_backend(machine, name, precision, model.stored, lambda: unready_engine(model, precision))
    if choice.name is BackendName.TENSORRT:
        return open_tensorrt(model, choice.precision, concurrency.lanes)
    if choice.name is BackendName.ONNXRUNTIME_CUDA:
        return open_onnxruntime_cuda(model, choice.precision, concurrency.lanes)
    backend: Backend
    if choice.name is BackendName.ONNXRUNTIME:
        backend = _open_onnxruntime(model, choice.precision, threads, concurrency.lanes)
    else:
        from edge_us.inference.openvino_backend import OpenVinoBackend

        try:
            backend = OpenVinoBackend(model, choice.precision, threads, concurrency, choice.floats)
        except ModelError:
            computed = Precision.INT8 if model.stored is Precision.INT8 else Precision.FP32
            may = name is BackendName.AUTO and machine.onnxruntime is not None
            if not may or precision not in (Precision.AUTO, computed):
                raise
            backend = _open_onnxruntime(model, computed, threads, concurrency.lanes)
    backend.info = replace(backend.info, unused_gpu=choice.unused_gpu)
    return backend


def _open_onnxruntime(model: Network, precision: Precision, threads: int | None, lanes: int) -> Backend:
    from edge_us.inference.onnxruntime_backend import OnnxRuntimeBackend

    return OnnxRuntimeBackend(model, threads, lanes, precision)


def _on_cpu(machine: Machine, precision: Precision, stored: Precision, no_gpu: str) -> Choice:
    if machine.openvino is not None:
        return _openvino(machine, precision, stored, (no_gpu, "OpenVINO is the fastest backend on CPUs"))
    if machine.onnxruntime is not None:
        return _onnxruntime(precision, stored, (no_gpu, "OpenVINO is not installed"))
    raise MissingDependencyError("no inference backend is installed", "pip install openvino")


def _openvino(machine: Machine, precision: Precision, stored: Precision, reasons: tuple[str, ...]) -> Choice:
    if stored is Precision.INT8:
        _check_quantised(precision)
        floats = Precision.BF16 if Precision.BF16 in machine.native else Precision.FP32
        why = f"the file is quantised; what is not quantised in it is computed in {floats.value}"
        return Choice(BackendName.OPENVINO, Precision.INT8, "CPU", (*reasons, why), floats)
    if precision is Precision.AUTO:
        if Precision.BF16 in machine.native:
            why = "the CPU has native bf16, which agrees with fp32 (tests/inference) and is faster"
            return Choice(BackendName.OPENVINO, Precision.BF16, "CPU", (*reasons, why))
        why = "the CPU has no native bf16, so fp32 is used"
        return Choice(BackendName.OPENVINO, Precision.FP32, "CPU", (*reasons, why))
    if precision is Precision.BF16 and Precision.BF16 not in machine.native:
        raise UsageError("this CPU has no native bf16", "Use --precision fp32 or auto.")
    if precision not in (Precision.FP32, Precision.BF16):
        raise UsageError(
            f"OpenVINO on a CPU computes this file in fp32 or bf16, not {precision.value}",
            _BUILD_HINT if precision is Precision.INT8 else "Use --precision fp32, bf16 or auto.",
        )
    return Choice(BackendName.OPENVINO, precision, "CPU", (*reasons, f"{precision.value} was asked for"))


def _onnxruntime(precision: Precision, stored: Precision, reasons: tuple[str, ...]) -> Choice:
    if stored is Precision.INT8:
        _check_quantised(precision)
        return Choice(
            BackendName.ONNXRUNTIME, Precision.INT8, "CPU", (*reasons, "the file is quantised"), Precision.FP32
        )
    if precision not in (Precision.AUTO, Precision.FP32):
        raise UsageError(
            f"ONNX Runtime on a CPU computes this file in fp32, not {precision.value}",
            _BUILD_HINT if precision is Precision.INT8 else "Use --precision fp32 or auto.",
        )
    return Choice(BackendName.ONNXRUNTIME, Precision.FP32, "CPU", (*reasons, "it computes in fp32"))


def _onnxruntime_cuda(machine: Machine, precision: Precision, stored: Precision) -> Choice:
    if isinstance(machine.gpu.driver, Unknown):
        raise MissingDependencyError(f"no GPU can be used: {machine.gpu.driver.reason}", "See `edge-us doctor`.")
    if stored is Precision.INT8:
        raise UsageError(
            "ONNX Runtime computes no int8 on a GPU",
            "Use --backend tensorrt or openvino, or its fp32 file.",
        )
    if precision not in (Precision.AUTO, stored):
        raise UsageError(
            f"ONNX Runtime on a GPU computes this file in {stored.value}, not {precision.value}",
            f"Use --precision {stored.value} or auto.",
        )
    reasons = ("it was asked for", f"the file holds {stored.value}")
    return Choice(BackendName.ONNXRUNTIME_CUDA, stored, machine.gpu.driver.gpu.name, reasons)


def _unused(gpu: Gpu, why_not: str) -> str:
    """What to say of a GPU that is here and not used; nothing where nobody has set it up for inference."""
    if isinstance(gpu.driver, Unknown) or not gpu.tensorrt:
        return ""
    return f"{why_not}; pip install 'edge-us[cuda]' (docs/gpu.md)" if isinstance(gpu.provider, Unknown) else why_not


def _check_quantised(precision: Precision) -> None:
    if precision not in (Precision.AUTO, Precision.INT8):
        raise UsageError(
            f"the model's file is quantised: it is computed in int8, not {precision.value}",
            "Use --precision int8 or auto, or the file that it was made from.",
        )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
