"""The child: runs many inputs through one target, ``python -m fuzz.worker '{"target": …}'``.

What it finds goes to standard output, a JSON object a line; what it is at stands in a mapped file (`fuzz.state`).
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import random
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from fuzz.mutate import MAX_BYTES, mutant, mutate
from fuzz.state import State
from fuzz.target import Target


class Worker:
    """Runs inputs and tells what came of them.

    Parameters
    ----------
    target : Target
    folder : Path
        Scratch folder of this worker.
    state : State
    """

    def __init__(self, target: Target, folder: Path, state: State) -> None:
        from edge_us.errors import EdgeUsError

        self._target, self._folder, self._state = target, folder, state
        self._refusal = EdgeUsError
        # Standard output belongs to the driver; libraries may print what they want to standard error.
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def warm_up(self, seeds: list[bytes]) -> None:
        """Load everything that is loaded once, so that it does not count as an input's memory."""
        for data in seeds:
            try:
                self._target.check(data, self._folder)
            except self._refusal:
                continue
        self._state.baseline_bytes = _memory()[0]
        self._state.store()

    def attempt(self, data: bytes) -> None:
        """Run one input."""
        state = self._state
        state.data = data
        state.started_s = time.monotonic()
        _forget_peak()
        before, _ = _memory()
        state.store()
        try:
            self._target.check(data, self._folder)
            state.accepted += 1
        except self._refusal:
            state.refused += 1
        except Exception as error:
            self._tell(
                data, "traceback", _signature(error), "".join(line[:600] for line in traceback.format_exception(error))
            )
        grown = _memory()[1] - before
        if grown > self._target.limit_bytes:
            self._tell(data, "memory", "memory", f"resident memory grew by {grown >> 20} MiB")
        state.peak_bytes = max(state.peak_bytes, grown)
        state.done += 1
        state.started_s = 0.0
        state.store()

    def _tell(self, data: bytes, kind: str, signature: str, detail: str) -> None:
        name = hashlib.sha256(data).hexdigest()[:12]
        path = self._folder / f"found-{name}"
        path.write_bytes(data)
        self._out.write(
            json.dumps({"kind": kind, "signature": signature, "detail": detail[-4000:], "input": str(path)}) + "\n"
        )


def _memory() -> tuple[int, int]:
    """Resident memory and its peak, in bytes."""
    rss = peak = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            rss = int(line.split()[1]) * 1024
        elif line.startswith("VmHWM"):
            peak = int(line.split()[1]) * 1024
    return rss, peak


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _signature(error: BaseException) -> str:
    """What and where: two inputs with the same one found the same defect."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "edge_us" in frame.filename] or list(frames)
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {place}"


def main() -> None:
    """Run the inputs that the request asks for."""
    request: dict[str, Any] = json.loads(sys.argv[1])
    faulthandler.enable()
    folder = Path(request["folder"])
    os.chdir(folder)
    state = State(folder / "state")
    name = f"fuzz.targets.{request['target']}"
    if request["engine"] == "atheris":
        import atheris

        with atheris.instrument_imports(include=["edge_us"]):
            target: Target = import_module(name).TARGET
    else:
        target = import_module(name).TARGET
    worker = Worker(target, folder, state)
    seeds = target.seeds(folder)
    worker.warm_up(seeds)
    if request["engine"] == "atheris":
        _fuzz_by_coverage(worker, target, seeds, request)
        return
    for number in range(request["first"], request["first"] + request["count"]):
        worker.attempt(mutant(seeds, target.tokens, request["seed"], number))


def _fuzz_by_coverage(worker: Worker, target: Target, seeds: list[bytes], request: dict[str, Any]) -> None:
    """Let libFuzzer choose what to mutate, by the branches of edge_us that an input reached."""
    import atheris

    corpus = Path(request["corpus"])
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        return mutate(rng, data, target.tokens)[:max_size]

    arguments = [
        sys.argv[0],
        f"-runs={request['count']}",
        f"-seed={request['seed'] + request['first'] + 1}",
        f"-max_len={MAX_BYTES}",
        "-rss_limit_mb=0",
        "-timeout=3600",
        "-handle_segv=0",
        "-handle_abrt=0",
        "-handle_fpe=0",
        "-handle_bus=0",
        "-handle_ill=0",
        "-verbosity=0",
        str(corpus),
    ]
    atheris.Setup(arguments, worker.attempt, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
