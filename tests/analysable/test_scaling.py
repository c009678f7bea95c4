import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_us.analysable.scaling import percentile, shrink_to


@given(
    seed=st.integers(0, 10_000), height=st.integers(1, 40), width=st.integers(1, 40), top=st.integers(1, 255),
    percent=st.floats(0, 100),
)  # fmt: skip
def test_the_percentile_is_numpys(seed: int, height: int, width: int, top: int, percent: float) -> None:
    gray = np.random.default_rng(seed).integers(0, top + 1, (height, width)).astype(np.uint8)
    assert percentile(gray, percent) == pytest.approx(float(np.percentile(gray, percent)), abs=1e-6)


@pytest.mark.parametrize("size", [(320, 240), (160, 120), (799, 599), (800, 600), (33, 21)])
def test_shrinking_in_steps_is_the_area_average_to_a_grey_level(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    gray = np.asarray(cv2.GaussianBlur(rng.integers(0, 256, (600, 800), dtype=np.uint8), (0, 0), 2), np.uint8)
    exact = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    found = shrink_to(gray, size)
    assert found.shape == exact.shape
    assert np.abs(found.astype(int) - exact).max() <= 2
    assert abs(float(found.mean()) - float(np.mean(exact))) < 0.3
