"""The doctor's page as text, and the same as JSON: pure functions of facts and diagnosis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_us.doctor.diagnosis import Diagnosis
from edge_us.doctor.facts import Facts, Jetson
from edge_us.finding import Unknown

JETPACKS = {(36, 4): "JetPack 6.1 or 6.2", (38, 2): "JetPack 7.0", (38, 4): "JetPack 7.1", (39, 2): "JetPack 7.2"}
"""Of L4T's major and minor release."""
_WIDTH = 12


def as_text(facts: Facts, diagnosis: Diagnosis) -> str:
    """One page: what is here, what will be used, how to get the rest, and whether a run would work."""
    lines = [*_rows(_here(facts)), "", "what a run will use"]
    for topic, texts in diagnosis.used.items():
        lines += _rows([(topic if number == 0 else "", text) for number, text in enumerate(texts)])
    if diagnosis.advice:
        lines += ["", "what it does without, and how to get it"]
        lines += [f"- {advice.what}: {advice.how}" for advice in diagnosis.advice]
    lines.append("")
    for problem in diagnosis.problems:
        lines += [f"problem: {problem.message}", f"hint: {problem.hint}"]
    lines.append("not ready" if diagnosis.problems else "ready")
    return "\n".join(lines) + "\n"


def as_json(facts: Facts, diagnosis: Diagnosis) -> dict[str, Any]:
    """The same for programs. An unknown is null with its reason beside it."""
    gpu = facts.inference.gpu
    return {
        "schema": "edge-us/doctor/1",
        "ready": not diagnosis.problems,
        "problems": [{"message": p.message, "hint": p.hint, "exit_code": int(p.code)} for p in diagnosis.problems],
        "used": {topic: list(texts) for topic, texts in diagnosis.used.items()},
        "advice": [{"what": advice.what, "how": advice.how} for advice in diagnosis.advice],
        "version": facts.version,
        "python": facts.python,
        "system": facts.system,
        "cpu": {"name": facts.cpu, "cores": facts.cores, "flags": list(facts.flags), "governor": facts.governor},
        "board": facts.board,
        "jetson": None if facts.jetson is None else {name: getattr(facts.jetson, name) for name in Jetson.__slots__},
        "gpu": None if isinstance(gpu.driver, Unknown) else gpu.driver.describe(),
        "gpu_reason": gpu.driver.reason if isinstance(gpu.driver, Unknown) else None,
        "backends": {
            "openvino": facts.inference.openvino,
            "onnxruntime": facts.inference.onnxruntime,
            "tensorrt": gpu.tensorrt,
            "onnxruntime_cuda": facts.onnxruntime_cuda,
        },
        "engines": list(facts.engines),
        "gstreamer": None if isinstance(facts.gstreamer, Unknown) else facts.gstreamer,
        "gstreamer_reason": facts.gstreamer.reason if isinstance(facts.gstreamer, Unknown) else None,
        "models": None if isinstance(facts.models, Unknown) else dict(facts.models),
        "models_reason": facts.models.reason if isinstance(facts.models, Unknown) else None,
    }


def _rows(rows: list[tuple[str, str]]) -> list[str]:
    return [f"{topic:{_WIDTH}} {text}".rstrip() for topic, text in rows]


def _here(facts: Facts) -> list[tuple[str, str]]:
    rows = [
        ("edge-us", f"{facts.version}, research use only, not for diagnosis"),
        ("python", f"{facts.python} on {facts.system}"),
        ("cpu", _cpu(facts)),
    ]
    if facts.jetson is not None:
        rows.append(("jetson", ", ".join(_jetson(facts, facts.jetson))))
    rows += [(line.partition(" ")[0].lower(), line.partition(" ")[2]) for line in facts.inference.gpu.describe()]
    backends = {"OpenVINO": facts.inference.openvino, "ONNX Runtime": facts.inference.onnxruntime}
    rows.append(("backends", ", ".join(f"{name} {version or 'not installed'}" for name, version in backends.items())))
    rows += [("engines" if number == 0 else "", text) for number, text in enumerate(facts.engines)]
    gstreamer = facts.gstreamer
    rows.append(("gstreamer", f"none: {gstreamer.reason}" if isinstance(gstreamer, Unknown) else gstreamer))
    if isinstance(facts.models, Unknown):
        return [*rows, ("models", f"none: {facts.models.reason}")]
    good = [name for name, state in facts.models if state == "ok"]
    return [
        *rows,
        ("models", f"{len(good)} of {len(facts.models)} files have the manifest's sha256: {', '.join(good)}"),
    ]


def _cpu(facts: Facts) -> str:
    native = ", ".join(sorted(precision.value for precision in facts.inference.native))
    parts = [facts.cpu or "unknown", f"{facts.cores or 'unknown number of'} cores", f"natively {native}"]
    if facts.flags:
        parts.append(" ".join(facts.flags))
    if facts.governor:
        parts.append(f"governor {facts.governor}")
    return ", ".join(parts)


def _jetson(facts: Facts, jetson: Jetson) -> Iterator[str]:
    yield facts.board or "board unknown"
    if jetson.l4t is None:
        yield "L4T unknown"
    else:
        release = tuple(int(number) for number in jetson.l4t.split(".")[:2])
        known = JETPACKS.get((release[0], release[1])) if len(release) == 2 else None
        yield f"L4T {jetson.l4t}" + (f" ({known})" if known else "")
    yield f"power mode {jetson.power_mode or 'unknown'}"
    if jetson.gpu_mhz is not None:
        yield f"GPU at {jetson.gpu_mhz:g} MHz"
    if jetson.power_w is not None:
        yield f"{jetson.power_w:.1f} W"
    if jetson.temperature_c is not None:
        yield f"{jetson.temperature_c:.0f} °C"
