"""What every page of an evaluation has: its style, tables, and numbers with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from edge_us.errors import PipelineError

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1100px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.15rem;margin-top:2rem}
.notice{color:#c2410c;font-weight:600}.quiet{color:#555;font-size:.9em}
table{border-collapse:collapse;margin:.5rem 0}th,td{padding:.2rem .7rem;text-align:left;border-bottom:1px solid #ddd}
td{font-variant-numeric:tabular-nums;vertical-align:top}td .quiet{white-space:nowrap}.scroll{overflow-x:auto}
.row{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;max-width:300px}figcaption{font-size:.8em;color:#555;
overflow-wrap:anywhere}img{display:block;max-width:100%}
"""


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page that loads nothing; the title is text, the parts are HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{each}</th>" for each in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def number(value: Mapping[str, Any]) -> str:
    """The value of an estimate, or a dash."""
    return "-" if value["value"] is None else f"{value['value']:.3f}"


def interval(value: Mapping[str, Any]) -> str:
    """The interval of an estimate, or a dash."""
    return "-" if value["ci95"] is None else f"{value['ci95'][0]:.3f} to {value['ci95'][1]:.3f}"


def both(value: Mapping[str, Any]) -> str:
    """Value and, in small, interval."""
    small = "" if value["ci95"] is None else f'<br><span class="quiet">{interval(value)}</span>'
    return number(value) + small


def write_text(path: Path, text: str) -> None:
    """Write a report or page; raises `PipelineError` where that is not possible."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"cannot write {path}: {error.strerror}", "Choose another place.") from None
