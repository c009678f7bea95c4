"""One target, run in one child after the other until the inputs or the time are used up."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from fuzz.state import State

REPOSITORY = Path(__file__).resolve().parent.parent
CHILD_INPUTS = 5000
"""Inputs of one child: libraries that leak must not add up."""
POLL_S = 0.05
START_S = 60.0
HARD_LIMIT = 3 << 30
"""A child that grew by so much is ended at once, before the machine suffers."""


@dataclass(slots=True)
class Failure:
    """One defect: everything with the same kind and signature.

    Attributes
    ----------
    kind : str
        ``traceback``, ``memory``, ``hang`` or ``crash`` (a signal inside native code).
    signature : str
        Where; for a crash signal and element.
    saved : str
        Name of the first input that showed it.
    detail : str
    count : int
    """

    kind: str
    signature: str
    saved: str
    detail: str
    count: int = 1


@dataclass(slots=True)
class Result:
    """What came of a campaign; times in seconds, memory in bytes."""

    target: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    children: int = 0
    seconds: float = 0.0
    peak_bytes: float = 0.0
    failures: dict[str, Failure] = field(default_factory=dict)

    @property
    def kinds(self) -> dict[str, int]:
        """Number of failing inputs by kind."""
        counts: Counter[str] = Counter()
        for failure in self.failures.values():
            counts[failure.kind] += failure.count
        return dict(counts)

    @property
    def ours(self) -> int:
        """Failing inputs other than crashes inside native libraries, which are recorded and contained."""
        return sum(count for kind, count in self.kinds.items() if kind != "crash")

    def about(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "target": self.target,
            "inputs": self.inputs,
            "accepted": self.accepted,
            "refused": self.refused,
            "children": self.children,
            "seconds": round(self.seconds, 1),
            "peak_mib": round(self.peak_bytes / 2**20, 1),
            "failures": [
                {
                    "kind": each.kind,
                    "signature": each.signature,
                    "count": each.count,
                    "input": each.saved,
                    "detail": each.detail,
                }
                for each in self.failures.values()
            ],
        }


class Campaign:
    """Runs children and attributes what happens to them.

    Parameters
    ----------
    target : str
    engine : str
        ``seeded`` or ``atheris``.
    seed : int
    out : Path
        Where failing inputs and the corpus are kept.
    """

    def __init__(self, target: str, engine: str, seed: int, out: Path) -> None:
        self._target, self._engine, self._seed, self._out = target, engine, seed, out
        self._limit_s: float = import_module(f"fuzz.targets.{target}").TARGET.limit_s
        self.result = Result(target)

    def run(self, inputs: int, seconds: float) -> Result:
        """Run until ``inputs`` were tried or ``seconds`` have passed."""
        started = time.monotonic()
        self._out.mkdir(parents=True, exist_ok=True)
        while self.result.inputs < inputs and time.monotonic() - started < seconds:
            with tempfile.TemporaryDirectory(prefix="edge-us-fuzz-", dir=_quick_folder()) as folder:
                count = min(CHILD_INPUTS, inputs - self.result.inputs)
                self._child(Path(folder), count, started + seconds)
            self.result.seconds = time.monotonic() - started
            if self.result.children > 3 and not self.result.inputs:
                raise SystemExit(f"error: no child of target {self._target} gets as far as its first input")
        return self.result

    def _child(self, folder: Path, count: int, until: float) -> None:
        request = {
            "target": self._target, "engine": self._engine, "seed": self._seed, "first": self.result.inputs,
            "count": count, "folder": str(folder), "corpus": str(self._out / "corpus" / self._target),
        }  # fmt: skip
        state = State(folder / "state", create=True)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
            "GST_DEBUG": "GST_ELEMENT_FACTORY:4" if self._target in ("video", "rtsp") else "0",
            "GST_DEBUG_FILE": str(folder / "gst.log"),
            "GST_DEBUG_NO_COLOR": "1",
        }
        with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "fuzz.worker", json.dumps(request)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, cwd=REPOSITORY,
            )  # fmt: skip
            try:
                verdict = self._watch(process, state, until, folder)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        self._settle(state, process.returncode, verdict, folder)

    def _watch(self, process: subprocess.Popen[bytes], state: State, until: float, folder: Path) -> str:
        """Wait for the child; why it was ended, or nothing."""
        begun = time.monotonic()
        seen_s = waited_s = 0.0
        while process.poll() is None:
            time.sleep(POLL_S)
            state.load()
            now = time.monotonic()
            if state.started_s != seen_s:
                seen_s, waited_s = state.started_s, _waited_s(process.pid)
            verdict = ""
            # On a busy machine an input is not to blame for the time in which its process had no processor.
            limit_s = self._limit_s + _waited_s(process.pid) - waited_s
            if state.started_s and now - state.started_s > limit_s:
                verdict = "hang"
            elif state.baseline_bytes and _resident(process.pid) - state.baseline_bytes > HARD_LIMIT:
                verdict = "memory"
            elif not state.baseline_bytes and now - begun > START_S:
                raise SystemExit(f"error: target {self._target} does not start: {(folder / 'stderr').read_text()}")
            elif (now > until and not state.started_s) or now > until + self._limit_s:
                verdict = "time"
            if verdict:
                # faulthandler writes where every Python thread is before the process ends.
                process.send_signal(signal.SIGABRT if verdict in ("hang", "memory") else signal.SIGKILL)
                try:
                    process.wait(3)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                return verdict
        return ""

    def _settle(self, state: State, code: int | None, verdict: str, folder: Path) -> None:
        result = self.result
        state.load()
        result.children += 1
        result.inputs += state.done
        result.accepted += state.accepted
        result.refused += state.refused
        result.peak_bytes = max(result.peak_bytes, state.peak_bytes)
        for line in (folder / "stdout").read_text(errors="replace").splitlines():
            found = json.loads(line)
            self._count(found["kind"], found["signature"], found["detail"], Path(found["input"]).read_bytes())
        said = (folder / "stderr").read_text(errors="replace")
        if verdict in ("hang", "memory"):
            where = _stack(said) if verdict == "hang" else "memory"
            self._count(verdict, where, said[-4000:], state.data)
            result.inputs += 1
        elif code and not verdict:
            if not state.baseline_bytes:
                raise SystemExit(f"error: target {self._target} does not start (exit code {code}): {said[-3000:]}")
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._count("crash", f"{name} in {_element(folder / 'gst.log', self._target)}", said[-4000:], state.data)
            result.inputs += 1
        state.close()

    def _count(self, kind: str, signature: str, detail: str, data: bytes) -> None:
        known = self.result.failures.get(f"{kind} {signature}")
        if known is not None:
            known.count += 1
            return
        name = f"{self._target}-{kind}-{len(self.result.failures)}"
        (self._out / f"{name}.bin").write_bytes(data)
        (self._out / f"{name}.txt").write_text(f"{signature}\n\n{detail}\n", encoding="utf-8")
        self.result.failures[f"{kind} {signature}"] = Failure(kind, signature, f"{name}.bin", detail)


def _quick_folder() -> str | None:
    """A folder in memory, where there is one: inputs are files."""
    shared = Path("/dev/shm")
    return str(shared) if os.access(shared, os.W_OK) else None


def _waited_s(pid: int) -> float:
    """How long a process was ready to run and had no processor."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _stack(said: str) -> str:
    """The innermost place in our code that faulthandler saw."""
    places = re.findall(r'File ".*?/(edge_us/[\w/]+\.py)", line (\d+) in (\w+)', said)
    return f"{places[0][0]}:{places[0][1]} ({places[0][2]})" if places else "native code"


def _element(log: Path, target: str) -> str:
    """The GStreamer elements that were at work, or the libraries of the target, with versions."""
    from edge_us.probe.libraries import elements, named

    packages = {"onnx": ("openvino", "onnxruntime"), "dicom": ("pydicom", "pylibjpeg-openjpeg", "numpy")}
    at_work = elements(log.read_text(errors="replace")) if log.exists() else ""
    return at_work or named(*packages.get(target, ())) or "native code"
