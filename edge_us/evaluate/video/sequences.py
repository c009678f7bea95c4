"""The manifest of sequences: one row a clip, with masks for each frame where it shows a lesion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_us.errors import InputError
from edge_us.evaluate.manifest import LABELS, read_rows, rows_of_split

COLUMNS = ("dataset", "clip", "masks", "label", "group", "fps", "split", "synthetic")
HINT = f"The manifest of sequences is a CSV file with the columns {', '.join(COLUMNS)}."


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip and what is known of it.

    Attributes
    ----------
    dataset, name : str
        Data set, and the clip's path as the manifest has it.
    clip : Path
        Absolute; any recording that ``edge-us run`` plays.
    masks : Path or None
        Absolute: a MetaImage sequence, or a folder of pictures in name order, with one picture for each frame. Every
        value but 0 is one lesion, followed over the clip. None for a clip without a lesion.
    label : str
        benign, malignant or normal.
    group : str
        Patient: what is resampled.
    fps : float or None
        None takes what the clip says.
    synthetic : bool
        Made, not recorded.
    where : str
        Row and name of the manifest, for messages.
    """

    dataset: str
    name: str
    clip: Path
    masks: Path | None
    label: str
    group: str
    fps: float | None
    synthetic: bool
    where: str = "the manifest"


@dataclass(frozen=True, slots=True)
class Sequences:
    """The clips of one split; `split` None is all rows, `sha256` that of the whole file."""

    path: Path
    sha256: str
    split: str | None
    clips: tuple[Clip, ...]


def read_sequences(path: Path, split: str | None = None) -> Sequences:
    """Read a manifest of sequences; paths in it are relative to its folder, unknown columns are ignored.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, or a row is wrong; the message names column or row.
    UsageError
        No row has this split.
    """
    rows, sha256 = read_rows(path, COLUMNS, HINT)
    clips = tuple(_clip(path, number, row) for number, row in rows_of_split(path, rows, split))
    return Sequences(path, sha256, split, clips)


def _clip(path: Path, number: int, row: dict[str, str]) -> Clip:
    where = f"row {number} of {path.name}"
    label = row["label"].lower()
    if label not in LABELS:
        raise InputError(f"{where} has the label {row['label']!r}", f"Labels are {', '.join(LABELS)}.")
    if not row["clip"] or not row["group"]:
        raise InputError(f"{where} has no clip or no group", "A clip without a patient is a group of its own.")
    if (label == "normal") == bool(row["masks"]):
        wrong = "normal but has masks" if label == "normal" else f"{label} but has no masks"
        raise InputError(f"{where} is {wrong}", "Clips with a lesion have masks, normal ones have none.")
    if row["synthetic"].lower() not in ("yes", "no"):
        raise InputError(f"{where} says {row['synthetic']!r} under synthetic", "Write yes or no: reports say it.")
    return Clip(
        dataset=row["dataset"],
        name=row["clip"],
        clip=(path.parent / row["clip"]).absolute(),
        masks=(path.parent / row["masks"]).absolute() if row["masks"] else None,
        label=label,
        group=row["group"],
        fps=_fps(row["fps"], where),
        synthetic=row["synthetic"].lower() == "yes",
        where=where,
    )


def _fps(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0.1 <= fps <= 1000:
        raise InputError(f"{where} has the frame rate {text!r}", "Write frames per second, or leave it empty.")
    return fps
