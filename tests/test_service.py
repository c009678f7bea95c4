"""The unit for a cart does what its comments promise."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "packaging" / "edge-us.service").read_text(encoding="utf-8")
COMMENTED = re.compile(r"^# (?=(?:ExecStartPre|TimeoutStartSec|Environment)=)", re.MULTILINE)
JETSON = COMMENTED.sub("", TEXT)
"""With the lines for a machine with TensorRT."""


def settings(text: str) -> dict[str, list[str]]:
    """Values of each setting in their order; of several, systemd takes the last (but runs every ExecStartPre)."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_engines_may_take_longer_to_build_than_a_start_may_otherwise() -> None:
    assert settings(TEXT)["TimeoutStartSec"] == ["120"]
    assert "ExecStartPre" not in settings(TEXT)
    assert settings(JETSON)["TimeoutStartSec"][-1] == "30min"
    assert settings(JETSON)["ExecStartPre"] == [
        "/opt/edge-us/bin/edge-us run --config /etc/edge-us/cart.toml --build-only"
    ]


@pytest.mark.parametrize("text", [TEXT, JETSON])
def test_engines_lie_where_the_service_may_write(text: str) -> None:
    found = settings(text)
    assert found["ProtectHome"] == ["yes"]
    assert found["ProtectSystem"] == ["strict"]
    (folder,) = (value.partition("=")[2] for value in found["Environment"] if value.startswith("EDGE_US_ENGINES="))
    assert folder.startswith(f"/var/lib/{found['StateDirectory'][-1]}/")
