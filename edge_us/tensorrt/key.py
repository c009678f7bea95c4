"""`EngineKey`: what an engine was built from, with and for; an engine is used where all of it is the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from edge_us.inference.backend import Precision

AMPERE = (8, 0)
"""Compute capability from which a hardware-compatible engine runs."""


class EngineOptions(BaseModel):
    """How an engine is built; the defaults are TensorRT's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workspace_mb: int | None = Field(
        default=None, ge=16, description="Device memory that an engine may use while it computes, in MiB; default all."
    )
    optimization_level: int = Field(
        default=3, ge=0, le=5, description="0 builds fastest, 5 looks longest for the fastest engine."
    )
    hardware_compatible: bool = Field(
        default=False, description="Runs on every GPU from Ampere on, and slower; Jetson does not support it."
    )
    version_compatible: bool = Field(
        default=False, description="Runs on later versions of TensorRT of the same major as well, and slower."
    )


class EngineKey(BaseModel):
    """What must be the same for an engine to be used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    onnx_sha256: str = Field(description="Of the model's file. A cast made on the way follows from it.")
    precision: Precision
    module: str = Field(description="Python module that built it: tensorrt, or in tests tensorrt_rtx.")
    version: str = Field(description="Of that module.")
    platform: str = Field(description="Operating system and architecture.")
    gpu: str
    compute_capability: str
    driver: str = Field(description="Version of the driver, with L4T's on Jetson.")
    options: EngineOptions


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of the key that is not the same."""

    field: str
    built: str
    here: str

    def __str__(self) -> str:
        return f"{self.field.replace('_', ' ')} is {self.here} here, the engine was built for {self.built}"


def difference(built: EngineKey, here: EngineKey, *, options: bool = False) -> Difference | None:
    """The first field in which an engine does not fit, in the order of `EngineKey`; None where it may be used.

    Parameters
    ----------
    built : EngineKey
        Of the engine.
    here : EngineKey
        Of the machine and the model that are to use it.
    options : bool
        Compare the options as well: for whoever builds. A run takes an engine with the options that it was built with.

    Notes
    -----
    A hardware-compatible engine fits every GPU from Ampere on, whatever its driver; a version-compatible one fits the
    same and later versions of the same major (TensorRT's documentation, "Engine Compatibility").
    """
    for field in EngineKey.model_fields:
        was, now = getattr(built, field), getattr(here, field)
        if was == now or (field == "options" and not options) or _may_differ(field, built, here):
            continue
        if field == "options":
            field, was, now = _option(built.options, here.options)
        return Difference(field, _text(was), _text(now))
    return None


def _may_differ(field: str, built: EngineKey, here: EngineKey) -> bool:
    if field == "version" and built.options.version_compatible:
        was, now = numbers(built.version), numbers(here.version)
        return bool(was) and was[:1] == now[:1] and now >= was
    if field in ("gpu", "compute_capability", "driver") and built.options.hardware_compatible:
        return numbers(here.compute_capability) >= AMPERE
    return False


def numbers(version: str) -> tuple[int, ...]:
    """``10.13.3.9`` as numbers; empty where it is none."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdigit() for part in parts) else ()


def _option(built: EngineOptions, here: EngineOptions) -> tuple[str, Any, Any]:
    for name in EngineOptions.model_fields:
        was, now = getattr(built, name), getattr(here, name)
        if was != now:
            return name, was, now
    raise AssertionError("the options are equal")


def _text(value: Any) -> str:
    if isinstance(value, Precision):
        return value.value
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
