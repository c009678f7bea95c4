"""`Bundle`: a bundle's folder, read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from edge_us.errors import InputError
from edge_us.frame import UNKNOWN_GEOMETRY, Frame, Geometry
from edge_us.replay.bundle import (
    FINDINGS,
    HEADER,
    LINES,
    EventLine,
    FrameLine,
    GeometryLine,
    Happening,
    Header,
    part_name,
)
from edge_us.replay.lossless import CutOffError
from edge_us.replay.records import FrameRecord, read_findings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HINT = "Give a folder that `edge-us run --bundle` wrote."


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says, but for its pixels.

    Attributes
    ----------
    folder : Path
    header : Header
    lines : tuple of (FrameLine, Geometry)
        Each shown frame, with the geometry that held for it.
    events : tuple of EventLine
        In order.
    """

    folder: Path
    header: Header
    lines: tuple[tuple[FrameLine, Geometry], ...]
    events: tuple[EventLine, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the run ended in order."""
        return bool(self.events) and self.events[-1].event is Happening.END

    @property
    def missing(self) -> int:
        """Frames whose pixels were not kept."""
        return sum(line.part is None for line, _ in self.lines)

    def findings(self) -> Iterator[FrameRecord]:
        """What was shown on each frame."""
        return read_findings(self.folder / FINDINGS)

    def frames(self, source: str | None = None) -> Generator[tuple[FrameLine, Frame | None], None, None]:
        """Every shown frame with its pixels; None where they were not kept.

        Parameters
        ----------
        source : str, optional
            Where the original recording is now, for bundles that name it by hash.

        Raises
        ------
        InputError
            Pixels are missing or are not those that were analysed. Of a run that was killed the last may be missing.
        """
        pixels = self._stored() if self.header.original is None else self._original(source)
        for line, geometry in self.lines:
            if line.part is None:
                yield line, None
                continue
            try:
                there = next(pixels, None)
            except CutOffError:
                if self.is_whole:
                    raise
                return  # killed: the last frames were still on their way through the encoder
            if there is None:
                raise InputError(f"the recording ends before frame {line.frame}", "Copy bundle and recording again.")
            if zlib.crc32(there.data) != line.crc32:
                raise InputError(
                    f"frame {line.frame} is decoded otherwise than when the bundle was made",
                    "Replay it with the same version of GStreamer and its plugins; the bundle's libraries are in "
                    f"{self.folder / HEADER}.",
                )
            there.setflags(write=False)
            yield line, line.frame_with(there, geometry)

    def _stored(self) -> Iterator[NDArray[np.uint8]]:
        from edge_us.replay.lossless import read_lossless

        parts = dict.fromkeys(line.part for line, _ in self.lines if line.part is not None)
        for part in parts:
            formats = (line.format for line, _ in self.lines if line.part == part)
            yield from read_lossless(self.folder / part_name(part), formats)

    def _original(self, given: str | None) -> Iterator[NDArray[np.uint8]]:
        from edge_us.capture.open import open_source
        from edge_us.replay.original import find_original

        assert self.header.original is not None
        config = self.header.config
        where = find_original(self.header.original.source, self.header.original.sha256, given)
        with open_source(where, fps=config.get("play_fps"), loop=bool(config.get("loop"))) as opened:
            for frame in opened:
                yield frame.pixels.copy()


def read_bundle(folder: Path) -> Bundle:
    """Read everything but findings and pixels.

    A last line without its end is passed over: a killed process may leave one.

    Raises
    ------
    InputError
        It is no bundle, or damaged.
    """
    try:
        header = Header.model_validate_json((folder / HEADER).read_bytes())
        text = (folder / LINES).read_bytes()
    except OSError as error:
        raise InputError(f"{folder} is not a bundle: {Path(error.filename).name}: {error.strerror}", HINT) from None
    except ValidationError as error:
        raise InputError(f"{folder / HEADER}: {_first(error)}", HINT) from None
    lines: list[tuple[FrameLine, Geometry]] = []
    events: list[EventLine] = []
    geometry = UNKNOWN_GEOMETRY
    for number, line in enumerate(text.split(b"\n")[:-1], 1):
        try:
            values: Mapping[str, Any] = json.loads(line)
            if "event" not in values:
                lines.append((FrameLine.model_validate(values), geometry))
            elif values["event"] == "geometry":
                geometry = GeometryLine.model_validate(values).geometry()
            else:
                events.append(EventLine.model_validate(values))
        except ValidationError as error:
            raise InputError(f"{folder / LINES}, line {number}: {_first(error)}", HINT) from None
        except (ValueError, TypeError, RecursionError):
            raise InputError(f"{folder / LINES}, line {number} is not JSON", HINT) from None
    return Bundle(folder, header, tuple(lines), tuple(events))


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'file'}: {first['msg']}"
