"""An RTSP server on loopback that says what it is told to, however wrong."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress

BETWEEN = b"\n%%\n"
"""Between the answers of one input."""
_CSEQ = re.compile(rb"CSeq:\s*(\d+)", re.IGNORECASE)


class Server:
    """Gives the n-th request of a connection the n-th answer, with its number put in for ``{cseq}``.

    When the answers are used up the connection is closed. One thread a server, and one for each connection.
    """

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, list(self.answers)), daemon=True).start()

    def _serve(self, connection: socket.socket, answers: list[bytes]) -> None:
        with connection, suppress(OSError):
            connection.settimeout(2.0)
            waiting = b""
            for answer in answers:
                while b"\r\n\r\n" not in waiting:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    waiting += piece
                request, _, waiting = waiting.partition(b"\r\n\r\n")
                number = _CSEQ.search(request)
                said = number.group(1) if number else b"0"
                connection.sendall(answer.replace(b"{cseq}", said).replace(b"{port}", str(self.port).encode()))
