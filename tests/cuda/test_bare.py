"""`make test-gpu` on a machine that has few packages: those that docs/gpu.md names, and no other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

NEEDED = re.compile(r"pip install (numpy [^`\n]+)`")
OPTIONAL = {"onnxconverter-common", "onnx"}


def few_packages(folder: Path) -> Path:
    """A folder with links to the packages that docs/gpu.md asks for, and those that they need."""
    found = NEEDED.search((REPOSITORY / "docs" / "gpu.md").read_text(encoding="utf-8"))
    assert found is not None, "docs/gpu.md names what the check needs"
    waiting = {name for name in found[1].split() if name not in OPTIONAL}
    taken: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in taken:
            continue
        taken.add(name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        for file in package.files or ():
            top = file.parts[0]
            place = Path(str(package.locate_file(top)))
            if top != ".." and top != "__pycache__" and place.exists() and not (folder / top).exists():
                (folder / top).symlink_to(place)
        for text in package.requires or ():
            if "extra ==" not in text:
                waiting.add(re.split(r"[^\w.-]", text, maxsplit=1)[0])
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A command that runs Python with those packages alone."""
    folder = few_packages(tmp_path_factory.mktemp("few"))
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={folder}:{REPOSITORY} exec {sys.executable} -S "$@"\n')
    script.chmod(0o755)
    return [str(script)]


def run(
    command: list[str], libcuda: Path | None, tmp_path: Path, timeout: float = 1800
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"EDGE_US_ENGINES": str(tmp_path / "engines")}
    environment |= {"LD_LIBRARY_PATH": str(libcuda)} if libcuda is not None else {}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def test_what_is_not_asked_for_is_not_there(python: list[str], tmp_path: Path) -> None:
    for name in (
        "gi",
        "openvino",
        "pydicom",
        "typer",
        "setproctitle",
        "jsonschema",
        "hypothesis",
        "onnxconverter_common",
    ):
        assert run([*python, "-c", f"import {name}"], None, tmp_path).returncode != 0, name


def test_the_gpu_tests_run_and_skip_by_name_what_is_missing(python: list[str], libcuda: Path, tmp_path: Path) -> None:
    words = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "gpu",
        "tests/cuda/test_gpu.py",
        "-k",
        "320 or finds or whole_run",
    ]
    done = run([*python, *words], libcuda, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TensorRT is not installed" in done.stdout
    assert re.search(r"3 passed, \d+ skipped", done.stdout), done.stdout


def test_the_benchmark_runs(python: list[str], libcuda: Path, tmp_path: Path) -> None:
    done = run([*python, "bench/gpu.py", "--rounds", "1", "--out", str(tmp_path)], libcuda, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "worst_grey_levels" in (tmp_path / "gpu-played-gpu.json").read_text()


@pytest.mark.parametrize(("tests", "bench", "code"), [(0, 0, 0), (1, 0, 1), (0, 3, 3), (2, 3, 3)])
def test_the_benchmark_runs_whatever_the_tests_said_and_the_worse_code_counts(
    tmp_path: Path, tests: int, bench: int, code: int
) -> None:
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/told\ncase "$1" in -m) exit {tests};; *) exit {bench};; esac\n'
    )
    python.chmod(0o755)
    done = run(["make", "test-gpu", f"GPU_PYTHON={python}"], None, tmp_path)
    told = (tmp_path / "told").read_text().splitlines()
    assert "tests/cuda/test_gpu.py" in told[0]
    assert told[1] == "bench/gpu.py"
    assert (done.returncode != 0) == (code != 0)
    assert f"Error {code}" in done.stderr or code == 0
