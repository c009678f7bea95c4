"""The sidecar: what a built file was made from, with what, and what it was measured to do."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_us.builder.gate import GateReport
from edge_us.builder.int8 import CalibrationMethod
from edge_us.builder.ranges import Pictures


class Source(BaseModel):
    """The file that another was built from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: str


class Calibration(BaseModel):
    """How an int8 file came by its ranges."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: CalibrationMethod
    percentile: float | None = Field(description="Null for other methods.")
    activations: Literal["uint8", "int8"]
    keep_float: tuple[str, ...]
    quantised_tensors: int = Field(description="Activations that are rounded; weights come on top.")
    cache_sha256: str = Field(description="Of the measured ranges as --cache writes them.")
    pictures: Pictures


class BuildRecord(BaseModel):
    """What lies beside a built file, as FILE.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_name: Literal["edge-us/build/1"] = Field("edge-us/build/1", alias="schema")
    file: str = Field(description="Name of the built file.")
    sha256: str = Field(description="Of the built file.")
    precision: Literal["fp32", "fp16", "int8"]
    source: Source
    calibration: Calibration | None = Field(description="Null for float files.")
    gate: GateReport | None = Field(description="Null where a float file was not judged.")
    tools: dict[str, str] = Field(description="Versions of the packages that built and judged.")

    def text(self) -> str:
        """The file's content."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"
