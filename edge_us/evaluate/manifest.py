"""The manifest of labelled stills: one row a picture, one group a patient."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_us.errors import InputError, UsageError

REQUIRED = ("dataset", "image", "mask", "label", "group", "flags", "split")
LABELS = ("benign", "malignant", "normal")
AXILLA = "axilla"
"""Flag of pictures of the armpit: they show nodes, not breast lesions, and are left out of lesion reports."""
NumberedRow = tuple[int, dict[str, str]]
"""Line in the file, and the row by column."""
HINT = "The manifest is a CSV file with the columns dataset, image, mask, label, group, flags and split."


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled picture.

    Attributes
    ----------
    dataset, name : str
        Data set, and the picture's path as the manifest has it.
    image : Path
        Absolute.
    mask : Path or None
        Absolute; a normal picture may have one, in which there is nothing.
    label : str
        benign, malignant or normal.
    group : str
        Patient, or cluster of near copies: what is resampled.
    flags : frozenset of str
    scanner, birads : str or None
        Where the manifest or a table beside the pictures knows them.
    where : str
        Row and name of the manifest, for messages.
    """

    dataset: str
    name: str
    image: Path
    mask: Path | None
    label: str
    group: str
    flags: frozenset[str] = frozenset()
    scanner: str | None = None
    birads: str | None = None
    where: str = "the manifest"

    @property
    def is_normal(self) -> bool:
        """Whether the picture shows no lesion."""
        return self.label == "normal"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The cases of one split.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of the whole file.
    split : str or None
        None is all rows.
    datasets : tuple of str
        Data sets that were chosen; empty is all.
    cases : tuple of Case
    excluded : mapping of str to int
        Rows left out, by reason.
    flags_known : mapping of str to frozenset of str
        For each data set the flags that occur in it at all: a data set without the flag ``marks`` may hold callipers
        that nobody has flagged.
    """

    path: Path
    sha256: str
    split: str | None
    datasets: tuple[str, ...]
    cases: tuple[Case, ...]
    excluded: Mapping[str, int]
    flags_known: Mapping[str, frozenset[str]]


def read_manifest(path: Path, split: str | None = None, datasets: Sequence[str] = ()) -> Manifest:
    """Read a manifest; paths in it are relative to its folder, unknown columns are ignored.

    Parameters
    ----------
    path : Path
    split : str, optional
        Only rows of this split; all rows if None.
    datasets : sequence of str
        Only rows of these data sets; all if empty.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, or a row is wrong; the message names column or row.
    UsageError
        No row has this split, or a data set is not there.
    """
    rows, sha256 = read_rows(path, REQUIRED, HINT)
    known = {row["dataset"] for _, row in rows}
    if unknown := sorted(set(datasets) - known):
        raise UsageError(
            f"no row of {path} is of the data set {unknown[0]!r}", f"Data sets there: {', '.join(sorted(known))}."
        )
    chosen = [
        (number, row) for number, row in rows_of_split(path, rows, split) if not datasets or row["dataset"] in datasets
    ]
    flags_known: dict[str, frozenset[str]] = {}
    for _, row in rows:
        flags_known[row["dataset"]] = flags_known.get(row["dataset"], frozenset()) | _flags(row)
    details = {dataset: read_details(path.parent / dataset) for dataset in flags_known if _is_plain(dataset)}
    cases = [_case(path, number, row, details.get(row["dataset"], {})) for number, row in chosen]
    kept = tuple(case for case in cases if AXILLA not in case.flags)
    excluded = {AXILLA: len(cases) - len(kept)} if len(kept) < len(cases) else {}
    if not kept:
        raise InputError(f"{path} holds no picture of the breast in the split {split!r}", HINT)
    return Manifest(path, sha256, split, tuple(datasets), kept, excluded, flags_known)


def check_files(cases: Sequence[Case]) -> None:
    """Look whether all pictures and masks are there, before minutes are spent on the first of them.

    Raises
    ------
    InputError
        One is not; the message names its row and says how many more there are.
    """
    check_present(
        (case.where, what, path)
        for case in cases
        for what, path in (("picture", case.image), ("mask", case.mask))
        if path is not None
    )


def check_present(files: Iterable[tuple[str, str, Path]]) -> None:
    """Look whether files or folders are there, each given by its row, what it is, and its path; raises `InputError`."""
    missing = [
        f"{where}: there is no {what} {path}"
        for where, what, path in files
        if not os.path.exists(path)  # noqa: PTH110  (pathlib's raises for names that are too long)
    ]
    if missing:
        more = f" ({len(missing) - 1} more missing)" if len(missing) > 1 else ""
        raise InputError(missing[0] + more, "Paths are relative to the folder of the manifest.")


def read_details(folder: Path) -> dict[str, dict[str, str]]:
    """Scanner and BI-RADS by picture name, from CSV tables beside a data set's pictures.

    A table counts if it has a column ID and a column Device or BIRADS, as BUS-BRA's ``bus_data.csv`` has.
    """
    found: dict[str, dict[str, str]] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.glob("*.csv")):
        try:
            with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
                for row in csv.DictReader(file):
                    lower = {(name or "").lower(): value for name, value in row.items() if isinstance(value, str)}
                    key = lower.get("id", "")
                    if key and ("device" in lower or "birads" in lower):
                        scanner = re.sub(r"\s*@.*", "", lower.get("device", ""))
                        found[key] = {"scanner": scanner, "birads": lower.get("birads", "")}
        except (OSError, csv.Error):
            continue
    return found


def read_rows(path: Path, required: Sequence[str], hint: str) -> tuple[list[NumberedRow], str]:
    """All rows of a CSV manifest with their (last) line numbers, and the sha256 of the file.

    Raises
    ------
    InputError
        It cannot be read, is empty, or lacks one of the required columns; ``hint`` says what it should look like.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read the manifest {path}: {error.strerror}", hint) from None
    except UnicodeDecodeError:
        raise InputError(f"the manifest {path} is not UTF-8 text", hint) from None
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        columns = reader.fieldnames or []
        missing = [name for name in required if name not in columns]
        for sign, name in ((";", "semicolons"), ("\t", "tabs")):
            if missing and set(required) <= {column.strip(' "') for column in sign.join(columns).split(sign)}:
                raise InputError(
                    f"the manifest {path} has {name} between its columns, not commas",
                    "Save it as CSV with commas; Excel takes the separator from the system's settings.",
                )
        if missing:
            raise InputError(f"the manifest {path} lacks the columns {', '.join(missing)}", hint)
        rows = [(reader.line_num, {name: (row.get(name) or "").strip() for name in columns}) for row in reader]
    except csv.Error as error:
        raise InputError(f"the manifest {path} is not CSV: {error}", hint) from None
    if not rows:
        raise InputError(f"the manifest {path} has no rows", hint)
    return rows, hashlib.sha256(data).hexdigest()


def rows_of_split(path: Path, rows: Sequence[NumberedRow], split: str | None) -> list[NumberedRow]:
    """The rows of one split, all rows if it is None.

    Raises
    ------
    UsageError
        No row has this split; the hint names those that there are.
    """
    chosen = [(number, row) for number, row in rows if split is None or row["split"] == split]
    if not chosen:
        known = ", ".join(sorted({row["split"] for _, row in rows})) or "none"
        raise UsageError(f"no row of {path} has the split {split!r}", f"Splits in this manifest: {known}.")
    return chosen


def _case(path: Path, number: int, row: dict[str, str], details: dict[str, dict[str, str]]) -> Case:
    where = f"row {number} of {path.name}"
    label = row["label"].lower()
    if label not in LABELS:
        raise InputError(f"{where} has the label {row['label']!r}", f"Labels are {', '.join(LABELS)}.")
    if not row["image"] or not row["group"]:
        raise InputError(f"{where} has no image or no group", "A picture without a patient is a group of its own.")
    if label != "normal" and not row["mask"]:
        raise InputError(f"{where} is {label} but has no mask", "Only normal pictures have none.")
    known = details.get(Path(row["image"]).stem, {})
    return Case(
        dataset=row["dataset"],
        name=row["image"],
        image=(path.parent / row["image"]).absolute(),
        mask=(path.parent / row["mask"]).absolute() if row["mask"] else None,
        label=label,
        group=row["group"],
        flags=_flags(row),
        scanner=row.get("scanner") or known.get("scanner") or None,
        birads=row.get("birads") or known.get("birads") or None,
        where=where,
    )


def _flags(row: dict[str, str]) -> frozenset[str]:
    return frozenset(flag.strip() for flag in row["flags"].split(";") if flag.strip())


def _is_plain(dataset: str) -> bool:
    return bool(dataset) and Path(dataset).name == dataset and dataset not in (".", "..")
