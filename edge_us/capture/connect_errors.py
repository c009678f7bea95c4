"""What the user reads when a source delivers no picture, or stops early: pure functions from GStreamer's failure to our
words."""

from __future__ import annotations

from collections.abc import Sequence

from edge_us.capture.gst import HINT
from edge_us.capture.gst_pipeline import Failure
from edge_us.errors import EdgeUsError, InputError, MissingDependencyError

PLAYABLE = "Give an mp4, mkv, avi or mov file with H.264, H.265, MJPEG or MPEG-4 video."


def not_playable(shown: str, failure: Failure, *, live: bool) -> EdgeUsError:
    """The error for a source that will never deliver a picture."""
    wanted = [name for name, media in failure.missing if media in ("video", "image")]
    if wanted:
        return MissingDependencyError(f"no decoder is installed for the {' and '.join(wanted)} of {shown}", HINT)
    if live:
        return InputError(f"{shown} cannot be opened: {failure.message}", "Check device, address and password.")
    if failure.missing:
        found = ", ".join(name for name, _ in failure.missing)
        return InputError(f"{shown} holds no video, only {found}", PLAYABLE)
    return InputError(f"{shown} cannot be played: {failure.message}", PLAYABLE)


def never_connected(shown: str, timeout_s: float, why: str, *, live: bool) -> InputError:
    """The error for a source that delivered nothing in time; ``why`` may be empty."""
    return InputError(
        f"{shown} delivered no picture within {timeout_s:g} s{': ' if why else ''}{why}",
        "Check address, cable and signal, or raise --connect-timeout." if live else PLAYABLE,
    )


def without_picture(shown: str, why: str) -> InputError:
    """The error for a video without a single picture that can be decoded."""
    return InputError(f"{shown} holds no picture: {why}", PLAYABLE)


def without_index(shown: str) -> InputError:
    """The error for an mp4 or mov file whose recording was cut off before its index was written."""
    return InputError(
        f"{shown} has no index (moov box): its recording was cut off",
        "Record it again, or rebuild the index with a repair tool such as untrunc.",
    )


def software_instead(shown: str, hardware: Sequence[str], failure: Failure | None) -> str:
    """The warning for a source whose hardware decoder did not start."""
    why = "no picture came" if failure is None else failure.message
    return f"{shown}: hardware decoding ({', '.join(hardware)}) did not start ({why}): it is decoded on the CPU"


def ended_early(shown: str, played: str, missing: int, failure: Failure | None, due_s: float | None) -> str | None:
    """The warning for a recording of which not everything could be played; None where nothing was wrong.

    Parameters
    ----------
    shown : str
        The recording.
    played : str
        What could be played.
    missing : int
        Bytes that its container says are missing.
    failure : Failure or None
    due_s : float or None
        How long it should last in s, where it ended before that.
    """
    if missing:
        return f"{shown} is cut off ({missing} bytes are missing): {played}"
    if failure is not None:
        return f"{shown} is damaged ({failure.message}): {played}"
    return None if due_s is None else f"{shown} should last {due_s:.1f} s: {played}"
