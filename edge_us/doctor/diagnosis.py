"""`diagnose`: from facts to what a run will use, what keeps it from running, and how to get the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_us.capture.decoding import H264, H265, MJPEG, best_decoders, is_jetson
from edge_us.capture.gst import HINT
from edge_us.cuda.probe import DriverInfo
from edge_us.doctor.facts import Facts
from edge_us.errors import EdgeUsError, ExitCode
from edge_us.finding import Unknown
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import choose_backend
from edge_us.sinks.display import sink_candidates
from edge_us.sinks.recording import ENCODERS, HARDWARE

CORE = ("appsrc", "appsink", "decodebin", "videoconvert", "videoscale")
"""Elements without which nothing runs."""
NEWEST_BINDINGS = 13
"""Newest major version of cuda-bindings that the extra ``cuda`` takes."""
_LIVE = {"v4l2src": "V4L2", "rtspsrc": "RTSP", "decklinkvideosrc": "DeckLink"}
_CODECS = {H264: "H.264", H265: "H.265", MJPEG: "MJPEG"}
_INSTALL_AGAIN = "Install edge-us again, or restore the files from the repository; see `edge-us models verify`."


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a run from running, what to do about it, and the exit code."""

    message: str
    hint: str
    code: ExitCode


@dataclass(frozen=True, slots=True)
class Advice:
    """Something that a run does without here, and how to get it."""

    what: str
    how: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What follows from the facts.

    Attributes
    ----------
    used : mapping of str to tuple of str
        For inference, decoding and so on: what will be used, and lines of explanation.
    advice : tuple of Advice
    problems : tuple of Problem
        Empty where a run would work; the first decides the exit code.
    """

    used: dict[str, tuple[str, ...]]
    advice: tuple[Advice, ...]
    problems: tuple[Problem, ...]

    @property
    def exit_code(self) -> ExitCode:
        """0 where a run would work."""
        return self.problems[0].code if self.problems else ExitCode.OK


def diagnose(facts: Facts) -> Diagnosis:
    """Say what a run on such a machine would use, and what it lacks."""
    inference, problems = _inference(facts)
    used = {"inference": inference}
    if not isinstance(facts.gstreamer, Unknown):
        used |= {"decoding": _decoding(facts), "recording": _recording(facts)}
        used |= {"display": _display(facts), "live": _live(facts)}
    problems = (*_gstreamer_problems(facts), *problems, *_model_problems(facts))
    return Diagnosis(used, tuple(_advice(facts)), problems)


def _inference(facts: Facts) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    try:
        choice = choose_backend(facts.inference, BackendName.AUTO, Precision.AUTO, unready=lambda: facts.unready)
    except EdgeUsError as error:
        return ("nothing",), (Problem(error.message, error.hint, error.exit_code),)
    # A model's engine says its own precision when it is opened.
    precision = "" if choice.precision is Precision.AUTO else f" {choice.precision.value}"
    because = (f"because {reason}" for reason in choice.reasons)
    return (f"{choice.name.value}{precision} on the {choice.device}", *because), ()


def _decoding(facts: Facts) -> tuple[str, ...]:
    chosen = best_decoders(facts.elements)
    text = ", ".join(f"{word} {chosen.by_format.get(media, 'none')}" for media, word in _CODECS.items())
    if not chosen.hardware:
        return (text,)
    return (text, "the CPU's take over where the hardware's do not start")


def _recording(facts: Facts) -> tuple[str, ...]:
    found = [name for name in ENCODERS if name in facts.elements]
    software = next((name for name in found if name not in HARDWARE), None)
    if not found or found[0] not in HARDWARE or software is None:
        return (found[0] if found else "none",)
    return (found[0], f"{software} where its device cannot be opened")


def _display(facts: Facts) -> tuple[str, ...]:
    sinks = sink_candidates(facts.elements, facts.session, drm=facts.has_drm, monitor=0)
    screen = ", ".join(f"{name}={value}" for name, value in facts.session.items())
    if sinks:
        return (f"{sinks[0]}, on {screen or 'the monitor itself: no desktop is running'}",)
    if not screen and not facts.has_drm:
        return ("none: neither DISPLAY nor WAYLAND_DISPLAY is set, and no monitor is attached",)
    return (f"none: no video sink for {screen or 'the monitor'} is installed",)


def _live(facts: Facts) -> tuple[str, ...]:
    return (", ".join(word for element, word in _LIVE.items() if element in facts.elements) or "none",)


def _gstreamer_problems(facts: Facts) -> tuple[Problem, ...]:
    if isinstance(facts.gstreamer, Unknown):
        return (Problem(facts.gstreamer.reason, HINT, ExitCode.MISSING),)
    missing = [name for name in CORE if name not in facts.elements]
    if missing:
        return (Problem(f"GStreamer has no {', '.join(missing)}", HINT, ExitCode.MISSING),)
    if H264 not in best_decoders(facts.elements).by_format:
        hint = "sudo apt-get install gstreamer1.0-libav"
        return (Problem("GStreamer has no decoder for H.264", hint, ExitCode.MISSING),)
    return ()


def _model_problems(facts: Facts) -> tuple[Problem, ...]:
    if isinstance(facts.models, Unknown):
        return (Problem(facts.models.reason, _INSTALL_AGAIN, ExitCode.MODEL),)
    bad = (f"model {name}: {state}" for name, state in facts.models if state != "ok")
    return tuple(Problem(text, _INSTALL_AGAIN, ExitCode.MODEL) for text in bad)


def _driver_advice(facts: Facts, driver: DriverInfo) -> Iterator[Advice]:
    """What offers the driver to Python: the major version of cuda-bindings must not be beyond the driver's CUDA."""
    major = driver.cuda.partition(".")[0]
    beyond = int(major) + 1
    if isinstance(facts.inference.gpu.provider, Unknown):
        fitting = "" if beyond > NEWEST_BINDINGS else f" 'cuda-bindings<{beyond}'"
        how = f"pip install 'edge-us[cuda]'{fitting} (docs/gpu.md)"
        yield Advice("inference on the GPU: a way to its driver", how)
    elif facts.cuda_bindings is not None and int(facts.cuda_bindings.partition(".")[0]) >= beyond:
        what = f"inference on the GPU: cuda-bindings {facts.cuda_bindings} is too new for CUDA {driver.cuda}"
        yield Advice(what, f"pip install 'cuda-bindings<{beyond}', or a newer driver")


def _advice(facts: Facts) -> Iterator[Advice]:
    gpu = facts.inference.gpu
    if isinstance(gpu.driver, Unknown):
        how = "NVIDIA's driver; in a container start it with --gpus all (Jetson: --runtime nvidia)"
        yield Advice("inference on a GPU", how)
    else:
        yield from _driver_advice(facts, gpu.driver)
        if not gpu.tensorrt:
            where = "sudo apt-get install nvidia-jetpack, and a venv made with --system-site-packages"
            desktop = "pip install tensorrt, from NVIDIA's own package index"
            yield Advice("inference on the GPU: TensorRT", desktop if facts.jetson is None else where)
            if facts.onnxruntime_cuda:
                how = "--backend onnxruntime-cuda: ONNX Runtime's CUDA provider is here, and is only taken by name"
                yield Advice("inference on the GPU now", how)
        elif facts.unready:
            yield Advice("inference on the GPU: engines", "edge-us models prebuild (docs/engines.md)")
    if isinstance(facts.gstreamer, Unknown):
        return
    if facts.jetson is not None and not is_jetson(facts.elements):
        how = "sudo apt-get install nvidia-l4t-gstreamer; in a container start it with --runtime nvidia"
        yield Advice("decoding in hardware", how)
    if not any(name in facts.elements for name in ENCODERS):
        yield Advice("recording", "sudo apt-get install gstreamer1.0-plugins-ugly")
    missing = [word for element, word in _LIVE.items() if element not in facts.elements]
    if missing:
        packages = "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
        yield Advice(f"live sources ({', '.join(missing)})", f"sudo apt-get install {packages}")
    if facts.jetson is not None and not (facts.jetson.power_mode or "MAXN").startswith("MAXN"):
        how = "sudo nvpmodel -m N with the number of MAXN from /etc/nvpmodel.conf, then sudo jetson_clocks"
        yield Advice("all of the board's speed", f"{how} (docs/jetson.md)")
