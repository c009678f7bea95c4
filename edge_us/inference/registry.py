"""The shipped models: `models/manifest.toml` and what it promises of each file."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_us.errors import ModelError
from edge_us.resources import data_root

DEFAULT_NAME = "default"
AXILLA_NAME = "axilla"
"""Stands for the first model of the manifest that finds nodes."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """The int8 file of a model; `path` need not exist."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the manifest; `path` need not exist."""

    name: str
    path: Path
    sha256: str
    summary: str
    input_size: tuple[int, int]
    is_grey: bool
    threshold: float
    licence: str
    data_rights: str
    is_default: bool
    mask_threshold: float
    classifier: str | None
    int8: Quantised | None = None
    finds_nodes: bool = False

    def quantised(self) -> Entry:
        """The entry with its quantised file; itself where it has none."""
        return self if self.int8 is None else replace(self, path=self.int8.path, sha256=self.int8.sha256)


@dataclass(frozen=True, slots=True)
class ClassifierEntry:
    """One classifier of the manifest; `path` need not exist."""

    name: str
    path: Path
    sha256: str
    summary: str
    side: int
    temperature: float
    threshold: float
    licence: str
    data_rights: str


def list_models() -> tuple[Entry, ...]:
    """All models of the manifest, in its order.

    Raises
    ------
    ModelError
        The manifest is missing or not what it should be.
    """
    return _manifest()[0]


def list_classifiers() -> tuple[ClassifierEntry, ...]:
    """All classifiers of the manifest, in its order; raises `ModelError` as `list_models` does."""
    return _manifest()[1]


def find_classifier(name: str) -> ClassifierEntry | None:
    """The manifest's classifier of that name, or None."""
    return next((entry for entry in list_classifiers() if entry.name == name), None)


def find_entry(name: str) -> Entry | None:
    """The manifest's entry of that name (``default`` for the default, ``axilla`` for nodes), or None."""
    for entry in list_models():
        if name == entry.name or (name == DEFAULT_NAME and entry.is_default):
            return entry
        if name == AXILLA_NAME and entry.finds_nodes:
            return entry
    return None


def is_shipped(name_or_path: str) -> bool:
    """Whether this is a name of the manifest, the path of a file whose sha256 it knows, or no file at all."""
    known = {entry.sha256 for entry in _everything()}
    if any(name_or_path == entry.name for entry in _everything()) or find_entry(name_or_path) is not None:
        return True
    try:
        return _sha256(Path(name_or_path)) in known
    except (OSError, ValueError):  # missing, a folder, no name of a file: loading it says so
        return True


def verify_models() -> tuple[tuple[str, str], ...]:
    """For every shipped file the model's or classifier's name and ``ok``, ``missing`` or ``sha256 differs``."""
    states = [(entry.name, _state(entry)) for entry in _everything()]
    quantised = [(f"{entry.name} int8", _state(entry.quantised())) for entry in list_models() if entry.int8]
    return (*states, *quantised)


def checked_file(name_or_path: str, entry: Entry | ClassifierEntry | None, what: str) -> tuple[Path, str]:
    """The file of a shipped network, which must have the manifest's sha256, or a user's own, and its sha256.

    Parameters
    ----------
    name_or_path : str
        As the user gave it.
    entry : Entry, ClassifierEntry or None
        The manifest's entry of that name; None for a path.
    what : str
        ``model`` or ``classifier``, for messages.

    Raises
    ------
    ModelError
        The file is missing, or not the manifest's.
    """
    path = Path(name_or_path) if entry is None else entry.path
    if not os.path.isfile(path):  # noqa: PTH113  (pathlib's raises for names that are too long)
        raise ModelError(
            f"there is no {what} {name_or_path!r}"
            if entry is None
            else f"the file of {what} {entry.name} is missing: {path}",
            "See `edge-us models list`, or give the path of an ONNX file.",
        )
    try:
        sha256 = _sha256(path)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}", "Check the file and its permissions.") from None
    if entry is not None and sha256 != entry.sha256:
        raise ModelError(
            f"{path} is not the manifest's file (sha256 {sha256[:12]}…, expected {entry.sha256[:12]}…)",
            "Install edge-us again, or restore the file.",
        )
    return path, sha256


def card_text(name: str) -> str | None:
    """The model card in Markdown, or None where there is none."""
    card = data_root() / "models" / "cards" / f"{name}.md"
    known = {entry.name for entry in _everything()}
    return card.read_text(encoding="utf-8") if name in known and card.is_file() else None


def _everything() -> list[Entry | ClassifierEntry]:
    models, classifiers = _manifest()
    return [*models, *classifiers]


def _sha256(path: Path) -> str:
    """Of a file of any size, a piece in memory at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _state(entry: Entry | ClassifierEntry) -> str:
    if not entry.path.is_file():
        return "missing"
    return "ok" if _sha256(entry.path) == entry.sha256 else "sha256 differs"


def _entry(name: str, table: dict[str, Any], folder: Path, default: str) -> Entry:
    width, height = table["input_size"]
    int8 = table.get("int8")
    return Entry(
        name=name,
        path=folder / table["file"],
        sha256=table["sha256"],
        summary=table["summary"],
        input_size=(int(width), int(height)),
        is_grey=bool(table["grey"]),
        threshold=float(table["threshold"]),
        licence=table["licence"],
        data_rights=table["data_rights"],
        is_default=name == default,
        mask_threshold=float(table.get("mask_threshold", 0.5)),
        classifier=table.get("classifier"),
        int8=None if int8 is None else Quantised(folder / int8["file"], int8["sha256"]),
        finds_nodes="node" in table["classes"],
    )


def _classifier_entry(name: str, table: dict[str, Any], folder: Path) -> ClassifierEntry:
    return ClassifierEntry(
        name=name,
        path=folder / table["file"],
        sha256=table["sha256"],
        summary=table["summary"],
        side=int(table["side"]),
        temperature=float(table["temperature"]),
        threshold=float(table["threshold"]),
        licence=table["licence"],
        data_rights=table["data_rights"],
    )


def _manifest() -> tuple[tuple[Entry, ...], tuple[ClassifierEntry, ...]]:
    folder = data_root() / "models"
    try:
        content = _read(folder / "manifest.toml")
        default = content["default"]
        return (
            tuple(_entry(name, table, folder, default) for name, table in content["models"].items()),
            tuple(_classifier_entry(name, table, folder) for name, table in content.get("classifiers", {}).items()),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"the model manifest {folder / 'manifest.toml'} cannot be used: {error}", "Install edge-us again."
        ) from None


def _read(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    with path.open("rb") as file:
        content: dict[str, Any] = tomllib.load(file)
    return content
