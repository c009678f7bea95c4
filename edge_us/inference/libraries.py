"""The inference libraries, imported in such a way that they do not call home.

`openvino` sends an event to Google Analytics when it is imported, and counts uses in ``~/intel``; where the package
`openvino_telemetry` cannot be imported it takes a stub of its own (openvino/tools/ovc/telemetry_utils.py). ONNX Runtime
1.29 and later sends events to Microsoft and keeps an id and what it has not sent yet in ``~/.cache/Microsoft`` and the
temporary folder, unless ``ORT_DISABLE_TELEMETRY`` is set before it is loaded; its `disable_telemetry_events` comes too
late. No other module imports the two.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any, cast


def silence_telemetry() -> None:
    """Switch the telemetry of both libraries off, for this process and its children; call it before they are loaded."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # None makes `import` raise ImportError, as where the package is not installed.
    cast("dict[str, Any]", sys.modules).setdefault("openvino_telemetry", None)


@cache
def load_openvino() -> Any:
    """The package `openvino`, silent; raises ImportError where it is not installed."""
    silence_telemetry()
    import openvino

    return openvino


@cache
def load_onnxruntime() -> Any:
    """The package `onnxruntime`, silent; raises ImportError where it is not installed."""
    silence_telemetry()
    import onnxruntime

    return onnxruntime
