"""Inside the guest of `benchmarks.studies.on_camera`: `edge-recognize` before vivid's camera.

    python -m benchmarks.studies.camera_guest FOLDER

All cases run in this one process, as starting Python takes most of the time under emulation. While
one runs, a thread plays what happens to the camera; it ends the run with SIGTERM, as systemd does.
What came of each case is in FOLDER/cases.json.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_S = 1200.0
"""Longest wait for anything; an emulated, busy machine is slow."""

DRIVER = Path("/sys/bus/platform/drivers/vivid")


@dataclass
class Case:
    """What came of one. said: for people."""

    name: str
    ok: bool
    said: str


@dataclass
class Guest:
    """folder: for results and files. cases: so far."""

    folder: Path
    cases: list[Case] = field(default_factory=list)

    def note(self, name: str, wrong: str | None, said: str = "") -> None:
        self.cases.append(Case(name, wrong is None, said if wrong is None else wrong))
        text = json.dumps([asdict(case) for case in self.cases])
        (self.folder / "cases.json").write_text(text)
        print(f"{'ok  ' if wrong is None else 'FAIL'} {name}: {wrong or said}", file=sys.__stderr__)

    def run(self, name: str, words: Sequence[str], play: Callable[[Run], None] | None) -> Run:
        """`edge-recognize` with these words, and what happens to the camera meanwhile."""
        from edge.cli.main import main

        run = Run(self.folder / f"{name}.out", self.folder / f"{name}.err")
        with _into(run.out, run.err):
            thread = threading.Thread(target=lambda: _played(run, play), daemon=True)
            thread.start()
            try:
                main(list(words), prog_name="edge-recognize")
            except SystemExit as ended:
                run.status = int(ended.code or 0)
            run.ended = True
            thread.join(PATIENCE_S)
        return run

    def case(
        self,
        name: str,
        words: Sequence[str],
        wrong: Callable[[Run], str | None],
        play: Callable[[Run], None] | None = None,
    ) -> None:
        """A run, and what is wrong with it."""
        run = self.run(name, words, play)
        found = run.trouble or wrong(run)
        if found is not None:
            found += f" (status {run.status}, {len(run.frames())} frames; {run.text()[-300:]})"
        lost = sum(frame["error"] is not None for frame in run.frames())
        said = " ".join(run.text().splitlines()[1:2])[:120] if run.status else ""
        self.note(name, found, f"{len(run.frames())} frames, {lost} lost {said}".rstrip())


@dataclass
class Run:
    """One run. out, err: what it says. ended: by itself. trouble: what the player waited for in
    vain."""

    out: Path
    err: Path
    status: int = 0
    ended: bool = False
    trouble: str | None = None

    def frames(self) -> list[dict[str, Any]]:
        lines = self.out.read_text("utf-8", "replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line[-1] == "}"]
        return [one for one in found if "frame" in one]

    def good(self) -> int:
        return sum(frame["error"] is None for frame in self.frames())

    def text(self) -> str:
        return self.err.read_text("utf-8", "replace")

    def wait(self, true: Callable[[], bool], what: str) -> None:
        """Raises TimeoutError with what did not come."""
        end_s = time.monotonic() + PATIENCE_S
        while not true():
            if self.ended or time.monotonic() > end_s:
                raise TimeoutError(f"waited in vain for {what}")
            time.sleep(0.2)

    def wait_for_more(self) -> None:
        there = self.good()
        self.wait(lambda: self.good() > there, "a picture")


def _played(run: Run, play: Callable[[Run], None] | None) -> None:
    if play is None:
        return
    try:
        play(run)
    except TimeoutError as problem:
        run.trouble = str(problem)
    if not run.ended:
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _into(out: Path, err: Path) -> Iterator[None]:
    """Standard output and error of this process into files, native libraries' too."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, file in zip((1, 2), kept, strict=True):
            os.dup2(file, number)
            os.close(file)


def said_by(*words: str) -> str:
    """What a program says, on one line."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return " ".join((done.stdout + done.stderr).split())


def control(name: str, value: int) -> None:
    """Set a control of the camera."""
    said_by("v4l2-ctl", "-d", "0", f"--set-ctrl={name}={value}")


def load() -> None:
    """Load the camera's driver with all that it needs."""
    for module in os.environ["VIVID_MODULES"].split():
        said_by("busybox", "insmod", module)
    time.sleep(0.5)


def unload() -> None:
    """Take the camera away, as pulling its plug does."""
    (DRIVER / "unbind").write_text("vivid.0")
    time.sleep(1)
    said_by("busybox", "rmmod", "vivid")


def streams(least: int, lost: int = 0) -> Callable[[Run], str | None]:
    """What is wrong unless there were so many pictures and losses, and a good end."""

    def wrong(run: Run) -> str | None:
        losses = len(run.frames()) - run.good()
        if run.status:
            return "it did not end well"
        if run.good() < least:
            return f"fewer than {least} pictures"
        return f"{losses} losses, not {lost}" if losses != lost else None

    return wrong


def refused(words: str) -> Callable[[Run], str | None]:
    """What is wrong unless it ended with 1 and these words."""
    return lambda run: None if run.status == 1 and words in run.text() else f"not '{words}'"


def asked_for(*words: str) -> Callable[[Run], None]:
    """The driver was asked for this, as it says while it streams."""

    def play(run: Run) -> None:
        run.wait_for_more()
        text = said_by("v4l2-ctl", "-d", "0", "--get-fmt-video", "--get-parm")
        missing = [word for word in words if word not in text]
        run.trouble = f"asked for {text}, not for {', '.join(missing)}" if missing else None

    return play


def by_id() -> str:
    """A path as udev makes it, which does not change with the order of the plugs."""
    folder = Path("/dev/v4l/by-id")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "usb-Test_Camera-video-index0"
    path.symlink_to("../../video0")
    return str(path)


def _unplugged(run: Run) -> None:
    run.wait_for_more()
    unload()
    run.wait(lambda: "trying again" in run.text(), "the loss")
    load()
    run.wait(lambda: "is back" in run.text(), "the camera's return")
    run.wait_for_more()


def _silent(run: Run) -> None:
    run.wait_for_more()
    control("percentage_of_dropped_buffers", 100)
    run.wait(lambda: "trying again" in run.text(), "the loss")
    control("percentage_of_dropped_buffers", 0)
    run.wait(lambda: "is back" in run.text(), "the camera's return")
    run.wait_for_more()


def _broken(run: Run) -> None:
    run.wait_for_more()
    control("inject_fatal_streaming_error", 1)
    run.wait(lambda: "is back" in run.text(), "the camera's return")
    run.wait_for_more()


def _late(run: Run) -> None:
    time.sleep(3)
    load()
    run.wait_for_more()


def _doctor(guest: Guest) -> None:
    from edge.doctor.checks.camera import check_cameras
    from edge.doctor.report import Patient

    found = [finding.text for finding in check_cameras(Patient())]
    fits = len(found) == 1 and "vivid" in found[0]
    guest.note("doctor", None if fits else f"says {found}", "; ".join(found))


def main() -> None:
    """All cases."""
    from edge.service.libraries import set_library_settings

    set_library_settings()
    guest = Guest(Path(sys.argv[1]))
    look = ("--json",)  # with the shipped base, which needs no trial in another process
    small = (*look, "--size", "320x180")
    load()
    _doctor(guest)
    guest.case("--size", ["--camera", "0", *small], streams(1), asked_for("320/180"))
    words = [*small, "--fps", "15", "--pixel-format", "YUYV"]
    wanted = asked_for("320/180", "'YUYV'", "15.000")
    guest.case("--fps and --pixel-format", ["--camera", "/dev/video0", *words], streams(1), wanted)
    guest.case("by-id", ["--camera", by_id(), *small], streams(1), asked_for("320/180"))
    guest.case("no such camera", ["--camera", "7", *look], refused("no camera at /dev/video7"))
    guest.case("an output", ["--camera", "1", *look], refused("gives no pictures"))
    slow = ["--camera", "0", *small, "--fps", "5"]
    guest.case("driver unloaded and loaded", slow, streams(2, lost=1), _unplugged)
    guest.case("no more pictures", slow, streams(2, lost=1), _silent)
    guest.case("error while streaming", slow, streams(2, lost=1), _broken)
    unload()
    guest.case("none", ["--camera", "0", *look], refused("no camera at /dev/video0"))
    awaited = ["--camera", "0", *small, "--wait-for-camera"]
    guest.case("--wait-for-camera", awaited, streams(1), _late)
    guest.note("end", None)


if __name__ == "__main__":
    main()
