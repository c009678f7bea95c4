"""The pytest plugin: ``def test_my_clip(edge_us_replay): edge_us_replay("clip.mp4", golden="clip.golden.jsonl")``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Replay = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--edge-us-update-golden``."""
    group = parser.getgroup("edge_us")
    group.addoption(
        "--edge-us-update-golden", action="store_true", help="Write what is found now as the golden findings."
    )


@pytest.fixture
def edge_us_replay(request: pytest.FixtureRequest, tmp_path: Path) -> Replay:
    """Run a clip and compare its findings with golden ones.

    ``edge_us_replay(clip, golden=..., tolerance=..., **options)``: ``clip`` is a file beside the test, or any source
    text of ``edge-us run`` (``phantom:``, ``images:``, ``bundle:``, …); ``golden`` is a findings file beside the test,
    ``CLIP.golden.jsonl`` by default; ``tolerance`` an `edge_us.replay.compare.Tolerance`, by default box 2 px, mask IoU
    0.95, score 0.02 and the same tracks; ``options`` are those of a run. A difference fails the test and names the
    first frame.
    """
    from edge_us.replay.compare import NEAR
    from edge_us.testing.golden import check_golden, findings_of

    here = request.path.parent

    def replay(clip: str, golden: str | None = None, tolerance: Any = NEAR, **options: Any) -> None:
        beside = here / clip
        source = str(beside) if beside.exists() else clip
        path = here / (golden or f"{clip}.golden.jsonl")
        if request.config.getoption("--edge-us-update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            findings_of(source, path, **options)
            return
        found = tmp_path / "found.jsonl"
        findings_of(source, found, **options)
        check_golden(found, path, tolerance)

    return replay
