"""Signals after networks came and went."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import signal
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.model import load_model

model = load_model("default")
one, other = (open_backend(model, BackendName.OPENVINO, Precision.FP32) for _ in range(2))
one.close()
del one
other.close()
del other
signal.signal(signal.SIGINT, lambda *_: print("handled", flush=True))
signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_is_handled_after_networks_were_released_in_any_order() -> None:
    pytest.importorskip("openvino")
    command = [sys.executable, "-c", CHILD]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"killed by signal {-done.returncode}"
    assert done.stdout == "handled\n"
