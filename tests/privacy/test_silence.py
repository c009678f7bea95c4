"""Nobody is called and no trace is left: whole runs in a network of their own, whose kernel counts every attempt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ATTEMPTS = {
    "Ip": ("OutRequests", "OutNoRoutes"),
    "Tcp": ("ActiveOpens",),
    "Udp": ("OutDatagrams",),
    "Ip6OutRequests": (),
    "Ip6OutNoRoutes": (),
    "Udp6OutDatagrams": (),
}
"""What the kernel counts when somebody sends, connects, or would if there were a route."""
SWITCHES = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME")
"""What would silence the libraries, or hide their traces, without a merit of ours."""
OWN = {".cache/edge-us", ".cache/gstreamer-1.0"}
"""Drawn phantoms, and GStreamer's list of its plugins."""


def attempts(text: str) -> dict[str, int]:
    """The counters of ``/proc/net/snmp`` and ``/proc/net/snmp6`` that are not 0."""
    rows = [line.split() for line in text.splitlines()]
    found = {row[0]: int(row[1]) for row in rows if row[0] in ATTEMPTS}
    for names, values in pairwise(rows):
        protocol = names[0].rstrip(":")
        if names[0] == values[0] and protocol in ATTEMPTS:
            numbers = dict(zip(names, values, strict=True))
            found |= {f"{protocol} {name}": int(numbers[name]) for name in ATTEMPTS[protocol]}
    assert len(found) >= 4, "the kernel does not count"
    return {name: count for name, count in found.items() if count}


def alone(home: Path, *words: str) -> tuple[dict[str, int], set[str]]:
    """Run a command in an empty network and an empty home: attempts to reach others, and what it left there."""
    temporary = home / "tmp"
    temporary.mkdir(parents=True)
    may = ["unshare", "-rn", "true"]
    if shutil.which("unshare") is None or subprocess.run(may, capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    environment = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    environment |= {"HOME": str(home), "TMPDIR": str(temporary)}
    script = '"$@"; code=$?; cat /proc/net/snmp /proc/net/snmp6 >"$HOME/counters"; exit $code'
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-c", script, "sh", *words],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    left = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()} - {"counters"}
    return attempts((home / "counters").read_text()), left


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_run_calls_nobody_and_leaves_nothing_in_the_home(backend: str, tmp_path: Path) -> None:
    source = "phantom:?size=320x240&frames=10"
    run = [sys.executable, "-m", "edge_us.cli.main", "run", source, "--backend", backend]
    called, left = alone(tmp_path, *run, "--findings", str(tmp_path / "counters.jsonl"))
    assert called == {}
    assert {path for path in left if not any(path.startswith(f"{own}/") for own in OWN)} == {"counters.jsonl"}


def test_an_attempt_would_be_counted(tmp_path: Path) -> None:
    asks = "import socket\ntry: socket.create_connection(('192.0.2.1', 443), 1)\nexcept OSError: pass"
    assert alone(tmp_path, sys.executable, "-c", asks)[0]
