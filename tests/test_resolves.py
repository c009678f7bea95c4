"""JetPack 6's Python 3.10 gets older wheels: the constraints say so, and `make resolve` asks pip."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.conftest import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_resolves", REPOSITORY / "scripts" / "check_resolves.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project() -> dict[str, Any]:
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        found: dict[str, Any] = tomllib.load(file)["project"]
    return found


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_python_3_10_is_kept_from_wheels_that_it_does_not_have(machine: str) -> None:
    names = script().requirements(project(), "3.10", machine)
    assert "numpy<2.3" in names
    assert "onnxruntime<1.24" in names
    assert any(Requirement(name).name == "tomli" for name in names)
    later = script().requirements(project(), "3.12", machine)
    assert not any("numpy<" in name or "onnxruntime<" in name or "tomli" in name for name in later)
    assert not any(";" in name for name in [*names, *later])


def test_what_comes_with_the_system_is_no_dependency() -> None:
    names = {Requirement(name).name.lower() for name in script().requirements(project(), "3.10", "aarch64")}
    assert not names & {"pygobject", "tensorrt", "pycuda", "torch", "ultralytics"}


@pytest.mark.parametrize(("package", "wanted"), [("numpy", "numpy<2.3"), ("onnxruntime", "onnxruntime<1.24")])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_pip_finds_their_wheels_for_python_3_10(machine: str, package: str, wanted: str) -> None:
    module = script()
    names = [name for name in module.requirements(project(), "3.10", machine) if Requirement(name).name == package]
    assert wanted in names
    verdict, said = module.ask([*module.pip_command("3.10", machine, names), "--no-deps"])
    if verdict.startswith("skipped"):
        pytest.skip(verdict)
    assert verdict == "ok", said


class Index(ThreadingHTTPServer):
    """A package index that answers everything with one status; one of status 0 does not answer before it is over."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.over = status, threading.Event()


class Answer(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        if self.server.status:
            self.send_error(self.server.status)
        else:
            self.server.over.wait()

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def index(status: int) -> Iterator[dict[str, str]]:
    """The environment in which pip asks a server of that status, and nobody else."""
    with Index(status) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {"PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple", "PIP_NO_INDEX": "0"}
        others = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
        others |= dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1")
        try:
            yield os.environ | settings | others
        finally:
            server.over.set()
            server.shutdown()


NUMPY = ["numpy", "--no-deps"]


def test_an_index_that_fails_is_no_missing_wheel_and_a_package_that_it_does_not_know_is() -> None:
    module = script()
    command = module.pip_command("3.10", "aarch64", NUMPY)
    for status, verdict in ((503, "skipped: the package index cannot be reached"), (404, "FAILED")):
        with index(status) as environment:
            assert module.ask(command, environment)[0] == verdict, status
    with index(0) as environment:
        said = module.ask(command, environment, timeout_s=1.0)
    assert said == ("skipped: the package index does not answer in time", "")


def test_without_an_index_the_check_is_skipped_and_a_missing_wheel_is_a_failure() -> None:
    module = script()
    with index(503) as gone:
        pass
    verdict, _ = module.ask(module.pip_command("3.10", "aarch64", NUMPY), gone)
    assert verdict == "skipped: the package index cannot be reached"
    assert module.judge(1, "ERROR: No matching distribution found for numpy>=99") == "FAILED"
    assert module.judge(1, "ERROR: HTTP error 502 while getting https://index/numpy.whl") == verdict
    assert module.judge(0, "") == "ok"
