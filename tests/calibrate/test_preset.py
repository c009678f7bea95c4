"""Presets of carts: checked, whole, and never a scale without what tells its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_us.calibrate.preset import Preset, read_preset
from edge_us.errors import UsageError
from edge_us.frame import Rect
from edge_us.phantom.probe import fan_of, make_beams
from edge_us.phantom.spec import Probe
from edge_us.scale.fingerprint import ALPHABET, count

PRESETS = sorted((Path(__file__).parents[2] / "calibration/presets").glob("*.toml"))
PLAIN: dict[str, Any] = {"screen": (800, 600), "region": (100, 50, 600, 500)}
STRIP = (10, 50, 40, 500)
SCALED: dict[str, Any] = {
    **PLAIN,
    "mm_per_px": (0.1, 0.1),
    "watch": (STRIP,),
    "fingerprint": "A" * count(Rect(*STRIP), (800, 600)),
}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_shipped_preset_is_whole_and_has_a_scale(path: Path) -> None:
    preset = read_preset(path)
    assert preset.mm_per_px is not None
    assert len(preset.watch) >= 2
    region = Rect(*preset.region)
    for x, _, width, _ in preset.watch:
        assert x + width <= region.x or x >= region.x + region.width, "the image itself moves"


@settings(max_examples=40)
@given(
    name=st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=20), letter=st.sampled_from(ALPHABET)
)
def test_what_is_written_is_read_back(name: str, letter: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("preset") / "cart.toml"
    fingerprint = letter * len(SCALED["fingerprint"])
    preset = Preset(**{**SCALED, "name": name, "fingerprint": fingerprint, "hide": ((110, 60, 9, 9),)})
    preset.write(path)
    assert read_preset(path) == preset


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"watch": (), "fingerprint": ""}, "needs `watch`"),
        ({"fingerprint": "A"}, "fingerprint has 1 characters"),
        ({"fingerprint": "!" * len(SCALED["fingerprint"])}, "fingerprint"),
        ({"watch": ((790, 50, 40, 500),)}, "does not lie on a screen"),
        ({"mm_per_px": (0.1, -0.1)}, "mm_per_px"),
        ({"apex": (400.0, -200.0)}, "go together"),
        ({"apex": (400.0, 300.0), "angles": (-30.0, 30.0)}, "above the region"),
        ({"apex": (400.0, -200.0), "angles": (30.0, -30.0)}, "either side of 0"),
        ({"apex": (400.0, -200.0), "angles": (-30.0, 30.0), "mm_per_px": None}, "need a scale"),
        ({"depth_mm": -4.0}, "depth_mm"),
    ],
)
def test_a_scale_that_nothing_would_end_and_other_halves_are_refused(
    change: dict[str, Any], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "cart.toml"
    Preset.model_construct(**{**SCALED, **change}).write(path)
    with pytest.raises(UsageError, match=why) as caught:
        read_preset(path)
    assert caught.value.hint


@pytest.mark.parametrize("probe", [Probe.CONVEX, Probe.SECTOR])
@pytest.mark.parametrize("depth_mm", [50.0, 90.0])
def test_apex_and_angles_give_the_beams_of_a_curved_probe(probe: Probe, depth_mm: float) -> None:
    true, beams = fan_of(probe, depth_mm, 640, 480), make_beams(probe, depth_mm, 640, 480)
    assert true is not None
    angle = {Probe.CONVEX: 31.0, Probe.SECTOR: 40.0}[probe]
    known = {**SCALED, "region": beams.region, "apex": (true.x, true.y), "angles": (-angle, angle)}
    fan = Preset(**known).fan
    assert fan is not None
    assert (fan.x, fan.y) == (true.x, true.y)
    assert fan.face == pytest.approx(true.face, abs=1.0)
    assert Preset(**SCALED).fan is None
