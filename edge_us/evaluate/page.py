"""The HTML page of an evaluation: one file with numbers, curves and pictures that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from edge_us.evaluate.classification import reliability, roc
from edge_us.evaluate.pictures import Exhibit, worst_false_alarms, worst_misses
from edge_us.evaluate.summary import classified_lesions
from edge_us.page.html import both, document, interval, number, table
from edge_us.page.svg import curve, histogram

if TYPE_CHECKING:
    from edge_us.evaluate.evaluation import Evaluation

HEADINGS = {
    "images": "images",
    "lesions": "lesions",
    "normals": "normals",
    "groups": "groups",
    "ap50": "AP50",
    "dice_mean": "Dice",
    "sensitivity": "sensitivity",
    "false_positives_per_image": "FP / image",
    "malignancy_auc": "malignancy AUC",
    "specificity": "specificity",
}


def build_page(evaluation: Evaluation) -> str:
    """The page as text: HTML with inline styles, SVG and data URIs only."""
    report, sample = evaluation.report, evaluation.sample
    threshold = sample.threshold
    parts = [
        _head(report),
        "<h2>Numbers</h2>",
        table(["metric", "value", "95 % interval"], _main_rows(report)),
        "<h2>Curves</h2>",
        f'<div class="row">{"".join(_charts(evaluation))}</div>',
        "<h2>Strata</h2>",
        '<p class="quiet">Intervals resample groups; with few groups they are wide, and with very few they are too '
        "narrow to be believed. Size is the share of the picture that the largest lesion covers. Calliper-free counts "
        "only data sets in which marks were flagged at all.</p>",
        *_strata(report["strata"]),
        "<h2>Ten worst misses</h2>",
        '<p class="quiet">Green: the edge of the lesion\'s mask. Yellow: findings. Pictures with a lesion that '
        "no finding hits at the threshold (box IoU 0.5), lowest Dice first.</p>",
        _gallery(worst_misses(sample.observations, threshold)),
        "<h2>Ten worst false alarms</h2>",
        '<p class="quiet">Red: the false alarm with the highest score. An outline that overlaps a lesion by less than '
        "IoU 0.5 is a false alarm too.</p>",
        _gallery(worst_false_alarms(sample.observations, threshold)),
    ]
    return document(f"Evaluation of {report['model']['name']}", parts)


def _head(report: Mapping[str, Any]) -> str:
    manifest, model, backend, counts = (report[name] for name in ("manifest", "model", "backend", "counts"))
    split = manifest["split"] or "all"
    excluded = ", ".join(f"{count} {reason}" for reason, count in manifest["excluded"].items()) or "none"
    sampled = f" A random sample of {manifest['sampled']} pictures." if manifest["sampled"] else ""
    boot = report["settings"]["bootstrap"]
    return (
        f"<h1>{escape(model['name'])}</h1>"
        '<p class="notice">Research use only. Not for diagnosis.</p>'
        f"<p>{escape(manifest['name'])}, split {escape(split)}: {counts['images']} images, {counts['lesions']} "
        f"lesions, {counts['normals']} normal images, {counts['groups']} groups; left out: {escape(excluded)}."
        f"{sampled}<br>{escape(backend['name'])} {escape(backend['precision'])} on {escape(backend['device'])}, "
        f"threshold {model['threshold']:g}, {boot['resamples']} resamples of groups, seed {boot['seed']}.</p>"
        f'<p class="quiet">Model sha256 {model["sha256"]}<br>Manifest sha256 {manifest["sha256"]}</p>'
    )


def _main_rows(report: Mapping[str, Any]) -> list[list[str]]:
    detection, point = report["detection"], report["operating_point"]
    named: list[tuple[str, Mapping[str, Any]]] = [
        ("AP50", detection["ap50"]),
        ("AP50-95", detection["ap50_95"]),
        *[
            (f"sensitivity at {rate} false positives per image", value)
            for rate, value in detection["sensitivity_at_fp_per_image"].items()
        ],
        (f"sensitivity at threshold {point['threshold']:g}", point["sensitivity"]),
        (f"false positives per image at threshold {point['threshold']:g}", point["false_positives_per_image"]),
        ("Dice, all lesion images, a miss counts 0", report["segmentation"]["dice_mean"]),
        ("IoU, all lesion images, a miss counts 0", report["segmentation"]["iou_mean"]),
        ("Dice, images on which a lesion is hit at the threshold", report["segmentation"]["dice_detected"]),
        ("normal images left quiet", report["normals"]["specificity"]),
    ]
    rows = [[escape(name), number(value), interval(value)] for name, value in named]
    classified = report["classification"]
    if classified is None:
        rows.append(["classification", "-", escape(report["classification_reason"])])
    else:
        names = ("auc", "sensitivity", "specificity", "ece", "brier")
        withheld = classified.get("withheld", 0)
        told = f"{classified['lesions']} detected lesions; {withheld} more withheld as not analysable"
        rows.append(["malignancy, judged on", escape(told), "-"])
        rows += [[f"malignancy: {name}", number(classified[name]), interval(classified[name])] for name in names]
    return rows


def _charts(evaluation: Evaluation) -> list[str]:
    report, sample = evaluation.report, evaluation.sample
    froc = [(point[0], point[1]) for point in report["detection"]["froc"]]
    point = report["operating_point"]
    at = (point["false_positives_per_image"]["value"], point["sensitivity"]["value"])
    charts = [
        _figure(
            "FROC; the dot is the operating point",
            curve(
                froc,
                x_label="false positives per image",
                y_label="sensitivity",
                x_range=(0.0, 1.0),
                marks=[at] if None not in at else [],
                steps=True,
            ),
        ),
        _figure(
            "Dice of lesion images; a miss is 0",
            histogram(
                [each.dice for each in sample.observations if each.lesions], bins=20, x_label="Dice", y_label="images"
            ),
        ),
    ]
    if report["classification"] is not None:
        chances, malignant, _ = classified_lesions(sample)
        points = [(float(x), float(y)) for x, y in roc(chances, malignant)]
        bins = [(float(x), float(y)) for x, y, _ in reliability(chances, malignant)]
        charts.append(
            _figure("ROC", curve(points, x_label="1 - specificity", y_label="sensitivity", diagonal=True, steps=True))
        )
        charts.append(
            _figure(
                "Reliability",
                curve(bins, x_label="probability", y_label="share malignant", diagonal=True, marks=bins),
            )
        )
    return charts


def _strata(kinds: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    tables = []
    for kind in sorted(kinds, key=lambda kind: (kind != "dataset", kind)):
        values = kinds[kind]
        rows = [
            [escape(value), *[str(m[name]) if isinstance(m[name], int) else both(m[name]) for name in HEADINGS]]
            for value, m in values.items()
        ]
        tables.append(f'<div class="scroll">{table([escape(kind), *HEADINGS.values()], rows)}</div>')
    return tables


def _gallery(exhibits: Sequence[Exhibit]) -> str:
    if not exhibits:
        return "<p>None.</p>"
    figures = [
        f'<figure><img src="{each.uri}" alt=""><figcaption>{escape(each.caption)}</figcaption></figure>'
        for each in exhibits
    ]
    return f'<div class="row">{"".join(figures)}</div>'


def _figure(caption: str, svg: str) -> str:
    return f'<figure style="max-width:none">{svg}<figcaption>{escape(caption)}</figcaption></figure>'
