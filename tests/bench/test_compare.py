import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "compare_suite.py"


def result(path: Path, reference_s: float, **times_s: float) -> Path:
    rows = [
        {"fullname": f"bench/suite/test_micro.py::{name}", "stats": {"min": seconds},
         "extra_info": {"reference_s": reference_s}} for name, seconds in times_s.items()
    ]  # fmt: skip
    path.write_text(json.dumps({"benchmarks": rows}))
    return path


def compare(base: Path, new: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(base), str(new)], capture_output=True, text=True, check=False
    )


def test_a_slower_machine_is_no_slower_step(tmp_path: Path) -> None:
    base = result(tmp_path / "a.json", 0.004, letterbox=0.0002, overlay=0.001)
    slow = result(tmp_path / "b.json", 0.008, letterbox=0.0004, overlay=0.002)
    assert compare(base, slow).returncode == 0


def test_a_step_that_grew_by_more_than_a_tenth_fails_by_name(tmp_path: Path) -> None:
    base = result(tmp_path / "a.json", 0.004, letterbox=0.0002, overlay=0.001)
    new = result(tmp_path / "b.json", 0.004, letterbox=0.0002, overlay=0.00115)
    done = compare(base, new)
    assert done.returncode == 1
    assert "test_micro.py::overlay: 1.15 times" in done.stdout
    assert "letterbox" not in done.stdout
    assert compare(base, result(tmp_path / "c.json", 0.004, letterbox=0.0002, overlay=0.00105)).returncode == 0


@pytest.mark.parametrize("text", ["", "{}", '{"benchmarks": []}'])
def test_what_is_no_result_is_one_clear_error(tmp_path: Path, text: str) -> None:
    base = result(tmp_path / "a.json", 0.004, letterbox=0.0002)
    (tmp_path / "bad.json").write_text(text)
    done = compare(base, tmp_path / "bad.json")
    assert done.returncode == 1
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
