"""`BundleWriter`: the sink that keeps a run so that it can be run again."""

from __future__ import annotations

import shutil
import time
import zlib
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from edge_us.errors import PipelineError, UsageError
from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.frame import Frame, Geometry
from edge_us.overlay.picture import Picture
from edge_us.replay.bundle import (
    CALIBRATION,
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
from edge_us.sinks.feed import BackPressure
from edge_us.sinks.findings_file import FindingsFile
from edge_us.sinks.lines import LineFile
from edge_us.sinks.sink import Sees

if TYPE_CHECKING:
    from edge_us.replay.lossless import LosslessWriter


class BundleWriter:
    """Write every shown frame, its stamps and its findings into a folder.

    `note` may be called from any thread; everything else belongs to the presenting one.

    Parameters
    ----------
    folder : Path
        Made anew, or empty.
    header : Header
    calibration : Path or None
        Copied.
    policy : BackPressure

    Raises
    ------
    UsageError
        The folder holds something already.
    PipelineError
        It cannot be written.
    """

    name = "bundle"
    sees = Sees.RESULT

    def __init__(self, folder: Path, header: Header, calibration: Path | None, policy: BackPressure) -> None:
        self._folder = folder
        self._header = header
        self._policy = policy
        check_folder(folder)
        try:
            folder.mkdir(exist_ok=True)
            (folder / HEADER).write_text(header.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
            if calibration is not None:
                shutil.copyfile(calibration, folder / CALIBRATION)
            self._lines = LineFile(folder / LINES)
        except OSError as error:
            raise self._failed(error) from None
        self._findings = FindingsFile(folder / FINDINGS)
        self._noted: deque[EventLine] = deque()
        self._geometry: Geometry | None = None
        self._video: LosslessWriter | None = None
        self._part = 0
        self._layout: tuple[object, ...] = ()
        self._lost = 0
        self._is_whole = True

    @property
    def dropped(self) -> int:
        """Frames whose pixels are missing, because the encoder had no room for them."""
        return self._lost

    def note(self, event: Happening, *, frame: int | None = None, state: SourceState | None = None) -> None:
        """Keep something that happens now; written before the next frame."""
        self._noted.append(EventLine(event=event, frame=frame, state=state, at_ns=time.monotonic_ns()))

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        """Keep one shown frame."""
        self._is_whole = False  # until this frame is
        self._write_noted()
        if frame.geometry is not self._geometry and frame.geometry != self._geometry:
            self._geometry = frame.geometry
            self._line(GeometryLine.of(frame.geometry))
        self._line(
            FrameLine(
                frame=frame.index,
                part=self._store(frame),
                crc32=zlib.crc32(frame.pixels.data),
                format=frame.format,
                size=frame.size,
                range=frame.colorimetry.range,
                matrix=frame.colorimetry.matrix,
                name=frame.name,
                pts_ns=frame.pts_ns,
                captured_ns=frame.captured_ns,
                shown_ns=result.shown_ns,
                source_state=result.source_state,
                result_frame=result.frame_index,
                failure=result.reason if result.ai_state is AiState.OFF else "",
            )
        )
        self._findings.write(frame, result, None)
        self._is_whole = True

    def close(self) -> None:
        """Finish all files; may be called more than once. What a failed write ended has no end in order."""
        if self._lines.closed:
            return
        try:
            if self._video is not None:
                self._video.close()
            if self._is_whole:
                self.note(Happening.END)
                self._write_noted()
        finally:
            self._lines.close()
            self._findings.close()

    def _store(self, frame: Frame) -> int | None:
        """Keep the pixels; returns the part that holds them, None where there was no room."""
        if self._header.original is not None:
            return 1
        layout = (frame.format, frame.size)
        if self._video is None or layout != self._layout:
            from edge_us.replay.lossless import LosslessWriter

            if self._video is not None:
                self._video.close()
            self._part, self._layout = self._part + 1, layout
            path = self._folder / part_name(self._part)
            self._video = LosslessWriter(path, self._policy, self._header.fps or 25.0)
        if self._video.write(frame, frame.pts_ns):
            return self._part
        self._lost += 1
        return None

    def _write_noted(self) -> None:
        while self._noted:
            self._line(self._noted.popleft())

    def _line(self, line: BaseModel) -> None:
        try:
            self._lines.write(line.model_dump_json(exclude_none=isinstance(line, EventLine)).encode())
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> PipelineError:
        return PipelineError(
            f"cannot write the bundle {self._folder}: {error.strerror}", "Choose a writable place with free space."
        )


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something already: a bundle is one run, whole, and never written over."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--bundle {folder} exists already", "Give a new folder.")
