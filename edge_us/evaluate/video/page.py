"""The self-contained HTML page of an evaluation on sequences."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from edge_us.page.html import both, document, interval, number, table

_DEFINITIONS = (
    '<p class="quiet">False tracks: boxes as a run shows them, linked by UltraDet\'s rule (IoU > 0.5 within 5 frames), '
    "of which no more than 90 % cover a lesion's centre. False marks: findings of one track number that lie on no "
    "lesion (IoU 0.5) on half of their frames.</p>"
)


def build_page(report: Mapping[str, Any]) -> str:
    """Return the page as one HTML text that loads nothing.

    Parameters
    ----------
    report : mapping
        Schema ``edge-us/video-evaluation/2``.
    """
    parts = [
        _head(report),
        "<h2>Numbers</h2>",
        table(["metric", "value", "95 % interval"], [[name, number(v), interval(v)] for name, v in _named(report)]),
        _DEFINITIONS,
        _ultradet(report),
        "<h2>Data sets</h2>",
        '<div class="scroll">',
        table(
            ["data set", "clips", "lesions", *[name for name, _ in _named(report)]],
            [
                [
                    escape(name),
                    str(found["counts"]["clips"]),
                    str(found["counts"]["lesions"]),
                    *[both(value) for _, value in _named(found)],
                ]
                for name, found in report["datasets"].items()
            ],
        ),
        "</div><h2>Clips</h2>",
        '<div class="scroll">',
        table(
            [
                "clip",
                "frames",
                "lesions found",
                "seconds to detect",
                "on/off changes",
                "false tracks ≥ 0 / 0.2 / 0.5 / 1 s",
            ],
            [_clip(row) for row in report["clips"]],
        ),
        "</div>",
    ]
    return document(f"Video evaluation of {report['model']['name']}", parts)


def _head(report: Mapping[str, Any]) -> str:
    model, backend, counts = report["model"], report["backend"], report["counts"]
    note = "" if report["note"] is None else f'<p class="notice">{escape(report["note"])}</p>'
    return (
        f"<h1>Video evaluation of {escape(model['name'])}</h1>"
        '<p class="notice">Research use only. Not for diagnosis.</p>'
        f"{note}<p>{counts['clips']} clips, {counts['minutes']:.1f} minutes, {counts['lesions']} lesions, "
        f"{counts['groups']} groups; threshold {model['threshold']:g}, {escape(backend['name'])} "
        f"{escape(backend['precision'])}.</p>"
        f'<p class="quiet">manifest {escape(report["manifest"]["name"])}, '
        f"split {escape(str(report['manifest']['split'] or 'all rows'))}</p>"
    )


def _named(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    tracks, marks = report["false_positive_tracks_per_minute"], report["false_marks_per_minute"]
    return [
        ("lesions found", report["lesion_sensitivity"]),
        *[(f"false tracks per minute, at least {least} s", value) for least, value in tracks.items()],
        *[(f"false marks per minute, at least {least} s", value) for least, value in marks.items()],
        ("lesion-free clips: frames with a finding", report["normal_frames_with_findings"]),
        ("seconds to detect, mean", report["seconds_to_detect"]["mean"]),
        ("seconds to detect, median", report["seconds_to_detect"]["median"]),
        ("on/off changes per second on a found lesion", report["flicker_per_second"]),
    ]


def _ultradet(report: Mapping[str, Any]) -> str:
    reached = "no lesion in any clip" if not report["counts"]["lesions"] else "not reached"
    cells = [
        [recall, reached, "-", "-"]
        if row["score"] is None
        else [recall, f"{row['score']:.3f}", *(of(row["false_tracks_per_minute"]) for of in (number, interval))]
        for recall, row in report["ultradet"].items()
    ]
    return (
        "<h2>False tracks at a recall, as UltraDet publishes them</h2>"
        '<p class="quiet">The detector\'s own boxes, without hysteresis, from the score that hits this share of all '
        "lesion boxes; false tracks / frames x 1800, the interval at that score.</p>"
        + table(["recall", "score", "false tracks per minute", "95 % interval"], cells)
    )


def _clip(row: Mapping[str, Any]) -> list[str]:
    waits = ", ".join("missed" if wait is None else f"{wait:.2f}" for wait in row["seconds_to_detect"])
    return [
        escape(row["clip"]) + (" (synthetic)" if row["synthetic"] else ""),
        str(row["frames"]),
        f"{row['found']} of {row['lesions']}",
        waits or "-",
        str(row["changes"]),
        " / ".join(str(count) for count in row["false_positive_tracks"].values()),
    ]
