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


@pytest.mark.parametrize(
    ("size", "most", "rms"),
    [((400, 300), 1, 0.6), ((200, 150), 1, 0.6), ((800, 600), 0, 0), ((799, 599), 0, 0), ((320, 240), 8, 1.5),
     ((33, 21), 12, 3)],
)  # fmt: skip
def test_shrinking_in_steps_is_close_to_the_area_average(size: tuple[int, int], most: int, rms: float) -> None:
    """Exact but for rounding where halving is enough; elsewhere pixels at the seams are shared out differently."""
    rng = np.random.default_rng(3)
    gray = np.asarray(cv2.GaussianBlur(rng.integers(0, 256, (600, 800), dtype=np.uint8), (0, 0), 2), np.uint8)
    exact = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    found = shrink_to(gray, size)
    assert found.shape == exact.shape
    difference = found.astype(np.float64) - exact
    assert np.abs(difference).max() <= most
    assert np.sqrt((difference**2).mean()) <= rms
    assert abs(difference.mean()) < 0.6, "each halving rounds up"
