"""`Source`: what every kind of capture looks like to the runtime."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType

from edge_us.finding import SourceState
from edge_us.frame import Frame


class SourceKind(str, Enum):
    """How the frames of a source relate to each other and to the clock."""

    LIVE = "live"
    """Frames arrive when they arrive; the default mode is ``live``."""
    FILE = "file"
    """A recorded sequence; the default mode is ``every``."""
    STILLS = "stills"
    """Independent pictures: no tracking, no hysteresis."""


class BurnedIn(str, Enum):
    """Where in the picture names, dates and the like may stand."""

    NOWHERE = "nowhere"
    """Files, stills and phantoms, whose owner knows them, and DICOM that says so."""
    OUTSIDE_REGIONS = "outside_regions"
    """DICOM that does not say so: anywhere but in the regions that each frame declares."""
    ANYWHERE = "anywhere"
    """The screen of a cart, and DICOM that declares no region."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known about a source once it is open.

    Attributes
    ----------
    uri : str
        As given, without credentials: safe for logs and reports.
    kind : SourceKind
    fps : float or None
        Nominal frame rate; None if the source does not say.
    frames : int or None
        Number of frames, if known ahead.
    burned_in : BurnedIn
    """

    uri: str
    kind: SourceKind
    fps: float | None = None
    frames: int | None = None
    burned_in: BurnedIn = BurnedIn.NOWHERE


class Source(ABC):
    """A source of frames that is pulled by its reader; it starts no Python thread.

    Read it with ``for frame in source`` (until the end), or with `read` where a time limit matters. Use it as
    a context manager: leaving it releases the device.
    """

    info: SourceInfo

    @property
    @abstractmethod
    def state(self) -> SourceState:
        """Where the source stands now."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what was wrong but survivable, such as a truncated file."""
        return ()

    @property
    def dropped(self) -> Mapping[str, int]:
        """Pictures lost before they became frames, by cause."""
        return {}

    @abstractmethod
    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None if none came within ``timeout_s`` or the source has ended.

        Ask `state` to tell the two apart. Raises `InputError` where the source was never connected or cannot
        be played at all; a source lost after that is a state, not an error.
        """

    @abstractmethod
    def close(self) -> None:
        """Release everything; may be called more than once."""

    def __iter__(self) -> Iterator[Frame]:
        while self.state not in (SourceState.ENDED, SourceState.FAILED):
            frame = self.read(timeout_s=1.0)
            if frame is not None:
                yield frame

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
