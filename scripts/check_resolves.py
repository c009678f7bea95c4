"""Check that pip finds wheels for all runtime dependencies on every platform that is promised.

JetPack 6 is Python 3.10 on aarch64, desktops are x86-64: a dependency that drops one of them must not go unnoticed.
Left out is what has no wheels by its nature: PyGObject and TensorRT, which come with the system, and pycuda, which is
compiled where it is installed. Without a package index, or with one that fails or does not answer in time, each check
is skipped, and says so.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
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
TIMEOUT_S = 300.0
"""For one platform; pip's own timeout is for each of its many requests."""
UNREACHABLE = re.compile(
    r"Could not fetch URL https?://(?!.*: 404 Client Error)"  # in its log: without the index it finds just no wheel
    r"|HTTP error (?!404)\d|Failed to establish a new connection|name resolution|timed out|ProxyError"
    r"|Connection (?:refused|reset|aborted|broken)|IncompleteRead|incomplete-download"
)
"""What pip says where there is no index, or one that fails. A package that the index does not know (404) is missing."""


def main() -> int:
    """Resolve for each Python and machine; returns the number of failures."""
    root = Path(__file__).resolve().parent.parent
    with (root / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    failures = 0
    for python in PYTHONS:
        for machine in MACHINES:
            verdict, said = ask(pip_command(python, machine, requirements(project, python, machine)))
            print(f"cp{python.replace('.', '')} {machine}: {verdict}")
            if verdict == "FAILED":
                failures += 1
                print(said.strip()[-2000:])
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


def ask(
    command: list[str], environment: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> tuple[str, str]:
    """Run `pip_command`; the verdict, and what pip wrote to standard error."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "pip.log"
        try:
            done = subprocess.run(
                [*command, "--log", str(log)],
                capture_output=True,
                text=True,
                timeout=timeout_s,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "skipped: the package index does not answer in time", ""
        noted = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return judge(done.returncode, done.stderr + noted), done.stderr


def judge(code: int, said: str) -> str:
    """``ok``, ``FAILED``, or that there is no index."""
    if code == 0:
        return "ok"
    return "skipped: the package index cannot be reached" if UNREACHABLE.search(said) else "FAILED"


if __name__ == "__main__":
    sys.exit(main())
