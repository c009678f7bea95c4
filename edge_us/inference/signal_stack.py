"""`keeping_signal_stack`: no library leaves this thread a stack for signal handlers that it will free.

OpenVINO's CPU plugin gives the thread that compiles a network an alternate signal stack of its own and takes it back
when the network is released. Networks that are not released in the reverse order, or in another thread, leave a stack
that is no longer there, and the next signal (Ctrl-C) kills the process. The stack is only needed while compiling, for
the kernel's permission to use the AMX registers.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """``stack_t`` of Linux, x86-64 and aarch64."""

    _fields_ = (("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def keeping_signal_stack() -> Iterator[None]:
    """Give this thread the alternate signal stack back that it had before, usually none."""
    if not sys.platform.startswith("linux"):
        yield
        return
    libc, before = ctypes.CDLL(None), _Stack()
    known = libc.sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            libc.sigaltstack(ctypes.byref(before), None)
