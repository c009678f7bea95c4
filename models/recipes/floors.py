"""What a breast detector of this project is asked to reach, held against its reports: the table "asked and reached"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

Report = Mapping[str, Any]
Reports = Mapping[str, Report]


@dataclass(frozen=True)
class Floor:
    """One figure that is asked for.

    Attributes
    ----------
    what
        In words.
    limit
        What is asked for.
    measured
        The figure out of all reports of a model, by their names (`card.read_reports`); None where it was not measured.
    is_most
        The limit must not be exceeded; else it must be reached.
    """

    what: str
    limit: float
    measured: Callable[[Reports], float | None]
    is_most: bool = False

    def holds(self, value: float) -> bool:
        """Whether a figure, as precise as the limit is stated, meets the limit."""
        return value <= self.limit if self.is_most else value >= self.limit


def _stratum(dataset: str, key: str) -> Callable[[Reports], float | None]:
    def measured(reports: Reports) -> float | None:
        value: float | None = reports["test"]["strata"]["dataset"][dataset][key]["value"]
        return value

    return measured


def _pooled(*path: str) -> Callable[[Reports], float | None]:
    def measured(reports: Reports) -> float | None:
        value: Any = reports["test"]
        for key in path:
            value = value and value[key]
        return value and float(value["value"])

    return measured


def _unseen(key: str) -> Callable[[Reports], float | None]:
    def measured(reports: Reports) -> float | None:
        values = [
            report["strata"]["dataset"][name.removeprefix("unseen-")][key]["value"]
            for name, report in reports.items()
            if name.startswith("unseen-")
        ]
        return None if len(values) < 3 or None in values else fmean(values)

    return measured


def _worst_clip(figure: Callable[[Report], float]) -> Callable[[Reports], float | None]:
    def measured(reports: Reports) -> float | None:
        return max(figure(clip) for clip in reports["quiet"]["datasets"].values()) if "quiet" in reports else None

    return measured


FLOORS = (
    Floor("BUS-BRA Dice", 0.900, _stratum("busbra", "dice_mean")),
    Floor("BUS-BRA AP50", 0.975, _stratum("busbra", "ap50")),
    Floor("BUSI Dice", 0.80, _stratum("busi", "dice_mean")),
    Floor("BUSI AP50", 0.85, _stratum("busi", "ap50")),
    Floor("BUS-UCLM AP50 (8 patients)", 0.82, _stratum("bus_uclm", "ap50")),
    Floor("pooled sensitivity", 0.93, _pooled("operating_point", "sensitivity")),
    Floor("normal pictures left quiet", 0.90, _pooled("normals", "specificity")),
    Floor("Dice on a set never trained on, mean of three", 0.70, _unseen("dice_mean")),
    Floor("BUS-BRA AUC of malignancy", 0.86, _stratum("busbra", "malignancy_auc")),
    Floor("AUC on a set never trained on, mean of three", 0.75, _unseen("malignancy_auc")),
    Floor("calibration error of malignancy (ECE)", 0.05, _pooled("classification", "ece"), is_most=True),
    Floor(
        "lesion-free clips, the worst: false tracks per minute >= 0.5 s",
        1.0,
        _worst_clip(lambda clip: float(clip["false_positive_tracks_per_minute"]["0.5"]["value"])),
        is_most=True,
    ),
    Floor(
        "lesion-free clips, the worst: share of frames with a finding",
        0.03,
        _worst_clip(lambda clip: float(clip["normal_frames_with_findings"]["value"])),
        is_most=True,
    ),
)


def table(reports: Reports) -> Iterator[str]:
    """Lines of the table; figures that were not measured for a model say so."""
    yield "| `test` split | asked | measured | |"
    yield "|---|---|---|---|"
    for floor in FLOORS:
        value = floor.measured(reports)
        asked = f"{'<=' if floor.is_most else '>='} {floor.limit:g}"
        if value is None:
            yield f"| {floor.what} | {asked} | - | not measured |"
        else:
            yield f"| {floor.what} | {asked} | {value:.3f} | {'reached' if floor.holds(value) else '**not reached**'} |"
