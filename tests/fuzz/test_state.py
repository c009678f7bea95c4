"""What a worker is at, as its driver sees it."""

from __future__ import annotations

from pathlib import Path

from fuzz.mutate import MAX_BYTES
from fuzz.state import State


def test_a_reader_sees_what_the_writer_stored(tmp_path: Path) -> None:
    writer = State(tmp_path / "state", create=True)
    reader = State(tmp_path / "state")
    writer.data = b"abc"
    writer.done, writer.refused, writer.started_s, writer.baseline_bytes = 3, 2, 1.5, 77
    writer.store()
    reader.load()
    assert (reader.done, reader.refused, reader.started_s, reader.baseline_bytes) == (3, 2, 1.5, 77)
    assert reader.data == b"abc"
    writer.data = bytes(MAX_BYTES + 5)
    writer.store()
    reader.load()
    assert len(reader.data) == MAX_BYTES
    writer.close()
    reader.close()
