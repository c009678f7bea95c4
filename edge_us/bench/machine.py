"""What a measurement must say of the machine that it was made on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "asimd", "asimddp", "bf16")
PACKAGES = ("edge-us", "openvino", "onnxruntime", "numpy", "opencv-python-headless")
TEGRASTATS_INTERVAL_MS = 1000


def describe_machine(root: Path = Path("/")) -> dict[str, Any]:
    """Processor, cores, governor, memory, load and versions; on a Jetson power mode too. Unknown values are None.

    Parameters
    ----------
    root : Path
        Where ``proc``, ``sys`` and ``etc`` are looked for.
    """
    cpu = _read(root / "proc/cpuinfo") or ""
    memory = re.search(r"MemTotal:\s+(\d+) kB", _read(root / "proc/meminfo") or "")
    board = (_read(root / "proc/device-tree/model") or "").strip("\0 \n")
    return {
        "cpu": _field(cpu, "model name") or board or platform.processor() or None,
        "board": board or None,
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "flags": [
            flag for flag in TELLING_FLAGS if flag in (_field(cpu, "flags") or _field(cpu, "Features") or "").split()
        ],
        "governor": (_read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "").strip() or None,
        "memory_gb": round(int(memory[1]) * 1024 / 1e9, 1) if memory else None,
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "jetson": _jetson(root) if board.startswith("NVIDIA") or shutil.which("tegrastats") else None,
    }


def health(root: Path = Path("/")) -> dict[str, float | None]:
    """Clock of the fastest core in MHz, hottest zone in °C and resident memory in MB, now."""
    clocks = [float(found) for found in re.findall(r"cpu MHz\s*:\s*([\d.]+)", _read(root / "proc/cpuinfo") or "")]
    zones = [_read(path) for path in sorted((root / "sys/class/thermal").glob("thermal_zone*/temp"))]
    heat = [int(text) / 1000 for text in zones if text and text.strip().lstrip("-").isdigit()]
    pages = (_read(root / "proc/self/statm") or "0 0").split()
    return {
        "clock_mhz": max(clocks) if clocks else None,
        "temperature_c": max(heat) if heat else None,
        "rss_mb": round(int(pages[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
    }


def parse_tegrastats(line: str) -> dict[str, float]:
    """Figures of one line of NVIDIA's ``tegrastats`` (format: Jetson Linux Developer Guide, tegrastats utility).

    Returns
    -------
    dict
        ``gpu_percent``, ``gpu_mhz``, ``temperature_c`` (hottest), ``power_w`` (sum of what the board's input rail says,
        else of all rails); what a board does not print is left out.
    """
    found: dict[str, float] = {}
    if load := re.search(r"GR3D_FREQ (\d+)%(?:@\[?(\d+))?", line):
        found["gpu_percent"] = float(load[1])
        if load[2]:
            found["gpu_mhz"] = float(load[2])
    heat = [float(value) for value in re.findall(r"\w+@(-?[\d.]+)C", line) if float(value) > -100]
    if heat:
        found["temperature_c"] = max(heat)
    rails = {name: float(now) for name, now in re.findall(r"(\w+) (\d+)mW/\d+mW", line)}
    if rails:
        inputs = [value for name, value in rails.items() if name in ("VDD_IN", "VIN_SYS_5V0", "POM_5V_IN")]
        found["power_w"] = (inputs[0] if inputs else sum(rails.values())) / 1000
    return found


def _jetson(root: Path) -> Mapping[str, Any]:
    mode = _output(["nvpmodel", "-q"])
    line = (_output(["timeout", "2", "tegrastats", "--interval", str(TEGRASTATS_INTERVAL_MS)]) or "").splitlines()
    return {
        "power_mode": (re.search(r"NV Power Mode: *(\S+)", mode or "") or [None, None])[1],
        "l4t": (_read(root / "etc/nv_tegra_release") or "").split("\n")[0] or None,
        "tegrastats": parse_tegrastats(line[0]) if line else None,
    }


def _output(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def _field(text: str, name: str) -> str | None:
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", text, re.M)
    return found[1].strip() if found else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
