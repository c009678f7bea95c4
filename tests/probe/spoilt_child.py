"""Children whose decoder crashes, hangs or leaves: what a test puts in the place of `edge_us.probe.child`."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_us.capture import gst_pipeline
from edge_us.probe import child


def _hang() -> None:
    """For good, and without letting go of the thread; a file says that it has begun."""
    Path(os.environ["EDGE_US_TEST_HANGS"]).touch()
    ctypes.CDLL(None).sleep(3600)


HARM: dict[str, Callable[[], object]] = {
    "segfault": lambda: ctypes.string_at(0),
    "abort": lambda: ctypes.CDLL(None).abort(),
    "exit": lambda: ctypes.CDLL(None)._exit(3),
    "hang": _hang,
}


def main() -> None:
    """As the real child; which harm is done and where stands in two variables of the environment."""
    harm = HARM[os.environ["EDGE_US_TEST_HARM"]]
    if os.environ["EDGE_US_TEST_WHERE"] == "decoder":
        _spoil_decoders(harm)
    elif os.environ["EDGE_US_TEST_WHERE"] == "backend":
        from edge_us.inference import backends

        backends.__dict__["open_backend"] = lambda *_: harm()
    elif os.environ["EDGE_US_TEST_WHERE"] == "bundle":
        from edge_us.replay import lossless

        lossless.__dict__["_pixels"] = lambda *_: harm()
    child.main()


def _spoil_decoders(harm: Callable[[], object]) -> None:
    """Do harm in GStreamer's own thread, right behind the first decoder."""

    def spoil(gst: Any, pipeline: Any) -> None:
        def on_added(_pipeline: Any, _bin: Any, element: Any) -> None:
            factory = element.get_factory()
            if factory is not None and "Decoder/Video" in factory.get_metadata("klass"):
                pad = element.get_static_pad("src")
                pad.add_probe(gst.PadProbeType.BUFFER, lambda *_: harm() or gst.PadProbeReturn.OK)

        pipeline.connect("deep-element-added", on_added)

    gst_pipeline.__dict__["trust_the_bitstream_for_range"] = spoil


if __name__ == "__main__":
    sys.exit("not a command")
