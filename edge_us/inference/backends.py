"""Which backend and precision this machine gets, and why."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge_us.errors import MissingDependencyError, ModelError, UsageError
from edge_us.inference.backend import ONE_AT_A_TIME, Backend, BackendName, Concurrency, Precision

if TYPE_CHECKING:
    from edge_us.inference.backend import Network


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

    def describe(self) -> tuple[str, ...]:
        """A line each for CPU and backends."""
        native = ", ".join(sorted(precision.value for precision in self.native))
        return (
            f"CPU {self.architecture}, native precisions: {native}",
            f"OpenVINO {self.openvino or 'not installed'}",
            f"ONNX Runtime {self.onnxruntime or 'not installed'}",
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, a precision, and the sentences that explain them."""

    name: BackendName
    precision: Precision
    device: str
    reasons: tuple[str, ...]


def probe_machine() -> Machine:
    """Look at this machine; starts no inference."""
    native = {Precision.FP32}
    if find_spec("openvino") is not None:
        import openvino as ov

        if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            native.add(Precision.BF16)
    return Machine(platform.machine(), _version("openvino"), _version("onnxruntime"), frozenset(native))


def choose_backend(machine: Machine, name: BackendName, precision: Precision) -> Choice:
    """Pick backend and precision; never silently slower or less precise than asked for.

    Raises
    ------
    UsageError
        The precision cannot be had with this backend on this machine.
    MissingDependencyError
        The backend, or every backend, is not installed.
    """
    if name is BackendName.AUTO:
        if machine.openvino is not None:
            return _openvino(machine, precision, ("OpenVINO is the fastest backend on CPUs",))
        if machine.onnxruntime is not None:
            return _onnxruntime(precision, ("OpenVINO is not installed",))
        raise MissingDependencyError("no inference backend is installed", "pip install openvino")
    if name is BackendName.OPENVINO:
        if machine.openvino is None:
            raise MissingDependencyError("OpenVINO is not installed", "pip install openvino")
        return _openvino(machine, precision, ("it was asked for",))
    if machine.onnxruntime is None:
        raise MissingDependencyError("ONNX Runtime is not installed", "pip install onnxruntime")
    return _onnxruntime(precision, ("it was asked for",))


def open_backend(
    model: Network,
    name: BackendName = BackendName.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
    concurrency: Concurrency = ONE_AT_A_TIME,
) -> Backend:
    """Compile ``model`` on the chosen backend.

    With ``auto``, a graph that OpenVINO cannot compile goes to ONNX Runtime; asked for by name it is a `ModelError`.
    """
    machine = probe_machine()
    choice = choose_backend(machine, name, precision)
    if choice.name is BackendName.ONNXRUNTIME:
        return _open_onnxruntime(model, threads, concurrency.lanes)
    from edge_us.inference.openvino_backend import OpenVinoBackend

    try:
        return OpenVinoBackend(model, choice.precision, threads, concurrency)
    except ModelError:
        fp32_will_do = precision in (Precision.AUTO, Precision.FP32)
        if name is not BackendName.AUTO or machine.onnxruntime is None or not fp32_will_do:
            raise
        return _open_onnxruntime(model, threads, concurrency.lanes)


def _open_onnxruntime(model: Network, threads: int | None, lanes: int) -> Backend:
    from edge_us.inference.onnxruntime_backend import OnnxRuntimeBackend

    return OnnxRuntimeBackend(model, threads, lanes)


def _openvino(machine: Machine, precision: Precision, reasons: tuple[str, ...]) -> Choice:
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
            f"OpenVINO on a CPU computes in fp32 or bf16, not {precision.value}", "Use --precision fp32, bf16 or auto."
        )
    return Choice(BackendName.OPENVINO, precision, "CPU", (*reasons, f"{precision.value} was asked for"))


def _onnxruntime(precision: Precision, reasons: tuple[str, ...]) -> Choice:
    if precision not in (Precision.AUTO, Precision.FP32):
        raise UsageError(
            f"ONNX Runtime on a CPU computes in fp32, not {precision.value}", "Use --precision fp32 or auto."
        )
    return Choice(BackendName.ONNXRUNTIME, Precision.FP32, "CPU", (*reasons, "it computes in fp32"))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
