"""A window with the annotated picture, where the installed OpenCV has windows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType

import cv2

from edge.errors import UsageError
from edge.sinks.base import Judged, Sink

TITLE = "edge-recognize"
CLOSING_KEYS = frozenset({27, ord("q")})
SHOWN_EVERY_S = 1 / 30


class Window(Sink):
    """Shows what is seen; q, Escape or closing the window calls `on_close`."""

    name = "window"
    wants_images = True
    inline = True

    def __init__(self, on_close: Callable[[], None] = lambda: None) -> None:
        self._on_close = on_close
        self._shown_at_s = 0.0
        self._seen = False

    def __enter__(self) -> Window:
        """Raises `UsageError` where there can be no window."""
        if not has_windows():
            raise UsageError(
                "the installed OpenCV is headless and has no windows",
                hint="use --serve 127.0.0.1:8080 and a browser",
            )
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise UsageError(
                "there is no screen to open a window on",
                hint="use --serve 127.0.0.1:8080 and a browser",
            )
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)
        return self

    def write(self, judged: Judged) -> None:
        now_s = time.monotonic()
        image = None
        if now_s - self._shown_at_s >= SHOWN_EVERY_S:
            image = judged.annotated_bgr
        if image is not None:
            self._shown_at_s = now_s
            cv2.imshow(TITLE, image)
        key = cv2.waitKey(1) & 0xFF
        visible = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1
        if key in CLOSING_KEYS or (self._seen and not visible):
            self._on_close()
        self._seen = self._seen or visible

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        cv2.destroyAllWindows()


def has_windows() -> bool:
    """Whether the installed OpenCV was built with windows; headless builds were not."""
    for line in cv2.getBuildInformation().splitlines():
        name, _, value = line.strip().partition(":")
        if name == "GUI":
            return value.strip() != "NONE"
    return False
