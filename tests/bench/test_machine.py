import os
from pathlib import Path

from edge_us.bench.machine import describe_machine, health, parse_tegrastats

ORIN = (
    "11-21-2026 10:00:00 RAM 3456/15656MB (lfb 4x4MB) SWAP 0/7828MB (cached 0MB) CPU [12%@1510,8%@1510,off,off] "
    "EMC_FREQ 3%@2133 GR3D_FREQ 47%@[611] CV0@-256C CPU@48.312C SOC2@46.5C tj@50.25C GPU@45.0C "
    "VDD_IN 7563mW/7400mW VDD_CPU_GPU_CV 2100mW/2000mW VDD_SOC 1500mW/1490mW"
)
XAVIER = "RAM 2000/7766MB GR3D_FREQ 99%@1109 AO@38.5C GPU@40C PMIC@100C CPU 900mW/850mW GPU 3000mW/2900mW"


def test_tegrastats_of_two_generations() -> None:
    assert parse_tegrastats(ORIN) == {
        "gpu_percent": 47.0, "gpu_mhz": 611.0, "temperature_c": 50.25, "power_w": 7.563,
    }  # fmt: skip
    assert parse_tegrastats(XAVIER)["gpu_mhz"] == 1109
    assert parse_tegrastats(XAVIER)["power_w"] == 3.9, "no input rail: the sum of what there is"
    assert parse_tegrastats("nothing of the kind") == {}


def test_what_a_machine_says_of_itself(tmp_path: Path) -> None:
    for name, text in {
        "proc/cpuinfo": "model name\t: Test CPU 9000\nflags\t\t: fpu avx2 avx512_bf16\ncpu MHz\t\t: 2100.5\n"
        "model name\t: Test CPU 9000\ncpu MHz\t\t: 3100.0\n",
        "proc/meminfo": "MemTotal:       16000000 kB\n",
        "proc/self/statm": "100 50 0 0 0 0 0",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
        "sys/class/thermal/thermal_zone0/temp": "45000\n",
        "sys/class/thermal/thermal_zone1/temp": "61500\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = describe_machine(tmp_path)
    assert (found["cpu"], found["flags"], found["governor"]) == (
        "Test CPU 9000",
        ["avx2", "avx512_bf16"],
        "performance",
    )
    assert found["memory_gb"] == 16.4
    assert found["versions"]["edge-us"]
    state = health(tmp_path)
    assert (state["clock_mhz"], state["temperature_c"]) == (3100.0, 61.5)
    assert state["rss_mb"] == round(50 * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def test_an_unknown_machine_has_unknown_values_and_no_invented_ones(tmp_path: Path) -> None:
    found = describe_machine(tmp_path)
    assert (found["governor"], found["memory_gb"], found["flags"]) == (None, None, [])
    assert health(tmp_path)["clock_mhz"] is None
    assert health(tmp_path)["temperature_c"] is None
