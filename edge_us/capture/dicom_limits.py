"""How much a DICOM header may make us read and build: a small file can ask for gigabytes."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from edge_us.errors import InputError

HINT = "Give a DICOM ultrasound image or cine with pixel data."
MAX_FRAMES = 1_000_000
MAX_READS = 400_000
"""Each element costs the parser two or three reads and about a kilobyte; headers of scanners have hundreds."""
MAX_HEADER_BYTES = 64 << 20
MAX_VALUE_BYTES = {
    "FrameTimeVector": 4 << 20,
    "ExtendedOffsetTable": 8 * MAX_FRAMES,
    "ExtendedOffsetTableLengths": 8 * MAX_FRAMES,
    "SequenceOfUltrasoundRegions": 1 << 18,
}
"""Longest value of a tag in bytes; a value of text becomes a hundred times its size once it is asked for."""
MAX_OTHER_BYTES = 1 << 18


class HeaderFile(io.RawIOBase):
    """A file that gives no more than a header may have.

    Raises
    ------
    InputError
        More was asked for; or everything at once, which pydicom does to inflate a deflated file, however large that
        becomes.
    """

    def __init__(self, file: BinaryIO, path: object) -> None:
        self._file, self._path = file, path
        self._reads = self._bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes."""
        if size is None or size < 0:
            raise InputError(
                f"{self._path}: deflated DICOM is not supported",
                "Convert it to Explicit VR Little Endian, for example with `dcmconv +te`.",
            )
        self._reads += 1
        data = self._file.read(min(size, MAX_HEADER_BYTES + 1))
        self._bytes += len(data)
        if self._reads > MAX_READS or self._bytes > MAX_HEADER_BYTES:
            raise InputError(f"{self._path} has a DICOM header without end", HINT)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move, as in any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._file.tell()

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True


def check_lengths(header: Any) -> None:
    """Refuse values that are longer than they can be, before they are converted.

    Parameters
    ----------
    header : pydicom.Dataset
        As read: values are still bytes.

    Raises
    ------
    InputError
    """
    from pydicom.datadict import keyword_for_tag
    from pydicom.dataelem import RawDataElement

    for tag in list(header.keys()):
        element = header.get_item(tag)
        if not isinstance(element, RawDataElement) or element.value is None:
            continue
        name = keyword_for_tag(tag)
        if len(element.value) > MAX_VALUE_BYTES.get(name, MAX_OTHER_BYTES):
            raise InputError(f"the DICOM header has an impossible {name} of {len(element.value)} bytes", HINT)
