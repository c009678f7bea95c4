"""What a bundle's folder holds, as it is written and read.

``bundle.json``
    `Header`: source, configuration, hashes of all networks, backend, and where the pixels are.
``frames.jsonl``
    In the order of the run: a `FrameLine` for each shown frame with everything that its result depends on, and events
    between them.
``frames.mkv``, ``frames-2.mkv``, …
    The frames as analysed, FFV1; a new part begins where size or format change. Absent where the original file is
    named by hash.
``findings.jsonl``
    What was shown.
``calibration.json``
    The score calibration, if one was used.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_us.capture.source import SourceKind
from edge_us.config import Mode
from edge_us.finding import SourceState
from edge_us.frame import (
    Colorimetry,
    ColorMatrix,
    ColorRange,
    Fan,
    Frame,
    Geometry,
    PixelFormat,
    Rect,
    UltrasoundRegion,
)

HEADER, LINES, FINDINGS, CALIBRATION = "bundle.json", "frames.jsonl", "findings.jsonl", "calibration.json"

Four = tuple[int, int, int, int]
MmPerPx = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None


def part_name(number: int) -> str:
    """File of the ``number``-th part, counted from 1."""
    return "frames.mkv" if number == 1 else f"frames-{number}.mkv"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkId(_Model):
    """A network by its file."""

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class BackendId(_Model):
    """What computed."""

    name: str
    precision: str
    device: str


class Original(_Model):
    """The recording that the frames came from, where all of it may be named."""

    source: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Header(_Model):
    """``bundle.json``."""

    schema_name: Literal["edge-us/bundle/1"] = Field("edge-us/bundle/1", alias="schema")
    version: str = Field(description="Of edge_us.")
    source: str = Field(description="Without credentials.")
    kind: SourceKind
    fps: float | None
    mode: Mode
    config: dict[str, Any] = Field(description="Every option that results depend on.")
    model: NetworkId
    classifier: NetworkId | None
    plugins: dict[str, NetworkId] = Field(default_factory=dict, description="A site's own classifiers, by their task.")
    backend: BackendId
    libraries: dict[str, str] = Field(description="Versions of what computed and decoded.")
    original: Original | None = Field(description="Null where the bundle holds the frames itself.")


class GeometryLine(_Model):
    """What the source said of the frames that follow."""

    event: Literal["geometry"] = "geometry"
    region: Four | None
    mm_per_px: MmPerPx
    reason: str
    regions: tuple[tuple[Four, MmPerPx, str | None, bool], ...]
    fan: tuple[float, float, float] | None = None

    @classmethod
    def of(cls, geometry: Geometry) -> GeometryLine:
        """As written."""
        regions = tuple((tuple(each.rect), each.mm_per_px, each.reason, each.is_tissue) for each in geometry.regions)
        region = None if geometry.region is None else tuple(geometry.region)
        return cls.model_validate(
            {
                "region": region,
                "mm_per_px": geometry.mm_per_px,
                "reason": geometry.reason,
                "regions": regions,
                "fan": geometry.fan,
            }
        )

    def geometry(self) -> Geometry:
        """As it was."""
        regions = tuple(UltrasoundRegion(Rect(*rect), mm, why, tissue) for rect, mm, why, tissue in self.regions)
        region = None if self.region is None else Rect(*self.region)
        fan = None if self.fan is None else Fan(*self.fan)
        return Geometry(region, self.mm_per_px, self.reason, regions, fan)


class Happening(str, Enum):
    """What can happen between frames, as far as results depend on it or a fault is to be told."""

    INFERRED = "inferred"
    """live: the inference of ``frame`` was finished. Skipped frames have none; the tracker sees the others, in this
    order."""
    RESTARTED = "restarted"
    """live: the networks were built anew: what comes after was seen by an analyser that knew nothing."""
    SOURCE = "source"
    """live: the source changed to ``state`` at ``at_ns``."""
    END = "end"
    """The run ended in order; without it, it was killed, or the bundle could not be written any more."""


class EventLine(_Model):
    """Something between frames."""

    event: Happening
    frame: int | None = None
    at_ns: int | None = Field(None, description="Monotonic, as the frames' stamps.")
    state: SourceState | None = None


class FrameLine(_Model):
    """One shown frame, and everything that its result depends on but pixels and networks."""

    frame: int = Field(ge=0)
    part: int | None = Field(description="Which file holds the pixels; null where the encoder had no room for them.")
    crc32: int = Field(description="Of the pixels: a decoder that decodes otherwise is told from a network that does.")
    format: PixelFormat
    size: tuple[int, int]
    range: ColorRange
    matrix: ColorMatrix
    name: str | None
    pts_ns: int
    captured_ns: int
    shown_ns: int | None
    source_state: SourceState
    result_frame: int | None
    failure: str = Field("", description="Why there was no AI; empty where there was.")

    @property
    def colorimetry(self) -> Colorimetry:
        """What the code values mean."""
        return Colorimetry(self.range, self.matrix)

    def frame_with(self, pixels: Any, geometry: Geometry) -> Frame:
        """The frame as it was analysed."""
        width, height = self.size
        return Frame(
            pixels, self.format, width, height, self.frame, self.pts_ns, self.captured_ns, self.colorimetry, geometry,
            self.name,
        )  # fmt: skip
