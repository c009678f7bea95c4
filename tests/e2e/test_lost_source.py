"""A live source that is lost while it is watched: the picture says so, and the run goes on when it comes back."""

from __future__ import annotations

from pathlib import Path
from threading import Timer

import cv2
import numpy as np
from numpy.typing import NDArray

import edge_us
from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.frame import Frame, PixelFormat
from edge_us.overlay.overlay import Overlay
from edge_us.overlay.picture import Hud
from edge_us.runtime.present import present_again
from tests.rtsp import Serve, free_port

MS = 1_000_000


def pictures(path: Path) -> tuple[list[NDArray[np.uint8]], list[float]]:
    """All pictures of a recording, and their times in s."""
    capture = cv2.VideoCapture(str(path))
    found: list[NDArray[np.uint8]] = []
    times: list[float] = []
    while True:
        there, image = capture.read()
        if not there:
            return found, times
        found.append(np.asarray(image, np.uint8))
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3)


def test_a_lost_stream_is_named_in_the_picture_and_comes_back(serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    server = serve(port)
    recorded, findings = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    run = edge_us.run(
        f"rtsp://127.0.0.1:{port}/live", record=str(recorded), findings=str(findings), connect_timeout_s=15,
        record_full_screen=True, max_age_ms=10_000,
    )  # fmt: skip
    watchdog = Timer(90, run.stop)
    watchdog.start()
    frames: list[Frame] = []
    calm: list[float] = []
    back, killed = 0, False
    for frame, result in run:
        frames.append(frame)
        if result.ai_state is AiState.ON and not killed:
            calm.append(frame.pts_ns / 1e9)
        if len(calm) == 15 and not killed:
            killed = True
            server.kill()
            server.wait()
            Timer(2.0, serve, (port,)).start()
        elif killed and frame.pts_ns - frames[-2].pts_ns > 1500 * MS:
            back = frame.index
        if back and frame.index == back + 10:
            run.stop()
    watchdog.cancel()
    assert back, "the stream did not come back"
    assert run.report is not None
    assert run.report["frames"]["shown"] == len(frames) == len(findings.read_text().splitlines())
    images, times = pictures(recorded)
    during = [
        image
        for image, at in zip(images, times, strict=True)
        if frames[back - 1].pts_ns / 1e9 + 0.6 < at < frames[back].pts_ns / 1e9 - 0.1
    ]
    assert len(during) >= 3, "nothing was recorded while the stream was gone"
    # The words are red, the picture of the test server is grey; frames that were looked at carry none.
    assert min(red_pixels(image) for image in during) > 100
    quiet = [image for image, at in zip(images, times, strict=True) if min(abs(at - each) for each in calm) < 0.002]
    assert len(quiet) > 5
    assert max(red_pixels(image) for image in quiet) == 0


def red_pixels(image: NDArray[np.uint8]) -> int:
    blue, green, red = (image[..., channel].astype(int) for channel in range(3))
    return int(((red - green > 60) & (red - blue > 60)).sum())


def test_the_last_picture_loses_its_findings_and_says_how_old_it_is() -> None:
    last = Frame(np.full((240, 320), 90, np.uint8), PixelFormat.GRAY8, 320, 240, 7, 280 * MS, 1000 * MS)
    again, result = present_again(last, SourceState.NO_SIGNAL, 4500 * MS)
    assert (again.index, again.pts_ns) == (7, 3780 * MS)
    assert (result.ai_state, result.findings) == (AiState.OFF, ())
    assert result.reason == "last picture 3.5 s ago"
    plain = FrameResult(7, 1000 * MS, SourceState.RUNNING, AiState.ON, shown_ns=1010 * MS)
    hud = Hud(25.0, 0, 0, "lesion")
    quiet = Overlay().draw(last, plain, hud).pixels.copy()
    assert np.abs(Overlay().draw(again, result, hud).pixels.astype(int) - quiet).max() > 60
