"""`Backend`: a tensor in, raw heads out; one file per implementation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class BackendName(str, Enum):
    """Backends by name; ``auto`` picks the first that this machine can run well."""

    AUTO = "auto"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"
    TENSORRT = "tensorrt"
    ONNXRUNTIME_CUDA = "onnxruntime-cuda"


ON_GPU = frozenset({BackendName.TENSORRT.value, BackendName.ONNXRUNTIME_CUDA.value})
"""Names of the backends that compute on a GPU, as in `BackendInfo`."""


class Precision(str, Enum):
    """Arithmetic precision of inference; ``auto`` picks the fastest that agrees with fp32."""

    AUTO = "auto"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What really runs, for the report: never what was asked for.

    Attributes
    ----------
    name, precision, device : str
    unused_gpu : str
        Why a GPU with TensorRT that is here does not run it, and the command that would change that; empty elsewhere.
    """

    name: str
    precision: str
    device: str
    unused_gpu: str = ""


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How a backend divides the machine.

    Attributes
    ----------
    streams : int
        Inferences that are computed at the same time, each on its share of the threads. 1 gives every inference all
        threads: the least latency.
    lanes : int
        Inferences that may be begun and not yet fetched; those beyond ``streams`` wait in the backend, first come
        first served.
    """

    streams: int = 1
    lanes: int = 1


ONE_AT_A_TIME = Concurrency()


class NetworkFile(Protocol):
    """A network's file; a `Network` is one, and so is an entry of the manifest."""

    @property
    def name(self) -> str:
        """For messages and reports."""
        ...

    @property
    def path(self) -> Path:
        """The ONNX file."""
        ...

    @property
    def sha256(self) -> str:
        """Of the ONNX file."""
        ...


class Network(NetworkFile, Protocol):
    """What a backend must know of a network to compile it; `Model` is one, and so is a classifier."""

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height in px."""
        ...

    @property
    def channels(self) -> int:
        """Channels of the network's input, 1 or 3."""
        ...

    @property
    def is_grey(self) -> bool:
        """Whether it takes grey pictures, whatever its channels."""
        ...

    @property
    def stored(self) -> Precision:
        """Precision that lies in the file: FP32, FP16 (cast) or INT8 (Q/DQ)."""
        ...


class Lane(ABC):
    """One inference at a time on a compiled network; the lanes of a backend run beside each other."""

    @abstractmethod
    def start(self, image: NDArray[np.uint8]) -> None:
        """Begin with one letterboxed picture; `wait` must have fetched the one before.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width) or (height, width, 3)
            Grey for grey models, BGR for colour models; exactly the input size, and left alone until `wait`. Scaling
            to 0..1, channel order and layout are the backend's business.
        """

    @abstractmethod
    def wait(self) -> tuple[NDArray[np.float32], ...]:
        """Fetch what was begun last: raw heads in the order of the ONNX outputs, valid until the next `start`."""

    def infer(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Begin and fetch at once."""
        self.start(image)
        return self.wait()


class Backend(Protocol):
    """A compiled network with fixed input shape."""

    info: BackendInfo

    @property
    def lanes(self) -> Sequence[Lane]:
        """As many as `Concurrency.lanes` says; none once it is closed."""
        ...

    def close(self) -> None:
        """Release the network, once nothing is being computed; may be called more than once."""
        ...
