"""`Api`: the module that builds and runs engines, imported when it is needed, and how it talks back.

Everything of TensorRT that the project uses is used through variables named as in `tests/tensorrt_engines/walk.py`, so
that a test can hold each name against the versions that are promised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import Any

from edge_us.errors import MissingDependencyError, one_line

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class ApiName(str, Enum):
    """Modules with TensorRT's API."""

    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt_rtx"
    """TensorRT for RTX: builds without a GPU, so the tests build with it. It is another product: nothing that runs on
    it is a TensorRT result, and no run takes it."""


_SHOWN = {ApiName.TENSORRT: "TensorRT", ApiName.TENSORRT_RTX: "TensorRT for RTX"}


@dataclass(frozen=True, slots=True)
class Api:
    """An imported module.

    Attributes
    ----------
    name : ApiName
    version : str
    trt : module
    """

    name: ApiName
    version: str
    trt: Any

    def __str__(self) -> str:
        return f"{_SHOWN[self.name]} {self.version}"


def load_api(name: ApiName = ApiName.TENSORRT) -> Api:
    """Import the module.

    Raises
    ------
    MissingDependencyError
        It is not installed, or its libraries cannot be loaded.
    """
    try:
        trt = import_module(name.value)
    except Exception as error:  # its libraries: ImportError, OSError, or what its own loader raises
        missing = isinstance(error, ModuleNotFoundError) and error.name == name.value
        raise MissingDependencyError(
            f"{_SHOWN[name]} is not installed" if missing else f"{_SHOWN[name]} cannot be loaded: {one_line(error)}",
            "On Jetson it comes with JetPack (python3-libnvinfer; a venv needs --system-site-packages), elsewhere from "
            "NVIDIA's own package index. Or use another --backend.",
        ) from None
    return Api(name, str(trt.__version__), trt)


def listener(trt: Any) -> Any:
    """A logger that says nothing. It keeps errors in ``problems`` (list of str), and in ``layers`` (str) the layers of
    the engine that was built last.

    TensorRT returns None where it fails; why stands in what it logs. It logs from several threads.
    """

    class Listener(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.problems: list[str] = []
            self.layers = ""

        def log(self, severity: Any, message: str) -> None:
            """Keep what is of use."""
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.problems.append(message)
            elif message.startswith("Layers:"):
                self.layers = message

    return Listener()
