"""The calibration cache: the measured ranges, bound by hash to a model, a set of pictures and the settings.

With it an int8 file is made again, byte for byte, without the pictures.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_us.builder.int8 import CalibrationMethod, Int8Settings
from edge_us.errors import InputError

if TYPE_CHECKING:
    from edge_us.builder.pictures import CalibrationSet

RECALIBRATE_HINT = "Measure the ranges anew: --calibration MANIFEST.csv, with another --cache FILE or none."


class Pictures(BaseModel):
    """The calibration set; the pictures themselves stay where they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: str = Field(description="Name of the manifest.")
    manifest_sha256: str
    split: str | None
    images: int
    groups: int = Field(description="Patients or clusters.")
    seed: int = Field(description="Of the draw.")
    sha256: str = Field(description="Of the list of the pictures' names and the sha256 of their files.")


class RangeCache(BaseModel):
    """What ``--cache`` writes and takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_name: Literal["edge-us/int8-ranges/1"] = Field("edge-us/int8-ranges/1", alias="schema")
    model: str
    model_sha256: str = Field(description="The ranges hold for this float file and no other.")
    method: CalibrationMethod
    percentile: float | None = Field(description="Null for other methods.")
    pictures: Pictures
    tools: dict[str, str] = Field(description="Versions of the packages that measured.")
    ranges: dict[str, tuple[float, float]] = Field(min_length=1, description="Lowest and highest value by tensor.")

    def text(self) -> str:
        """The file's content."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"

    def sha256(self) -> str:
        """Of the file's content."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def differs_from(self, model_sha256: str, settings: Int8Settings, drawn: CalibrationSet | None) -> str | None:
        """The first thing in which the cache is not what is asked for, in words; None where it fits."""
        if self.model_sha256 != model_sha256:
            return f"model {self.model_sha256[:12]}…, not {model_sha256[:12]}…"
        if self.method is not settings.method:
            return f"method {self.method.value}, not {settings.method.value}"
        if self.percentile != percentile_of(settings):
            return f"percentile {self.percentile}, not {settings.percentile}"
        if drawn is not None and self.pictures.sha256 != drawn.sha256:
            return f"pictures {self.pictures.sha256[:12]}…, not {drawn.sha256[:12]}…"
        return None


def percentile_of(settings: Int8Settings) -> float | None:
    """The percentile where the method has one."""
    return settings.percentile if settings.method is CalibrationMethod.PERCENTILE else None


def about_set(drawn: CalibrationSet) -> Pictures:
    """What is recorded of a calibration set."""
    return Pictures(
        manifest=drawn.source.manifest.name,
        manifest_sha256=drawn.manifest_sha256,
        split=drawn.source.split,
        images=len(drawn.cases),
        groups=len(drawn.groups),
        seed=drawn.source.seed,
        sha256=drawn.sha256,
    )


def read_cache(path: Path) -> RangeCache:
    """Read and check a cache.

    Raises
    ------
    InputError
        It cannot be read, or is no cache of ranges.
    """
    try:
        return RangeCache.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the cache {path}: {error.strerror}", RECALIBRATE_HINT) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise InputError(f"{path} is not a cache of ranges: {where}: {first['msg']}", RECALIBRATE_HINT) from None
