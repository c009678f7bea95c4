"""The shipped models: `models/manifest.toml` and what it promises of each file."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_us.errors import ModelError
from edge_us.resources import data_root

DEFAULT_NAME = "default"


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
    """The manifest's entry of that name (``default`` for the default), or None."""
    for entry in list_models():
        if name == entry.name or (name == DEFAULT_NAME and entry.is_default):
            return entry
    return None


def verify_models() -> tuple[tuple[str, str], ...]:
    """For every model and classifier its name and ``ok``, ``missing`` or ``sha256 differs``."""
    return tuple((entry.name, _state(entry)) for entry in _everything())


def card_text(name: str) -> str | None:
    """The model card in Markdown, or None where there is none."""
    card = data_root() / "models" / "cards" / f"{name}.md"
    known = {entry.name for entry in _everything()}
    return card.read_text(encoding="utf-8") if name in known and card.is_file() else None


def _everything() -> list[Entry | ClassifierEntry]:
    models, classifiers = _manifest()
    return [*models, *classifiers]


def _state(entry: Entry | ClassifierEntry) -> str:
    if not entry.path.is_file():
        return "missing"
    same = hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256
    return "ok" if same else "sha256 differs"


def _entry(name: str, table: dict[str, Any], folder: Path, default: str) -> Entry:
    width, height = table["input_size"]
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
