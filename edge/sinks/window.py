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
    """Shows what is seen, each source in a window of its own; q, Escape or closing one calls
    `on_close`."""

    name = "window"
    wants_images = True
    inline = True

    def __init__(self, on_close: Callable[[], None] = lambda: None) -> None:
        self._on_close = on_close
        self._shown_at_s: dict[str, float] = {}
        self._seen: set[str] = set()

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
        return self

    def write(self, judged: Judged) -> None:
        now_s = time.monotonic()
        image = None
        title = f"{TITLE}: {judged.label}" if judged.label else TITLE
        if now_s - self._shown_at_s.get(title, 0.0) >= SHOWN_EVERY_S:
            image = judged.annotated_bgr
        if title not in self._shown_at_s:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL)
            self._shown_at_s[title] = 0.0
        if image is not None:
            self._shown_at_s[title] = now_s
            cv2.imshow(title, image)
        key = cv2.waitKey(1) & 0xFF
        visible = cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1
        if key in CLOSING_KEYS or (title in self._seen and not visible):
            self._on_close()
        if visible:
            self._seen.add(title)

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
