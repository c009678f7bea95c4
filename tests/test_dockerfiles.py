"""The container recipes are linted and read, and their start is run; no container engine runs here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_us.capture.gst import APT_PACKAGES
from edge_us.cuda.probe import DriverInfo, probe_driver
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


def lines(path: Path) -> list[str]:
    """Instructions, continued lines joined."""
    return path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


DOCKERFILES = [REPOSITORY / "Dockerfile", REPOSITORY / "Dockerfile.jetson"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_a_container_runs_as_a_user_of_the_video_group_and_says_how_it_is(path: Path) -> None:
    text = lines(path)
    assert [line for line in text if line.startswith("USER ")] == ["USER 1000"]
    assert any("useradd" in line and "--groups video" in line for line in text)
    assert any(line.startswith("HEALTHCHECK") and line.endswith('CMD ["edge-us", "doctor"]') for line in text)
    assert any(line.startswith("ARG BASE=") for line in text)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_a_container_installs_the_packages_that_the_errors_name(path: Path) -> None:
    (install,) = [line for line in lines(path) if "apt-get install" in line]
    packages = set(install.split("--no-install-recommends")[1].split("&&")[0].split())
    assert packages == set(APT_PACKAGES.split())


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_a_dockerfile_copies_is_sent_to_the_builder(path: Path) -> None:
    allowed = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in lines(path):
        if line.startswith("COPY "):
            for source in line.split()[1:-1]:
                assert any(entry == source or entry.startswith(f"{source}/") for entry in allowed), source


def start(
    folder: Path, *words: str, has_gpu: bool = True, prebuild: int = 0, **variables: str
) -> tuple[int, list[str]]:
    """Run the container's start with an edge-us that writes down its words; returns exit code and calls."""
    calls = folder / "calls"
    calls.write_text("")
    builds = '[ "$1 $2" = "models prebuild" ] || [ "$2" = "--build-only" ]'
    edge_us = f'echo "$*" >> {calls}\nif {builds}; then exit {prebuild}; fi\nexit 5'
    for name, body in {"edge-us": edge_us, "python3": f"exit {int(not has_gpu)}"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", **variables}
    script = REPOSITORY / "packaging" / "container-start.sh"
    done = subprocess.run([str(script), *words], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, calls.read_text().splitlines()


def test_on_a_gpu_a_container_builds_the_engines_that_its_words_ask_for_before_a_run(tmp_path: Path) -> None:
    words = ("a clip.mp4", "--exam", "axilla")
    line = " ".join(words)
    assert start(tmp_path, "run", *words) == (5, [f"run --build-only {line}", f"run {line}"])


def test_where_no_engine_can_be_built_a_container_runs_without(tmp_path: Path) -> None:
    code, calls = start(tmp_path, "run", "clip.mp4", prebuild=6)
    assert (code, calls[-1]) == (5, "run clip.mp4")
    assert start(tmp_path, "run", "clip.mp4", has_gpu=False) == (5, ["run clip.mp4"])


def test_only_a_run_builds_engines_and_only_if_it_may(tmp_path: Path) -> None:
    assert start(tmp_path, "doctor") == (5, ["doctor"])
    assert start(tmp_path, "run", "clip.mp4", EDGE_US_PREBUILD="no") == (5, ["run clip.mp4"])
    assert start(tmp_path, "run", "x", EDGE_US_PREBUILD="lesion-accurate")[1][0] == "models prebuild lesion-accurate"


def test_the_containers_own_question_for_a_gpu_is_one_that_python_understands() -> None:
    text = (REPOSITORY / "packaging" / "container-start.sh").read_text(encoding="utf-8")
    question = text.split('has_gpu="')[1].split('"')[0]
    done = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is isinstance(probe_driver(), DriverInfo)
    assert not done.stderr
