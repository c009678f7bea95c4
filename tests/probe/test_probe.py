"""Opening untrusted files in a child: what crashes there is a clear error here."""

from __future__ import annotations

import gc
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from edge_us.api import run
from edge_us.capture.open import open_source
from edge_us.cli.main import main
from edge_us.cli.replay import NOT_REPLAYED
from edge_us.errors import ExitCode, InputError, ModelError
from edge_us.inference.backend import BackendName
from edge_us.inference.registry import list_models
from edge_us.probe import probe as probing
from edge_us.probe.libraries import elements, named, of_source
from edge_us.probe.probe import Probe, check_model, probe_model, probe_source
from fuzz.onnx_seed import tiny_network
from tests.clips import make_clip, noise

ELEMENT = r"\w+ \(\w+ \d+\.[\d.]+\)"
LONGEST_S = 120.0
"""What has not come by then never comes, on a slow machine either."""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4", noise(5, 160, 120))


def spoil(monkeypatch: pytest.MonkeyPatch, harm: str, where: str = "decoder") -> None:
    monkeypatch.setattr(probing, "CHILD", "tests.probe.spoilt_child")
    monkeypatch.setenv("EDGE_US_TEST_HARM", harm)
    monkeypatch.setenv("EDGE_US_TEST_WHERE", where)


def wait_for(probe: Probe | None) -> None:
    assert probe is not None
    with probe:
        probe.result()


def test_a_good_file_is_opened_twice_and_nothing_is_said(clip: Path) -> None:
    wait_for(probe_source(str(clip)))
    with open_source(str(clip), probe=True) as source:
        assert sum(1 for _ in source) == 5


def test_what_cannot_be_played_is_the_same_error_with_and_without_a_probe(tmp_path: Path) -> None:
    for name, content in (("a.mkv", b"no video" * 99), ("b.dcm", bytes(200)), ("c.mha", b"DimSize = 1\n")):
        path = tmp_path / name
        path.write_bytes(content)
        said = []
        for probe in (False, True):
            with pytest.raises(InputError) as caught:
                open_source(str(path), connect_timeout_s=LONGEST_S, probe=probe)
            said.append((caught.value.message, caught.value.hint))
        assert said[0] == said[1]


@pytest.mark.parametrize(("harm", "how"), [("segfault", "SIGSEGV"), ("abort", "SIGABRT"), ("exit", "exit code 3")])
def test_a_decoder_that_crashes_is_an_input_error_that_names_it_and_its_version(
    clip: Path, monkeypatch: pytest.MonkeyPatch, harm: str, how: str
) -> None:
    spoil(monkeypatch, harm)
    with pytest.raises(InputError) as caught:
        open_source(str(clip), probe=True)
    assert re.search(rf"opening {re.escape(str(clip))} crashed in .*{ELEMENT} \({how}\)", caught.value.message)
    assert "264" in caught.value.message
    assert "--no-probe" in caught.value.hint


def test_a_decoder_that_hangs_is_an_input_error(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is over as soon as it hangs: how long a machine takes to get there says nothing."""
    hangs = tmp_path / "hangs"
    spoil(monkeypatch, "hang")
    monkeypatch.setenv("EDGE_US_TEST_HANGS", str(hangs))
    began = time.monotonic()
    probe = probe_source(str(clip), LONGEST_S)
    assert probe is not None
    with probe:
        assert probe._until_s == pytest.approx(began + LONGEST_S + probing.GRACE_S, abs=LONGEST_S / 2)
        while not hangs.exists():
            assert time.monotonic() - began < LONGEST_S
            time.sleep(0.02)
        probe._until_s = time.monotonic()
        with pytest.raises(InputError, match=rf"hangs in .*{ELEMENT}"):
            probe.result()
        assert probe._process.poll() is not None, "nothing is left of it"


def test_a_run_over_a_file_that_crashes_its_decoder_ends_in_one_message_and_exit_code_3(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(monkeypatch, "segfault")
    monkeypatch.setattr(sys, "argv", ["edge-us", "run", str(clip)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == ExitCode.INPUT
    assert re.match(r"error: opening .* crashed in .*SIGSEGV\)\nhint: ", capsys.readouterr().err)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A bundle that keeps its frames."""
    folder = tmp_path / "bundle"
    assert len(list(run("phantom:?frames=5&size=320x240", mode="live", bundle=folder))) > 0
    assert list(folder.glob("*.mkv"))
    return folder


@pytest.mark.parametrize("words", [["run", "bundle:{}"], ["replay", "{}"]])
def test_a_bundle_that_crashes_its_decoder_is_one_message(
    stored: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["edge-us", *(word.format(stored) for word in words)])
    with suppress(SystemExit):
        main()
    assert "crashed" not in capsys.readouterr().err
    spoil(monkeypatch, "segfault", "bundle")
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == (NOT_REPLAYED if words[0] == "replay" else ExitCode.INPUT)
    assert re.match(r"error: opening .* crashed in .*avdec_ffv1 .*SIGSEGV\)\nhint: ", capsys.readouterr().err)


def test_a_bundle_that_names_its_recording_is_replayed_only_if_the_recording_opens(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundle"
    assert len(list(run(str(clip), bundle=folder))) == 5
    moved = clip.rename(tmp_path / "moved.mp4")
    spoil(monkeypatch, "segfault")
    monkeypatch.setattr(sys, "argv", ["edge-us", "replay", str(folder), "--source", str(moved)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == NOT_REPLAYED
    assert re.match(rf"error: opening {moved} crashed in ", capsys.readouterr().err)


def test_calibrating_and_evaluating_open_files_in_a_child_first(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(monkeypatch, "segfault")
    table = tmp_path / "clips.csv"
    table.write_text(f"dataset,clip,masks,label,group,fps,split,synthetic\na,{clip},,normal,1,30,test,no\n")
    for words in (
        ["calibrate", "region", str(clip), "--region", "0,0,64,64", "--out", str(tmp_path / "a.toml"), "--yes"],
        ["evaluate", str(table), "--video"],
    ):
        monkeypatch.setattr(sys, "argv", ["edge-us", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == ExitCode.INPUT
        assert re.search(r"error: .* crashed in .*SIGSEGV\)\nhint: ", capsys.readouterr().err)


def test_without_a_probe_no_child_is_started(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, "segfault")
    assert len(list(run(str(clip), probe=False))) == 5


def test_live_sources_and_phantoms_get_no_child() -> None:
    for text in ("phantom:", "rtsp://127.0.0.1/live", "v4l2:///dev/video0", "decklink://0", "gst:videotestsrc"):
        assert probe_source(text) is None


def test_dicom_metaimage_and_stills_are_probed(tmp_path: Path) -> None:
    import cv2

    from tests.capture_files.dicom_files import grey_ramp, write_dicom

    write_dicom(tmp_path / "a.dcm", grey_ramp().tobytes())
    (tmp_path / "a.mha").write_bytes(b"DimSize = 8 8\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n" + bytes(64))
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    for text in (str(tmp_path / "a.dcm"), str(tmp_path / "a.mha"), f"images:{tmp_path}"):
        wait_for(probe_source(text))
    assert "pydicom" in of_source(str(tmp_path / "a.dcm"))


def test_a_child_that_does_not_start_stops_nobody(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "CHILD", "edge_us.no_such_module")
    assert len(list(run(str(clip), probe=True))) == 5


def test_the_child_takes_no_module_from_the_working_directory(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "numpy", "gi", "edge_us", "resource"):
        (tmp_path / f"{name}.py").write_text("open('taken', 'w')\n")
    monkeypatch.chdir(tmp_path)
    wait_for(probe_source(str(clip)))
    assert not (tmp_path / "taken").exists()


def test_a_probe_that_nobody_waits_for_leaves_no_child_behind(clip: Path) -> None:
    gc.collect()  # what earlier tests left is not closed meanwhile: its numbers would be taken again
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    probe = probe_source(str(clip))
    assert probe is not None
    probe.close()
    probe.close()
    assert probe._process.poll() is not None
    assert set(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208


def test_shipped_networks_are_known_by_name_and_hash_and_get_no_child(tmp_path: Path) -> None:
    entry = list_models()[0]
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(entry.path.read_bytes())
    for text in ("default", entry.name, str(entry.path), str(copy), "nonesuch", str(tmp_path), "x" * 5000):
        assert probe_model(text) is None


def test_a_users_own_network_is_read_compiled_and_run_in_the_child(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(tiny_network())
    check_model(str(path))
    path.write_bytes(tiny_network(task="detect"))
    with pytest.raises(ModelError, match="not for segmentation"):
        check_model(str(path))
    with pytest.raises(ModelError, match="is not a classifier"):
        check_model(str(path), is_classifier=True)


def test_a_network_that_crashes_its_backend_is_a_model_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(tiny_network())
    spoil(monkeypatch, "segfault", "backend")
    with pytest.raises(ModelError, match=r"crashed in openvino 20[\d.]+, onnxruntime [\d.]+ \(SIGSEGV\)"):
        check_model(str(path))
    with pytest.raises(ModelError, match=r"crashed in onnxruntime [\d.]+ \(SIGSEGV\)"):
        list(run("phantom:?frames=3&size=320x240", model=str(path), backend=BackendName.ONNXRUNTIME))


def test_elements_are_those_of_the_last_attempt() -> None:
    line = 'x gst_element_factory_create_with_properties: creating element "{}"\n'
    log = "".join(line.format(name) for name in ("filesrc", "qtdemux", "filesrc", "typefind", "matroskademux"))
    assert re.fullmatch(r"matroskademux \(matroska [\d.]+\)", elements(log))
    assert elements("nothing") == ""
    assert named("numpy", "no-such-package").startswith("numpy ")
