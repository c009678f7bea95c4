"""`Several`: runs over several sources that share one engine, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from edge_us.capture.open import kind_of
from edge_us.capture.source import SourceKind
from edge_us.config import Mode, RunConfig
from edge_us.runtime.engine import Engine
from edge_us.runtime.machine import cpu_ns
from edge_us.runtime.metrics import serving
from edge_us.runtime.networks import open_engine_for
from edge_us.runtime.run import Run

OUTPUTS = ("record", "findings", "report", "bundle")
POLL_S = 0.1
STUCK_S = 2.0
"""A run from whose presenting thread nothing was heard for so long is stuck."""


@dataclass(frozen=True, slots=True)
class Together:
    """What several runs did in the time that all of them took.

    Attributes
    ----------
    shown : int
        Frames of all sources.
    seconds : float
        From the start of the first run to the end of the last.
    cpu_ms_per_frame : float or None
        Of the whole process; which source used it is not known.
    """

    shown: int
    seconds: float
    cpu_ms_per_frame: float | None


def configs_of(config: RunConfig, sources: Sequence[str]) -> list[RunConfig]:
    """One configuration a source; of several, outputs ``NAME.ext`` become ``NAME-1.ext``, ``NAME-2.ext``, …"""
    if len(sources) == 1:
        return [config.model_copy(update={"source": sources[0]})]
    configs = []
    for number, source in enumerate(sources, 1):
        given: dict[str, Path] = {name: path for name in OUTPUTS if (path := getattr(config, name)) is not None}
        named = {name: path.with_stem(f"{path.stem}-{number}") for name, path in given.items()}
        configs.append(config.model_copy(update={"source": source, **named}))
    return configs


class Several:
    """Runs that share one engine. A source that fails ends alone; the others go on.

    Parameters
    ----------
    configs : sequence of RunConfig
        From `configs_of`; they differ in source and outputs alone.

    Attributes
    ----------
    runs : list of Run
    errors : dict of int to Exception
        Why a run ended early, by its number.

    Raises
    ------
    EdgeUsError
        A source cannot be one, or the networks cannot be opened.
    """

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        kinds = [kind_of(config.source) for config in configs]
        # One live picture among them: nobody may then take all cores for the sake of throughput.
        waits = any(kind is SourceKind.LIVE or configs[0].mode is Mode.LIVE for kind in kinds)
        self._engine: Engine = open_engine_for(configs[0], sources=len(configs), waits=waits)
        self._config = configs[0]
        self._beaten_s: dict[int, float] = {}
        self.runs = [
            Run(config, self._engine, number, beat=partial(self._beat, number)) for number, config in enumerate(configs)
        ]
        self.errors: dict[int, Exception] = {}
        self._shown = [0] * len(configs)
        self._seconds = 0.0
        self._cpu_ns = 0

    def __enter__(self) -> Several:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.close()

    def stop(self) -> None:
        """End every run after the frame in hand."""
        for each in self.runs:
            each.stop()

    def __iter__(self) -> Iterator[int]:
        """Run; gives the number of frames shown so far about ten times a second, until all runs are over."""
        threads = [
            threading.Thread(target=self._work, args=(number,), name=f"edge-us-source-{number + 1}")
            for number in range(len(self.runs))
        ]
        started, before_ns = time.monotonic(), cpu_ns()
        try:
            with serving(self._config, [run.status for run in self.runs]):
                for thread in threads:
                    thread.start()
                while any(thread.is_alive() for thread in threads):
                    threads[-1].join(POLL_S) if threads[-1].is_alive() else time.sleep(POLL_S / 10)
                    yield sum(self._shown)
        finally:
            self.stop()
            for thread in threads:
                thread.join()
            self._seconds, self._cpu_ns = time.monotonic() - started, cpu_ns() - before_ns

    @property
    def is_alive(self) -> bool:
        """Whether no run that has begun and is not over is stuck."""
        now = time.monotonic()
        return all(now - at < STUCK_S for at in list(self._beaten_s.values()))

    @property
    def together(self) -> Together:
        """Totals; of use once the iteration is over."""
        shown = sum(self._shown)
        return Together(shown, self._seconds, self._cpu_ns / 1e6 / shown if shown else None)

    def reports(self) -> list[dict[str, Any] | None]:
        """The report of each run, None where it never got so far."""
        return [each.report for each in self.runs]

    def _beat(self, number: int) -> None:
        self._beaten_s[number] = time.monotonic()

    def _work(self, number: int) -> None:
        try:
            for _ in self.runs[number]:
                self._shown[number] += 1
        except Exception as error:  # told by the thread that asked for the runs
            self.errors[number] = error
        finally:
            self._beaten_s.pop(number, None)
