"""From a run's parts to the bundle that keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us._version import __version__
from edge_us.capture.source import SourceInfo, SourceKind
from edge_us.config import Mode, RunConfig
from edge_us.replay.bundle import BackendId, Header, NetworkId, Original
from edge_us.replay.original import hash_of_source
from edge_us.replay.writer import BundleWriter
from edge_us.sinks.feed import BackPressure

if TYPE_CHECKING:
    from edge_us.calibrate.preset import Preset
    from edge_us.runtime.engine import Engine

OUTPUTS = frozenset(
    {"source", "bundle", "record", "findings", "report", "display", "fullscreen", "monitor", "connect_timeout_s",
     "decklink_out", "decklink_mode",
     "max_frames", "backend", "precision", "fallback", "calibration", "preset", "deterministic", "record_full_screen",
     "build", "log", "metrics", "metrics_token", "metrics_cert", "metrics_key"}
)  # fmt: skip
"""Options that no result depends on, or that the header says in another place."""


def open_bundle(
    config: RunConfig, info: SourceInfo, engine: Engine, mode: Mode, *, whole: bool, preset: Preset | None
) -> BundleWriter:
    """The bundle that ``config.bundle`` asks for.

    A recording whose pictures may leave as they are, and whose frames are all analysed, is named by its hash; of
    everything else the frames themselves are kept, as they may leave.

    Parameters
    ----------
    config : RunConfig
    info : SourceInfo
    engine : Engine
    mode : Mode
    whole : bool
        Whether the whole picture may leave.
    preset : Preset or None
        That of the configuration, read.
    """
    assert config.bundle is not None
    by_hash = whole and mode is Mode.EVERY and info.kind is not SourceKind.LIVE
    classifier = engine.classifier
    header = Header(
        schema="edge-us/bundle/1",
        version=__version__,
        source=info.uri,
        kind=info.kind,
        fps=info.fps,
        mode=mode,
        config=_options(config, preset),
        model=NetworkId(name=engine.model.name, sha256=engine.model.sha256),
        classifier=None if classifier is None else NetworkId(name=classifier.name, sha256=classifier.sha256),
        plugins={task.value: NetworkId(name=one.name, sha256=one.sha256) for task, one in engine.plugins.items()},
        backend=BackendId(name=engine.info.name, precision=engine.info.precision, device=engine.info.device),
        libraries=libraries(engine.info.name),
        original=Original(source=config.source, sha256=hash_of_source(config.source)) if by_hash else None,
    )
    policy = BackPressure.DROP if mode is Mode.LIVE else BackPressure.BLOCK
    return BundleWriter(config.bundle, header, config.calibration, policy)


def libraries(backend: str) -> dict[str, str]:
    """What computes here: results are the same bits only where all of these are."""
    from edge_us.bench.machine import describe_machine

    machine = describe_machine()
    version = machine["versions"].get(backend) or "unknown"
    return {backend: version, "cpu": str(machine["cpu"]), "cores": str(machine["cores"])}


def _options(config: RunConfig, preset: Preset | None) -> dict[str, Any]:
    options = {name: value for name, value in config.model_dump(mode="json").items() if name not in OUTPUTS}
    for name in ("model", "classifier", "node_classifier", "nodal_risk"):
        if Path(options[name]).is_file():  # replayed from wherever
            options[name] = str(Path(options[name]).resolve())
    if preset is not None:
        options["region"] = ",".join(map(str, preset.region))
    return options
