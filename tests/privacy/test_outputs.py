"""The commands, on screens with a name burned in: what is written, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import edge_us
from edge_us.calibrate.preset import read_preset
from edge_us.capture.open import open_source
from edge_us.cli.calibrate_region import YELLOW
from edge_us.colour import to_gray
from edge_us.errors import ExitCode, UsageError
from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.frame import Frame, PixelFormat, Rect
from edge_us.overlay.picture import Picture
from edge_us.phantom.clip import write_phantom_clip
from edge_us.phantom.screen import make_layout
from edge_us.phantom.spec import PhantomSpec
from edge_us.runtime.composer import Captured, Composer
from edge_us.runtime.ledger import Ledger
from edge_us.runtime.outputs import Outputs
from edge_us.sinks.sink import Sees
from tests.capture_files.dicom_files import region, write_dicom
from tests.e2e.test_run import command

SPEC = PhantomSpec(frames=40, width=800, height=600, screen=True, seed=3)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cart's screen with a name, buttons and a clock around the image."""
    path = tmp_path_factory.mktemp("screen") / "screen.mp4"
    write_phantom_clip(SPEC, path)
    return path


def last_picture(path: Path) -> NDArray[np.uint8]:
    capture, found = cv2.VideoCapture(str(path)), None
    while True:
        there, image = capture.read()
        if not there:
            break
        found = image
    assert found is not None
    return np.asarray(found, np.uint8)


def outside_of(rect: Rect, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with the region black."""
    rest = picture.copy()
    rest[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width] = 0
    return np.asarray(rest, np.uint8)


def test_a_named_region_is_all_that_a_recording_holds(screen: Path, tmp_path: Path) -> None:
    image = make_layout(SPEC).image
    record = tmp_path / "out.mp4"
    words = ",".join(map(str, image))
    assert command("run", screen, "--region", words, "--record", record).returncode == ExitCode.OK
    with open_source(str(screen)) as source:
        captured = to_gray(next(iter(source)))
    recorded = cv2.cvtColor(last_picture(record), cv2.COLOR_BGR2GRAY)
    # HUD and notice are written on the left; the rest of the screen was full of text and is black now.
    rest = outside_of(image, np.asarray(recorded, np.uint8))
    rest[: image.y, : SPEC.width * 3 // 4] = 0
    rest[image.y + image.height :, : SPEC.width // 2] = 0
    rest[: SPEC.height // 4, : SPEC.width // 2] = 0
    assert rest.max() < 20
    there = outside_of(image, captured)
    assert there[: image.y, SPEC.width * 3 // 4 :].max() > 100 or there[:, image.x + image.width :].max() > 100
    inner = (slice(image.y + 30, image.y + image.height - 60), slice(image.x + 60, image.x + image.width - 60))
    assert np.abs(recorded[inner].astype(int).mean() - captured[inner].astype(int).mean()) < 25, "the image is there"


def test_the_local_display_alone_sees_the_whole_screen() -> None:
    seen: dict[Sees, NDArray[np.uint8]] = {}

    class Eye:
        dropped = 0

        def __init__(self, sees: Sees) -> None:
            self.sees, self.name = sees, sees.value

        def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
            seen[self.sees] = frame.pixels if picture is None else picture.pixels.copy()

        def close(self) -> None:
            return None

    bright = Frame(np.full((240, 320), 200, np.uint8), PixelFormat.GRAY8, 320, 240, 0, 0, 0)
    black = Frame(np.zeros((240, 320), np.uint8), PixelFormat.GRAY8, 320, 240, 0, 0, 0)
    composer = Composer(Outputs([Eye(sees) for sees in Sees]), Ledger(), "model")
    result = FrameResult(0, 0, SourceState.RUNNING, AiState.ON, shown_ns=1)
    composer.show(Captured(black, bright), result)
    assert seen[Sees.RESULT].max() == 0
    middle = (slice(100, 200), slice(0, 320))
    assert seen[Sees.KEPT][middle].max() == 16, "black in limited range"
    assert seen[Sees.SCREEN][middle].min() > 150
    composer.show_again(Captured(black, bright), SourceState.NO_SIGNAL)
    assert seen[Sees.KEPT][middle].max() == 16
    assert seen[Sees.SCREEN][middle].min() > 150


def test_a_live_screen_is_not_recorded_before_somebody_says_what_of_it(tmp_path: Path) -> None:
    source = "gst:videotestsrc is-live=true pattern=ball"
    done = command("run", source, "--record", tmp_path / "out.mp4", "--max-frames", "5")
    assert done.returncode == ExitCode.USAGE
    assert "may show a patient's name" in done.stderr
    assert not (tmp_path / "out.mp4").exists()
    for words in (["--record-full-screen"], ["--region", "16,16,64,64"]):
        out = tmp_path / f"{words[0]}.mp4"
        assert command("run", source, "--record", out, "--max-frames", "5", *words).returncode == ExitCode.OK
        assert out.stat().st_size > 0
    assert command("run", source, "--max-frames", "5", "--findings", tmp_path / "f").returncode == ExitCode.OK


@pytest.mark.parametrize(
    ("says", "regions", "recorded"), [("NO", 0, "all"), ("YES", 0, ""), (None, 0, ""), (None, 1, "region")]
)
def test_dicom_is_recorded_as_far_as_it_denies_burned_in_names(
    says: str | None, regions: int, recorded: str, tmp_path: Path
) -> None:
    tags: dict[str, Any] = {} if says is None else {"BurnedInAnnotation": says}
    if regions:
        tags["SequenceOfUltrasoundRegions"] = [region()]
    source = write_dicom(tmp_path / "scan.dcm", bytes([200]) * (3 * 48 * 64), frames=3, **tags)
    record = tmp_path / "out.mp4"
    if not recorded:
        with pytest.raises(UsageError, match="may show a patient's name"):
            list(edge_us.run(str(source), record=str(record)))
        assert not record.exists()
        return
    for frame, _ in edge_us.run(str(source), record=str(record)):
        kept = frame.pixels == 200
    assert kept.all() if recorded == "all" else kept.sum() == 40 * 40


def test_a_patients_name_in_dicom_reaches_no_output(tmp_path: Path) -> None:
    source = write_dicom(
        tmp_path / "scan.dcm", bytes([90]) * (3 * 48 * 64), frames=3,
        PatientName="DOE^JANE", PatientID="4711-X", StudyDate="20010203", BurnedInAnnotation="NO",
    )  # fmt: skip
    outputs = {name: tmp_path / f"out.{name}" for name in ("mp4", "jsonl", "json")}
    done = command(
        "run", source, "--record", outputs["mp4"], "--findings", outputs["jsonl"], "--report", outputs["json"]
    )
    assert done.returncode == ExitCode.OK, done.stderr
    for path in outputs.values():
        content = path.read_bytes()
        assert not any(word in content for word in (b"DOE", b"JANE", b"4711", b"20010203")), path.name
    assert "DOE" not in done.stdout + done.stderr


def test_a_region_is_found_shown_and_kept_as_a_preset(screen: Path, tmp_path: Path) -> None:
    preset = tmp_path / "cart.toml"
    done = command("calibrate", "region", screen, "--out", preset, "--yes", "--name", 'the "old" cart')
    assert done.returncode == ExitCode.OK, done.stderr
    found = read_preset(preset)
    image = make_layout(SPEC).image
    assert found.screen == (800, 600)
    assert found.name == 'the "old" cart'
    assert np.abs(np.array(found.region) - np.array(image)).max() <= 8
    shown = cv2.imread(str(preset.with_suffix(".png")))
    assert shown is not None
    rest = outside_of(Rect(*found.region), np.asarray(shown, np.uint8))
    colours = {tuple(colour) for colour in np.unique(rest.reshape(-1, 3), axis=0).tolist()}
    assert colours <= {(0, 0, 0), YELLOW}, "black, and the line around the region"
    assert shown.any()
    assert preset.with_suffix(".png").stat().st_mode & 0o777 == 0o600
    report = tmp_path / "report.json"
    record = tmp_path / "out.mp4"
    done = command("run", screen, "--preset", preset, "--record", record, "--report", report)
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads(report.read_text())["region"] == "given"


def test_the_picture_of_a_refused_region_is_removed(screen: Path, tmp_path: Path) -> None:
    picture = tmp_path / "look.png"
    picture.touch(0o644)
    words = ["calibrate", "region", screen, "--region", "100,80,600,480", "--out", tmp_path / "cart.toml"]
    line = [sys.executable, "-m", "edge_us.cli.main", *map(str, words), "--picture", str(picture)]
    asked = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert asked.stdout is not None
        assert str(picture) in asked.stdout.readline()
        assert picture.stat().st_mode & 0o777 == 0o600
        assert picture.stat().st_size > 0
        _, err = asked.communicate("n\n", timeout=30)
    finally:
        asked.kill()
    assert asked.returncode == ExitCode.USAGE
    assert "not confirmed" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("region = [0, 0, 100, 100]", "screen"),
        ("screen = [100, 100]\nregion = [50, 50, 60, 60]", "does not lie on a screen"),
        ("screen = [100, 100]\nregion = [0, 0, 50, 50]\nmm = 3", "mm"),
        ("screen = [100", "not valid TOML"),
    ],
)
def test_a_wrong_preset_is_one_clear_error(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "cart.toml"
    path.write_text(content)
    with pytest.raises(UsageError, match=says):
        read_preset(path)
    with pytest.raises(UsageError):
        list(edge_us.run("phantom:?frames=3", preset=str(path)))
