"""`Probe`: a child process that opens a file before this process does."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from edge_us import errors
from edge_us.capture.uri import Scheme, SourceUri, parse_source
from edge_us.errors import EdgeUsError, InputError, ModelError
from edge_us.inference.backend import BackendName, Precision
from edge_us.probe.libraries import ELEMENT_LOG, elements

PROBED = (Scheme.VIDEO, Scheme.DICOM, Scheme.METAIMAGE, Scheme.IMAGES, Scheme.BUNDLE)
"""Sources that are files. A live source is a device or a peer that was chosen, and a phantom is ours."""
GRACE_S = 20.0
"""Beyond the time that opening may take: starting Python and loading libraries on a busy machine."""
MODEL_S = 60.0
"""How long a network may take to be read, compiled and run once."""
CHILD = "edge_us.probe.child"
_SOURCE_HINT = (
    "It is damaged or was made to do harm. Update the software named above, or convert the file with another program; "
    "`edge-us run --no-probe` opens it without this check."
)
_MODEL_HINT = "Export the network again, or try another --backend; --no-probe opens it without this check."
_TAIL_BYTES = 1 << 20
# The child sees the modules that this process sees, and none that lie in the working directory.
_START = "import sys; sys.path[:] = sys.argv[2:]; import importlib; importlib.import_module(sys.argv[1]).main()"


class Probe:
    """A child that is opening a file; leave it as a context manager, or call `close`.

    Parameters
    ----------
    request : dict
        For `edge_us.probe.child`.
    shown : str
        What is opened, for messages.
    kind : type of EdgeUsError
        The error where the child crashes or hangs.
    hint : str
    timeout_s : float
    """

    def __init__(
        self, request: dict[str, Any], shown: str, kind: type[EdgeUsError], hint: str, timeout_s: float
    ) -> None:
        self._shown, self._kind, self._hint = shown, kind, hint
        self._until_s = time.monotonic() + timeout_s
        self._settled = False
        # Files instead of pipes: whatever a library prints, the child never waits for somebody to read it.
        self._said, self._log = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  (see `close`)
        environment = {**os.environ, "GST_DEBUG": ELEMENT_LOG, "GST_DEBUG_NO_COLOR": "1"}
        environment.pop("GST_DEBUG_FILE", None)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, CHILD, *filter(None, sys.path)], stdin=subprocess.PIPE,
            stdout=self._said, stderr=self._log, env=environment, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        with self._process.stdin as pipe:
            try:
                pipe.write(json.dumps({**request, "limit_s": math.ceil(timeout_s) + 5}).encode())
            except BrokenPipeError:  # it is dead already; `result` says why
                return

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def result(self) -> None:
        """Wait for the child; returns where the file could be opened.

        Where the child could not start, or met a defect of ours, nothing is known of the file, and it is opened as if
        there had been no probe.

        Raises
        ------
        EdgeUsError
            What opening the file raised in the child; or the child crashed in native code, or hangs.
        """
        if self._settled:
            return
        try:
            code = self._process.wait(max(0.0, self._until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            code = None
        answer = self._answer()
        log = _tail(self._log)
        self.close()
        if "error" in answer:
            name, message, hint = answer["error"]
            raise getattr(errors, name)(message, hint)
        if "ready" not in answer or "ok" in answer or "defect" in answer:
            return
        where = elements(log) or answer.get("at", "") or "a native library"
        if code is None:
            raise self._kind(f"opening {self._shown} hangs in {where}", self._hint)
        raise self._kind(f"opening {self._shown} crashed in {where} ({_how(code)})", self._hint)

    def close(self) -> None:
        """End the child, if it is still there; may be called more than once."""
        self._settled = True
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._said.close()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        """All that the child said, the last word for each key."""
        said: dict[str, Any] = {}
        for line in _tail(self._said).splitlines():
            try:
                said.update(json.loads(line))
            except (ValueError, TypeError):  # cut off in the middle
                break
        return said


def probe_source(uri: str, connect_timeout_s: float = 10.0) -> Probe | None:
    """Begin to open a file, up to its first picture, in a child; None for what is no file.

    Raises
    ------
    InputError
        The text is no source, or the file is missing or empty.
    """
    parsed: SourceUri = parse_source(uri)
    if parsed.scheme not in PROBED or not sys.executable:
        return None
    request = {"kind": "source", "uri": uri, "connect_timeout_s": connect_timeout_s}
    return Probe(request, parsed.shown, InputError, _SOURCE_HINT, connect_timeout_s + GRACE_S)


def check_source(uri: str, connect_timeout_s: float = 10.0) -> None:
    """`probe_source`, and wait for it.

    Raises
    ------
    EdgeUsError
        The file cannot be opened, or crashes the library that reads it.
    """
    probe = probe_source(uri, connect_timeout_s)
    if probe is not None:
        with probe:
            probe.result()


def probe_model(
    name_or_path: str,
    *,
    is_classifier: bool = False,
    backend: BackendName = BackendName.AUTO,
    precision: Precision = Precision.AUTO,
) -> Probe | None:
    """Begin to read, compile and run a user's own ONNX file in a child.

    None for names and hashes of the manifest, and for what is no file: loading it says so.
    """
    from edge_us.inference.registry import is_shipped

    path = Path(name_or_path)
    if is_shipped(name_or_path) or not sys.executable:
        return None
    kind = "classifier" if is_classifier else "model"
    request = {"kind": kind, "path": str(path), "backend": backend.value, "precision": precision.value}
    return Probe(request, str(path), ModelError, _MODEL_HINT, MODEL_S + GRACE_S)


def check_model(
    name_or_path: str,
    *,
    is_classifier: bool = False,
    backend: BackendName = BackendName.AUTO,
    precision: Precision = Precision.AUTO,
) -> None:
    """`probe_model`, and wait for it.

    Raises
    ------
    EdgeUsError
        The file cannot be used, or crashes the library that reads it.
    """
    probe = probe_model(name_or_path, is_classifier=is_classifier, backend=backend, precision=precision)
    if probe is not None:
        with probe:
            probe.result()


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _tail(file: BinaryIO | Any) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    return bytes(file.read()).decode(errors="replace")
