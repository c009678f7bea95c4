"""Write the measured part of a model card from the evaluation reports that lie beside it.

Usage::

    edge-us evaluate MANIFEST.csv --split val --model NAME --precision fp32 --report models/metrics/NAME-val.json
    ... (test in fp32 and bf16, both splits in int8 where the model has such a file, --video on quiet clips and
    synthetic sweeps, other data sets left out)
    python models/recipes/card.py NAME

Everything between the two marks in ``models/cards/NAME.md`` is replaced; the words around them are written by hand.
Reports that are not there are said to be missing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import floors

BEGIN, END = "<!-- measured: written by models/recipes/card.py -->", "<!-- end of measured -->"
MODELS = Path(__file__).resolve().parent.parent
SETS = {"busbra": "BUS-BRA", "busi": "BUSI", "bus_uclm": "BUS-UCLM"}
COLUMNS = (
    "images / lesions / normals / groups",
    "AP50",
    "Dice",
    "sensitivity",
    "false findings per image",
    "normals quiet",
)
_FALSE_TRACKS = (
    "False tracks by UltraDet's definition: among the boxes that a run shows, per minute; in the last column among the"
    " detector's own boxes, from the score that hits this share of all lesion boxes."
)
Report = Mapping[str, Any]


def card_with_numbers(card: str, reports: Mapping[str, Report]) -> str:
    """Return the card with its measured part written anew.

    Parameters
    ----------
    card : str
        With both marks.
    reports : mapping
        Evaluation reports by what follows the model's name in their file names: ``val``, ``test``, ``test-bf16``,
        ``val-int8``, ``test-int8``, ``quiet``, ``sweeps``, ``unseen-DATASET``.
    """
    before, _, rest = card.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"error: the card lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n" + "\n".join(_lines(reports)) + f"\n\n{END}{after}"


def read_reports(name: str, folder: Path) -> dict[str, Report]:
    """All reports of a model, by what follows its name in their file names."""
    return {
        path.stem.removeprefix(f"{name}-"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob(f"{name}-*.json"))
    }


def _lines(reports: Mapping[str, Report]) -> Iterator[str]:
    name = reports["test"]["model"]["name"] if "test" in reports else "NAME"
    yield (
        f"`edge-us evaluate MANIFEST.csv --split S --precision fp32 --model {name}`, the runtime's own path for stills."
        " A missed lesion counts as Dice 0; sensitivity is box IoU >= 0.5 at the threshold; in brackets the 95 %"
        " cluster-bootstrap interval over patients or near-duplicate clusters."
    )
    if "test" in reports:
        yield from ("", "### what this project asks of a model", "", *floors.table(reports))
    for split in ("test", "val"):
        if split in reports:
            yield from ("", f"### {split}, by data set", "", *_by_dataset(reports[split]))
    if "test" in reports:
        yield from ("", "### test, by stratum", "", *_strata(reports["test"]))
        if reports["test"]["classification"] is not None:
            yield from ("", "### malignancy, on detected lesions of test", "", *_malignancy(reports["test"]))
    for split in ("test", "val"):
        reduced = [reports[f"{split}-{name}"] for name in ("bf16", "int8") if f"{split}-{name}" in reports]
        if split in reports and reduced:
            yield from ("", f"### reduced precision, {split}", "", *_precision(reports[split], *reduced))
    unseen = {key.removeprefix("unseen-"): value for key, value in reports.items() if key.startswith("unseen-")}
    if unseen:
        yield from ("", "### a data set that was never trained on", "", *_unseen(unseen))
    for key, title in (("quiet", "real clips without a lesion"), ("sweeps", "synthetic sweeps of test stills")):
        if key in reports:
            yield from ("", f"### {title}", "", *_video(reports[key]))


def _head(*names: str) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)


def _by_dataset(report: Report) -> Iterator[str]:
    yield from _head("data", *COLUMNS)
    rows = report["strata"]["dataset"]
    for name, row in sorted(rows.items(), key=lambda item: list(SETS).index(item[0]) if item[0] in SETS else 99):
        yield _row(SETS.get(name, name), row, row, row["dice_mean"], row)
    pooled = {
        "ap50": report["detection"]["ap50"],
        "sensitivity": report["operating_point"]["sensitivity"],
        "false_positives_per_image": report["operating_point"]["false_positives_per_image"],
        "specificity": report["normals"]["specificity"],
    }
    yield _row("**pooled**", report["counts"], pooled, report["segmentation"]["dice_mean"], pooled)
    at = report["detection"]["sensitivity_at_fp_per_image"]
    yield ""
    yield "Sensitivity at false findings per image: " + ", ".join(f"{k}: {v['value']:.3f}" for k, v in at.items()) + "."


def _row(name: str, counts: Report, first: Report, dice: Report, second: Report) -> str:
    numbers = " / ".join(str(counts[key]) for key in ("images", "lesions", "normals", "groups"))
    cells = [
        first["ap50"],
        dice,
        second["sensitivity"],
        second["false_positives_per_image"],
        second["specificity"],
    ]
    return f"| {name} | {numbers} | " + " | ".join(_text(cell) for cell in cells) + " |"


def _strata(report: Report) -> Iterator[str]:
    yield from _head("stratum", "value", "lesions", "Dice", "sensitivity")
    for kind in ("size", "label", "birads", "callipers", "doppler", "scanner"):
        for value, row in report["strata"].get(kind, {}).items():
            if row["lesions"]:
                numbers = f"{_text(row['dice_mean'])} | {_text(row['sensitivity'])}"
                yield f"| {kind} | {value} | {row['lesions']} | {numbers} |"


def _malignancy(report: Report) -> Iterator[str]:
    found = report["classification"]
    yield f"Classifier `{report['classifier']['name']}`; sensitivity and specificity at {found['threshold']:g}."
    yield ""
    yield from _head("data", "AUC", "ECE", "sensitivity", "specificity", "Brier")
    for name, row in report["strata"]["dataset"].items():
        cells = f"{_text(row['malignancy_auc'])} | {_text(row['malignancy_ece'])}"
        yield f"| {SETS.get(name, name)} | {cells} | - | - | - |"
    keys = ("auc", "ece", "sensitivity", "specificity", "brier")
    yield f"| **pooled**, {found['lesions']} lesions | " + " | ".join(_text(found[key]) for key in keys) + " |"


def _precision(*reports: Report) -> Iterator[str]:
    yield from _head("precision", "AP50", "Dice", "sensitivity", "false findings per image", "normals quiet")
    for report in reports:
        point = report["operating_point"]
        cells = (
            report["detection"]["ap50"],
            report["segmentation"]["dice_mean"],
            point["sensitivity"],
            point["false_positives_per_image"],
            report["normals"]["specificity"],
        )
        yield f"| {report['backend']['precision']} | " + " | ".join(_text(cell) for cell in cells) + " |"


def _unseen(reports: Mapping[str, Report]) -> Iterator[str]:
    yield (
        "The same recipe, trained on the other two sets, its threshold chosen by the same rule on their `val`, on all"
        " pictures of the third."
    )
    yield ""
    yield from _head("never trained on", *COLUMNS)
    dice = []
    for name, report in reports.items():
        row = report["strata"]["dataset"][name]
        dice.append(row["dice_mean"]["value"])
        yield _row(SETS.get(name, name), row, row, row["dice_mean"], row)
    yield ""
    yield f"Mean Dice of {len(dice)}: {sum(dice) / len(dice):.3f}."
    areas = {
        name: report["strata"]["dataset"][name]["malignancy_auc"]
        for name, report in reports.items()
        if report.get("classifier")
    }
    if areas:
        yield ""
        yield (
            "Malignancy on detected lesions, by a classifier that never saw the set either: "
            + ", ".join(f"{SETS.get(name, name)} AUC {_text(value)}" for name, value in areas.items())
            + f"; mean {sum(value['value'] for value in areas.values()) / len(areas):.3f}."
        )


def _video(report: Report) -> Iterator[str]:
    if report["note"]:
        yield f"Note: {report['note']}."
        yield ""
    yield _FALSE_TRACKS
    yield ""
    yield from _head(
        "clip set",
        "minutes",
        "lesions found",
        "false tracks per minute >= 0 / 0.2 / 0.5 / 1 s",
        "normal frames with a finding",
        "median s to detect",
        "on/off changes per s",
        "false tracks per minute at recall 0.8 / 0.9",
    )
    for name, row in {**report["datasets"], "**all**": report}.items():
        counts = row["counts"]
        of_lesions = [_text(row["lesion_sensitivity"]), _text(row["seconds_to_detect"]["median"])]
        of_lesions += [
            _text(row["flicker_per_second"]),
            " / ".join(_at_recall(each) for each in row["ultradet"].values()),
        ]
        found, wait, changes, at_recall = of_lesions if counts["lesions"] else ["-"] * 4
        tracks = " / ".join(_text(value, 1) for value in row["false_positive_tracks_per_minute"].values())
        quiet = _text(row["normal_frames_with_findings"])
        cells = (SETS.get(name, name), f"{counts['minutes']:.2f}", found, tracks, quiet, wait, changes, at_recall)
        yield f"| {' | '.join(cells)} |"


def _at_recall(row: Report) -> str:
    return "not reached" if row["score"] is None else _text(row["false_tracks_per_minute"], 1)


def _text(value: Report, digits: int = 3) -> str:
    if value["value"] is None:
        return "-"
    interval = ""
    if value["ci95"] is not None:
        interval = f" ({value['ci95'][0]:.{digits}f}-{value['ci95'][1]:.{digits}f})"
    return f"{value['value']:.{digits}f}{interval}"


def main() -> None:
    """Rewrite one card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    name = parser.parse_args().name
    path = MODELS / "cards" / f"{name}.md"
    reports = read_reports(name, MODELS / "metrics")
    path.write_text(card_with_numbers(path.read_text(encoding="utf-8"), reports), encoding="utf-8")
    print(f"{path} with {', '.join(reports) or 'no reports'}")


if __name__ == "__main__":
    main()
