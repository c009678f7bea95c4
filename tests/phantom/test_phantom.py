"""The synthetic B-mode generator."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_us.capture.open import open_source
from edge_us.errors import UsageError
from edge_us.finding import SourceState
from edge_us.frame import PixelFormat
from edge_us.phantom import store
from edge_us.phantom.clip import _box
from edge_us.phantom.render import render
from edge_us.phantom.spec import LesionKind, PhantomSpec, Probe, parse_uri
from edge_us.phantom.speckle import envelope, point_spread, scatterers
from edge_us.phantom.store import load_clip


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_homogeneous_speckle_is_rayleigh(seed: int) -> None:
    field = scatterers(np.random.default_rng(seed), (1200, 900))
    magnitude = envelope(point_spread(field, 1.6, 1.9))
    assert magnitude.mean() / magnitude.std() == pytest.approx(1.91, abs=0.03)


@pytest.mark.parametrize("probe", list(Probe))
@pytest.mark.parametrize("kind", list(LesionKind))
def test_the_mask_lies_on_a_dark_lesion_that_comes_and_goes(probe: Probe, kind: LesionKind) -> None:
    spec = PhantomSpec(probe=probe, lesions=(kind,), width=320, height=240, frames=76, seed=5)
    made = list(render(spec))
    assert not made[0].masks
    middle = made[75]
    assert len(middle.masks) == 1
    mask = middle.masks[0]
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((31, 31), np.uint8)).astype(bool) & ~mask & (middle.image > 0)
    assert middle.image[mask].mean() < 0.65 * middle.image[ring].mean()
    area = middle.region
    assert 0.01 < mask.sum() / (area.width * area.height) < 0.3


def _below(kind: LesionKind, seed: int) -> float:
    """Mean grey below the lesion relative to that at the same depth beside it."""
    made = list(render(PhantomSpec(lesions=(kind,), width=480, height=360, frames=76, seed=seed)))[75]
    x1, _, x2, y2 = _box(made.masks[0])
    inset = (x2 - x1) // 4
    rows = made.image[y2 + 10 : y2 + 70].astype(float)
    beside = np.concatenate([rows[:, : max(x1 - 30, 1)], rows[:, x2 + 30 :]], axis=1)
    return float(rows[:, x1 + inset : x2 - inset].mean() / beside.mean())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cyst_enhances_and_a_malignant_lesion_shadows_what_lies_below(seed: int) -> None:
    assert _below(LesionKind.CYST, seed) > 1.1
    assert _below(LesionKind.MALIGNANT, seed) < 0.8


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_benign_lesion_is_wider_than_tall_and_a_malignant_one_taller_than_wide(seed: int) -> None:
    for kind, taller in ((LesionKind.BENIGN, False), (LesionKind.MALIGNANT, True)):
        made = list(render(PhantomSpec(lesions=(kind,), width=240, height=180, frames=76, seed=seed)))[75]
        x1, y1, x2, y2 = _box(made.masks[0])
        assert (y2 - y1 > x2 - x1) == taller


def test_a_frozen_picture_stands_still_and_in_the_air_only_the_near_field_rings() -> None:
    spec = PhantomSpec(width=240, height=180, frames=12, seed=4, freeze=(3, 7), no_contact=(8, 10))
    images = [frame.image.astype(float) for frame in render(spec)]
    assert all(np.array_equal(images[3], image) for image in images[4:7])
    assert not np.array_equal(images[6], images[7])
    assert images[9][:10].mean() > 60
    assert images[9][90:].mean() < 0.15 * images[7][90:].mean()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    one, same, other = (
        [frame.image for frame in render(PhantomSpec(width=160, height=120, frames=3, seed=seed))] for seed in (7, 7, 8)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_a_screen_shows_the_image_where_the_region_says() -> None:
    frame = next(iter(render(PhantomSpec(screen=True, width=800, height=600, frames=1, seed=3))))
    area = frame.region
    inside = frame.image[area.y : area.y + area.height, area.x : area.x + area.width]
    assert (inside[..., 0] == inside[..., 2]).mean() > 0.99  # all but the coloured orientation mark
    assert inside.std() > 20
    assert frame.image.shape == (600, 800, 3)


def test_a_phantom_source_plays_all_frames_and_knows_its_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    uri = "phantom:?size=160x120&frames=5&fps=20&seed=2"
    with open_source(uri) as source:
        frames = list(source)
        assert source.state is SourceState.ENDED
    assert [frame.pts_ns for frame in frames] == [0, 50_000_000, 100_000_000, 150_000_000, 200_000_000]
    assert frames[0].format is PixelFormat.GRAY8
    assert frames[0].geometry.mm_per_px is not None
    assert frames[0].geometry.reason == ""
    with open_source(uri) as again:
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, again, strict=True))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_cut, _flip, Path.unlink])
@pytest.mark.parametrize("suffix", ["npy", "json"])
def test_a_corrupt_cache_is_made_anew(tmp_path: Path, damage: Callable[[Path], None], suffix: str) -> None:
    spec = PhantomSpec(width=96, height=96, frames=2)
    images = load_clip(spec, tmp_path).images.copy()
    (stored,) = tmp_path.glob(f"*.{suffix}")
    damage(stored)
    assert np.array_equal(load_clip(spec, tmp_path).images, images)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npy"]


def test_a_kept_phantom_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = PhantomSpec(width=96, height=96, frames=2)
    images = load_clip(spec, tmp_path).images.copy()
    monkeypatch.setattr(store, "render", lambda _: pytest.fail("generated again"))
    again = load_clip(spec, tmp_path).images
    assert np.array_equal(again, images)
    assert not again.flags.writeable


def test_without_a_place_to_keep_it_a_phantom_is_still_played(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert load_clip(PhantomSpec(width=96, height=96, frames=2), tmp_path / "file").images.shape == (2, 96, 96)


def test_the_cache_throws_away_what_was_used_longest_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_BYTES", 50_000)  # room for two clips of 2 x 96 x 96 beside the newest
    for seed in range(5):
        load_clip(PhantomSpec(width=96, height=96, frames=2, seed=seed), tmp_path)
        for path in tmp_path.glob("*.npy"):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10))
    assert len(list(tmp_path.glob("*.npy"))) == 3
    assert len(list(tmp_path.glob("*.json"))) == 3


def test_a_phantom_too_large_to_keep_says_how_many_frames_are_possible() -> None:
    with pytest.raises(UsageError, match="GiB") as caught:
        load_clip(PhantomSpec(width=1920, height=1080, frames=100_000))
    assert "frames= up to 2071" in caught.value.hint


@pytest.mark.parametrize(
    "uri",
    [
        "phantom:?probe=round",
        "phantom:?lesion=wart",
        "phantom:?size=800",
        "phantom:?frames=0",
        "phantom:?colour=1",
        "phantom:x",
    ],
)
def test_an_impossible_phantom_names_what_is_possible(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(uri)
    assert caught.value.hint
