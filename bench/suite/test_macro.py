"""The whole pipeline, per backend, precision and size of the picture."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from conftest import Measured

from edge_us.config import load_config
from edge_us.inference.backend import Precision
from edge_us.inference.backends import probe_machine
from edge_us.phantom.clip import write_phantom_clip
from edge_us.phantom.spec import PhantomSpec
from edge_us.runtime.networks import open_engine_for
from edge_us.runtime.run import Run

FRAMES = 60
KINDS = (("openvino", "bf16"), ("openvino", "fp32"), ("onnxruntime", "fp32"))


@pytest.fixture(scope="session", params=[(640, 480), (800, 600), (1280, 720)], ids=lambda size: f"{size[0]}x{size[1]}")
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    width, height = request.param
    path = tmp_path_factory.mktemp("macro") / f"{width}x{height}.mp4"
    write_phantom_clip(PhantomSpec(frames=FRAMES, width=width, height=height), path)
    return path


@pytest.mark.parametrize(("backend", "precision"), KINDS, ids=["-".join(kind) for kind in KINDS])
def test_every_frame_of_a_clip(measured: Measured, clip: Path, tmp_path: Path, backend: str, precision: str) -> None:
    if Precision(precision) not in probe_machine().native:
        pytest.skip(f"this CPU has no native {precision}")
    options = {
        "source": str(clip), "backend": backend, "precision": precision,
        "record": tmp_path / "out.mp4", "findings": tmp_path / "out.jsonl",
        "probe": False,  # the start of a child, once a file, is no part of a frame's cost
    }  # fmt: skip
    config = load_config(options, environment={})
    with closing(open_engine_for(config)) as engine:
        assert measured(lambda: sum(1 for _ in Run(config, engine)), rounds=5) == FRAMES
