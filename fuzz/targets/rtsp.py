"""Answers of an RTSP server: status lines, headers, SDP, transports and interleaved packets."""

from __future__ import annotations

import struct
from pathlib import Path

from edge_us.capture.gst import available_elements, load_gst
from edge_us.capture.gst_source import GstSource
from edge_us.capture.pipelines import build_pipeline
from edge_us.capture.state import BackOff
from edge_us.capture.uri import parse_source
from fuzz.rtsp_server import BETWEEN, Server
from fuzz.target import Target

CONNECT_S = 0.6
FRAMES = 2
_servers: list[Server] = []


def seeds(_folder: Path) -> list[bytes]:
    video, packets = _packets()
    options = _answer("Public: OPTIONS, DESCRIBE, SETUP, TEARDOWN, PLAY, PAUSE, GET_PARAMETER")
    sdp = (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=Scan\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\na=range:npt=0-\r\n"
        f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 {video}\r\na=control:stream=0\r\n"
    ).encode()
    describe = _answer("Content-Type: application/sdp", "Content-Base: rtsp://127.0.0.1:{port}/live/", body=sdp)
    setup = _answer("Session: 12345678;timeout=60", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0000ABCD")
    play = _answer(
        "Session: 12345678", "RTP-Info: url=rtsp://127.0.0.1:{port}/live/stream=0;seq=0;rtptime=0", "Range: npt=now-"
    )
    denied = b'RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\nWWW-Authenticate: Digest realm="x", nonce="y"\r\n\r\n'
    whole = [options, describe, setup, play + packets]
    return [
        BETWEEN.join(whole),
        BETWEEN.join([options, denied, describe, setup, play + packets]),
        BETWEEN.join(whole[:2]),
    ]


def check(data: bytes, _folder: Path) -> None:
    if not _servers:
        _servers.append(Server())
    server = _servers[0]
    server.answers = data.split(BETWEEN)
    source = parse_source(f"rtsp://user:word@127.0.0.1:{server.port}/live")
    with GstSource(
        build_pipeline(source, available_elements()), CONNECT_S, back_off=BackOff(first_s=0.05, last_s=0.2)
    ) as opened:
        for _ in range(FRAMES):
            frame = opened.read(0.2)
            if frame is None:
                break
            assert frame.pixels.size > 0


def _answer(*headers: str, body: bytes = b"") -> bytes:
    lines = ["RTSP/1.0 200 OK", "CSeq: {cseq}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _packets() -> tuple[str, bytes]:
    """RTP packets of a few pictures, interleaved as over TCP, and the encoding that SDP names."""
    gst = load_gst()
    pipeline = gst.parse_launch(
        "videotestsrc num-buffers=12 pattern=ball ! video/x-raw,width=64,height=48,framerate=25/1 ! x264enc "
        "tune=zerolatency speed-preset=ultrafast key-int-max=4 ! rtph264pay pt=96 config-interval=-1 seqnum-offset=0 "
        "timestamp-offset=0 ! appsink name=out sync=false"
    )
    pipeline.set_state(gst.State.PLAYING)
    sink, out = pipeline.get_by_name("out"), b""
    while (sample := sink.try_pull_sample(5 * gst.SECOND)) is not None:
        buffer = sample.get_buffer()
        packet = bytes(buffer.extract_dup(0, buffer.get_size()))
        out += struct.pack(">cBH", b"$", 0, len(packet)) + packet
    pipeline.set_state(gst.State.NULL)
    return "H264/90000\r\na=fmtp:96 packetization-mode=1", out


TARGET = Target(
    seeds,
    check,
    (
        b"RTSP/1.0 200 OK",
        b"RTSP/1.0 301 Moved",
        b"RTSP/1.0 401 Unauthorized",
        b"RTSP/1.0 454 Session Not Found",
        b"\r\n",
    )
    + (b"CSeq: ", b"Content-Length: ", b"Content-Base: ", b"Transport: ", b"Session: ", b"WWW-Authenticate: ", b"Basic")
    + (b"Location: rtsp://127.0.0.1:{port}/other\r\n", b"Digest realm=", b"interleaved=0-1", b"m=video", b"m=audio")
    + (b"a=rtpmap:96 ", b"H264/90000", b"H265/90000", b"JPEG/90000", b"MP4V-ES/90000", b"a=fmtp:96 ", b"$\0", b"$\x01")
    + (
        b"sprop-parameter-sets=",
        b"a=control:",
        b"a=range:npt=",
        BETWEEN,
        b"RTP/AVP/UDP;unicast;client_port=1-2",
        b"c=IN",
    ),
    limit_s=8.0,
)
