"""What every peer's script shares: its arguments, its clock, and the encoder of the table with equal settings.

The clock starts before the clip is opened and stops when the output file is closed; loading and warming up the network
comes before. CPU time is that of the process and its children, the encoder's process among them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

THRESHOLD = 0.25
"""Score from which every peer draws."""
X264 = (
    "x264enc speed-preset=ultrafast tune=zerolatency pass=qual quantizer=21 bitrate=60000 vbv-buf-capacity=1000 "
    "bframes=0 sliced-threads=false threads=2 key-int-max=15"
)
"""The settings of edge_us's own recording."""


def arguments() -> argparse.Namespace:
    """Clip, weights, where to save and how."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="ONNX of a YOLO segmentation network, static size")
    parser.add_argument("--folder", type=Path, required=True, help="for what is saved, and for converted weights")
    parser.add_argument("--save", choices=["own", "x264", "none"], default="own")
    parser.add_argument("--precision", choices=["default", "fp32"], default="default")
    return parser.parse_args()


def cpu_s() -> float:
    """CPU time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(work: Callable[[], tuple[int, int]], **about: Any) -> None:
    """Time ``work`` (frames and drawn lesions are what it returns) and print one line of JSON."""
    started, before = time.perf_counter(), cpu_s()
    frames, drawn = work()
    seconds, cpu = time.perf_counter() - started, cpu_s() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    result = {
        "frames": frames, "drawn": drawn, "seconds": round(seconds, 4), "fps": round(frames / seconds, 2),
        "cpu_ms_per_frame": round(cpu / frames * 1e3, 2), "peak_rss_mb": round(peak), **about,
    }  # fmt: skip
    print(json.dumps(result), flush=True)


class X264Pipe:
    """The encoder of the table with equal settings: BGR pictures into a process of GStreamer's, with edge_us's x264."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float = 30.0) -> None:
        width, height = size
        text = (
            f"fdsrc fd=0 blocksize={width * height * 3} ! rawvideoparse format=bgr width={width} height={height} "
            f"framerate={round(fps)}/1 ! videoconvert ! video/x-raw,format=I420 ! {X264} ! h264parse "
            f"! mp4mux fragment-duration=500 ! filesink location={path}"
        )
        self._process = subprocess.Popen(["gst-launch-1.0", "-q", *text.split()], stdin=subprocess.PIPE)

    def write(self, picture: Any) -> None:
        """One BGR picture of the size given."""
        assert self._process.stdin is not None
        self._process.stdin.write(picture.data if picture.flags.c_contiguous else picture.tobytes())

    def release(self) -> None:
        """Finish the file."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.wait(30):
            raise SystemExit("the encoder failed")


def open_writer(save: str, folder: Path, size: tuple[int, int], fps: float = 30.0) -> Any:
    """OpenCV's writer with MPEG-4 part 2 (``own``), the equal encoder (``x264``), or None."""
    import cv2

    if save == "none":
        return None
    if save == "x264":
        return X264Pipe(folder / "out.mp4", size, fps)
    return cv2.VideoWriter(str(folder / "out.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
