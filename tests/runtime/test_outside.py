"""What is told to the outside: systemd, logs, metrics."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from edge_us.errors import ExitCode, PipelineError, UsageError
from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.log import EventLog, LogFormat
from edge_us.runtime.ledger import Histogram, Ledger
from edge_us.runtime.metrics import CONNECTIONS, Endpoint, MetricsServer, parse_endpoint
from edge_us.runtime.notify import Notifier
from edge_us.runtime.status import Status
from edge_us.runtime.telling import ROOM, tell_events
from tests.e2e.test_run import command
from tests.rtsp import Serve, free_port

MS = 1_000_000
LOOPED = "phantom:?size=320x240&frames=20&fps=30&loop=1"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(30)
        yield channel


def test_the_manager_hears_ready_once_and_the_watchdog_as_often_as_needed(manager: socket.socket) -> None:
    now = [0]
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000000"}, lambda: now[0])
    notifier.ready()
    notifier.ready()
    for at_ms in range(0, 2000, 100):
        now[0] = at_ms * MS
        notifier.alive()
    notifier.stopping()
    manager.setblocking(False)
    heard = []
    while True:
        try:
            heard.append(manager.recv(100))
        except BlockingIOError:
            break
    assert heard == [b"READY=1", *[b"WATCHDOG=1"] * 4, b"STOPPING=1"]


def test_a_manager_that_is_away_hurts_nobody_and_hears_again_when_it_is_back(tmp_path: Path) -> None:
    Notifier({}).ready()
    now = [0]
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "away"), "WATCHDOG_USEC": "2"}, lambda: now[0])
    notifier.ready()
    notifier.alive()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as back:
        back.bind(str(tmp_path / "away"))
        back.setblocking(False)
        now[0] = MS
        notifier.alive()
        assert back.recv(100) == b"WATCHDOG=1"


def test_a_service_is_ready_beats_and_ends_within_two_seconds_with_whole_files(
    manager: socket.socket, tmp_path: Path
) -> None:
    outputs = {name: tmp_path / f"out.{name}" for name in ("mp4", "jsonl", "json")}
    line: list[str | Path] = [
        sys.executable, "-m", "edge_us.cli.main", "run", LOOPED, "--mode", "live", "--record", outputs["mp4"],
        "--findings", outputs["jsonl"], "--report", outputs["json"],
    ]  # fmt: skip
    environment = {**os.environ, "NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "400000"}
    process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        heard = [manager.recv(100) for _ in range(6)]
        assert b"READY=1" in heard
        assert heard.count(b"WATCHDOG=1") >= 4
        stopped = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        took = time.monotonic() - stopped
    finally:
        process.kill()
    assert process.returncode == ExitCode.INTERRUPTED, err
    assert took < 2.0 * slowness(), f"{took:.1f} s"
    assert "frames shown" in out
    assert json.loads(outputs["json"].read_text())["frames"]["shown"] == len(outputs["jsonl"].read_text().splitlines())
    probe = subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", f"location={outputs['mp4']}", "!", "decodebin", "!", "fakesink"],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert probe.returncode == 0, probe.stderr


def slowness() -> float:
    """How many times longer things take here because others compute as well."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def test_json_lines_name_the_event_its_source_and_its_fields() -> None:
    out = io.StringIO()
    tell_events(LogFormat.JSON, out)
    try:
        status = Status("rtsp://cart/live", Ledger())
        status.source_is(SourceState.RUNNING)
        status.source_is(SourceState.RUNNING)
        status.source_is(SourceState.STALLED)
        status.shows(FrameResult(None, None, SourceState.STALLED, AiState.OFF, reason="device lost"))
    finally:
        tell_events(LogFormat.OFF, out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["level"], line["event"], line.get("state")) for line in lines] == [
        ("info", "source", "running"), ("warning", "source", "stalled"), ("warning", "ai", "off"),
    ]  # fmt: skip
    assert all(line["source"] == "rtsp://cart/live" and line["time"].endswith("+00:00") for line in lines)
    assert lines[2]["reason"] == "device lost"


def test_whoever_tells_an_event_never_waits_for_whoever_reads_it(tmp_path: Path) -> None:
    """A reader of standard error that stands still costs events, not pictures, and the process still ends."""
    script = f"""
import sys, time
from edge_us.log import EventLog, LogFormat
from edge_us.runtime.telling import ROOM, say, tell_events
tell_events(LogFormat.JSON)
log, slowest = EventLog("clip"), 0.0
for number in range(ROOM + 3000):
    started = time.monotonic()
    log.info(f"event {{number}}", text="x" * 100)
    slowest = max(slowest, time.monotonic() - started)
say("the end", sys.stderr)
open({str(tmp_path / "slowest")!r}, "w").write(str(slowest))
"""
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    assert process.wait(60) == 0, "it waits for a reader"
    assert float((tmp_path / "slowest").read_text()) < 5
    assert process.stderr is not None
    told = process.stderr.read().splitlines()
    process.stderr.close()
    assert json.loads(told[0])["event"] == "event 0"
    assert 100 < len(told) < 3000


def test_events_that_nobody_read_are_counted() -> None:
    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            may_go.wait(10)
            return super().write(text)

    may_go, out = threading.Event(), Slow()
    tell_events(LogFormat.TEXT, out)
    log = EventLog("clip")
    for number in range(ROOM + 101):
        log.info(f"event {number}")
    may_go.set()
    tell_events(LogFormat.OFF)
    told = out.getvalue().splitlines()
    lost = [line for line in told if "left out" in line]
    counts = [re.fullmatch(r"warning: events left out: count=(\d+) reason=nobody read them", line) for line in lost]
    assert lost
    assert len(told) - len(lost) + sum(int(count[1]) for count in counts if count) == ROOM + 101


def test_what_repeats_is_told_once_a_second_and_counted() -> None:
    out, now = io.StringIO(), [0.0]
    tell_events(LogFormat.TEXT, out)
    try:
        log = EventLog("clip", lambda: now[0])
        for step in range(25):
            now[0] = step / 10
            log.info("ai", state=step)
    finally:
        tell_events(LogFormat.OFF, out)
    assert out.getvalue().splitlines() == [
        "info: ai: source=clip state=0", "info: ai: source=clip state=10 left_out=9",
        "info: ai: source=clip state=20 left_out=9",
    ]  # fmt: skip


def get(port: int, path: str = "/metrics", token: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def busy() -> Status:
    ledger = Ledger()
    ledger.captured, ledger.inferred = 12, 9
    for index in range(10):
        ledger.show(0, (index + 1) * MS, own_result=index < 9)
    ledger.drop("run broken off")
    ledger.lost = {"queue_full": 3}
    ledger.restarts = {"hang": 1}
    ledger.stage("infer", 7 * MS)
    status = Status("clip", ledger, SourceState.RUNNING, AiState.ON, "", 12.5)
    status.runs_on("lesion-fast", "openvino", "bf16")
    return status


def test_metrics_say_what_the_report_says() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    server = MetricsServer(Endpoint("127.0.0.1", 0), [busy()])
    try:
        status, text = get(server.port)
        assert get(server.port, "/")[0] == 404
    finally:
        server.close()
    assert status == 200
    found = {
        (sample.name, *[value for name, value in sorted(sample.labels.items()) if name != "source"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["edge_us_frames_total", "captured"] == 12
    assert found["edge_us_frames_total", "skipped"] == 1
    assert found["edge_us_dropped_total", "queue_full"] == 3
    assert found["edge_us_dropped_total", "run broken off"] == 1
    assert found["edge_us_restarts_total", "hang"] == 1
    assert found["edge_us_source_state", "running"] == 1
    assert found["edge_us_source_state", "stalled"] == 0
    assert found["edge_us_ai_state", "on"] == 1
    assert found["edge_us_result_age_seconds",] == 0.0125
    assert found["edge_us_backend_info", "openvino", "lesion-fast", "bf16"] == 1
    assert found["edge_us_capture_to_shown_seconds_bucket", "0.005"] == 5
    assert found["edge_us_capture_to_shown_seconds_count",] == 10
    assert found["edge_us_stage_seconds_sum", "infer"] == pytest.approx(0.007)


def test_the_documented_metrics_are_those_that_are_served() -> None:
    server = MetricsServer(Endpoint("127.0.0.1", 0), [busy()])
    try:
        _, text = get(server.port)
    finally:
        server.close()
    served = {line.split()[2].removesuffix("_total") for line in text.splitlines() if line.startswith("# TYPE")}
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    documented = {line.split("`")[1].split("{")[0] for line in page.splitlines() if line.startswith("| `edge_us_")}
    assert served == {name.removesuffix("_total") for name in documented}


def test_a_counted_histogram_agrees_with_its_durations() -> None:
    histogram = Histogram()
    for ms in (0.5, 1.0, 1.01, 4.99, 5.0, 3000.0):
        histogram.add(round(ms * MS))
    assert histogram.below_ms((1, 5, 1000)) == [2, 5, 5]


@pytest.mark.parametrize("address", ["", "x", "host:", "127.0.0.1:99999", "9464:", "[::1]:x"])
def test_an_address_that_is_none_is_one_clear_error(address: str) -> None:
    with pytest.raises(UsageError, match="--metrics"):
        parse_endpoint(address)


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "192.168.1.5:9464", "[::]:9464", "cart.local:9464"])
def test_beyond_this_machine_metrics_need_token_and_tls(address: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    with pytest.raises(UsageError, match="without token and TLS"):
        parse_endpoint(address)
    with pytest.raises(UsageError, match="without token and TLS"):
        parse_endpoint(address, token)
    assert parse_endpoint(address, token, tmp_path / "c", tmp_path / "k").token == "0123456789abcdef"


@pytest.mark.parametrize("address", ["9464", "127.0.0.1:9464", "[::1]:9464", "localhost:9464"])
def test_on_this_machine_metrics_need_nothing(address: str) -> None:
    assert parse_endpoint(address).port == 9464


@pytest.fixture
def secured(tmp_path: Path) -> Endpoint:
    """A port of this machine that takes TLS and a token."""
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", tmp_path / "key", "-out", tmp_path / "cert"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is not installed")
    return Endpoint("127.0.0.1", 0, "0123456789abcdef", (tmp_path / "cert", tmp_path / "key"))


def test_token_and_tls_are_really_asked_for(secured: Endpoint, tmp_path: Path) -> None:
    server = MetricsServer(secured, [busy()])
    try:
        answers = []
        for token in ("", "wrong", "0123456789abcdef"):
            context = ssl.create_default_context(cafile=str(tmp_path / "cert"))
            context.check_hostname = False
            connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=10)
            connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
            answers.append(connection.getresponse().status)
            connection.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            get(server.port)  # in the clear
    finally:
        server.close()
    assert answers == [401, 401, 200]


def test_a_client_that_says_nothing_holds_neither_the_others_nor_the_end(
    secured: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = MetricsServer(secured, [busy()])
    closing = threading.Thread(target=server.close, daemon=True)
    with socket.create_connection(("127.0.0.1", server.port)):
        context = ssl.create_default_context(cafile=str(tmp_path / "cert"))
        context.check_hostname = False
        other = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=30)
        other.request("GET", "/metrics")
        assert other.getresponse().status == 401
        other.close()
        closing.start()
        closing.join(30)
        assert not closing.is_alive()
    assert capsys.readouterr().err == ""


def asked_of(port: int) -> bytes:
    """What a reader gets, nothing where it is hung up on."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as reader, suppress(ConnectionError):
        reader.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return reader.recv(12)
    return b""


def test_readers_of_metrics_without_end_take_no_threads_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    server = MetricsServer(Endpoint("127.0.0.1", 0), [busy()])
    monkeypatch.setattr(server._server.RequestHandlerClass, "timeout", 60.0)
    try:
        with ExitStack() as silent:
            for _ in range(CONNECTIONS):
                silent.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            assert [asked_of(server.port) for _ in range(3)] == [b"", b"", b""]
        end = time.monotonic() + 30
        while not (answer := asked_of(server.port)) and time.monotonic() < end:
            time.sleep(0.05)
        assert answer == b"HTTP/1.0 200"
    finally:
        server.close()


def test_metrics_are_served_on_the_other_loopback_as_well() -> None:
    addresses = Path("/proc/net/if_inet6")
    if not addresses.exists() or "0" * 31 + "1 " not in addresses.read_text():
        pytest.skip("there is no IPv6 here")
    server = MetricsServer(parse_endpoint("[::1]:0"), [busy()])
    try:
        connection = http.client.HTTPConnection("::1", server.port, timeout=10)
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        server.close()


def test_a_taken_port_is_one_clear_error() -> None:
    server = MetricsServer(Endpoint("127.0.0.1", 0), [])
    try:
        with pytest.raises(PipelineError, match="cannot be served"):
            MetricsServer(Endpoint("127.0.0.1", server.port), [])
    finally:
        server.close()


def test_a_run_serves_metrics_while_it_runs_and_nothing_listens_unasked(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [sys.executable, "-m", "edge_us.cli.main", "run", LOOPED, "--mode", "live", "--log", "json"]
    process = subprocess.Popen([*line, "--metrics", str(port)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    runs = tmp_path / "quiet.jsonl"
    quiet = subprocess.Popen([*line, "--findings", str(runs)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        end, text = time.monotonic() + 60, ""
        shown = re.compile(r'edge_us_frames_total\{fate="shown",source="[^"]*"\} ([0-9.]+)')
        while time.monotonic() < end and not ((match := shown.search(text)) and float(match[1]) > 5):
            time.sleep(0.1)
            with suppress(OSError):
                text = get(port)[1]
        assert shown.search(text)
        while time.monotonic() < end and not (runs.exists() and runs.stat().st_size):
            time.sleep(0.1)
        assert runs.stat().st_size, "the one that is to serve nothing does not run"
        inodes = set()
        for link in Path(f"/proc/{quiet.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                inodes.add(str(link.readlink()))
        listening = [
            row.split()[9] for row in Path("/proc/net/tcp").read_text().splitlines()[1:] if row.split()[3] == "0A"
        ]
        assert not [inode for inode in listening if f"socket:[{inode}]" in inodes]
    finally:
        process.terminate()
        _, err = process.communicate(timeout=20)
        quiet.kill()
        quiet.wait()
    events = [json.loads(line)["event"] for line in err.decode().splitlines() if line.startswith("{")]
    assert {"networks open", "source", "ai"} <= set(events)


def test_metrics_open_to_others_are_refused_by_the_command() -> None:
    done = command("run", LOOPED, "--metrics", "0.0.0.0:9464")
    assert done.returncode == ExitCode.USAGE
    assert "without token and TLS" in done.stderr


def test_a_password_in_an_address_reaches_no_output(serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    serve(port, "someone", "hunter2secret")
    outputs = [tmp_path / name for name in ("f.jsonl", "r.json", "out.mp4")]
    words: list[str | Path] = ["--findings", outputs[0], "--report", outputs[1], "--record", outputs[2]]
    words += ["--bundle", tmp_path / "b", "--record-full-screen", "--log", "json", "--metrics", str(free_port())]
    address = f"rtsp://someone:hunter2secret@127.0.0.1:{port}/live"
    line: list[str | Path] = [sys.executable, "-m", "edge_us.cli.main", "run", address, *words]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and not (outputs[0].exists() and outputs[0].read_bytes().count(b"\n") > 10):
            time.sleep(0.1)
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        metrics = get(int(str(words[-1])))[1]
        process.terminate()
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert b"edge-us run rtsp://127.0.0.1" in shown
    kept = [path.read_bytes() for path in (*outputs, *(tmp_path / "b").iterdir())]
    assert len(kept) >= 6
    for text in (shown, metrics.encode(), out.encode(), err.encode(), *kept):
        assert b"hunter2" not in text
        assert b"someone" not in text


def test_a_password_in_an_address_is_not_printed_by_the_other_commands(serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    serve(port, "someone", "hunter2secret")
    address = f"rtsp://someone:hunter2secret@127.0.0.1:{port}/live"
    preset = tmp_path / "a.toml"
    # Whether the moving test picture has a region depends on when it is looked at; either end keeps the secret.
    region = command("calibrate", "region", address, "--out", preset, "--yes")
    assert region.returncode in (ExitCode.OK, ExitCode.INPUT), region.stderr
    bench = command("bench", address, "--paced", "30")
    assert bench.returncode == ExitCode.USAGE, bench.stderr
    assert "127.0.0.1" in bench.stderr
    written = preset.read_text() if preset.exists() else ""
    for text in (region.stdout, region.stderr, written, bench.stdout, bench.stderr):
        assert "hunter2" not in text
        assert "someone" not in text


def test_a_source_may_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    source = "phantom:?size=320x240&frames=5"
    config = tmp_path / "cart.toml"
    config.write_text(f'source = "{source}"\n')
    assert "5 frames shown" in command("run", "--config", config).stdout
    environment = {**os.environ, "EDGE_US_SOURCE": source}
    line = [sys.executable, "-m", "edge_us.cli.main", "run"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "5 frames shown" in done.stdout
    nothing = command("run")
    assert nothing.returncode == ExitCode.USAGE
    assert "source" in nothing.stderr
