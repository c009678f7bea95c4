"""Prometheus metrics of runs, served over HTTP where somebody asked for them; names in ``docs/metrics.md``."""

from __future__ import annotations

import hmac
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from edge_us.errors import MissingDependencyError, PipelineError, UsageError
from edge_us.finding import AiState, SourceState
from edge_us.runtime.ledger import Histogram

if TYPE_CHECKING:
    from edge_us.config import RunConfig
    from edge_us.runtime.status import Status

BUCKETS_MS = (1, 2, 5, 10, 15, 20, 33, 50, 75, 100, 200, 500, 1000)
CONNECTIONS = 16
"""Readers at once. Whoever comes after them is hung up on: readers must not take threads without end from a run."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where metrics are served.

    ``token`` and ``certificate`` (with its key) are needed for every address beyond this machine.
    """

    host: str
    port: int
    token: str | None = None
    certificate: tuple[Path, Path] | None = None


def parse_endpoint(
    address: str, token_file: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> Endpoint:
    """From ``PORT`` or ``HOST:PORT`` to an endpoint.

    Raises
    ------
    UsageError
        It is no address, files cannot be read, or it is open to others without token and TLS.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or not 0 <= int(port) <= 65535:
        raise UsageError(f"--metrics {address}: it takes PORT or HOST:PORT", "Write --metrics 9464.")
    token = None
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the token {token_file}: {error}", "Give a file with one line.") from None
        if len(token) < 16:
            raise UsageError(f"the token in {token_file} is shorter than 16 characters", "openssl rand -hex 24 > FILE")
    if (certificate is None) != (key is None):
        raise UsageError("--metrics-cert and --metrics-key go together", "Give both, or neither.")
    both = None if certificate is None or key is None else (certificate, key)
    if not _is_loopback(host) and (token is None or both is None):
        raise UsageError(
            f"--metrics {address} is open to other machines, without token and TLS",
            "Give --metrics-token FILE, --metrics-cert FILE and --metrics-key FILE, or leave the host out.",
        )
    return Endpoint(host, int(port), token, both)


class MetricsServer:
    """Serves ``/metrics`` until it is closed; every other path is not found.

    Parameters
    ----------
    endpoint : Endpoint
    runs : sequence of Status

    Raises
    ------
    MissingDependencyError
        prometheus_client is not installed.
    PipelineError
        The port is taken, or the certificate cannot be used.
    """

    def __init__(self, endpoint: Endpoint, runs: Sequence[Status]) -> None:
        try:
            from prometheus_client import CollectorRegistry
        except ImportError:
            raise MissingDependencyError("prometheus_client is not installed", "pip install edge-us[metrics]") from None
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(runs))
        try:
            self._server = _server_of(endpoint.host)((endpoint.host, endpoint.port), _handler(registry, endpoint.token))
            if endpoint.certificate is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*endpoint.certificate)
                # The handshake waits for the client's first reading: in the handler's thread and under its timeout,
                # not in the one that accepts, which a silent client would hold for ever, and `close` with it.
                self._server.socket = context.wrap_socket(
                    self._server.socket, server_side=True, do_handshake_on_connect=False
                )
        except (OSError, ssl.SSLError) as error:
            raise PipelineError(
                f"metrics cannot be served at {endpoint.host}:{endpoint.port}: {error}", "Choose another --metrics."
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="edge-us-metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port, also where 0 was asked for."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)


@contextmanager
def serving(config: RunConfig, runs: Sequence[Status]) -> Iterator[MetricsServer | None]:
    """Serve metrics of these runs as configured, if at all; errors as of `parse_endpoint` and `MetricsServer`."""
    if config.metrics is None:
        yield None
        return
    endpoint = parse_endpoint(config.metrics, config.metrics_token, config.metrics_cert, config.metrics_key)
    server = MetricsServer(endpoint, runs)
    try:
        yield server
    finally:
        server.close()


class _Collector:
    """Reads the ledgers when somebody asks."""

    def __init__(self, runs: Sequence[Status]) -> None:
        self._runs = runs

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        frames = CounterMetricFamily("edge_us_frames", "Frames by fate.", labels=["source", "fate"])
        dropped = CounterMetricFamily("edge_us_dropped", "Frames captured and never shown.", labels=["source", "cause"])
        restarts = CounterMetricFamily("edge_us_restarts", "Networks built anew.", labels=["source", "cause"])
        source_state = GaugeMetricFamily("edge_us_source_state", "1 for the present state.", labels=["source", "state"])
        ai_state = GaugeMetricFamily("edge_us_ai_state", "1 for the present state.", labels=["source", "state"])
        age = GaugeMetricFamily("edge_us_result_age_seconds", "Age of the result that is shown.", labels=["source"])
        fps = GaugeMetricFamily("edge_us_fps", "Shown frames per second, first to last.", labels=["source"])
        info = GaugeMetricFamily(
            "edge_us_backend_info", "Always 1.", labels=["source", "model", "backend", "precision"]
        )
        latency = HistogramMetricFamily(
            "edge_us_capture_to_shown_seconds", "From capture until the sinks had the frame.", labels=["source"]
        )
        stages = HistogramMetricFamily("edge_us_stage_seconds", "Time of each stage.", labels=["source", "stage"])
        for run in self._runs:
            ledger, name = run.ledger, run.source
            for fate in ("captured", "inferred", "shown", "skipped"):
                frames.add_metric([name, fate], getattr(ledger, fate))
            for cause, count in ledger.all_dropped().items():
                dropped.add_metric([name, cause], count)
            for cause, count in dict(ledger.restarts).items():
                restarts.add_metric([name, cause], count)
            for source in SourceState:
                source_state.add_metric([name, source.value], float(run.source_state is source))
            for ai in AiState:
                ai_state.add_metric([name, ai.value], float(run.ai_state is ai))
            if run.age_ms is not None:
                age.add_metric([name], run.age_ms / 1e3)
            if ledger.fps is not None:
                fps.add_metric([name], ledger.fps)
            info.add_metric([name, run.model, run.backend, run.precision], 1)
            latency.add_metric([name], *_buckets(ledger.capture_to_shown))
            for stage, histogram in dict(ledger.stages).items():
                stages.add_metric([name, stage], *_buckets(histogram))
        yield from (frames, dropped, restarts, source_state, ai_state, age, fps, info, latency, stages)


def _buckets(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
    counts = histogram.below_ms(BUCKETS_MS)
    named = [(str(limit / 1e3), float(count)) for limit, count in zip(BUCKETS_MS, counts, strict=True)]
    return [*named, ("+Inf", float(histogram.count))], (histogram.mean_ms or 0.0) * histogram.count / 1e3


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's would ask the network for this machine's name
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that hangs up, or does not speak TLS, is no defect
            super().handle_error(request, client_address)


class _ServerOfIPv6(_Server):
    address_family = socket.AF_INET6


def _server_of(host: str) -> type[_Server]:
    return _ServerOfIPv6 if ":" in host else _Server


def _handler(registry: Any, token: str | None) -> type[BaseHTTPRequestHandler]:
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0  # a client that says nothing must not hold a thread for ever
        server_version, sys_version = "edge_us", ""

        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            if token is not None and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                self._answer(401, b"a token is needed\n", "text/plain")
            elif self.path.partition("?")[0] != "/metrics":
                self._answer(404, b"only /metrics\n", "text/plain")
            else:
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)

        def log_message(self, format: str, *args: Any) -> None:
            return None

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
