"""MPEG2, H.264 and H.265 inside DICOM: the stream is unwrapped into a file without a name that GStreamer plays.

The stream holds the whole screen, names and all. A file that never had a name is gone with the process that holds it,
however that ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from edge_us.capture.dicom_frames import index_encapsulated
from edge_us.capture.dicom_header import burned_in
from edge_us.capture.source import Source, SourceInfo
from edge_us.errors import InputError
from edge_us.finding import SourceState
from edge_us.frame import Frame

if TYPE_CHECKING:
    from edge_us.capture.dicom import DicomFile


class EncapsulatedVideo(Source):
    """A DICOM video: pictures from GStreamer, times and geometry from the header.

    Parameters
    ----------
    dicom : DicomFile
    inner : Source
        Plays the unwrapped stream.
    stream : file
        What it plays; closed on `close`.
    """

    def __init__(self, dicom: DicomFile, inner: Source, stream: BinaryIO) -> None:
        fps = inner.info.fps if dicom.fps is None else dicom.fps
        self.info = SourceInfo(
            str(dicom.path), inner.info.kind, fps, dicom.frames, burned_in(dicom.header, dicom.geometry)
        )
        self._dicom = dicom
        self._inner = inner
        self._stream = stream

    @property
    def state(self) -> SourceState:
        """State of the player."""
        return self._inner.state

    @property
    def warnings(self) -> tuple[str, ...]:
        """The player's warnings, about the DICOM file."""
        path, shown = _path_of(self._stream), str(self._dicom.path)
        return tuple(warning.replace(path, shown) for warning in self._inner.warnings)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Pictures lost before they became frames, by cause."""
        return self._inner.dropped

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, with the header's stream time where the header gives one."""
        frame = self._inner.read(timeout_s)
        if frame is None:
            return None
        times_ns = self._dicom.times_ns
        known = self._dicom.fps is not None and frame.index < len(times_ns)
        pts_ns = times_ns[frame.index] if known else frame.pts_ns
        return replace(frame, pts_ns=pts_ns, geometry=self._dicom.geometry)

    def close(self) -> None:
        """Stop the player and let go of the stream."""
        self._inner.close()
        self._stream.close()


def open_encapsulated_video(dicom: DicomFile) -> Source:
    """Unwrap and play the video stream of a DICOM file.

    Raises
    ------
    InputError
        There is no stream, or GStreamer cannot play it.
    """
    from edge_us.capture.open import open_source

    stream = tempfile.TemporaryFile(prefix="edge-us-")  # noqa: SIM115  (held until the player is closed)
    path = _path_of(stream)
    try:
        with dicom.path.open("rb") as file:
            file.seek(dicom.position)
            # However the stream is cut into fragments, it is one stream: one "frame" for the index.
            index = index_encapsulated(file, dicom.size, 1, by_marker=False)
            for number in range(len(index.frames)):
                stream.writelines(index.pieces(file, number))
        if stream.tell() == 0:
            raise InputError(f"{dicom.path} holds no video stream", "Copy the file again from its archive.")
        stream.flush()
        inner = open_source(path)
    except InputError as error:
        stream.close()
        raise InputError(error.message.replace(path, str(dicom.path)), error.hint) from None
    except BaseException:
        stream.close()
        raise
    return EncapsulatedVideo(dicom, inner, stream)


def _path_of(stream: BinaryIO) -> str:
    """Where this process finds its own open file."""
    return f"/proc/self/fd/{stream.fileno()}"
