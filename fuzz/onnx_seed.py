"""A YOLO segmentation network of one kilobyte, written as the ONNX protobuf that it is: no library is needed."""

from __future__ import annotations

import struct
from collections.abc import Sequence

SIDE = 32
CLASSES, COEFFICIENTS = 1, 8
FLOAT, INT64 = 1, 7


def tiny_network(names: str = "{0: 'lesion'}", task: str = "segment", channels: int = 3) -> bytes:
    """One picture in, a raw head and mask prototypes out; shapes as Ultralytics exports them."""
    rows = 4 + CLASSES + COEFFICIENTS
    graph = (
        _node("MaxPool", ["images"], "small", _ints("kernel_shape", (4, 4)) + _ints("strides", (4, 4)))
        + _node("Conv", ["small", "w1"], "prototypes", b"")
        + _node("Conv", ["small", "w2"], "head", b"")
        + _node("Reshape", ["head", "shape"], "boxes", b"")
        + _text(2, "tiny")
        + _field(5, _tensor("w1", (COEFFICIENTS, channels, 1, 1), FLOAT))
        + _field(5, _tensor("w2", (rows, channels, 1, 1), FLOAT))
        + _field(5, _tensor("shape", (3,), INT64, struct.pack("<3q", 1, rows, 64)))
        + _field(11, _value("images", (1, channels, SIDE, SIDE)))
        + _field(12, _value("boxes", (1, rows, 64)))
        + _field(12, _value("prototypes", (1, COEFFICIENTS, 8, 8)))
    )
    metadata = b"".join(
        _field(14, _text(1, key) + _text(2, value)) for key, value in (("names", names), ("task", task))
    )
    return _number(1, 8) + _field(8, _text(1, "") + _number(2, 13)) + _field(7, graph) + metadata


def _node(kind: str, inputs: Sequence[str], output: str, attributes: bytes) -> bytes:
    names = b"".join(_text(1, name) for name in inputs)
    return _field(1, names + _text(2, output) + _text(3, f"n_{output}") + _text(4, kind) + attributes)


def _ints(name: str, values: Sequence[int]) -> bytes:
    return _field(5, _text(1, name) + b"".join(_number(8, value) for value in values) + _number(20, 7))


def _tensor(name: str, shape: Sequence[int], kind: int, raw: bytes | None = None) -> bytes:
    count = 1
    for side in shape:
        count *= side
    raw = raw if raw is not None else struct.pack(f"<{count}f", *(number % 7 * 0.1 for number in range(count)))
    return b"".join(_number(1, side) for side in shape) + _number(2, kind) + _text(8, name) + _field(9, raw)


def _value(name: str, shape: Sequence[int]) -> bytes:
    sides = b"".join(_field(1, _number(1, side)) for side in shape)
    return _text(1, name) + _field(2, _field(1, _number(1, FLOAT) + _field(2, sides)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, text: str) -> bytes:
    return _field(field, text.encode())


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
