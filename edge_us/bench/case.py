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

    def about(self) -> dict[str, Any]:
        """The case for a report: what was run, without the places where files lie."""
        named = {"source": shown_name(self.source), "model": Path(self.model).name}
        return {**self.options(), **named, "classifier": Path(self.classifier).name, "save": self.save}

    def options(self) -> dict[str, Any]:
        """The fields that `RunConfig` takes, as plain values."""
        fields = {key: value for key, value in asdict(self).items() if key != "save"}
        return {key: value.value if isinstance(value, Enum) else value for key, value in fields.items()}
