"""The container recipes are linted; no container engine runs here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("Dockerfile*")), ids=lambda path: path.name)
def test_a_dockerfile_passes_hadolint(path: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed (there is no wheel for this machine)")
    done = subprocess.run([hadolint, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_dockerfile_copies_only_what_is_there() -> None:
    for path in REPOSITORY.glob("Dockerfile*"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("COPY "):
                for source in line.split()[1:-1]:
                    assert (REPOSITORY / source).exists(), line
