"""`Backend`: a tensor in, raw heads out; one file per implementation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class BackendName(str, Enum):
    """Backends by name; ``auto`` picks the first that this machine can run well."""

    AUTO = "auto"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"


class Precision(str, Enum):
    """Arithmetic precision of inference; ``auto`` picks the fastest that agrees with fp32."""

    AUTO = "auto"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What really runs, for the report: never what was asked for."""

    name: str
    precision: str
    device: str


class Network(Protocol):
    """What a backend must know of a network to compile it; `Model` is one, and so is a classifier."""

    @property
    def name(self) -> str:
        """For messages and reports."""
        ...

    @property
    def path(self) -> Path:
        """The ONNX file."""
        ...

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


class Backend(Protocol):
    """A compiled network with fixed input shape."""

    info: BackendInfo

    def infer(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Run the network on one letterboxed picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width) or (height, width, 3)
            Grey for grey models, BGR for colour models; exactly the input size. Scaling to 0..1, channel
            order and layout are the backend's business.

        Returns
        -------
        tuple of ndarray of float32
            Raw heads in the order of the ONNX outputs; valid until the next call.
        """
        ...

    def close(self) -> None:
        """Release the network; may be called more than once."""
        ...
