"""Check that pip finds wheels for all runtime dependencies on every platform that is promised.

JetPack 6 is Python 3.10 on aarch64, desktops are x86-64: a dependency that drops one of them must not go unnoticed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYTHONS = ("3.10", "3.12")
MACHINES = ("x86_64", "aarch64")
GLIBC = range(17, 36)
"""manylinux tags up to Ubuntu 22.04's glibc 2.35, the oldest system that is promised; pip matches them exactly."""


def main() -> int:
    """Resolve for each Python and machine; returns the number of failures."""
    root = Path(__file__).resolve().parent.parent
    with (root / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    # With the extras that build models and reach the GPU: boards need both.
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["build"], *extras["cuda"]]
    failures = 0
    for python in PYTHONS:
        for machine in MACHINES:
            platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC] + [f"manylinux2014_{machine}"]
            # pip evaluates markers with its own Python, not the target's: tomli is added where it is needed.
            names = [name.split(";")[0].strip() for name in wanted if python == "3.10" or "tomli" not in name]
            command = [
                *(sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"),
                *("--disable-pip-version-check", "--only-binary=:all:", "--target", "unused"),
                *("--python-version", python, "--implementation", "cp", "--abi", f"cp{python.replace('.', '')}"),
                *("--abi", "abi3", "--abi", "none"),
                *(part for platform in platforms for part in ("--platform", platform)),
                *names,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            print(f"cp{python.replace('.', '')} {machine}: {'ok' if done.returncode == 0 else 'FAILED'}")
            if done.returncode:
                failures += 1
                print(done.stderr.strip()[-2000:])
    return failures


if __name__ == "__main__":
    sys.exit(main())
