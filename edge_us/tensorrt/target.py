"""`Target`: the GPU and driver that engines are built for."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from edge_us.cuda.probe import probe_driver
from edge_us.errors import MissingDependencyError
from edge_us.finding import Unknown

NO_GPU = "none"


@dataclass(frozen=True, slots=True)
class Target:
    """What an engine depends on besides its file and TensorRT; words of `key.EngineKey`."""

    platform: str
    gpu: str
    compute_capability: str
    driver: str


def system() -> str:
    """Operating system and architecture of this machine, as ``Linux-aarch64``."""
    return f"{platform.system()}-{platform.machine()}"


def no_gpu() -> Target:
    """For engines that are built without a GPU, as the tests do with TensorRT for RTX."""
    return Target(system(), NO_GPU, NO_GPU, NO_GPU)


def target_here() -> Target:
    """This machine's GPU and driver.

    Raises
    ------
    MissingDependencyError
        There is no driver, or no GPU. TensorRT must not be asked then: without a driver deserialising ends the process.
    """
    found = probe_driver()
    if isinstance(found, Unknown):
        raise MissingDependencyError(
            f"TensorRT needs an NVIDIA GPU and its driver: {found.reason}",
            "Start a container with --runtime nvidia or --gpus all (while an image is built there is no GPU), or use "
            "another --backend.",
        )
    release = f"CUDA {found.cuda}" if isinstance(found.release, Unknown) else found.release
    gpu = found.gpu
    return Target(system(), gpu.name, ".".join(str(number) for number in gpu.capability), release)
