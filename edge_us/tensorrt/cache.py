"""Engines on disk: the serialised engine, and beside it the record with the key that it was built for.

The record is read and compared before TensorRT sees the engine, and so is the engine's sha256: TensorRT's own messages
about a foreign or damaged engine name nothing, and some versions crash over it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_us.errors import EdgeUsError, EngineMismatchError, ModelError, PipelineError
from edge_us.inference.backend import NetworkFile, Precision
from edge_us.tensorrt.key import EngineKey, EngineOptions, difference
from edge_us.tensorrt.readback import precision_of

if TYPE_CHECKING:
    from edge_us.tensorrt.api import Api
    from edge_us.tensorrt.target import Target

FOLDER_VARIABLE = "EDGE_US_ENGINES"
_DIGEST_BYTES = 32
_MOST_RECORD_BYTES = 1 << 20


class EngineRecord(BaseModel):
    """What lies beside an engine, as FILE.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_name: Literal["edge-us/engine/2"] = Field("edge-us/engine/2", alias="schema")
    model: str = Field(description="Name of the model, for people.")
    key: EngineKey
    engine_sha256: str
    onnx_sha256: str = Field(description="Of the file that was parsed: the model's, or a cast of it.")
    tensors: dict[str, int] = Field(description="How many tensors of the engine have which type, read back from it.")
    precision_unknown: str | None = Field(description="Why the types do not tell the precision; null where they do.")
    build_seconds: float
    sha256: str = Field(default="", description="Of all the other fields, as they stand in the file.")

    def sealed(self) -> EngineRecord:
        """The same record with its sha256."""
        return self.model_copy(update={"sha256": self.digest()})

    def digest(self) -> str:
        """The sha256 that it must have."""
        fields = self.model_dump(mode="json", by_alias=True, exclude={"sha256"})
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()

    def fault(self) -> str:
        """What is wrong with it as such; empty where nothing is."""
        if self.sha256 != self.digest():
            return "it was changed after it was written"
        found = precision_of(self.tensors)
        read_back = None if isinstance(found, Precision) else found.reason
        if read_back != self.precision_unknown or (read_back is None and found is not self.key.precision):
            return f"its tensors are not those of an engine in {self.key.precision.value}"
        return ""


class EngineState(Enum):
    """What is there for a model."""

    READY = "ready"
    MISSING = "missing"
    DIFFERS = "differs"
    """Built for something else."""
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Which engine would be used, and what keeps it from being used.

    ``reason`` is empty and ``command`` of no use where it is ready.
    """

    state: EngineState
    path: Path
    reason: str
    command: str


def engines_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where engines are kept: ``EDGE_US_ENGINES``, else ``edge-us/engines`` in the user's cache."""
    if given := environment.get(FOLDER_VARIABLE):
        return Path(given)
    home = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".cache"
    return Path(home) / "edge-us" / "engines"


def engine_path(folder: Path, name: str, precision: Precision) -> Path:
    """One engine for each model and precision; for another machine it is built anew."""
    return folder / f"{name}-{precision.value}.engine"


def record_path(path: Path) -> Path:
    """The record of an engine."""
    return path.with_name(f"{path.name}.json")


def key_for(network: NetworkFile, precision: Precision, api: Api, target: Target, options: EngineOptions) -> EngineKey:
    """The key of the engine that fits here."""
    return EngineKey(
        onnx_sha256=network.sha256,
        precision=precision,
        module=api.name.value,
        version=api.version,
        platform=target.platform,
        gpu=target.gpu,
        compute_capability=target.compute_capability,
        driver=target.driver,
        options=options,
    )


def status(network: NetworkFile, here: EngineKey, folder: Path, *, options: bool = False) -> EngineStatus:
    """Which engine would be used for a model, and what is missing; reads the disk and nothing else.

    Parameters
    ----------
    network : NetworkFile
    here : EngineKey
        As `key_for` gives it.
    folder : Path
    options : bool
        See `key.difference`.
    """
    path = engine_path(folder, network.name, here.precision)
    command = build_command(network, here.precision)
    try:
        read_engine(network, here, folder, options=options)
    except EngineMismatchError as error:
        return EngineStatus(EngineState.DIFFERS, path, error.message, command)
    except EdgeUsError as error:
        state = EngineState.DAMAGED if os.path.isfile(path) else EngineState.MISSING  # noqa: PTH113
        return EngineStatus(state, path, error.message, command)
    return EngineStatus(EngineState.READY, path, "", command)


def build_command(network: NetworkFile, precision: Precision) -> str:
    """The command that builds a model's engine. A shipped model is named, another one by its file."""
    from edge_us.inference.registry import find_classifier, find_entry

    shipped = find_entry(network.name) or find_classifier(network.name)
    word = network.name if shipped is not None and shipped.sha256 == network.sha256 else str(network.path)
    return f"edge-us models prebuild {word} --precision {precision.value}"


def read_engine(
    network: NetworkFile, here: EngineKey, folder: Path, *, options: bool = False
) -> tuple[bytes, EngineRecord]:
    """The serialised engine of a model, which fits and is whole, and its record.

    Parameters
    ----------
    network, here, folder, options
        As for `status`.

    Raises
    ------
    EngineMismatchError
        It was built for something else; the message names the first field that differs, and both values.
    ModelError
        There is none, or it is damaged.
    """
    path = engine_path(folder, network.name, here.precision)
    command = build_command(network, here.precision)
    hint = f"Build it, which takes minutes on a Jetson: {command} (or begin the run with --build)"
    what = f"the engine of {network.name} in {here.precision.value}"
    if not os.path.isfile(path):  # noqa: PTH113  (pathlib's raises for names that are too long)
        raise ModelError(f"{what} was not built for this machine yet: {path} is missing", hint)
    try:
        with record_path(path).open("rb") as file:
            record = EngineRecord.model_validate_json(file.read(_MOST_RECORD_BYTES))
        if fault := record.fault():
            raise ModelError(f"{what} cannot be used: its record {record_path(path)}: {fault}", hint)
        found = difference(record.key, here, options=options)
        if found is not None:
            raise EngineMismatchError(f"{what} does not fit: {found} ({path})", hint)
        data = path.read_bytes()
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not what edge-us writes"
        raise ModelError(f"{what} cannot be used: its record {record_path(path)}: {why}", hint) from None
    if hashlib.sha256(data).hexdigest() != record.engine_sha256:
        raise ModelError(f"{what} is damaged: {path} has another sha256 than when it was built", hint)
    return data, record


def write_engine(path: Path, data: bytes, record: EngineRecord) -> None:
    """Write an engine and its record, each whole or not at all; a reader between both finds the sha256 different."""
    write_whole(path, data)
    write_whole(record_path(path), (record.sealed().model_dump_json(by_alias=True, indent=1) + "\n").encode())


def read_timings(path: Path) -> bytes:
    """A timing cache; empty where there is none, or a damaged one."""
    try:
        content = path.read_bytes()
    except OSError:
        return b""
    digest, timings = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return timings if hashlib.sha256(timings).digest() == digest else b""


def write_timings(path: Path, timings: bytes) -> None:
    """Keep a timing cache, with its sha256 before it."""
    write_whole(path, hashlib.sha256(timings).digest() + timings)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all, whoever else writes it.

    Raises
    ------
    PipelineError
        It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as part:
            try:
                part.write(data)
                part.flush()
                os.fsync(part.fileno())
                os.chmod(part.name, 0o644)  # noqa: PTH101  (temporary files are private; a service's user reads this)
                os.replace(part.name, path)  # noqa: PTH105
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise PipelineError(
            f"cannot write {path}: {error.strerror}", f"Make room, or name another folder: {FOLDER_VARIABLE}=DIR"
        ) from None
