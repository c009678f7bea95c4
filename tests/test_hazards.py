"""Every test that the documents name as a guard is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["docs/hazards.md", "SECURITY.md"])
def test_every_test_that_guards_a_hazard_exists(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / page).read_text(encoding="utf-8")))
    assert len(named) >= 8
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named <= there, named - there


def test_every_hazard_has_a_guard() -> None:
    rows = [line.split("|")[1:-1] for line in (ROOT / "docs/hazards.md").read_text(encoding="utf-8").splitlines()
            if line.startswith("| ")]  # fmt: skip
    for hazard, cause, measure, guard in rows[1:]:
        assert cause.strip(), hazard
        assert measure.strip(), hazard
        assert "`test_" in guard, hazard
