"""Check that pip finds wheels for all runtime dependencies on every platform that is promised.

JetPack 6 is Python 3.10 on aarch64, desktops are x86-64: a dependency that drops one of them must not go unnoticed.
Left out is what has no wheels by its nature: PyGObject and TensorRT, which come with the system, and pycuda, which is
compiled where it is installed. Without a package index each check is skipped, and says so.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYTHONS = ("3.10", "3.12")
MACHINES = ("x86_64", "aarch64")
EXTRAS = ("metrics", "build", "cuda")
"""What containers install: boards cast and build their own engines."""
GLIBC = range(17, 36)
"""manylinux tags up to Ubuntu 22.04's glibc 2.35, the oldest system that is promised; pip matches them exactly."""
UNREACHABLE = (
    "Failed to establish a new connection",
    "name resolution",
    "timed out",
    "ProxyError",
    "Connection refused",
)
"""What pip says where there is no index."""


def main() -> int:
    """Resolve for each Python and machine; returns the number of failures."""
    root = Path(__file__).resolve().parent.parent
    with (root / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    failures = 0
    for python in PYTHONS:
        for machine in MACHINES:
            done = subprocess.run(
                pip_command(python, machine, requirements(project, python, machine)),
                capture_output=True,
                text=True,
                check=False,
            )
            verdict = judge(done.returncode, done.stderr)
            print(f"cp{python.replace('.', '')} {machine}: {verdict}")
            if verdict == "FAILED":
                failures += 1
                print(done.stderr.strip()[-2000:])
    return failures


def requirements(project: dict[str, Any], python: str, machine: str) -> list[str]:
    """Dependencies and `EXTRAS` as they hold there, without markers: pip judges those by its own Python."""
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(text for extra in EXTRAS for text in extras[extra])]
    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
    }
    found = []
    for text in wanted:
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate(there):
            need.marker = None
            found.append(str(need))
    return found


def pip_command(python: str, machine: str, names: list[str]) -> list[str]:
    """A dry run of pip for another Python and machine, with wheels alone."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC] + [f"manylinux2014_{machine}"]
    return [
        *(sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--retries", "1"),
        *("--disable-pip-version-check", "--only-binary=:all:", "--target", "unused"),
        *("--python-version", python, "--implementation", "cp", "--abi", f"cp{python.replace('.', '')}"),
        *("--abi", "abi3", "--abi", "none"),
        *(part for platform in platforms for part in ("--platform", platform)),
        *names,
    ]


def judge(code: int, said: str) -> str:
    """``ok``, ``FAILED``, or that there is no index."""
    if code == 0:
        return "ok"
    return "skipped: the package index cannot be reached" if any(text in said for text in UNREACHABLE) else "FAILED"


if __name__ == "__main__":
    sys.exit(main())
