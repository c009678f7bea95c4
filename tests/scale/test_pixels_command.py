"""`edge-us calibrate pixels`: from the ruler on a cart's screen to millimetres in a preset."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from edge_us.calibrate.preset import Preset, read_preset
from edge_us.cli.main import app
from edge_us.errors import EdgeUsError, InputError, UsageError
from edge_us.phantom.cart import make_cart
from tests.e2e.test_run import command
from tests.scale.carts import EXAMPLE

SOURCE = "phantom:?cart=0:40&frames=30&seed=1"
LAYOUT = make_cart(800, 600, 1)
WORDS = ",".join(map(str, LAYOUT.annotation))
RULER = ",".join(map(str, LAYOUT.ruler))


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A preset such as `calibrate region` writes."""
    path = tmp_path / "cart.toml"
    Preset(name="cart", screen=(800, 600), region=LAYOUT.image).write(path)
    return path


def calibrate(*words: object) -> None:
    """The command in this process; its own errors come through."""
    done = CliRunner().invoke(app, ["calibrate", "pixels", *map(str, words)], input="n\n")
    if isinstance(done.exception, EdgeUsError):
        raise done.exception
    assert done.exit_code == 0, done.output


def test_the_ticks_become_millimetres_and_are_shown_with_their_numbers(bare: Path, tmp_path: Path) -> None:
    out = tmp_path / "scaled.toml"
    done = command(
        "calibrate", "pixels", SOURCE, "--preset", bare, "--out", out, "--tick-mm", "5", "--watch", WORDS,
        "--depth-mm", "40", "--probe", "L12-5", "--yes",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "8 ticks, 62.48 px apart" in done.stdout
    found = read_preset(out)
    assert found.mm_per_px == pytest.approx((0.08, 0.08), rel=2e-3)
    assert (found.name, found.probe, found.depth_mm) == ("cart", "L12-5", 40)
    assert found.watch[1] == LAYOUT.annotation
    shown, plain = cv2.imread(str(out.with_suffix(".png"))), cv2.imread(str(out.with_suffix(".png")), 0)
    assert shown is not None
    assert plain is not None
    image, yellow = LAYOUT.image, (shown == (0, 214, 255)).all(axis=2)
    rows = {y for y in range(600) if yellow[y, image.x + 1 : image.x + 7].all()}
    ticks = [LAYOUT.image.y + int(number * 62.5) for number in range(8)]
    assert all(any(abs(tick - row) <= 1 for row in rows) for tick in ticks), "each has its line"
    assert all((plain[tick - 4 : tick + 5, image.x + 9 : image.x + 50] > 150).any() for tick in ticks[1:]), "and words"
    name = plain[4 : LAYOUT.banner.height - 24, 10:200]
    assert len({int(grey) for grey in name[:, ::24].reshape(-1)}) < 12, "the patient's name is coarsened"


def test_two_points_and_a_distance_do_where_no_ticks_are_found(bare: Path, tmp_path: Path) -> None:
    points, top = tmp_path / "points.toml", LAYOUT.image.y
    calibrate(
        SOURCE, "--preset", bare, "--out", points, "--points", f"50,{top},50,{top + 437}", "--mm", 35, "--ruler", RULER,
        "--watch", WORDS, "--aspect", 0.9, "--yes",
    )  # fmt: skip
    assert read_preset(points).mm_per_px == pytest.approx((0.9 * 35 / 437, 35 / 437), rel=1e-4)


TICKS = ("--tick-mm", "5", "--watch", WORDS, "--yes")


@pytest.mark.parametrize(
    ("source", "words", "kind", "why"),
    [
        (SOURCE, ("--watch", WORDS, "--yes"), UsageError, "--tick-mm, or --points"),
        (SOURCE, ("--tick-mm", "5", "--mm", "5", "--watch", WORDS), UsageError, "--tick-mm, or --points"),
        (SOURCE, ("--tick-mm", "-5", "--watch", WORDS), UsageError, "cannot be"),
        (SOURCE, ("--tick-mm", "5", "--watch", "1,2,3"), UsageError, "four whole numbers"),
        (SOURCE, ("--tick-mm", "5", "--watch", "700,500,200,200"), UsageError, "does not lie on a screen"),
        (SOURCE, ("--points", "1,2,3,4", "--mm", "5", "--ruler", RULER, "--watch", WORDS), UsageError, "10 px apart"),
        (SOURCE, ("--points", "1,2,3,400", "--mm", "5", "--watch", WORDS), UsageError, "--points needs --ruler"),
        (SOURCE, (*TICKS, "--ruler", "660,300,100,200"), InputError, "no 5 ticks"),
        (SOURCE, (*TICKS, "--depth-mm", "80"), UsageError, "40 mm high at a depth of 80 mm"),
        (SOURCE, (*TICKS, "--watch", "300,200,60,60"), InputError, "changes while nobody changes it"),
        (SOURCE, ("--tick-mm", "5", "--watch", WORDS), UsageError, "not confirmed"),
        ("phantom:?cart=0:40&frames=3", TICKS, InputError, "delivered 3 frames"),
        ("phantom:?cart=0:40&frames=9&size=1280x720", TICKS, UsageError, "is for 800x600"),
        ("phantom:?frames=9&size=800x600", TICKS, InputError, "no certain ruler"),
    ],
)
def test_what_is_wrong_or_unsure_is_one_clear_error_and_no_preset(
    bare: Path, tmp_path: Path, source: str, words: tuple[str, ...], kind: type[EdgeUsError], why: str
) -> None:
    out = tmp_path / "out.toml"
    with pytest.raises(kind, match=why) as caught:
        calibrate(source, "--preset", bare, "--out", out, *words)
    assert caught.value.hint
    assert not out.exists()


def test_the_example_preset_is_what_the_command_makes_of_the_phantom_cart(bare: Path, tmp_path: Path) -> None:
    example = read_preset(Path(EXAMPLE))
    out = tmp_path / "again.toml"
    words = ",".join(map(str, example.watch[1]))
    calibrate(SOURCE, "--preset", EXAMPLE, "--out", out, "--tick-mm", 5, "--watch", words, "--yes")
    again = read_preset(out)
    assert again.mm_per_px == pytest.approx(example.mm_per_px, rel=1e-3)
    assert again.watch == example.watch


def test_the_command_line_says_no_without_a_traceback(bare: Path) -> None:
    done: subprocess.CompletedProcess[str] = command(
        "calibrate", "pixels", SOURCE, "--preset", bare, "--out", "/nowhere/x", *TICKS
    )
    assert done.returncode == 2
    assert "the folder /nowhere does not exist" in done.stderr
    assert "Traceback" not in done.stderr
