"""From a manifest of stills to a folder of synthetic sweeps with their own manifest."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_us.capture.images import read_image
from edge_us.errors import InputError, PipelineError, UsageError
from edge_us.evaluate.manifest import Case, read_manifest
from edge_us.evaluate.matching import number_lesions
from edge_us.evaluate.observe import Progress, read_mask
from edge_us.evaluate.video.sequences import COLUMNS
from edge_us.evaluate.video.sweep import Grey, Motion, SweepPlan, plan_sweep, render_sweep

MANIFEST_NAME = "sequences.csv"
UNFIT_FLAGS = frozenset({"doppler", "marks", "combined-view"})
"""Pictures that would not move as one: graphics and colour stand still on a cart, and callipers point at the lesion."""
COMMENT = "synthetic sweep made from a still picture; not a recording"


def make_sweeps(
    manifest: Path,
    folder: Path,
    split: str | None = None,
    *,
    count: int = 30,
    frames: int = 150,
    fps: float = 30.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Write synthetic sweeps: in turn a passing lesion, one that stays in the picture, and a normal still.

    Data sets take turns, and within a data set groups do; a kind that no still is fit for is left out. The clips are
    compressed MetaImage sequences of grey frames, free of loss; masks are such sequences too, whose values number the
    lesions. Equal arguments give equal bytes.

    Parameters
    ----------
    manifest : Path
        Of labelled stills; see `manifest.read_manifest`.
    folder : Path
        New or empty.
    split : str, optional
    count : int
    frames : int
        Of each sweep.
    fps : float
    seed : int
    progress : callable, optional

    Returns
    -------
    Path
        The manifest of the sequences, in ``folder``.

    Raises
    ------
    EdgeUsError
        Manifest or pictures cannot be read, none is fit for a sweep, or the folder cannot be written.
    """
    if count < 1 or frames < 2 or not 1 <= fps <= 1000:
        raise UsageError("these sweeps cannot be", "Give at least 1 sweep of 2 frames, and 1 to 1000 fps.")
    stills = read_manifest(manifest, split)
    fit = [case for case in stills.cases if not case.flags & UNFIT_FLAGS]
    _make_folder(folder)
    rows: list[dict[str, str]] = []
    try:
        for case, motion, plan, grey, labels in _draw(fit, count, frames, fps, seed):
            row = _write_sweep(folder, len(rows) + 1, case, plan, grey, labels, fps)
            rows.append({**row, "split": split or "", "motion": motion.value})
            if progress is not None:
                progress(len(rows), count)
        path = folder / MANIFEST_NAME
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*COLUMNS, "motion", "still"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise PipelineError(f"cannot write sweeps to {folder}: {error.strerror}", "Choose another place.") from None
    return path


def write_metaimage(path: Path, pictures: Iterable[NDArray[np.uint8]], fps: float, comment: str) -> int:
    """Write grey pictures of one size as a compressed MetaImage sequence; returns their number.

    Parameters
    ----------
    path : Path
        Ends in ``.mha``.
    pictures : iterable of ndarray of uint8, shape (height, width)
        At least one.
    fps : float
        Goes into the frames' time stamps.
    comment : str
        One line of the header.
    """
    packer = zlib.compressobj(1)
    packed = []
    shape: tuple[int, ...] = ()
    count = 0
    for picture in pictures:
        shape = picture.shape
        packed.append(packer.compress(np.ascontiguousarray(picture).tobytes()))
        count += 1
    packed.append(packer.flush())
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        f"Comment = {comment}",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = True",
        f"CompressedDataSize = {sum(map(len, packed))}",
        f"DimSize = {shape[1]} {shape[0]} {count}",
        "Kinds = domain domain list",
        "ElementType = MET_UCHAR",
        "ElementSpacing = 1 1 1",
        "UltrasoundImageOrientation = MF",
        *(f"Seq_Frame{number:04}_Timestamp = {number / fps:.6f}" for number in range(count)),
        "ElementDataFile = LOCAL",
    ]
    with path.open("wb") as file:
        file.write(("\n".join(lines) + "\n").encode())
        file.writelines(packed)
    return count


def _make_folder(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty", "Give a new folder, so that nothing is overwritten or mixed up.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"cannot make the folder {folder}: {error.strerror}", "Choose another place.") from None


def _draw(
    cases: Sequence[Case], count: int, frames: int, fps: float, seed: int
) -> Iterator[tuple[Case, Motion, SweepPlan, Grey, Grey]]:
    """Stills with their courses, kinds of motion in turn."""
    order = np.random.default_rng([seed, 0])
    lesions, normals = (
        in_turn([case for case in cases if case.is_normal is wanted], order) for wanted in (False, True)
    )
    waiting = {Motion.PASS: lesions, Motion.WITHIN: in_turn(lesions, order), Motion.NORMAL: normals}
    places = dict.fromkeys(waiting, 0)
    made = 0
    kinds = list(waiting)
    while made < count and kinds:
        for motion in tuple(kinds):
            queue, found = waiting[motion], None
            # One whole round without success means that no still of this kind is fit, for now and ever.
            for _ in range(len(queue)):
                case = queue[places[motion] % len(queue)]
                places[motion] += 1
                grey, labels, box = _read(case)
                rng = np.random.default_rng([seed, 1, made])
                plan = plan_sweep((grey.shape[1], grey.shape[0]), box, motion, frames, fps, rng)
                if plan is not None:
                    found = (case, motion, plan, grey, labels)
                    break
            if found is None:
                kinds.remove(motion)
            elif made < count:
                made += 1
                yield found
    if not made:
        raise InputError(
            "no still of this manifest is fit for a sweep",
            f"Stills need about 120 px a side and none of the flags {', '.join(sorted(UNFIT_FLAGS))}.",
        )


def in_turn(cases: Sequence[Case], rng: np.random.Generator) -> list[Case]:
    """Cases in random order such that data sets take turns, and within a data set groups do."""
    piles: dict[str, dict[str, list[Case]]] = {}
    for index in rng.permutation(len(cases)):
        case = cases[int(index)]
        piles.setdefault(case.dataset, {}).setdefault(case.group, []).append(case)
    lines = [_alternate(list(piles[name].values())) for name in sorted(piles)]
    return _alternate(lines)


def _alternate(piles: Sequence[Sequence[Case]]) -> list[Case]:
    longest = max((len(pile) for pile in piles), default=0)
    return [pile[place] for place in range(longest) for pile in piles if place < len(pile)]


def _read(case: Case) -> tuple[Grey, Grey, tuple[float, float, float, float] | None]:
    """Grey picture, numbered lesions, and the box around all of them."""
    import cv2

    pixels = read_image(case.image)
    grey = pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    lesions, labels = number_lesions(read_mask(case, (grey.shape[1], grey.shape[0])))
    if not lesions:
        return grey, labels, None
    boxes = np.array([lesion.box for lesion in lesions])
    (x1, y1), (x2, y2) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return grey, labels, (float(x1), float(y1), float(x2), float(y2))


def _write_sweep(
    folder: Path, number: int, case: Case, plan: SweepPlan, grey: Grey, labels: Grey, fps: float
) -> dict[str, str]:
    clip, masks = f"synthetic-{number:04}.mha", f"synthetic-{number:04}-masks.mha"
    truth: list[Grey] = []

    def pictures() -> Iterator[Grey]:
        for frame, shown in render_sweep(grey, labels, plan):
            truth.append(shown)
            yield frame

    write_metaimage(folder / clip, pictures(), fps, COMMENT)
    if not case.is_normal:
        write_metaimage(folder / masks, truth, fps, f"{COMMENT}; values number the lesions")
    return {
        "dataset": case.dataset,
        "clip": clip,
        "masks": "" if case.is_normal else masks,
        "label": case.label,
        "group": case.group,
        "fps": f"{fps:g}",
        "synthetic": "yes",
        "still": case.name,
    }
