"""The driver: what happens in a child is put down to the right input."""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from types import ModuleType

import pytest

from fuzz import campaign
from fuzz.campaign import Campaign, Result
from fuzz.run import row, write
from fuzz.target import Target

PLUGIN = """
import ctypes, time, zlib
import numpy as np
from edge_us.errors import InputError
from fuzz.target import Target

def seeds(folder):
    return [b"good"]

def check(data, folder):
    if data == b"good":
        return
    number = zlib.crc32(data) % 12
    if number == 3:
        raise KeyError("ours")
    if number == 5:
        ctypes.string_at(0)
    if number == 7:
        time.sleep(3600)
    if number == 11:
        np.ones(16 << 20).sum()
    raise InputError("no", "none")

TARGET = Target(seeds, check, (b"abcd",), limit_s=1.5, limit_bytes=64 << 20)
"""


def test_tracebacks_crashes_hangs_and_memory_are_put_down_to_their_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "fuzz" / "targets"
    package.mkdir(parents=True)
    (package / "spoilt.py").write_text(PLUGIN)
    for name in ("__init__", "worker", "state", "mutate", "target"):
        (tmp_path / "fuzz" / f"{name}.py").write_bytes((campaign.REPOSITORY / "fuzz" / f"{name}.py").read_bytes())
    (package / "__init__.py").write_text("")
    module = ModuleType("fuzz.targets.spoilt")
    module.__dict__["TARGET"] = Target(lambda folder: [], lambda data, folder: None, limit_s=1.5)
    monkeypatch.setitem(sys.modules, "fuzz.targets.spoilt", module)
    monkeypatch.setenv("PYTHONPATH", str(campaign.REPOSITORY))
    monkeypatch.setattr(campaign, "REPOSITORY", tmp_path)
    out = tmp_path / "out"
    result = Campaign("spoilt", "seeded", 1, out).run(30, 1800.0)
    assert result.inputs == 30
    assert set(result.kinds) == {"traceback", "crash", "hang", "memory"}
    assert result.ours == sum(result.kinds.values()) - result.kinds["crash"]
    assert result.accepted + result.refused == 30 - sum(result.kinds.values()) + result.kinds["memory"]
    wanted = {"traceback": 3, "crash": 5, "hang": 7, "memory": 11}
    for failure in result.failures.values():
        data = (out / failure.saved).read_bytes()
        assert zlib.crc32(data) % 12 == wanted[failure.kind]
    assert any("SIGSEGV" in failure.signature for failure in result.failures.values())


def test_results_are_a_table_and_a_json_file(tmp_path: Path) -> None:
    result = Result("dicom", inputs=10, accepted=4, refused=6, seconds=2.0, peak_bytes=5 << 20)
    assert row(result).split() == ["dicom", "10", "4", "6", "2.0", "5", "none"]
    write(tmp_path / "out" / "result.json", "seeded", 1, [result])
    content = json.loads((tmp_path / "out" / "result.json").read_text())
    assert content["schema"] == "edge-us/fuzz/1"
    assert content["targets"][0]["inputs"] == 10
