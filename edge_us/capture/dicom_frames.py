"""Where each frame's bytes lie in a DICOM file, so that frames are read and decoded one at a time.

Own code instead of pydicom's, because that one refuses a whole cine when its end is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

ITEM = b"\xfe\xff\x00\xe0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0"
END_OF_IMAGE = b"\xff\xd9"
"""Ends every JPEG, JPEG-LS and JPEG 2000 codestream; at most one byte of padding follows."""
MAX_FRAME_BYTES = 1 << 27
"""Largest encoded frame: more than any picture has uncompressed."""
MAX_ITEMS = 1_200_000
"""Fragments of a file, frames among them: a file of nothing but empty items must not become a list of them."""
COPY_BYTES = 1 << 20

Piece = tuple[int, int]
"""Offset in the file and length, both in bytes."""


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The pieces of every frame that the file really holds.

    Attributes
    ----------
    frames : tuple of tuple of (int, int)
        For each frame its pieces as offset and length in the file.
    is_cut : bool
        The file ends before its pixel data do.
    """

    frames: tuple[tuple[Piece, ...], ...]
    is_cut: bool

    def read(self, file: BinaryIO, number: int) -> bytes:
        """The encoded bytes of one frame; ValueError where no frame can have so many."""
        size = sum(length for _, length in self.frames[number])
        if size > MAX_FRAME_BYTES:
            raise ValueError(f"frame {number} has {size} bytes")
        return b"".join(self.pieces(file, number))

    def pieces(self, file: BinaryIO, number: int) -> Iterator[bytes]:
        """The same, some at a time: the whole stream of a video counts as one frame."""
        for offset, length in self.frames[number]:
            file.seek(offset)
            while length > 0 and (piece := file.read(min(length, COPY_BYTES))):
                yield piece
                length -= len(piece)


def index_native(start: int, end: int, frame_bytes: int, frames: int) -> FrameIndex:
    """Index of uncompressed frames that lie one behind the other from ``start`` to the file's ``end``."""
    whole = min(frames, max(0, end - start) // frame_bytes)
    return FrameIndex(tuple(((start + n * frame_bytes, frame_bytes),) for n in range(whole)), whole < frames)


def index_encapsulated(file: BinaryIO, end: int, frames: int, *, by_marker: bool) -> FrameIndex:
    """Index of compressed frames in fragments (PS3.5 A.4).

    The basic offset table says which fragments make a frame. Without one, each fragment is a frame; if there are more
    fragments than frames, codestreams are told apart by their end marker.

    Parameters
    ----------
    file : binary file
        Positioned at the pixel data's value: at the basic offset table's item.
    end : int
        Size of the file in bytes.
    frames : int
        Number of frames that the header claims.
    by_marker : bool
        The transfer syntax is of the JPEG family.
    """
    items, is_cut = _items(file, end)
    if not items:
        return FrameIndex((), is_cut)
    table, fragments = items[0], items[1:]
    file.seek(table[0])
    offsets = [value for (value,) in struct.iter_unpack("<I", file.read(min(table[1], 4 * MAX_ITEMS) & ~3))]
    base = table[0] + table[1]
    starts = [position - 8 - base for position, _ in fragments]
    if len(offsets) > 1 and offsets[0] == 0 and offsets == sorted(set(offsets)):
        grouped = list(_by_offsets(fragments, starts, offsets))
    elif frames == 1:
        grouped = [tuple(fragments)]
    elif len(fragments) <= frames or not by_marker:
        grouped = [(fragment,) for fragment in fragments]
    else:
        grouped = list(_by_end_marker(file, fragments))
    whole = tuple(group for group in grouped if group)[:frames]
    return FrameIndex(whole, is_cut or len(whole) < frames)


def index_extended(file: BinaryIO, end: int, offsets: bytes, lengths: bytes) -> FrameIndex:
    """Index from an extended offset table (7FE0,0001 and 0002): one fragment a frame."""
    items, is_cut = _items(file, end, limit=1)
    if not items:
        return FrameIndex((), is_cut)
    base = items[0][0] + items[0][1]
    whole: list[tuple[Piece, ...]] = []
    for (offset,), (length,) in zip(struct.iter_unpack("<Q", offsets), struct.iter_unpack("<Q", lengths), strict=False):
        if base + 8 + offset + length > end:
            return FrameIndex(tuple(whole), True)
        whole.append(((base + 8 + offset, length),))
    return FrameIndex(tuple(whole), False)


def _items(file: BinaryIO, end: int, limit: int | None = None) -> tuple[list[Piece], bool]:
    """All whole items from here on, and whether the file ends among them."""
    items: list[Piece] = []
    while limit is None or len(items) < limit:
        head = file.read(8)
        if len(head) < 8:
            return items, True
        length = int.from_bytes(head[4:], "little")
        if head[:4] == SEQUENCE_END:
            return items, False
        position = file.tell()
        if head[:4] != ITEM or len(items) >= MAX_ITEMS or position + length > end:
            return items, True
        items.append((position, length))
        file.seek(position + length)
    return items, False


def _by_offsets(fragments: list[Piece], starts: list[int], offsets: list[int]) -> Iterator[tuple[Piece, ...]]:
    limits = [*offsets[1:], 1 << 62]
    at = 0
    for limit in limits:
        group = []
        while at < len(fragments) and starts[at] < limit:
            group.append(fragments[at])
            at += 1
        yield tuple(group)


def _by_end_marker(file: BinaryIO, fragments: list[Piece]) -> Iterator[tuple[Piece, ...]]:
    group: list[Piece] = []
    for offset, length in fragments:
        group.append((offset, length))
        file.seek(offset + max(0, length - 3))
        if END_OF_IMAGE in file.read(min(3, length)):
            yield tuple(group)
            group = []
