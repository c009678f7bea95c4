"""`RunConfig`: the one configuration model, filled by a TOML file, ``EDGE_US_*`` variables and options."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge_us.errors import UsageError, one_line
from edge_us.finding import Exam
from edge_us.frame import Rect
from edge_us.inference.backend import BackendName, Precision
from edge_us.log import LogFormat
from edge_us.sinks.decklink import DeckLinkMode

ENV_PREFIX = "EDGE_US_"
MAX_FILE_BYTES = 1 << 20


class Mode(str, Enum):
    """What happens to a frame for which inference has no time."""

    LIVE = "live"
    """Every frame is shown on time, with its own result if ready, else with the newest and its age."""
    EVERY = "every"
    """Every frame waits for its own inference; nothing is skipped or dropped."""


class Fallback(str, Enum):
    """What happens where a backend fails and cannot be had again."""

    NONE = "none"
    """The AI stays off, and the picture says so."""
    CPU = "cpu"
    """Another CPU backend takes over; report and log say so."""


class Analysable(str, Enum):
    """Whether pictures are judged before anything is concluded from them."""

    AUTO = "auto"
    """Colour Doppler, dual views, frozen pictures and lost contact are named; at most outlines, nothing concluded."""
    OFF = "off"
    """Every picture is taken for live B-mode."""


class RunConfig(BaseModel):
    """Everything that ``edge-us run`` can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=1, description="File, folder or URI that the frames come from.")
    exam: Exam = Field(
        Exam.BREAST,
        description="What is examined: breast looks for lesions alone, axilla for lymph nodes too; SIGUSR1 changes it "
        "while running.",
    )
    model: str = Field("default", description="Name of a shipped model, or the path of a YOLO segmentation ONNX.")
    classifier: str = Field(
        "auto",
        description="Benign / malignant network: auto takes the one that goes with the shipped model, off none; or a "
        "name or the path of an ONNX file.",
    )
    node_classifier: str = Field(
        "off",
        description="axilla: a site's own classifier of nodes, calibrated (ONNX); node-phantom only proves the way.",
    )
    nodal_risk: str = Field(
        "off",
        description="breast: a site's own classifier of a lesion's nodal risk, calibrated (ONNX); none is shipped.",
    )
    backend: BackendName = Field(BackendName.AUTO, description="Inference backend; auto picks what runs best here.")
    precision: Precision = Field(
        Precision.AUTO, description="Arithmetic; auto is the fastest that agrees with fp32 on this machine."
    )
    fallback: Fallback = Field(
        Fallback.NONE, description="live: cpu lets another CPU backend take over from one that fails again and again."
    )
    build: bool = Field(
        False,
        description="Build the TensorRT engines that this machine lacks before the run, with visible progress; never "
        "done without.",
    )
    threads: int | None = Field(None, ge=1, le=256, description="Inference threads; default all cores.")
    mode: Mode | None = Field(None, description="live or every; default live for live sources, every for files.")
    loop: bool = Field(False, description="Play a recording again and again, until stopped.")
    play_fps: float | None = Field(None, gt=0, le=1000, description="Play a recording at this rate instead of its own.")
    max_frames: int | None = Field(None, ge=1, description="Stop after this many shown frames.")
    min_score: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Score from which a finding counts (in a video a track must convince more, see "
        "edge_us/tracking/tracker.py); default that of the calibration, else the model's own.",
    )
    calibration: Path | None = Field(None, description="Score calibration made by `edge-us calibrate scores`.")
    region: str = Field(
        "auto",
        description="Image region of the screen: auto, full, or X,Y,W,H in px. auto takes what the source "
        "itself declares (DICOM, phantom), else finds it.",
    )
    analysable: Analysable = Field(
        Analysable.AUTO,
        description="auto names pictures that nothing may be concluded from (colour Doppler, dual view, frozen, no "
        "contact); off takes every picture for live B-mode.",
    )
    measure: bool = Field(
        True,
        description="Measure stable findings (axes, area, depth) and describe lesions in the words of the BI-RADS "
        "lexicon (shape, orientation, margin, echo pattern, posterior features); no category is claimed.",
    )
    preset: Path | None = Field(
        None,
        description="Preset of this cart's screen (`edge-us calibrate region`): its image region, and what to hide.",
    )
    record_full_screen: bool = Field(
        False, description="Let the whole screen leave the process, names and all; default is the named region alone."
    )
    record: Path | None = Field(None, description="Write the annotated video here (fragmented MP4, H.264).")
    findings: Path | None = Field(None, description="Write one JSON object per shown frame here (JSON Lines).")
    report: Path | None = Field(None, description="Write the run's report here (JSON).")
    bundle: Path | None = Field(
        None, description="Keep the run in this new folder, so that `edge-us replay` can run it again."
    )
    log: LogFormat = Field(
        LogFormat.WARNINGS, description="What happens, told on standard error: off, warnings, text, or json lines."
    )
    metrics: str | None = Field(None, description="Serve Prometheus metrics at PORT, or at HOST:PORT.")
    metrics_token: Path | None = Field(None, description="File with the token that a reader of metrics must send.")
    metrics_cert: Path | None = Field(None, description="Certificate (PEM) for metrics over TLS.")
    metrics_key: Path | None = Field(None, description="Its key (PEM).")
    display: bool = Field(False, description="Show the annotated video in a window.")
    fullscreen: bool = Field(False, description="With display: cover the whole monitor.")
    monitor: int = Field(0, ge=0, description="With fullscreen: which monitor, counted from 0.")
    decklink_out: int | None = Field(
        None, ge=0, le=63, description="Play the annotated video on this output of a DeckLink card, counted from 0."
    )
    decklink_mode: DeckLinkMode = Field(
        DeckLinkMode.HD1080P60, description="With decklink-out: what the card sends; pictures are fitted into it."
    )
    deterministic: bool = Field(
        False, description="Zero the wall-clock values in findings, so that two runs are byte-identical."
    )
    probe: bool = Field(
        True,
        description="Open files, and networks that are not shipped, in a child process first, so that a crash of a "
        "decoder ends in a clear error.",
    )
    connect_timeout_s: float = Field(
        10.0, gt=0, le=3600, description="A source not connected within this time is an error."
    )
    max_age_ms: float = Field(
        200.0, gt=0, description="live: a result older than this is not drawn, and the HUD says so."
    )
    max_wait_ms: float | None = Field(
        None, ge=0, description="live: how long a frame waits for its own result; default one frame interval."
    )
    on_frames: int = Field(5, ge=1, description="A lesion appears after being seen on this many frames.")
    off_frames: int = Field(5, ge=0, description="A shown lesion goes after being missed on this many frames.")

    @field_validator("region")
    @classmethod
    def _region_is_a_word_or_four_numbers(cls, text: str) -> str:
        parse_region(text)
        return text

    @model_validator(mode="after")
    def _one_region(self) -> RunConfig:
        if self.preset is not None and self.region != "auto":
            raise ValueError("a preset names the region: leave out --region")
        return self


def parse_region(text: str) -> Rect | None:
    """Turn ``X,Y,W,H`` into a `Rect`; ``auto`` and ``full`` give None. Raises ValueError otherwise."""
    if text in ("auto", "full"):
        return None
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError("region is auto, full, or four whole numbers X,Y,W,H in px") from None
    if min(x, y) < 0 or min(width, height) < 16:
        raise ValueError("region needs X, Y >= 0 and W, H >= 16 px")
    return Rect(x, y, width, height)


def load_config(
    options: Mapping[str, Any], file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> RunConfig:
    """Merge a TOML file, ``EDGE_US_*`` variables and options (the later win) into one configuration.

    Options that are None count as not given.

    Raises
    ------
    UsageError
        The file cannot be read, or a value is not allowed; the message names field and origin.
    """
    origin: dict[str, str] = {}
    merged: dict[str, Any] = {}
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if file is not None:
        layers.append((str(file), read_toml(file)))
    known = set(RunConfig.model_fields)
    variables = {
        name[len(ENV_PREFIX) :].lower(): value for name, value in environment.items() if name.startswith(ENV_PREFIX)
    }
    layers.append(("environment", {name: value for name, value in variables.items() if name in known}))
    layers.append(("option", {name: value for name, value in options.items() if value is not None}))
    for where, layer in layers:
        merged.update(layer)
        origin.update(dict.fromkeys(layer, where))
    try:
        return RunConfig.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "configuration"
        where = origin.get(name, "configuration")
        shown = {"option": f"--{name.replace('_', '-')}", "environment": f"{ENV_PREFIX}{name.upper()}"}.get(
            where, f"{name!r} in {where}"
        )
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{shown}: {reason}", hint="See `edge-us run --help` for what each option takes.") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises `UsageError` where it cannot be read or is none."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    hint = "Write it as `name = value` lines, texts in quotes."
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {path}: {why}", "Check the path.") from None
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{path} is no configuration: it is larger than {MAX_FILE_BYTES >> 20} MiB", hint)
    try:
        content: dict[str, Any] = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # not TOML or UTF-8; numbers of 5000 digits; nested without end
        raise UsageError(f"{path} is not valid TOML: {one_line(error)}", hint) from None
    return content
