"""Signals, systemd's notifications and the log."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from faked import ADA, FakeRecognizer, picture, write_script

from edge.errors import BundleError
from edge.service.loop import Loop
from edge.service.service import Notifier, RateLimit, Signals, SilentNotifier, logging_to_stderr
from edge.service.stream import Stream
from edge.sinks.base import FanOut, Judged, Sink
from edge.sources.live import CaptureConfig, LiveSource
from edge.sources.scripted import FakeCamera, Step
from edge.tracking.presence import Event, Presence, PresenceConfig

ROOT = Path(__file__).resolve().parents[2]
FAKED = ROOT / "tests" / "factories" / "faked.py"


class Listener:
    """systemd's end of the socket."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.end.bind(self.path)
        self.end.settimeout(10)

    def heard(self) -> list[str]:
        """All that was said so far."""
        said = []
        self.end.setblocking(False)
        while True:
            try:
                said.append(self.end.recv(4096).decode())
            except BlockingIOError:
                return said

    def wait_for(self, text: str, seconds: float = 90.0) -> float:
        """When a message with `text` came."""
        self.end.settimeout(seconds)
        while text not in self.end.recv(4096).decode():
            pass
        return time.monotonic()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path / "notify")
    yield listener
    listener.end.close()


def test_what_systemd_hears(systemd: Listener) -> None:
    notifier = Notifier(systemd.path, watchdog_s=10.0)
    notifier.ready()
    notifier.status("Ada;\n3 pictures", every_s=0)
    notifier.status("Ada;\n3 pictures", every_s=0)
    notifier.reloading()
    notifier.progress()
    notifier.progress()
    notifier.stopping()
    ready, status, reloading, fed, stopping = systemd.heard()
    assert (ready, status, fed) == ("READY=1", "STATUS=Ada; 3 pictures", "WATCHDOG=1")
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert stopping == "STOPPING=1"
    since_us = time.monotonic_ns() / 1000 - int(reloading.rpartition("=")[2])
    assert 0 <= since_us < 5e6


def test_an_abstract_address() -> None:
    name = f"@edge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0" + name[1:])
        end.settimeout(2)
        Notifier(name).ready()
        assert end.recv(99) == b"READY=1"


def test_the_environment_is_heeded(monkeypatch: pytest.MonkeyPatch, systemd: Listener) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.path)
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")
    assert (Notifier().address, Notifier().watchdog_s) == (systemd.path, 8.0)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    assert Notifier().watchdog_s is None
    silent = SilentNotifier()
    silent.ready()
    silent.progress()
    assert systemd.heard() == []


def test_nobody_listening_is_no_error(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "gone"), 1.0).ready()


def test_signals_ask_and_the_handlers_are_put_back() -> None:
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    with Signals() as signals:
        assert not signals.stopping
        signal.raise_signal(signal.SIGHUP)
        assert (signals.take_reload(), signals.take_reload()) == (True, False)
        signal.raise_signal(signal.SIGINT)
        assert signals.stopping
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with Signals() as signals:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert signals.stopping
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before


def test_the_log_has_priorities_and_repeats_itself_seldom(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logging.getLogger("edge.test")
    with logging_to_stderr(journal=True):
        log.warning("lost\n%s", "again")
        for _ in range(50):
            log.warning("lost\n%s", "again")
        log.error("another")
        log.info("fine")
        log.debug("never")
    log.warning("nobody hears this")
    assert capsys.readouterr().err.splitlines() == ["<4>lost again", "<3>another", "<6>fine"]


def test_one_output_hides_no_other_and_quiet_hides_none(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("edge.sinks.base")
    for journal in (False, True):
        with logging_to_stderr(journal=journal, quiet=True):
            for _ in range(3):
                log.warning("%s: %s", "webhook http://a", "no answer")
                log.warning("%s: %s", "--keep-events", "No space left on device")
            logging.getLogger("edge.sources").warning("not an output")
            log.info("nothing is wrong")
        said = capsys.readouterr().err.replace("<4>", "").splitlines()
        assert said == ["webhook http://a: no answer", "--keep-events: No space left on device"]


def test_what_was_held_back_is_counted() -> None:
    limit = RateLimit(0.5)
    record = logging.LogRecord("edge.x", logging.WARNING, "f", 1, "gone: %s", ("x",), None)
    assert [limit.filter(record) for _ in range(4)] == [True, False, False, False]
    time.sleep(0.6)
    assert limit.filter(record)
    assert record.getMessage() == "gone: x (3 more like this)"


def test_quiet_logs_errors_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr(quiet=True):
        logging.getLogger("edge.test").warning("lost")
        logging.getLogger("edge.test").error("broken")
    assert capsys.readouterr().err == "broken\n"


class Recorder(Sink):
    def __init__(self) -> None:
        self.got: list[Judged] = []

    def write(self, judged: Judged) -> None:
        self.got.append(judged)


class Heard(Notifier):
    """Remembers when the watchdog would have been fed."""

    def __init__(self) -> None:
        super().__init__("", 0.0)
        self.fed = 0
        self.said: list[str] = []

    def progress(self) -> None:
        self.fed += 1

    def status(self, text: str, *, every_s: float = 1.0) -> None:
        super().status(text, every_s=0.0)

    def _send(self, text: str) -> None:
        self.said.append(text)


def run_loop(steps: tuple[Step, ...], notifier: Notifier, *, stall_s: float = 0.3) -> LiveSource:
    config = CaptureConfig(stall_s=stall_s, first_backoff_s=0.05, longest_backoff_s=0.1)
    source = LiveSource(FakeCamera([picture(ADA)], steps, fps=50), config)
    with source, FanOut([Recorder()]) as fan:
        Loop([Stream(source)], FakeRecognizer(), fan, signals=Signals(), notifier=notifier).run()
    return source


def test_the_watchdog_is_fed_by_pictures() -> None:
    notifier = Heard()
    run_loop((Step("frames", 10), Step("end")), notifier)
    assert 1 <= notifier.fed <= 10
    assert (notifier.said[0], notifier.said[-1]) == ("READY=1", "STOPPING=1")


def test_looking_for_a_lost_camera_is_progress() -> None:
    notifier = Heard()
    source = run_loop(
        (Step("frames", 2), Step("vanish", seconds=0.4), Step("frames", 2), Step("end")), notifier
    )
    assert source.attempts >= 3
    assert notifier.fed >= 2 + 1 + 2
    assert any("STATUS=waiting for fake" in text for text in notifier.said)


def test_who_was_there_when_the_camera_was_lost_leaves() -> None:
    sink = Recorder()
    config = CaptureConfig(first_backoff_s=0.05, longest_backoff_s=0.1)
    steps = (Step("frames", 10), Step("vanish", seconds=1.0), Step("end"))
    source = LiveSource(FakeCamera([picture(ADA)], steps, fps=50), config)
    presence = Presence(PresenceConfig(leave_s=0.4))
    with source, FanOut([sink]) as fan:
        stream = Stream(source, presence=presence)
        Loop([stream], FakeRecognizer(), fan, signals=Signals()).run()
    told = [(e.kind, each.result.error) for each in sink.got for e in each.events]
    assert told == [("arrived", None), ("left", "fake is still away")]


def test_a_hang_is_no_progress() -> None:
    """With the camera kept busy by a hanging read only a new process helps: no food."""
    notifier = Heard()
    fed_during_hang: list[int] = []

    class Hanging(FakeCamera):
        def again(self) -> FakeCamera:
            fresh = super().again()
            fresh._at.gone_until_s = time.monotonic() + 60
            return fresh

    config = CaptureConfig(stall_s=0.1, first_backoff_s=0.02, longest_backoff_s=0.05)
    camera = Hanging([picture(ADA)], (Step("frames", 2), Step("stall", seconds=30)), fps=50)
    with LiveSource(camera, config) as source, FanOut([]) as fan:
        loop = Loop([Stream(source)], FakeRecognizer(), fan, signals=Signals(), notifier=notifier)
        while not source.hanging:
            grab = source.take(0.1)
        before = source.attempts
        deadline_s = time.monotonic() + 20
        while source.attempts <= before + 2 and time.monotonic() < deadline_s:
            source.take(0.05)
            loop._idle()
            fed_during_hang.append(notifier.fed)
        assert source.attempts > before + 2
    assert grab is None or grab.error
    assert set(fed_during_hang) == {0}


def test_a_reload_takes_the_new_judge_or_keeps_the_old(caplog: pytest.LogCaptureFixture) -> None:
    judges = [FakeRecognizer(), BundleError("the bundle is broken")]

    def reload() -> FakeRecognizer:
        made = judges.pop(0)
        if isinstance(made, BundleError):
            raise made
        return made

    first, second = FakeRecognizer(), judges[0]
    notifier, signals = Heard(), Signals()
    source = LiveSource(FakeCamera([picture(ADA)], fps=100))
    with source, FanOut([]) as fan:
        streams = [Stream(source)]
        loop = Loop(streams, first, fan, signals=signals, notifier=notifier, reload=reload, limit=3)
        loop.run()
        signals._reload = True
        loop._limit = 6
        loop.run()
        signals._reload = True
        loop._limit = 9
        loop.run()
    assert len(first.numbers) == 3
    assert len(second.numbers) == 6  # type: ignore[union-attr]
    assert "the old one stays: the bundle is broken" in caplog.text
    assert sum("RELOADING=1" in text for text in notifier.said) == 2
    assert source.losses == 0
    assert source.attempts == 1, "the camera is not opened again"


def test_a_reload_says_who_is_known_and_drops_who_is_not() -> None:
    class Knowing(Sink):
        known: Sequence[str] = ()
        events: tuple[Event, ...] = ()

        def write(self, judged: Judged) -> None:
            self.events += judged.events

        def know(self, people: Sequence[str]) -> None:
            self.known = people

    class OnlyEva(FakeRecognizer):
        def __init__(self) -> None:
            super().__init__()
            self.heads = (SimpleNamespace(name="Eva", is_task=False),)

    sink, signals = Knowing(), Signals()
    source = LiveSource(FakeCamera([picture(ADA)], (Step("frames", 10), Step("end")), fps=100))
    with source, FanOut([sink]) as fan:
        stream = Stream(source)
        loop = Loop([stream], FakeRecognizer(), fan, signals=signals, reload=OnlyEva, limit=3)
        loop.run()
        assert stream.presence.people == ("Ada",)
        signals._reload = True
        loop._reload_recognizer()
        assert stream.presence.people == ()
    assert sink.known == ["Eva"]
    assert [event.kind for event in sink.events] == ["arrived"], "nobody is said to leave"


def start_service(tmp_path: Path, systemd: Listener, **extra: str) -> subprocess.Popen[str]:
    script = write_script(tmp_path, [["frames", 1000]])
    command = [sys.executable, str(FAKED), "--camera", f"fake:{script}", "--systemd"]
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": systemd.path,
        "WATCHDOG_USEC": "400000",
        **extra,
    }
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_service_from_ready_to_stop(tmp_path: Path, systemd: Listener) -> None:
    broken = tmp_path / "broken"
    with start_service(tmp_path, systemd, FAKED_BUNDLE=str(broken)) as process:
        systemd.wait_for("READY=1")
        for _ in range(4):
            systemd.wait_for("WATCHDOG=1")
        systemd.wait_for("STATUS=Ada;")
        process.send_signal(signal.SIGHUP)
        systemd.wait_for("RELOADING=1")
        systemd.wait_for("READY=1")
        broken.touch()
        process.send_signal(signal.SIGHUP)
        systemd.wait_for("READY=1")
        systemd.wait_for("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        systemd.wait_for("STOPPING=1")
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Ada arrived" in out
    logged = [line for line in err.splitlines() if line.startswith("<")]
    assert logged == [
        "<6>the bundle was read again",
        "<3>the bundle was not read again, the old one stays: the bundle is broken",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_slow_model_still_stops(
    tmp_path: Path, systemd: Listener, number: signal.Signals
) -> None:
    with start_service(tmp_path, systemd, FAKED_DELAY_S="0.8") as process:
        systemd.wait_for("READY=1")
        time.sleep(0.3)
        process.send_signal(number)
        process.communicate(timeout=120)
    assert process.returncode == 0
