"""The pipeline in one call."""

from __future__ import annotations

from typing import Any

from edge_us.config import load_config
from edge_us.runtime.run import Run


def run(source: str, **options: Any) -> Run:
    """Run the whole pipeline over ``source``; iterate the result to get ``(frame, result)`` pairs.

    Parameters
    ----------
    source : str
        File, folder or URI, as on the command line.
    **options
        Any field of `RunConfig`, such as ``record="out.mp4"`` or ``mode="live"``.

    Raises
    ------
    UsageError
        An option is unknown or has a value that is not allowed.
    """
    config = load_config({"source": source, **options})
    return Run(config)
