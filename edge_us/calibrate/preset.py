"""`Preset`: what is known of one cart's screen, in a TOML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_us.config import read_toml
from edge_us.errors import PipelineError, UsageError
from edge_us.frame import Rect
from edge_us.privacy.redact import Keep

Four = tuple[
    Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]
]
SMALLEST_REGION_PX = 16
HINT = "Make it anew: edge-us calibrate region SOURCE --out FILE.toml"


class Preset(BaseModel):
    """What `edge-us calibrate region` writes and ``run --preset`` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", description="The cart, in the user's words.")
    screen: tuple[int, int] = Field(description="Width and height in px of the picture that this holds for.")
    region: Four = Field(description="X, Y, W, H in px: the ultrasound image. Nothing else leaves the process.")
    hide: tuple[Four, ...] = Field((), description="Rectangles in the region that are black as well.")

    @model_validator(mode="after")
    def _region_lies_on_the_screen(self) -> Preset:
        x, y, width, height = self.region
        if min(width, height) < SMALLEST_REGION_PX or x + width > self.screen[0] or y + height > self.screen[1]:
            raise ValueError(f"the region {x},{y},{width},{height} does not lie on a screen of {self.screen}")
        return self

    @property
    def keep(self) -> Keep:
        """What of the screen may leave the process."""
        return Keep((Rect(*self.region),), tuple(Rect(*rect) for rect in self.hide), self.screen)

    def write(self, path: Path) -> None:
        """Write the file; raises `PipelineError` where that is not possible."""
        lines = [f"name = {json.dumps(self.name)}", f"screen = {list(self.screen)}", f"region = {list(self.region)}"]
        lines.append(f"hide = {[list(rect) for rect in self.hide]}")
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
