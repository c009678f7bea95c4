"""What docs/cli.md says of the command line."""

from __future__ import annotations

import re
from pathlib import Path

from edge_us.errors import ExitCode

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_names_every_exit_code_with_its_number() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [code.value for code in ExitCode]
    words = {int(number): meaning for number, meaning in rows}
    telling = {
        ExitCode.OK: "done",
        ExitCode.INTERNAL: "defect",
        ExitCode.USAGE: "option",
        ExitCode.INPUT: "source",
        ExitCode.MODEL: "model",
        ExitCode.RUNTIME: "failed while running",
        ExitCode.MISSING: "missing",
        ExitCode.ACCURACY: "accuracy",
        ExitCode.INTERRUPTED: "stopped",
    }
    assert set(telling) == set(ExitCode)
    assert [code for code, word in telling.items() if word not in words[code]] == []
