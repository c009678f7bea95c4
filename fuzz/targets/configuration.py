"""Configuration: TOML files, ``EDGE_US_*`` variables, phantom addresses, score calibrations and presets."""

from __future__ import annotations

import json
from pathlib import Path

from edge_us.calibrate.preset import read_preset
from edge_us.calibrate.score_calibration import read_score_calibration
from edge_us.capture.open import kind_of
from edge_us.config import RunConfig, load_config
from edge_us.errors import EdgeUsError
from edge_us.runtime.build import check_outputs
from fuzz.target import Target

PRESET = b"#preset\n"
SAFE = ("phantom", "images", "rtsp", "rtsps", "rtspt", "v4l2", "decklink", "gst")
"""Sources that are looked at without opening a file of this machine."""


def seeds(_folder: Path) -> list[bytes]:
    plain = b'source = "phantom:?size=320x240&frames=3&freeze=1-2"\nmodel = "default"\nmode = "every"\nthreads = 2\n'
    more = (
        b'source = "rtsp://user:word@127.0.0.1:8554/live?a=b"\nplay_fps = 12.5\nloop = true\nmin_score = 0.3\n'
        b'region = "1,2,320,240"\nrecord = "out.mp4"\nfindings = "out.jsonl"\nreport = "out.json"\nmax_age_ms = 1e3\n'
    )
    calibration = {
        "schema": "edge-us/score-calibration/1", "model": "m", "model_sha256": "0" * 64, "precision": "fp32",
        "score_temperature": 1.5, "threshold": 0.3, "false_positives_per_image": 0.1, "sensitivity": 0.9,
        "normals_quiet": None,
        "cases": {"manifest": "m", "manifest_sha256": "1", "split": None, "images": 1, "normals": 0, "lesions": 1,
                  "groups": 1},
    }  # fmt: skip
    preset = (Path(__file__).parents[2] / "calibration/presets/phantom-cart.toml").read_bytes()
    variables = b"\xffSOURCE=phantom:\xffTHREADS=2\xffREGION=auto\xffPLAY_FPS=5"
    return [plain, more, plain + b"[table]\na = [1, {b = 2}]\nc = 1979-05-27T07:32:00Z\n",
            json.dumps(calibration).encode(), variables, PRESET + preset]  # fmt: skip


def check(data: bytes, folder: Path) -> None:
    path = folder / "file"
    path.write_bytes(data)
    if data.startswith(PRESET):
        read_preset(path)
        return
    refused: EdgeUsError | None = None
    try:
        if data[:1] == b"\xff":
            pairs = (part.decode("utf-8", "surrogateescape").partition("=") for part in data.split(b"\xff")[1:])
            config = load_config({}, environment={f"EDGE_US_{name}": value for name, _, value in pairs})
        else:
            config = load_config({}, path, environment={})
        _use(config)
    except EdgeUsError as error:
        refused = error
    if data[:1] == b"{":
        read_score_calibration(path)
    elif refused is not None:
        raise refused


def _use(config: RunConfig) -> None:
    check_outputs(config)
    if config.source.partition(":")[0].lower() in SAFE:
        kind_of(config.source)


TARGET = Target(
    seeds,
    check,
    tuple(f"\n{name} = ".encode() for name in RunConfig.model_fields)
    + tuple(f"\xff{name.upper()}=".encode("latin-1") for name in RunConfig.model_fields)
    + (b"[", b"]", b"[[", b"{", b"}", b'"""', b"'", b"\\u0000", b"\\uD800", b"\0", b"#", b"inf", b"nan", b"true")
    + (b"[" * 3000, b'{"a":' * 3000, b"=[" * 500, b"a." * 2000, b"\xe2\x82\xac", b"\xc2\xb2", b"/" + b"a" * 300)
    + (b"phantom:?", b"freeze=", b"size=", b"&lesion=", b"live=1", b"rtsp://[", b"decklink://", b"v4l2:///", b"fps="),
    limit_s=5.0,
)
