import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_us.bench.loopback import LEAST_FRAMES, Output, Seen, summarise
from edge_us.capture.gst import available_elements
from edge_us.errors import InputError

CLI = (sys.executable, "-m", "edge_us.cli.main", "bench")
MS = 1_000_000
RUN_MS = 4000
"""Both passes last so long: whatever was seen later was joined with the wrong time, however slow the machine is."""
REPORT = {"model": {"name": "m"}, "backend": {"name": "b"}}


def bench(arguments: Sequence[object]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CLI, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=1200)


def test_times_are_joined_by_counter_and_repeats_count_once() -> None:
    times = {number: number * 33 * MS for number in range(40)}
    seen = []
    for number in range(30):
        captured = times[number] + 12 * MS
        seen.append(Seen(number, captured, captured + 7 * MS))
        seen.append(Seen(number, captured + 16 * MS, captured + 40 * MS))  # the grabber is twice as fast
    seen[8] = Seen(None, seen[8].captured_ns, seen[8].shown_ns)
    seen[9] = Seen(None, seen[9].captured_ns, seen[9].shown_ns)
    found = summarise(seen, times, 0, Output.DISPLAY, REPORT)
    assert found["output_to_capture_ms"]["p50"] == 12
    assert found["capture_to_shown_ms"]["max"] == 7
    assert set(found["glass_to_glass_ms"].values()) == {19.0}
    assert (found["frames"], found["counters_read"], found["unreadable"], found["never_arrived"]) == (60, 29, 2, 1)


def test_a_picture_without_the_counter_is_no_measurement() -> None:
    seen = [Seen(None, number * 33 * MS, number * 33 * MS + 5) for number in range(50)]
    with pytest.raises(InputError, match="read in 0 of 50 frames"):
        summarise(seen, {}, 0, Output.DISPLAY, REPORT)


@pytest.mark.skipif("shmsink" not in available_elements(), reason="GStreamer's shm plugin is not installed")
def test_through_shared_memory(tmp_path: Path) -> None:
    out = tmp_path / "l.json"
    done = bench(["--loopback", "memory", "--seconds", 3, "--warm-up", 1, "--json", out])
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found["schema"] == "edge-us/loopback/1"
    assert found["counters_read"] >= LEAST_FRAMES
    away, inside, whole = (found[f"{part}_ms"] for part in ("output_to_capture", "capture_to_shown", "glass_to_glass"))
    assert 0 < away["p50"] < RUN_MS
    assert max(away["p50"], inside["p50"]) <= whole["p50"]
    assert whole["max"] <= away["max"] + inside["max"]
    assert "glass to glass" in done.stdout


def test_through_a_real_rtsp_server(tmp_path: Path) -> None:
    out = tmp_path / "l.json"
    done = bench(["--loopback", "rtsp", "--seconds", 3, "--warm-up", 1, "--json", out])
    if "GstRtspServer" in done.stderr:
        pytest.skip("gst-rtsp-server is not installed (gir1.2-gst-rtsp-server-1.0)")
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found["counters_read"] >= LEAST_FRAMES
    assert 0 < found["output_to_capture_ms"]["p50"] < RUN_MS


def test_a_display_needs_the_input_that_the_cable_ends_in() -> None:
    done = bench(["--loopback", "display"])
    assert done.returncode == 2
    assert "needs a source" in done.stderr
    assert bench(["some.mp4", "--loopback", "memory"]).returncode == 2
