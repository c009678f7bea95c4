"""`Preset`: what is known of one cart's screen, in a TOML file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_us.config import read_toml
from edge_us.errors import PipelineError, UsageError
from edge_us.frame import Fan, Rect
from edge_us.privacy.redact import Keep
from edge_us.scale.fingerprint import ALPHABET, count

Four = tuple[
    Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]
]
MmPerPx = Annotated[float, Field(gt=0.001, lt=10)]
SMALLEST_REGION_PX = 16
MOST_BLOCKS = 100_000
HINT = "Make it anew: edge-us calibrate region SOURCE --out FILE.toml"


class Preset(BaseModel):
    """What `edge-us calibrate region` and `pixels` write and ``run --preset`` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(default="", description="The cart, in the user's words.")
    screen: tuple[int, int] = Field(description="Width and height in px of the picture that this holds for.")
    region: Four = Field(description="X, Y, W, H in px: the ultrasound image. Nothing else leaves the process.")
    hide: tuple[Four, ...] = Field(default=(), description="Rectangles in the region that are black as well.")
    probe: str = Field(default="", description="The probe, in the user's words.")
    depth_mm: float | None = Field(
        default=None, gt=0, lt=1000, description="Imaging depth that the scale was taken at."
    )
    mm_per_px: tuple[MmPerPx, MmPerPx] | None = Field(
        default=None, description="Size of a pixel in x and y; needs watch."
    )
    watch: tuple[Four, ...] = Field(
        default=(),
        description="Where on the screen ruler, depth, zoom and settings stand: the scale ends when they change.",
    )
    fingerprint: str = Field(
        default="", pattern=f"^[{ALPHABET}]*$", description="What stood there, one mean grey for each block of pixels."
    )
    apex: tuple[float, float] | None = Field(
        default=None,
        description="Curved probes: the point that the beams come from, in px of the screen, usually above it.",
    )
    angles: tuple[float, float] | None = Field(
        default=None,
        description="Curved probes: directions of the outermost beams in degrees, left below 0; needs apex.",
    )

    @model_validator(mode="after")
    def _region_lies_on_the_screen(self) -> Preset:
        x, y, width, height = self.region
        if min(width, height) < SMALLEST_REGION_PX or x + width > self.screen[0] or y + height > self.screen[1]:
            raise ValueError(f"the region {x},{y},{width},{height} does not lie on a screen of {self.screen}")
        return self

    @model_validator(mode="after")
    def _a_scale_is_watched(self) -> Preset:
        strips = [Rect(*strip) for strip in self.watch]
        for strip in strips:
            if strip.clip(*self.screen) != strip:
                raise ValueError(f"watch {','.join(map(str, strip))} does not lie on a screen of {self.screen}")
        if self.mm_per_px is not None and not strips:
            raise ValueError("a scale needs `watch`: where ruler and depth stand")
        blocks = sum(count(strip, self.screen) for strip in strips)
        if blocks > MOST_BLOCKS:
            raise ValueError("watch is too large: name the ruler and the words on depth and zoom alone")
        if len(self.fingerprint) != blocks:
            raise ValueError(f"fingerprint has {len(self.fingerprint)} characters, its strips have {blocks} blocks")
        return self

    @model_validator(mode="after")
    def _a_fan_is_whole(self) -> Preset:
        if (self.apex is None) != (self.angles is None):
            raise ValueError("apex and angles go together")
        if self.apex is None or self.angles is None:
            return self
        if self.mm_per_px is None:
            raise ValueError("apex and angles need a scale: they change with the depth, and are watched with it")
        if not -90 < self.angles[0] < 0 < self.angles[1] < 90 or self.apex[1] >= self.region[1]:
            raise ValueError("the apex lies above the region, the angles on either side of 0 and within 90 degrees")
        return self

    @property
    def keep(self) -> Keep:
        """What of the screen may leave the process."""
        return Keep((Rect(*self.region),), tuple(Rect(*rect) for rect in self.hide), self.screen)

    @property
    def fan(self) -> Fan | None:
        """How the beams of a curved probe run; None for straight ones, and where the preset does not say.

        The ends of the probe's face are the highest points of the image: they lie at the region's top.
        """
        if self.apex is None or self.angles is None:
            return None
        x, y = self.apex
        steepest = math.radians(max(-self.angles[0], self.angles[1]))
        return Fan(x, y, (self.region[1] - 0.5 - y) / math.cos(steepest))

    def write(self, path: Path) -> None:
        """Write the file; raises `PipelineError` where that is not possible."""
        lines = []
        for name, value in self.model_dump(mode="json", exclude_defaults=True).items():
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
        try:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        except OSError as error:
            raise PipelineError(f"cannot write {path}: {error.strerror}", "Choose another --out.") from None


def read_preset(path: Path) -> Preset:
    """Read and check a preset.

    Raises
    ------
    UsageError
        It cannot be read, or says something impossible; the message names the field.
    """
    try:
        return Preset.model_validate(read_toml(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise UsageError(f"{path} is not a preset: {where}: {first['msg']}", HINT) from None
