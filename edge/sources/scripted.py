"""A camera that follows a script, for tests of what real ones do only now and then."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import SourceError, UsageError
from edge.files.formats import is_picture
from edge.files.image import read_picture
from edge.sources.film import open_film
from edge.sources.v4l2 import RawFrame

ACTIONS = ("frames", "stall", "vanish", "end")


@dataclass(frozen=True)
class Step:
    """One step of a script.

    action: "frames" gives `count` pictures, "stall" hangs for `seconds` inside a read, "vanish"
    fails and then cannot be opened for `seconds`, "end" gives no more pictures ever.
    """

    action: str
    count: int = 0
    seconds: float = 0.0


class FakeCamera:
    """Plays `images` (uint8[H, W, 3] BGR) over and over at `fps`, with the script's mishaps.

    A script that is through begins anew, unless it ends with "end". Frames that nobody reads in
    time are lost, as they are in a real camera.
    """

    def __init__(
        self,
        images: list[np.ndarray],
        steps: tuple[Step, ...] = (Step("frames", 1000),),
        *,
        fps: float = 30.0,
        name: str = "fake",
    ) -> None:
        self.name = name
        self.fps: float | None = fps
        self.opened = 0
        self.shown = 0
        self._images = images
        self._steps = steps
        self._at = _Place()
        self._next_at_s = 0.0

    def open(self) -> None:
        if time.monotonic() < self._at.gone_until_s:
            raise SourceError(f"no camera at {self.name}")
        self.opened += 1
        self._next_at_s = time.monotonic()

    def read(self) -> RawFrame | None:
        place = self._at
        while True:
            step = self._steps[place.step % len(self._steps)]
            if step.action == "frames" and place.count < step.count:
                place.count += 1
                return self._frame()
            if step.action == "end":
                return None
            place.step += 1
            place.count = 0
            if step.action == "stall":
                time.sleep(step.seconds)
            elif step.action == "vanish":
                place.gone_until_s = time.monotonic() + step.seconds
                raise SourceError(f"{self.name} is gone")

    def close(self) -> None:
        """Nothing is held."""

    def again(self) -> FakeCamera:
        """The same script, going on where this one is."""
        fresh = FakeCamera(self._images, self._steps, fps=self.fps or 30.0, name=self.name)
        fresh._at = self._at
        return fresh

    def _frame(self) -> RawFrame:
        interval_s = 1.0 / (self.fps or 30.0)
        late_s = time.monotonic() - self._next_at_s
        if late_s > interval_s:
            self._next_at_s += interval_s * int(late_s / interval_s)
        time.sleep(max(0.0, self._next_at_s - time.monotonic()))
        self._next_at_s += interval_s
        image = self._images[self.shown % len(self._images)]
        self.shown += 1
        return RawFrame(image, time.monotonic())


@dataclass
class _Place:
    """Where in the script a camera is; shared with the one that takes over after a hang."""

    step: int = 0
    count: int = 0
    gone_until_s: float = 0.0


def read_script(path: Path) -> FakeCamera:
    """A fake camera from a JSON file.

    `{"pictures": "photo.jpg" | "clip.mkv", "fps": 30, "steps": [["frames", 30], ["stall", 6]]}`;
    the pictures' path is relative to the script. Raises `UsageError` for what is no such script.
    """
    try:
        script: dict[str, Any] = json.loads(path.read_text())
        steps = tuple(_step(*entry) for entry in script.get("steps", [["frames", 1000]]))
        images = read_images(path.parent / script["pictures"])
        return FakeCamera(images, steps, fps=float(script.get("fps", 30)), name=f"fake:{path}")
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UsageError(f"{path} is no script of a fake camera: {problem}") from None


def _step(action: str, amount: float = 0) -> Step:
    if action not in ACTIONS:
        raise ValueError(f"unknown step '{action}'")
    return Step(action, count=int(amount), seconds=float(amount))


def read_images(path: Path) -> list[np.ndarray]:
    """The pictures of a file, uint8[H, W, 3] BGR. Raises `ValueError` where there is none."""
    if is_picture(path):
        return [read_picture(path)]
    film = open_film(path)
    images: list[np.ndarray] = []
    while film is not None and (image := film.read()) is not None:
        images.append(image)
    if film is not None:
        film.close()
    if not images:
        raise ValueError(f"no pictures in {path}")
    return images
