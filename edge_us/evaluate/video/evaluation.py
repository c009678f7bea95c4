"""`evaluate_video`: sequences with masks and a model in, a `VideoEvaluation` out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_us.evaluate.bootstrap import RESAMPLES
from edge_us.evaluate.manifest import check_present
from edge_us.evaluate.observe import Progress
from edge_us.evaluate.output import about_backend, about_bootstrap, about_model
from edge_us.evaluate.summary import Bootstrap
from edge_us.evaluate.video.observe import Observation, observe_clip
from edge_us.evaluate.video.sequences import Clip, Sequences, read_sequences
from edge_us.evaluate.video.summary import clip_rows, metrics
from edge_us.evaluate.video.tracks import HIT_IOU, HIT_SHARE, VISIBLE_SHARE
from edge_us.evaluate.video.ultradet import LINK_FRAMES, LINK_IOU, TRUE_SHARE
from edge_us.inference.backend import BackendName, Precision
from edge_us.page.html import write_text

SCHEMA = "edge-us/video-evaluation/2"
SCORE_FLOOR = 0.02
"""Lowest score of the detector's own boxes that UltraDet's count looks at."""
SYNTHETIC = "all clips are synthetic: they prove temporal behaviour, not accuracy on patients"
MIXED = "some of the clips are synthetic"


@dataclass(frozen=True, slots=True, eq=False)
class VideoEvaluation:
    """The result of `evaluate_video`.

    Attributes
    ----------
    report : mapping
        Schema ``edge-us/video-evaluation/2``.
    observations : tuple of Observation
    """

    report: Mapping[str, Any]
    observations: tuple[Observation, ...]

    def write_report(self, path: Path) -> None:
        """Write the report as JSON."""
        write_text(path, json.dumps(self.report, indent=1, ensure_ascii=False) + "\n")

    def write_html(self, path: Path) -> None:
        """Write the self-contained page."""
        from edge_us.evaluate.video.page import build_page

        write_text(path, build_page(self.report))


def evaluate_video(
    manifest: Path,
    split: str | None = None,
    model: str = "default",
    *,
    backend: BackendName = BackendName.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
    region: str = "auto",
    threshold: float | None = None,
    calibration: Path | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Progress | None = None,
) -> VideoEvaluation:
    """Measure a model on sequences with a mask for each frame, played as ``edge-us run`` plays a file.

    A mark is shown from when hysteresis lets it appear. It hits the lesion that it lies on (box IoU 0.5) on most of
    its frames, if on at least half of them; else it is a false mark. False-positive tracks are counted by UltraDet's
    definition instead (`ultradet`), among the same boxes.

    Parameters
    ----------
    manifest : Path
        CSV; see `sequences.read_sequences`.
    split, model, backend, precision, threads, region, threshold, calibration
        As for `evaluate.evaluate`.
    seed, resamples : int
        Of the intervals, which resample groups.
    progress : callable, optional
        Called with the number of clips done and their total.

    Raises
    ------
    EdgeUsError
        The manifest, a clip, the model or the backend cannot be used; the message says which.
    """
    from edge_us.calibrate.score_calibration import calibrated
    from edge_us.config import load_config
    from edge_us.inference.model import load_model
    from edge_us.probe.probe import check_model
    from edge_us.runtime.engine import open_engine

    rows = read_sequences(manifest, split)
    check_present(
        (clip.where, what, path)
        for clip in rows.clips
        for what, path in (("clip", clip.clip), ("mask sequence", clip.masks))
        if path is not None
    )
    check_model(model, backend=backend, precision=precision)
    loaded = calibrated(load_model(model, precision), calibration)
    if threshold is not None:
        loaded = replace(loaded, threshold=threshold)
    config = load_config({"source": "clips", "region": region, "measure": False}, environment={})
    engine = open_engine(loaded, backend=backend, precision=precision, threads=threads)
    observations: list[Observation] = []
    try:
        for clip in rows.clips:
            floor = min(SCORE_FLOOR, loaded.threshold / 2)
            observations.append(observe_clip(clip, config, engine, loaded.threshold, floor))
            if progress is not None:
                progress(len(observations), len(rows.clips))
        info = engine.info
    finally:
        engine.close()
    bootstrap = Bootstrap(resamples, seed)
    sets = sorted({each.clip.dataset for each in observations})
    report = {
        "schema": SCHEMA,
        "note": _note(rows.clips),
        "manifest": _about(rows),
        "model": about_model(loaded),
        "backend": about_backend(info),
        "settings": {
            "region": region,
            "on_frames": config.on_frames,
            "off_frames": config.off_frames,
            "hit_iou": HIT_IOU,
            "hit_share_of_track": HIT_SHARE,
            "visible_share_of_lesion": VISIBLE_SHARE,
            "link_iou": LINK_IOU,
            "link_frames": LINK_FRAMES,
            "true_share_of_track": TRUE_SHARE,
            "bootstrap": about_bootstrap(bootstrap),
        },
        **metrics(observations, bootstrap),
        "datasets": {
            name: metrics([each for each in observations if each.clip.dataset == name], bootstrap) for name in sets
        },
        "clips": clip_rows(observations),
    }
    return VideoEvaluation(report, tuple(observations))


def _note(clips: tuple[Clip, ...]) -> str | None:
    made = [clip.synthetic for clip in clips]
    if all(made):
        return SYNTHETIC
    return MIXED if any(made) else None


def _about(rows: Sequences) -> dict[str, Any]:
    return {"name": rows.path.name, "sha256": rows.sha256, "split": rows.split}
