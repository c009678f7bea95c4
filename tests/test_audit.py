"""What the audit makes of what pip-audit says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", Path(__file__).parents[1] / "scripts" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_known_weakness_fails_and_is_named_with_its_cure(
    audit: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = {"name": "numpy", "version": "2.0", "vulns": []}
    weak = {"name": "pillow", "version": "9.0", "vulns": [{"id": "CVE-2023-4863", "fix_versions": ["10.0.1"]}]}
    assert audit.tell([sound]) == 0
    assert audit.tell([sound, weak]) == 1
    assert "pillow 9.0: CVE-2023-4863, fixed in 10.0.1" in capsys.readouterr().err


@pytest.mark.parametrize("said", [None, [], [{"name": "numpy", "skip_reason": "not found"}]])
def test_where_nobody_could_be_asked_nothing_is_called_sound(
    audit: ModuleType, said: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.tell(said) == 0
    assert "nothing was audited" in capsys.readouterr().err
