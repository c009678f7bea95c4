"""`GstPipeline`: one built pipeline, from start to stop. What is lost is thrown away whole and built anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from edge_us.capture.gst import load_gst
from edge_us.capture.pipelines import DECODE, DEVICE, LIVE_QUEUE, SINK, PipelineSpec
from edge_us.capture.probes import Plugged, convert_explicitly, decode_with, trust_the_bitstream_for_range
from edge_us.capture.sequence import believable
from edge_us.capture.uri import without_credentials
from edge_us.errors import InputError, MissingDependencyError

_MISSING = re.compile(r"[Mm]issing decoder: (.+?) \((\w+)/")
_HOPELESS = frozenset(
    {
        ("gst-core-error-quark", 12),  # MISSING_PLUGIN
        ("gst-resource-error-quark", 3),  # NOT_FOUND
        ("gst-resource-error-quark", 13),  # SETTINGS: not a capture device
        ("gst-resource-error-quark", 15),  # NOT_AUTHORIZED
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What GStreamer says went wrong.

    Attributes
    ----------
    message : str
        Without credentials.
    missing : tuple of (str, str)
        Decoders that are not installed: name and media type, such as ``("H.265 (Main Profile)", "video")``.
    hopeless : bool
        Trying again would not help: no such device or stream, wrong password, no decoder.
    is_resource : bool
        It is a device, file or address that failed, not what is done with its pictures.
    """

    message: str
    missing: tuple[tuple[str, str], ...] = ()
    hopeless: bool = False
    is_resource: bool = False


class GstPipeline:
    """A running pipeline.

    Raises
    ------
    MissingDependencyError
        An element of the pipeline is not installed.
    InputError
        A pipeline of the user's own cannot be built.
    """

    def __init__(self, spec: PipelineSpec) -> None:
        gst = self._gst = load_gst()
        self._live = spec.live
        self._pulled = 0
        self._lost = 0
        try:
            self._pipeline = gst.parse_launch(spec.description)
        except Exception as error:  # GLib.Error is only known once gi is loaded
            what = f"GStreamer cannot build the pipeline of {spec.shown}: {without_credentials(str(error))}"
            if spec.is_users_own:
                raise InputError(what, "Try it with gst-launch-1.0 and fakesink at its end.") from None
            raise MissingDependencyError(
                what,
                "Install GStreamer's base, good, bad, ugly and libav plugins; `edge-us doctor` lists what is missing.",
            ) from None
        self._device = self._pipeline.get_by_name(DEVICE)
        for name, value in spec.settings.items():
            self._device.set_property(name, value)
        self._sink = self._pipeline.get_by_name(SINK)
        self._bus = self._pipeline.get_bus()
        decode = self._pipeline.get_by_name(DECODE)
        self._plugged = Plugged() if decode is None else decode_with(gst, decode, spec.decoders)
        convert_explicitly(gst, self._pipeline, self._plugged)
        trust_the_bitstream_for_range(gst, self._pipeline)
        # A card's own clock would be another time than the monotonic one that capture stamps are on.
        self._pipeline.use_clock(gst.SystemClock.obtain())
        self._refused = self._pipeline.set_state(gst.State.PLAYING) == gst.StateChangeReturn.FAILURE

    def pull(self, timeout_s: float) -> Any | None:
        """The next sample, or None if none came within ``timeout_s``."""
        if self._live:
            self._count_lost()
        sample = self._sink.try_pull_sample(int(timeout_s * 1e9))
        if sample is not None:
            self._pulled += 1
        return sample

    @property
    def tried_decoders(self) -> tuple[str, ...]:
        """Decoders that decodebin has tried so far."""
        return tuple(self._plugged.names)

    @property
    def at_end(self) -> bool:
        """Whether the stream has ended and everything was pulled."""
        return bool(self._sink.get_property("eos"))

    @property
    def lost(self) -> int:
        """Pictures that the full queue dropped because they were not pulled in time."""
        return self._lost

    @property
    def base_time_ns(self) -> int:
        """Monotonic time of running time 0."""
        return int(self._pipeline.get_base_time())

    @property
    def fps(self) -> float | None:
        """Nominal frame rate, once the first picture came; None if the stream does not say."""
        caps = self._sink.get_static_pad("sink").get_current_caps()
        if caps is None:
            return None
        ok, top, bottom = caps.get_structure(0).get_fraction("framerate")
        return believable(top / bottom) if ok and bottom else None

    @property
    def duration_ns(self) -> int | None:
        """Length of the recording as its container says; None if it does not."""
        known, duration_ns = self._pipeline.query_duration(self._gst.Format.TIME)
        return int(duration_ns) if known and duration_ns > 0 else None

    @property
    def has_signal(self) -> bool | None:
        """What the capture card says of its input; None where it says nothing."""
        if self._device is None or self._device.find_property("signal") is None:
            return None
        return bool(self._device.get_property("signal"))

    @property
    def answers(self) -> bool:
        """Whether the server has said what it has; True where there is none to ask."""
        return self._device is None or self._device.get_factory().get_name() != "rtspsrc" or self._device.numsrcpads > 0

    def failure(self) -> Failure | None:
        """The next error from the bus, or None."""
        message = self._bus.pop_filtered(self._gst.MessageType.ERROR)
        if message is None:
            # A DeckLink card without driver refuses without a word.
            if not self._refused:
                return None
            return Failure("the device or its driver is missing", hopeless=True, is_resource=True)
        error, debug = message.parse_error()
        missing = tuple(dict.fromkeys(_MISSING.findall(debug or "")))
        hopeless = bool(missing) or (error.domain, error.code) in _HOPELESS
        is_resource = error.domain == "gst-resource-error-quark"
        return Failure(without_credentials(error.message).rstrip("."), missing, hopeless, is_resource)

    def stop(self) -> None:
        """Release the device; blocks at most as long as the device takes to close (RTSP: 0.1 s)."""
        self._pipeline.set_state(self._gst.State.NULL)
        self._bus.set_flushing(True)

    def _count_lost(self) -> None:
        # appsink counts what came in, not what it dropped (before 1.26). Dropping leaves the queue full, so just
        # before a pull this is exact if anything was dropped since the last one, and too small otherwise.
        known, came = self._sink.get_property("stats").get_uint64("rendered")
        if known:
            self._lost = max(self._lost, came - self._pulled - LIVE_QUEUE)
