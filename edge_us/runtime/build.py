"""From the configuration to the parts of a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_us.capture.uri import without_credentials
from edge_us.config import Analysable, Mode, RunConfig, parse_region
from edge_us.errors import UsageError
from edge_us.finding import Exam
from edge_us.frame import Rect
from edge_us.runtime.analyser import Analyser, Conclusion, FrameDetector, RegionPolicy
from edge_us.runtime.outputs import Outputs

if TYPE_CHECKING:
    from edge_us.calibrate.preset import Preset
    from edge_us.capture.source import SourceInfo, SourceKind
    from edge_us.privacy.keep import Redactor
    from edge_us.replay.writer import BundleWriter
    from edge_us.runtime.engine import Share
    from edge_us.sinks.sink import Sink


def check_outputs(config: RunConfig) -> None:
    """Refuse outputs that cannot work or would destroy something, before anything is opened or written.

    Raises
    ------
    UsageError
        An output is the source, two outputs are one file, or a folder is missing or not writable.
    """
    if config.bundle is not None:
        from edge_us.replay.writer import check_folder

        check_folder(config.bundle)
    seen: dict[Path, str] = {}
    for option in ("record", "findings", "report", "bundle"):
        path: Path | None = getattr(config, option)
        if path is None:
            continue
        try:
            _check_output(option, path, config.source, seen)
        except (OSError, ValueError) as error:  # a name that is too long, or holds a NUL
            why = getattr(error, "strerror", None) or error
            raise UsageError(
                f"--{option}: {str(path)[:200]!r} cannot be a file: {why}", "Choose another name."
            ) from None


def _check_output(option: str, path: Path, source: str, seen: dict[Path, str]) -> None:
    real = path.resolve()
    if real in seen:
        raise UsageError(f"--{option} and --{seen[real]} are the same file: {path}", "Give each output its own file.")
    seen[real] = option
    # What the source is called may be too long for a file: then it is none.
    if path.exists() and os.path.exists(source) and path.samefile(source):  # noqa: PTH110
        raise UsageError(f"--{option} would overwrite the source {without_credentials(source)}", "Choose another file.")
    if path.is_dir() and option != "bundle":
        raise UsageError(f"--{option} {path} is a folder", "Give a file name.")
    folder = real.parent
    if not folder.is_dir():
        raise UsageError(f"--{option}: the folder {folder} does not exist", f"Make it: mkdir -p {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"--{option}: {path} is not writable", "Choose another place.")


def build_analyser(
    config: RunConfig,
    share: Share,
    kind: SourceKind,
    threshold: float,
    detector: FrameDetector | None = None,
    preset: Preset | None = None,
) -> Analyser:
    """Detector, tracker and region policy as configured; stills are not tracked.

    On stills findings are classified and described from the model's own threshold on, however low ``threshold`` is.

    ``detector`` stands in for the one over the share's model and lanes: evaluation listens to it. ``preset`` is that of
    the configuration, read.
    """
    from edge_us.capture.source import SourceKind
    from edge_us.inference.detector import Detector
    from edge_us.tracking.looks import Looks
    from edge_us.tracking.tracker import Tracker

    tracker = None
    if kind is not SourceKind.STILLS:
        tracker = Tracker(threshold, config.on_frames, config.off_frames)
    floor = threshold if tracker is None else tracker.floor
    given = parse_region(config.region)
    if preset is not None:
        given = Rect(*preset.region)
    policy = RegionPolicy.FULL if config.region == "full" else RegionPolicy.DECLARED_OR_FOUND
    if given is not None:
        policy = RegionPolicy.GIVEN
    judge = None
    if config.analysable is Analysable.AUTO:
        from edge_us.analysable.judge import Judge

        judge = Judge(stills=tracker is None)
    stills = tracker is None
    shown = max(threshold, share.model.threshold)
    conclusions: dict[str, Conclusion] = {}
    if share.classifier is not None:
        from edge_us.classify.malignancy import Malignancy

        conclusions["classify"] = Looks(Malignancy(share.classifier), stills=stills, threshold=shown)
    for task, plugin in share.plugins.items():
        from edge_us.classify.plugin import Assess

        conclusions[task.name.lower().replace("_", " ")] = Looks(Assess(plugin), stills=stills, threshold=shown)
    if config.measure:
        from edge_us.describe.stage import Describe
        from edge_us.measure.stage import Measure

        conclusions["measure"] = Measure(stills=stills)
        conclusions["describe"] = Looks(Describe(), stills=stills, threshold=shown)
        if config.exam is Exam.AXILLA:
            from edge_us.nodes.stage import ReadNode

            conclusions["nodes"] = Looks(ReadNode(), stills=stills, threshold=shown)
    detector = detector or Detector(share.model, share.lanes, floor, exam=config.exam)
    classifier = None if share.classifier is None else share.classifier.model.sha256
    return Analyser(detector, tracker, policy, given, judge, conclusions, config.exam, share.model.sha256, classifier)


def read_preset_of(config: RunConfig) -> Preset | None:
    """The preset that is named, if one is; raises `UsageError` where it is none."""
    if config.preset is None:
        return None
    from edge_us.calibrate.preset import read_preset

    return read_preset(config.preset)


def build_redactor(config: RunConfig, info: SourceInfo, preset: Preset | None) -> Redactor:
    """What of the source may leave, as configured; raises `UsageError` where pixels would and nobody said which."""
    from edge_us.privacy.keep import choose_redactor

    return choose_redactor(
        info,
        region=parse_region(config.region),
        preset=preset,
        full_screen=config.record_full_screen,
        pixels_leave=not (config.record is None and config.bundle is None and config.decklink_out is None),
    )


def build_outputs(
    config: RunConfig,
    fps: float,
    mode: Mode,
    bundle: BundleWriter | None = None,
    press: Callable[[str], None] = lambda _key: None,
) -> Outputs:
    """All sinks that the configuration asks for, opened; ``bundle`` is one more, ``press`` hears the window's keys."""
    sinks: list[Sink] = [] if bundle is None else [bundle]
    try:
        if config.record is not None:
            from edge_us.sinks.feed import BackPressure
            from edge_us.sinks.recording import Recording

            policy = BackPressure.DROP if mode is Mode.LIVE else BackPressure.BLOCK
            sinks.append(Recording(config.record, fps, policy))
        if config.findings is not None:
            from edge_us.sinks.findings_file import FindingsFile

            sinks.append(FindingsFile(config.findings, deterministic=config.deterministic))
        if config.display:
            from edge_us.sinks.display import Display

            sinks.append(Display(fullscreen=config.fullscreen, monitor=config.monitor, press=press))
        if config.decklink_out is not None:
            from edge_us.sinks.decklink import DeckLinkOut

            sinks.append(DeckLinkOut(config.decklink_out, config.decklink_mode))
    except BaseException:
        Outputs(sinks).close()
        raise
    return Outputs(sinks, without_credentials(config.source))
