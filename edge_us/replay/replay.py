"""`replay`: a bundled run again, on the same frames and the same clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.classify.model import Task
from edge_us.config import Mode, RunConfig
from edge_us.errors import InputError, UsageError
from edge_us.finding import FrameResult
from edge_us.inference.backend import BackendName, Precision
from edge_us.replay.bundle import CALIBRATION, FrameLine, Happening, Header, NetworkId
from edge_us.replay.compare import EXACT, NEAR, Tolerance, difference
from edge_us.replay.make import libraries
from edge_us.replay.reader import Bundle
from edge_us.replay.records import FrameRecord

if TYPE_CHECKING:
    from edge_us.frame import Frame
    from edge_us.runtime.analyser import Analyser
    from edge_us.runtime.engine import Engine

COPY_HINT = "Copy the bundle again: something of it was lost."
RESULTS_KEPT = 64
"""Results that frames may still be shown with; an older one would be stale by far."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One frame of a replay.

    Attributes
    ----------
    frame : Frame
    before, now : FrameRecord
        What was shown then, and what would be shown now.
    difference : str or None
        The first thing in which they differ; None where they agree.
    """

    frame: Frame
    before: FrameRecord
    now: FrameRecord
    difference: str | None


class Replay:
    """A bundle on a backend. Iterate it once.

    Parameters
    ----------
    bundle : Bundle
    backend, precision : optional
        Other than those of the bundle.
    source : str, optional
        Where the original recording is now.

    Attributes
    ----------
    tolerance : Tolerance
        `EXACT` on the bundle's backend, precision and kind of machine, else `NEAR`.
    reason : str
        Why.

    Raises
    ------
    EdgeUsError
        Networks or backend cannot be had, or are not those of the bundle.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: BackendName | None = None,
        precision: Precision | None = None,
        source: str | None = None,
    ) -> None:
        from edge_us.runtime.networks import open_engine_for

        self._bundle = bundle
        self._source = source
        self._config = config_of(bundle, backend, precision)
        self._engine = open_engine_for(self._config, waits=bundle.header.mode is Mode.LIVE)
        try:
            _check_networks(self._engine, bundle.header)
        except BaseException:
            self._engine.close()
            raise
        self.tolerance, self.reason = _tolerance(self._engine, bundle.header)

    def close(self) -> None:
        """Release the networks."""
        self._engine.close()

    def __iter__(self) -> Iterator[Step]:
        from edge_us.sinks.findings_file import to_record

        findings = self._bundle.findings()
        with closing(self._engine):
            for frame, shown in self._shown():
                before = next(findings, None)
                if before is None:
                    if self._bundle.is_whole:
                        raise InputError(f"the bundle {self._bundle.folder} lacks findings", COPY_HINT)
                    return  # killed, or no room left
                if frame is None or shown is None:
                    continue
                now = FrameRecord.model_validate(to_record(frame, shown))
                yield Step(frame, before, now, difference(before, now, self.tolerance))
            if self._bundle.is_whole and next(findings, None) is not None:
                raise InputError(f"the bundle {self._bundle.folder} lacks frames", COPY_HINT)

    def _shown(self) -> Iterator[tuple[Frame | None, FrameResult | None]]:
        """Every frame with what is shown on it, by the stamps of then."""
        from edge_us.runtime.present import present

        live = self._bundle.header.mode is Mode.LIVE
        results: dict[int, FrameResult] = {}
        for line, frame, result in self._analysed():
            if result is not None and result.frame_index is not None:
                results[result.frame_index] = result
                results.pop(result.frame_index - RESULTS_KEPT, None)
            if frame is None:
                yield None, None
                continue
            newest = None if line.result_frame is None else results.get(line.result_frame)
            limit = self._config.max_age_ms if live else float("inf")
            yield frame, present(frame, newest, line.source_state, line.shown_ns or 0, limit, line.failure)

    def _analysed(self) -> Iterator[tuple[FrameLine, Frame | None, FrameResult | None]]:
        """Every frame, and its result where it got an inference of its own.

        Where no inference needs a frame's pixels, it may lack them.
        """
        events = self._bundle.events
        live = self._bundle.header.mode is Mode.LIVE
        inferred = {event.frame for event in events if event.event is Happening.INFERRED}
        anew = _frames_after_restarts(events)
        analyser = self._analyser()
        begun: deque[tuple[FrameLine, Frame, Any]] = deque()
        for line, frame in self._bundle.frames(self._source):
            if frame is None and live and line.frame not in inferred:
                yield line, None, None
                continue
            if frame is None:
                raise InputError(
                    f"the pixels of frame {line.frame} are missing, and of {self._bundle.missing - 1} others",
                    "The encoder was late: make the bundle on a machine with a core to spare.",
                )
            if live:
                analyser = self._analyser() if line.frame in anew else analyser
                yield line, frame, analyser.analyse(frame) if line.frame in inferred else None
                continue
            begun.append((line, frame, analyser.begin(frame)))
            if len(begun) == analyser.lanes:
                yield _finish(analyser, *begun.popleft())
        while begun:
            yield _finish(analyser, *begun.popleft())

    def _analyser(self) -> Analyser:
        from edge_us.runtime.build import build_analyser

        share = self._engine.share()
        return build_analyser(self._config, share, self._bundle.header.kind, share.model.threshold)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a replay came to.

    ``first`` is the first step that differs, None where all agree.
    """

    frames: int
    differing: int
    first: Step | None


def judge(replay: Replay, progress: Callable[[int], None] | None = None) -> Verdict:
    """Run a replay to its end.

    Raises
    ------
    EdgeUsError
        It cannot be replayed, or there is nothing in it to compare.
    """
    frames = differing = 0
    first: Step | None = None
    for step in replay:
        frames += 1
        if step.difference is not None:
            differing += 1
            first = first or step
        if progress is not None:
            progress(frames)
    if not frames:
        raise InputError("the bundle holds no frame to compare", COPY_HINT)
    return Verdict(frames, differing, first)


def config_of(bundle: Bundle, backend: BackendName | None, precision: Precision | None) -> RunConfig:
    """The configuration of the run, on the backend that computed then unless another is asked for."""
    header = bundle.header
    then: dict[str, Any] = {"backend": header.backend.name, "precision": header.backend.precision}
    if backend is not None and backend.value != header.backend.name:
        then = {"backend": backend, "precision": precision or Precision.AUTO}
    elif precision is not None:
        then["precision"] = precision
    calibration = bundle.folder / CALIBRATION
    if calibration.is_file():
        then["calibration"] = calibration
    try:
        return RunConfig.model_validate({**header.config, "source": header.source, **then})
    except ValueError as error:
        raise UsageError(f"the configuration of the bundle is not understood: {error}", "Replay it with edge_us "
                         f"{header.version}.") from None  # fmt: skip


def _tolerance(engine: Engine, header: Header) -> tuple[Tolerance, str]:
    info = engine.info
    now, then = (info.name, info.precision), (header.backend.name, header.backend.precision)
    if now != then:
        return NEAR, f"bundled on {then[0]} {then[1]}, replayed on {now[0]} {now[1]}"
    for name, version in libraries(info.name).items():
        if header.libraries.get(name) != version:
            return NEAR, f"{name} was {header.libraries.get(name)}, and is {version}"
    return EXACT, "same backend, precision and machine"


def _check_networks(engine: Engine, header: Header) -> None:
    classifier = engine.classifier
    both = {
        "model": (_told(header.model), _told(NetworkId(name=engine.model.name, sha256=engine.model.sha256))),
        "classifier": (
            _told(header.classifier),
            _told(None if classifier is None else NetworkId(name=classifier.name, sha256=classifier.sha256)),
        ),
    }
    for task in sorted({*header.plugins, *(each.value for each in engine.plugins)}):
        own = engine.plugins.get(Task(task))
        now = None if own is None else NetworkId(name=own.name, sha256=own.sha256)
        both[f"classifier for {task}"] = (_told(header.plugins.get(task)), _told(now))
    for role, (before, after) in both.items():
        if before != after:
            raise InputError(
                f"the {role} of the bundle is {before}, not {after}",
                "Put the network of then in its place: `edge-us models list`.",
            )


def _told(network: NetworkId | None) -> str:
    return "none" if network is None else f"{network.name} (sha256 {network.sha256[:12]}…)"


def _frames_after_restarts(events: tuple[Any, ...]) -> frozenset[int]:
    """First inferred frame after each restart."""
    found, pending = set(), False
    for event in events:
        if event.event is Happening.RESTARTED:
            pending = True
        elif event.event is Happening.INFERRED and pending:
            found.add(event.frame)
            pending = False
    return frozenset(found)


def _finish(analyser: Analyser, line: FrameLine, frame: Frame, begun: Any) -> tuple[FrameLine, Frame, FrameResult]:
    return line, frame, analyser.finish(begun)


def open_replay(
    folder: Path,
    backend: BackendName | None = None,
    precision: Precision | None = None,
    source: str | None = None,
) -> Replay:
    """Read a bundle and make it ready to run again; errors as of `read_bundle` and `Replay`."""
    from edge_us.replay.reader import read_bundle

    return Replay(read_bundle(folder), backend, precision, source)
