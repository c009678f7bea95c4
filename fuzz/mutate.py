"""Seeded mutations of bytes; the same seed and number give the same input on every machine."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

MAX_BYTES = 1 << 20
HEAD = 600
"""Half of all places are chosen among the first bytes, where headers lie."""
WORDS = (0, 1, 2, 7, 8, 15, 16, 127, 128, 255, 256, 1023, 4096, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
LONG_WORDS = (*WORDS, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
NUMBERS = (
    b"0", b"-1", b"-0", b"1", b"2", b"255", b"65536", b"2147483647", b"4294967296", b"18446744073709551616", b"1e400",
    b"-1e308", b"1e-320", b"nan", b"inf", b"0.5", b"9" * 30, b"9" * 5000, b"0x10", b"\xc2\xb2", b" ", b"",
)  # fmt: skip
_DIGITS = re.compile(rb"[-+]?[0-9]+(?:\.[0-9]+)?")

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def mutant(seeds: Sequence[bytes], tokens: Sequence[bytes], seed: int, number: int) -> bytes:
    """Input ``number`` of the sequence that ``seed`` names."""
    rng = random.Random(f"{seed}/{number}")
    start = rng.choice(seeds)
    if rng.random() < 0.1:
        other = rng.choice(seeds)
        start = start[: rng.randrange(len(start) + 1)] + other[rng.randrange(len(other) + 1) :]
    return mutate(rng, start, tokens)


def mutate(rng: random.Random, data: bytes, tokens: Sequence[bytes]) -> bytes:
    """Change ``data`` in one to a dozen places."""
    out = bytearray(data)
    for _ in range(min(12, 1 + int(rng.expovariate(0.5)))):
        rng.choice(_MUTATIONS)(rng, out, tokens)
        del out[MAX_BYTES:]
    return bytes(out)


def _place(rng: random.Random, data: bytearray) -> int:
    return rng.randrange(min(len(data), HEAD) + 1) if rng.random() < 0.5 else rng.randrange(len(data) + 1)


def _flip(rng: random.Random, data: bytearray, _tokens: Sequence[bytes]) -> None:
    place = _place(rng, data)
    if place < len(data):
        data[place] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray, _tokens: Sequence[bytes]) -> None:
    place = _place(rng, data)
    if place < len(data):
        data[place] = rng.randrange(256)


def _word(rng: random.Random, data: bytearray, _tokens: Sequence[bytes]) -> None:
    _put_word(rng, data, _place(rng, data))


def _put_word(rng: random.Random, data: bytearray, place: int) -> None:
    size = rng.choice((1, 2, 4, 4, 8))
    value = rng.choice(LONG_WORDS) & ((1 << 8 * size) - 1)
    data[place : place + size] = value.to_bytes(size, rng.choice(("big", "little")))


def _delete(rng: random.Random, data: bytearray, _tokens: Sequence[bytes]) -> None:
    place = _place(rng, data)
    del data[place : place + 1 + int(rng.expovariate(0.05))]


def _repeat(rng: random.Random, data: bytearray, _tokens: Sequence[bytes]) -> None:
    place = _place(rng, data)
    block = data[place : place + 1 + int(rng.expovariate(0.03))]
    data[place:place] = bytes(block) * rng.choice((1, 1, 2, 5, 300))


def _insert(rng: random.Random, data: bytearray, _tokens: Sequence[bytes]) -> None:
    place = _place(rng, data)
    data[place:place] = rng.randbytes(1 + int(rng.expovariate(0.1)))


def _cut(rng: random.Random, data: bytearray, _tokens: Sequence[bytes]) -> None:
    del data[_place(rng, data) :]


def _token(rng: random.Random, data: bytearray, tokens: Sequence[bytes]) -> None:
    if tokens:
        place, token = _place(rng, data), rng.choice(tokens)
        data[place : place + rng.choice((0, len(token)))] = token


def _near_token(rng: random.Random, data: bytearray, tokens: Sequence[bytes]) -> None:
    """Lengths and values lie right before and after the names of things."""
    here = [token for token in tokens if token in data]
    if not here:
        _word(rng, data, tokens)
        return
    token = rng.choice(here)
    places = [match.start() for match in re.finditer(re.escape(token), bytes(data))]
    place = rng.choice(places) + rng.choice((-8, -4, -4, len(token), len(token), len(token) + 2, len(token) + 4))
    _put_word(rng, data, max(0, min(place, len(data))))


def _number(rng: random.Random, data: bytearray, tokens: Sequence[bytes]) -> None:
    """Numbers written as text."""
    found = [match.span() for match in _DIGITS.finditer(bytes(data[:20_000]))]
    if found:
        first, last = rng.choice(found)
        data[first:last] = rng.choice(NUMBERS)
    else:
        _word(rng, data, tokens)


_MUTATIONS: tuple[Mutation, ...] = (
    _flip, _byte, _word, _word, _delete, _repeat, _insert, _cut, _token, _near_token, _near_token, _number,
)  # fmt: skip
