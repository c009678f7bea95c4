import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_us.bench.counter import MODULUS, draw_counter, read_counter


@settings(max_examples=60, deadline=None)
@given(value=st.integers(0, MODULUS - 1), width=st.integers(64, 900), height=st.integers(48, 700))
def test_what_is_drawn_is_read_back(value: int, width: int, height: int) -> None:
    assert read_counter(draw_counter(value, width, height)) == value


@pytest.mark.parametrize("value", [0, 1, 255, 4096, 65535])
def test_it_survives_scaling_compression_noise_and_a_wrong_range(value: int) -> None:
    picture = draw_counter(value, 800, 600)
    small = np.asarray(cv2.resize(picture, (427, 320), interpolation=cv2.INTER_AREA), np.uint8)
    _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 25])
    worn = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.float64)
    worn = worn * 0.8 + 16 + np.random.default_rng(0).normal(0, 8, worn.shape)
    assert read_counter(np.clip(worn, 0, 255).astype(np.uint8)) == value


def test_the_overlay_s_texts_at_the_edges_do_not_matter() -> None:
    picture = draw_counter(1234, 640, 480)
    picture[:60] = 0
    picture[-60:, :300] = 255
    assert read_counter(picture) == 1234


@pytest.mark.parametrize("picture", [
    np.zeros((480, 640), np.uint8), np.full((480, 640), 128, np.uint8),
    np.random.default_rng(1).integers(0, 255, (480, 640), dtype=np.uint8), np.zeros((10, 10), np.uint8),
])  # fmt: skip
def test_a_picture_without_a_code_is_none(picture: NDArray[np.uint8]) -> None:
    assert read_counter(picture) is None


def test_a_cell_that_is_covered_is_noticed() -> None:
    picture = draw_counter(77, 640, 480)
    turned = 0
    for row in range(4):
        for column in range(6):
            covered = picture.copy()
            y, x = int(480 * (0.25 + 0.5 * (row + 0.5) / 4)), int(640 * (0.2 + 0.6 * (column + 0.5) / 6))
            covered[y - 20 : y + 20, x - 20 : x + 20] = 255 - covered[y, x]
            turned += read_counter(covered) not in (None, 77)
    assert turned == 0, "a wrong number would be a wrong latency"
