"""A short, seeded part of the fuzzing, each target in a child process; the long part is `make fuzz`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_us.capture.container import lacks_index, missing_bytes
from fuzz.campaign import Campaign
from fuzz.mutate import MAX_BYTES, mutant, mutate
from fuzz.run import TARGETS

INPUTS = {
    "containers": 1000,
    "metaimage": 1000,
    "configuration": 800,
    "findings": 800,
    "bundle": 400,
    "dicom": 800,
    "onnx": 300,
    "video": 40,
    "rtsp": 10,
}
"""Pipelines take a quarter of a second for each input, most of it waiting."""
LONGEST_S = 60.0
"""On a machine that is busy with other things fewer inputs have to do."""


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_is_taken_or_refused_with_an_error_of_ours(target: str, tmp_path: Path) -> None:
    result = Campaign(target, "seeded", 2026, tmp_path).run(INPUTS[target], LONGEST_S)
    assert result.inputs == INPUTS[target] or result.seconds >= LONGEST_S
    told = [
        f"{each.kind}: {each.signature}\n{each.detail}" for each in result.failures.values() if each.kind != "crash"
    ]
    assert not told, "\n".join(told)
    assert result.peak_bytes < 1 << 30


def test_the_same_seed_and_number_give_the_same_input() -> None:
    seeds, tokens = [b"DimSize = 1 2", b"other"], (b"DimSize",)
    first = [mutant(seeds, tokens, 7, number) for number in range(50)]
    assert first == [mutant(seeds, tokens, 7, number) for number in range(50)]
    assert len(set(first)) > 40


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2**32), st.lists(st.binary(min_size=1, max_size=8), max_size=3))
def test_any_bytes_can_be_mutated(data: bytes, seed: int, tokens: list[bytes]) -> None:
    assert len(mutate(random.Random(seed), data, tokens)) <= MAX_BYTES


@settings(max_examples=300, deadline=None)
@given(
    start=st.sampled_from([b"", b"RIFF", b"\x1a\x45\xdf\xa3", b"\0\0\0\x08ftyp", b"\0\0\0\0moov", b"\0\0\0\x01mdat"]),
    rest=st.binary(max_size=200),
)
def test_no_container_header_raises(tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "clip"
    path.write_bytes(start + rest)
    assert missing_bytes(path) >= 0
    assert lacks_index(path) in (True, False)
