"""`Status`: where a run stands at the moment, for whoever asks from outside."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.log import EventLog
from edge_us.runtime.ledger import Ledger
from edge_us.scale.watch import ScaleState


@dataclass(slots=True)
class Status:
    """Written by the thread that presents frames, read by any other: each value is replaced whole.

    Attributes
    ----------
    source : str
        Without credentials.
    ledger : Ledger
    source_state, ai_state : enum
    reason : str
        Why the AI's state is not ON.
    age_ms : float or None
        Of the result that is shown; None where none is.
    model, backend, precision : str
    """

    source: str
    ledger: Ledger
    source_state: SourceState = SourceState.CONNECTING
    ai_state: AiState = AiState.OFF
    reason: str = "not started"
    age_ms: float | None = None
    model: str = ""
    backend: str = ""
    precision: str = ""
    _log: EventLog = field(init=False)

    def __post_init__(self) -> None:
        self._log = EventLog(self.source)

    def runs_on(self, model: str, backend: str, precision: str) -> None:
        """Networks are open."""
        self.model, self.backend, self.precision = model, backend, precision
        self._log.info("networks open", model=model, backend=backend, precision=precision)

    def source_is(self, state: SourceState) -> None:
        """The source's state now; a change is told."""
        if state is not self.source_state:
            tell = self._log.info if state in (SourceState.RUNNING, SourceState.ENDED) else self._log.warning
            tell("source", state=state.value, before=self.source_state.value)
            self.source_state = state

    def warns(self, text: str, about: str = "source") -> None:
        """Something about the source, or whatever is named, is not as it should be, and the run goes on."""
        self._log.warning(f"{about} warning", reason=text)

    def scale_is(self, state: ScaleState) -> None:
        """The scale of the preset has come or gone."""
        tell = self._log.info if state is ScaleState.HOLDS else self._log.warning
        tell("scale", state=state.name.lower(), reason=state.value)

    def shows(self, result: FrameResult) -> None:
        """What is shown now; a change of the AI's state is told."""
        self.age_ms = result.age_ms
        if result.ai_state is not self.ai_state or result.reason != self.reason:
            failed = result.ai_state is AiState.OFF and result.frame_index is None
            tell = self._log.warning if failed and "waiting" not in result.reason else self._log.info
            tell("ai", state=result.ai_state.value, reason=result.reason)
            self.ai_state, self.reason = result.ai_state, result.reason
