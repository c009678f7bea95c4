"""ONNX files: described by ONNX Runtime, compiled by OpenVINO (or else ONNX Runtime), and run once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from edge_us.inference.model import load_model
from edge_us.runtime.engine import open_engine
from fuzz.onnx_seed import tiny_network
from fuzz.target import Target


def seeds(_folder: Path) -> list[bytes]:
    return [tiny_network(), tiny_network(channels=1), tiny_network("['benign']", "detect"), tiny_network("{0: 'a'")]


def check(data: bytes, folder: Path) -> None:
    path = folder / "network.onnx"
    path.write_bytes(data)
    model = load_model(str(path))
    with closing(open_engine(model, threads=1)) as engine:
        assert engine.share().lanes


TARGET = Target(
    seeds,
    check,
    (b"Conv", b"Reshape", b"MaxPool", b"images", b"prototypes", b"boxes", b"names", b"task", b"kernel_shape", b"pads")
    + (b"strides", b"shape", b"Gather", b"Resize", b"Loop", b"If", b"ConstantOfShape", b"Concat", b"ai.onnx", b"w1")
    + (b"{0: 'a', 'b': 1}", b"[[]]", b"((((((((((", b"{[]: 1}", b"-" * 3000 + b"1", b"[" * 300, b"segment", b"detect"),
    limit_s=20.0,
)
