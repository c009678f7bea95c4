"""Simulated machines: what `gather_facts` would find on them."""

from __future__ import annotations

from dataclasses import replace

from edge_us.cuda.probe import DriverInfo, GpuInfo
from edge_us.doctor.facts import Facts, Jetson
from edge_us.finding import Unknown
from edge_us.inference.backend import Precision
from edge_us.inference.backends import Machine
from edge_us.inference.gpu import Gpu

CORE = frozenset({"appsrc", "appsink", "decodebin", "videoconvert", "videoscale", "deinterlace"})
SOFTWARE = CORE | {
    "avdec_h264", "avdec_h265", "jpegdec", "x264enc", "v4l2src", "rtspsrc", "decklinkvideosrc", "ximagesink",
    "xvimagesink", "waylandsink", "kmssink",
}  # fmt: skip
NO_DRIVER = Gpu(Unknown("no CUDA driver is installed (libcuda.so.1 is missing)"), Unknown("no cuda-bindings"), False)
RTX = DriverInfo("12.6", "560.35.05", (GpuInfo("NVIDIA GeForce RTX 4070", (8, 9), 12 * 2**30, False),))
ORIN = DriverInfo("12.6", "36.4.3", (GpuInfo("Orin", (8, 7), 16 * 2**30, True),))
MODELS = (("lesion-fast", "ok"), ("lesion-malignancy", "ok"), ("lesion-fast int8", "ok"))

NO_GPU = Facts(
    version="0.1.0",
    python="3.11.2",
    system="Linux x86_64",
    cpu="AMD EPYC 9R14",
    board=None,
    governor=None,
    cores=2,
    flags=("avx2", "avx512_bf16"),
    jetson=None,
    gstreamer="GStreamer 1.22.0",
    elements=SOFTWARE,
    session={},
    has_drm=False,
    inference=Machine("x86_64", "2026.0.0", "1.24.0", frozenset({Precision.FP32, Precision.BF16}), NO_DRIVER),
    onnxruntime_cuda=False,
    cuda_bindings=None,
    unready="",
    engines=(),
    models=MODELS,
)
GPU_WITHOUT_TENSORRT = replace(
    NO_GPU,
    cpu="Intel(R) Core(TM) i7-14700",
    cores=20,
    flags=("avx2", "avx_vnni"),
    governor="powersave",
    elements=SOFTWARE | {"nvh264dec", "nvh265dec", "nvh264enc"},
    session={"DISPLAY": ":0"},
    has_drm=True,
    inference=Machine(
        "x86_64", "2026.0.0", "1.24.0", frozenset({Precision.FP32}), Gpu(RTX, Unknown("no cuda-bindings"), False)
    ),
)
JETSON = replace(
    NO_GPU,
    python="3.10.12",
    system="Linux aarch64",
    cpu="ARMv8 Processor rev 1 (v8l)",
    board="NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
    governor="schedutil",
    cores=8,
    flags=("asimd", "asimddp"),
    jetson=Jetson("36.4.3", "25W", 306.0, 7.563, 50.25),
    gstreamer="GStreamer 1.20.3",
    elements=SOFTWARE - {"decklinkvideosrc"} | {"nvv4l2decoder", "nvvidconv", "nvjpegdec", "nv3dsink", "nvv4l2h264enc"},
    session={"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"},
    has_drm=True,
    inference=Machine("aarch64", "2025.4.0", "1.23.2", frozenset({Precision.FP32}), Gpu(ORIN, "cuda-bindings", True)),
    cuda_bindings="12.9.4",
    engines=(
        "TensorRT 10.3.0 for Orin (8.7, driver 36.4.3), engines in /engines",
        "lesion-fast fp16: ready",
        "lesion-malignancy fp16: ready",
    ),
)
THOR = DriverInfo("13.0", "38.4.0", (GpuInfo("NVIDIA Thor", (11, 0), 122 * 2**30, True),))
JETSON_THOR = replace(
    JETSON,
    python="3.12.3",
    cpu="Neoverse-V3AE",
    board="NVIDIA Jetson AGX Thor Developer Kit",
    cores=14,
    flags=("asimd", "asimddp", "bf16"),
    jetson=Jetson("38.4.0", "120W", None, 31.2, 48.5),
    gstreamer="GStreamer 1.24.2",
    inference=Machine("aarch64", "2026.0.0", "1.24.0", frozenset({Precision.FP32}), Gpu(THOR, "cuda-bindings", True)),
    cuda_bindings="13.0.3",
    engines=(
        "TensorRT 10.13.3.9 for NVIDIA Thor (11.0, driver 38.4.0), engines in /engines",
        "lesion-fast fp16: ready",
        "lesion-malignancy fp16: ready",
    ),
)
MACHINES = {
    "no-gpu": NO_GPU,
    "gpu-without-tensorrt": GPU_WITHOUT_TENSORRT,
    "jetson": JETSON,
    "jetson-thor": JETSON_THOR,
}
