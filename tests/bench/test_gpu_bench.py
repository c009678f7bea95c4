"""The GPU's benchmark: every figure is there, a failure costs its own row alone, and a network takes another size."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from edge_us.builder.graph import read_graph
from edge_us.cuda.driver import installed_provider
from edge_us.errors import MissingDependencyError, ModelError
from edge_us.inference.libraries import load_onnxruntime
from edge_us.inference.model import load_model
from tests.conftest import REPOSITORY
from tests.cuda.test_contract import with_libcuda

BENCH = REPOSITORY / "bench"
NETWORK = {
    "model", "px", "backend", "precision", "device", "engine_ms", "frame_ms_p50", "frame_ms_p99", "overhead_ms_p50",
    "fps", "agreement", "live",
}  # fmt: skip
AGREEMENT = {"against", "frames", "findings", "alone", "box_px", "score", "mask_iou"}
LIVE = {
    "source_fps", "frames", "without_result", "shown_with_result_per_s", "dropped", "frames_old",
    "at_most_one_frame_old", "age_ms_p50", "age_ms_p99",
}  # fmt: skip


SIZES = (320, 416, 224)
"""As `played_bench` has them: the last one is made from a shipped network."""


@pytest.fixture
def resized() -> Iterator[ModuleType]:
    yield from _modules("gpu_resized")


@pytest.fixture
def gpu() -> Iterator[ModuleType]:
    yield from _modules("gpu")


def _modules(name: str) -> Iterator[ModuleType]:
    """A module of the benchmark's, which is no package."""
    before = list(sys.path)
    sys.path.insert(0, str(BENCH))
    try:
        yield __import__(name)
    finally:
        sys.path[:] = before


@pytest.mark.slow
def test_on_a_gpu_every_figure_is_measured(libcuda: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        installed_provider()
    except MissingDependencyError as error:
        pytest.skip(error.message)
    monkeypatch.setenv("EDGE_US_ENGINES", str(tmp_path / "engines"))
    options = ("--rounds", "1", "--live-seconds", "0.3", "--out", str(tmp_path))
    with_libcuda(libcuda, "-m", "tests.cuda.played_bench", *options)
    result = json.loads((tmp_path / "gpu-played-gpu.json").read_text())
    assert result["schema"] == "edge-us/gpu-bench/2"
    rows = {(row["px"], row["backend"], row["precision"]): row for row in result["networks"]}
    wanted = [("tensorrt", each) for each in ("fp32", "fp16", "int8")]
    wanted += [("onnxruntime-cuda", each) for each in ("fp32", "fp16")]
    for side in SIZES:
        for backend, precision in wanted:
            row = rows.pop((side, backend, precision))
            assert set(row) - {"made_from", "int8"} == NETWORK, row
            assert ("made_from" in row) == (side == SIZES[-1])
            assert ("int8" in row) == (precision == "int8")
            assert set(row["agreement"]) == AGREEMENT, row
            assert row["agreement"]["findings"] > 0
            assert row["agreement"]["box_px"] < 1
            assert row["agreement"]["mask_iou"] > 0.98
            assert set(row["live"]) == LIVE or "shown" in row["live"]["not measured"], row
            assert row["overhead_ms_p50"] == pytest.approx(row["frame_ms_p50"] - row["engine_ms"], abs=2e-3)
    assert any(set(row["live"]) == LIVE for row in result["networks"] if "live" in row)
    assert all("int8" in row["not measured"] for row in rows.values()), "what ONNX Runtime does not compute"
    assert len(rows) == 3
    letterboxes = [row for row in result["kernels"] if row["kernel"] == "letterbox"]
    assert len(letterboxes) == 6
    assert all(row["worst_grey_levels"] <= 1 and row["cpu_ms"] > 0 and row["gpu_ms"] > 0 for row in letterboxes)
    (masks,) = (row for row in result["kernels"] if row["kernel"] == "mask_logits")
    assert masks["worst_logit"] < 1e-3


def test_a_failure_costs_its_own_part_and_what_was_measured_is_on_disk(gpu: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"

    def breaks_off() -> Iterator[dict[str, Any]]:
        yield {"model": "first"} | gpu.part(_raises(RuntimeError("CUDNN_STATUS_EXECUTION_FAILED\nat some line")))
        assert json.loads(path.read_text())["networks"][0]["model"] == "first", "written row by row"
        raise MemoryError

    parts: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "networks": breaks_off,
        "kernels": lambda: iter([{"kernel": "k"}]),
    }
    gpu.measure(path, {"schema": "s"}, parts)
    found = json.loads(path.read_text())
    assert found["networks"][0]["not measured"] == "RuntimeError: CUDNN_STATUS_EXECUTION_FAILED"
    assert found["networks"][1] == {"not measured": "MemoryError: MemoryError"}
    assert found["kernels"] == [{"kernel": "k"}]


def _raises(error: Exception) -> Callable[[], dict[str, Any]]:
    def work() -> dict[str, Any]:
        raise error

    return work


def test_a_network_of_another_size_finds_the_same_in_the_larger_picture(resized: ModuleType, tmp_path: Path) -> None:
    """Cells, strides and distances are right only if the box of the enlarged picture is the box enlarged."""
    model = load_model("lesion-fast")
    larger = resized.resized(model, 416, tmp_path)
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.uniform(60, 200, (416, 416)).astype(np.float32), (0, 0), 3)
    cv2.ellipse(picture, (180, 160), (60, 40), 0, 0, 360, 25.0, cv2.FILLED)
    best = []
    for path, side in ((model.path, 320), (larger.path, 416)):
        seen = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        given = np.repeat(seen[None, None], 3, axis=1)
        session = load_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
        head = session.run(None, {session.get_inputs()[0].name: given})[0][0]
        column = head[:, head[4].argmax()]
        assert column[4] > 0.3
        best.append(column[:4] * (416 / side))
    np.testing.assert_allclose(best[0], best[1], atol=10)
    np.testing.assert_allclose(best[1][:2], (180, 160), atol=10)


def test_a_network_that_is_brought_back_to_its_size_is_what_it_was(resized: ModuleType) -> None:
    before, graph = (read_graph(load_model("lesion-fast").path) for _ in range(2))
    resized.resize_graph(graph, 320, 416)
    assert graph != before
    resized.resize_graph(graph, 416, 320)
    assert [node.attribute for node in graph.graph.node] == [node.attribute for node in before.graph.node]


def test_a_file_of_another_kind_is_not_resized(resized: ModuleType) -> None:
    graph = read_graph(load_model("lesion-fast").path)
    with pytest.raises(ModelError, match="no cells of 416 px pictures"):
        resized.resize_graph(graph, 416, 640)
    with pytest.raises(ModelError, match="multiple of 32"):
        resized.resize_graph(graph, 320, 300)
