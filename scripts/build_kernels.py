"""Make `edge_us/cuda/kernels.ptx` from `kernels.cu` with NVRTC 12.6: ``python scripts/build_kernels.py``.

Needs ``pip install nvidia-cuda-nvrtc-cu12==12.6.*`` and no GPU. Later compilers write PTX that the drivers of JetPack 6
do not read.
"""

from __future__ import annotations

import ctypes
import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from edge_us.cuda.kernels import PTX, SOURCE, TARGET

PACKAGE = "nvidia.cuda_nvrtc"
LIBRARY = "libnvrtc.so.12"
VERSION = (12, 6)
# No fused multiply-add: the CPU's path has none either, and whole levels then round alike.
OPTIONS = (f"--gpu-architecture={TARGET}", "--fmad=false", "--std=c++17")


def main() -> None:
    """Write the file."""
    PTX.write_bytes(compile_ptx(SOURCE.read_bytes()))
    print(f"{PTX}: {PTX.stat().st_size} bytes")


def library() -> Path | None:
    """NVRTC 12 of the installed package."""
    try:
        found = find_spec(PACKAGE)
    except ModuleNotFoundError:
        return None
    folders = [] if found is None else found.submodule_search_locations or []
    return next((path for folder in folders if (path := Path(folder) / "lib" / LIBRARY).is_file()), None)


def compile_ptx(source: bytes) -> bytes:
    """Compile; exits where NVRTC is missing, another version, or refuses the source."""
    path = library()
    if path is None:
        sys.exit("error: NVRTC 12.6 is missing\nhint: pip install 'nvidia-cuda-nvrtc-cu12==12.6.*'")
    nvrtc = ctypes.CDLL(str(path))
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    if (major.value, minor.value) != VERSION:
        sys.exit(
            f"error: this is NVRTC {major.value}.{minor.value}\nhint: pip install 'nvidia-cuda-nvrtc-cu12==12.6.*'"
        )
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, SOURCE.name.encode(), 0, None, None)
    options = (ctypes.c_char_p * len(OPTIONS))(*(option.encode() for option in OPTIONS))
    try:
        if nvrtc.nvrtcCompileProgram(program, len(OPTIONS), options):
            sys.exit(f"error: {SOURCE.name} does not compile\n{_text(nvrtc, 'ProgramLog', program).decode()}")
        return _text(nvrtc, "PTX", program)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _text(nvrtc: ctypes.CDLL, what: str, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, text)
    return text.value


if __name__ == "__main__":
    main()
