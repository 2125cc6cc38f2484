"""Headless Chromium, told what to do over a pipe (Chrome DevTools Protocol, JSON and a zero)."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

ANSWER_S = 60.0
USUAL = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")


AT_3_AND_4 = """
import os, sys
ends = [os.dup(int(number)) for number in sys.argv[1:3]]
for number, end in zip((3, 4), [os.dup2(end, 100 + k) for k, end in enumerate(ends)]):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads what it is to do from descriptor 3 and answers on 4."""


class Chromium:
    """One page, 1280 x 720 pixels, used as a context manager. Skips where there is no Chromium."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program is None:
            pytest.skip("chromium is not installed: apt install chromium")
        self._theirs_in, self._to = os.pipe()
        self._from, self._theirs_out = os.pipe()
        words = [*USUAL, f"--user-data-dir={folder / 'profile'}", "--window-size=1280,720"]
        command = [program, *words, "--remote-debugging-pipe", "about:blank"]
        ends = (self._theirs_in, self._theirs_out)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                AT_3_AND_4,
                str(self._theirs_in),
                str(self._theirs_out),
                *command,
            ],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._number = 0
        self._rest = b""
        self._session: str | None = None

    def __enter__(self) -> Chromium:
        os.close(self._theirs_in)
        os.close(self._theirs_out)
        try:
            page = self._ask("Target.createTarget", url="about:blank")["targetId"]
            found = self._ask("Target.attachToTarget", targetId=page, flatten=True)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self._session = found["sessionId"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def open(self, url: str) -> None:
        """Go to a page; does not wait for it."""
        self._ask("Page.navigate", url=url)

    def value(self, script: str) -> Any:
        """What JavaScript evaluates to."""
        found = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    def wait_for(self, script: str, seconds: float = ANSWER_S) -> None:
        """Until JavaScript says that it is so."""
        deadline_s = time.monotonic() + seconds
        while not self.value(script):
            assert time.monotonic() < deadline_s, f"never: {script}"
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element."""
        box = self.value(
            f"(() => {{ const one = document.querySelector('{selector}');"
            " one.scrollIntoView({block: 'nearest'}); const r = one.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._ask(
                "Input.dispatchMouseEvent",
                type=kind,
                x=box[0],
                y=box[1],
                button="left",
                clickCount=1,
            )

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self._ask("Input.insertText", text=text)

    def choose(self, selector: str, files: list[str]) -> None:
        """Choose files in an input."""
        root = self._ask("DOM.getDocument")["root"]["nodeId"]
        node = self._ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._ask("DOM.setFileInputFiles", nodeId=node, files=files)

    def press(self, key: str) -> None:
        """Press and release a key, by its name, as "ArrowRight"."""
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key)

    def resize(self, width_px: int, height_px: int, *, dark: bool = False) -> None:
        """Show the page as on a screen of that size, in dark colours where the reader wants so."""
        metrics = {"width": width_px, "height": height_px, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **metrics)
        wish = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[wish])

    def speak(self, language: str) -> None:
        """Prefer a language from the next page on."""
        self._ask("Emulation.setUserAgentOverride", userAgent="a browser", acceptLanguage=language)

    def photograph(self, path: Path) -> None:
        """What the page looks like, as PNG."""
        data = self._ask("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline_s = time.monotonic() + ANSWER_S
        while True:
            answer = self._next(deadline_s)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self, deadline_s: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            left_s = deadline_s - time.monotonic()
            ready = left_s > 0 and select.select([self._from], [], [], left_s)[0]
            assert ready, "Chromium does not answer"
            piece = os.read(self._from, 1 << 16)
            assert piece, "Chromium has ended"
            self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found
