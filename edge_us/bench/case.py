"""What is measured: one way to run the pipeline."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from edge_us.capture.uri import without_credentials
from edge_us.config import Mode
from edge_us.inference.backend import BackendName, Precision


def shown_name(source: str) -> str:
    """A source without credentials; of a file its name alone, since folders tell of patients and machines."""
    path = Path(source)
    return path.name if path.exists() else without_credentials(source)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to run the pipeline.

    Attributes
    ----------
    source : str
    mode : Mode
    model, classifier : str
    backend : BackendName
    precision : Precision
    threads : int or None
    play_fps : float or None
        Rate that a recording is played at; None for its own. Of no consequence in mode ``every``.
    loop : bool
        Play the source again until the time is up; False ends at its end.
    save : bool
        Record the picture and write the findings.
    region : str
    preset : Path or None
    record_full_screen : bool
        What may leave, as for `edge-us run`: a live source is not recorded before somebody says so.
    """

    source: str
    mode: Mode
    model: str = "default"
    classifier: str = "auto"
    backend: BackendName = BackendName.AUTO
    precision: Precision = Precision.AUTO
    threads: int | None = None
    play_fps: float | None = None
    loop: bool = True
    save: bool = True
    region: str = "auto"
    preset: Path | None = None
    record_full_screen: bool = False

    @property
    def names_what_may_leave(self) -> bool:
        """Whether anything says which part of a screen may be recorded."""
        return self.region not in ("auto", "full") or self.preset is not None or self.record_full_screen

    def about(self) -> dict[str, Any]:
        """The case for a report: what was run, without the places where files lie."""
        named = {"source": shown_name(self.source), "model": Path(self.model).name}
        preset = None if self.preset is None else self.preset.name
        return {
            **self.options(),
            **named,
            "classifier": Path(self.classifier).name,
            "preset": preset,
            "save": self.save,
        }

    def options(self) -> dict[str, Any]:
        """The fields that `RunConfig` takes, as plain values."""
        fields = {key: value for key, value in asdict(self).items() if key != "save"}
        plain = {key: value.value if isinstance(value, Enum) else value for key, value in fields.items()}
        return {**plain, "preset": None if self.preset is None else str(self.preset)}
