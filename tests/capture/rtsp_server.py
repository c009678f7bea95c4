"""A real RTSP server for tests: ``python -m tests.capture.rtsp_server PORT [USER PASSWORD]``."""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

LAUNCH = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96 config-interval=1 "
    "audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay1 pt=97 )"
)


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH)
    factory.set_shared(True)
    if len(sys.argv) > 2:
        protect(server, factory, sys.argv[2], sys.argv[3])
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


def protect(
    server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str
) -> None:
    rights = Gst.Structure.new_from_string(f"{user}, media.factory.access=true, media.factory.construct=true")
    factory.add_role_from_structure(rights)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", user)
    guard = GstRtspServer.RTSPAuth()
    guard.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(guard)


if __name__ == "__main__":
    main()
