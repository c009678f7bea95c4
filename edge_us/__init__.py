"""edge_us: an open edge runtime for breast ultrasound. Research use only, not for diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_us._version import __version__
from edge_us.errors import EdgeUsError
from edge_us.finding import AiState, Finding, FindingKind, FrameResult, SourceState, Unknown
from edge_us.frame import Frame, Geometry, PixelFormat, Rect

if TYPE_CHECKING:
    from edge_us.api import run
    from edge_us.capture.open import open_source
    from edge_us.runtime.run import Run

__all__ = [
    "AiState",
    "EdgeUsError",
    "Finding",
    "FindingKind",
    "Frame",
    "FrameResult",
    "Geometry",
    "PixelFormat",
    "Rect",
    "Run",
    "SourceState",
    "Unknown",
    "__version__",
    "open_source",
    "run",
]

_LAZY = {
    "open_source": "edge_us.capture.open",
    "run": "edge_us.api",
    "Run": "edge_us.runtime.run",
}


def __getattr__(name: str) -> Any:
    # What needs heavy libraries is imported on first use: `import edge_us` stays under 0.3 s.
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'edge_us' has no attribute {name!r}")
