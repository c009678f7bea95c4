"""A native crash of somebody else's that fuzzing found: what we can promise is that it is seen and named."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge_us.capture.gst import load_gst

CLIENT = """
import pathlib
from edge_us.errors import EdgeUsError
from fuzz.targets import rtsp
answers = [b"RTSP/1.0 200 OK\\r\\nCSeq: {cseq}\\r\\nPublic: DESCRIBE, SETUP, PLAY\\r\\n\\r\\n",
           b"RTSP/1.0 401 Unauthorized\\r\\nCSeq: {cseq}\\r\\nWWW-Authenticate: Digest\\r\\n\\r\\n"]
try:
    rtsp.check(rtsp.BETWEEN.join(answers), pathlib.Path())
except EdgeUsError as error:
    print("refused:", error.message)
"""


def test_a_server_that_asks_for_a_password_in_broken_words_is_refused() -> None:
    """rtspsrc 1.22.0 dereferences NULL over a ``Digest`` challenge without parameters (fuzz/README.md)."""
    done = subprocess.run([sys.executable, "-c", CLIENT], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode < 0:
        version = ".".join(str(part) for part in load_gst().version()[:3])
        pytest.xfail(f"rtspsrc {version} crashes over this answer (signal {-done.returncode})")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: ")
