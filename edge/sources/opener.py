"""The choice of a source: a camera, a URL, a video, an image or a folder of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge.errors import UsageError
from edge.sources.files import Source, file_source, is_url
from edge.sources.live import CaptureConfig, LiveSource, camera_by_name
from edge.sources.turn import Turn
from edge.sources.v4l2 import CameraOptions


def shared_turn(
    camera: int | str | None, options: CameraOptions, turn: Turn
) -> tuple[CameraOptions, Turn]:
    """What a camera is asked to turn by itself, and the turn that is left to do."""
    by_itself = str(camera).partition(":")[0] == "csi" and turn.flips is not None
    return (replace(options, turn=turn), Turn()) if by_itself else (options, turn)


def open_source(
    *,
    camera: int | str | None = None,
    source: str | Path | None = None,
    options: CameraOptions | None = None,
    realtime: bool = False,
    wait_for_camera: bool = False,
    interrupted: Callable[[], bool] = lambda: False,
) -> Source:
    """The source that is named, not yet started: use it as a context manager.

    Args:
        camera: Number of a camera, `/dev/…`, `csi`, or a URL.
        source: A video, an image, a folder of images, or a URL; instead of `camera`.
        options: What a camera is asked for: size, rate, format, exposure.
        realtime: Play a video at its own speed; frames can be missed.
        wait_for_camera: Wait for a camera that is missing at the start.
        interrupted: Asked while waiting for the camera; true ends the wait.

    Raises:
        UsageError: Both or neither are named, a word names no camera, or `realtime` without video.
        SourceError: There is no such file or folder.

    Example:
        >>> with edge.open_source(source="ana.jpg") as source:
        ...     frames = [frame.image_bgr.shape for frame in source]
        >>> len(frames)
        1
    """
    if camera is not None and source is not None:
        raise UsageError("--camera and --source exclude each other", hint="give one of them")
    wanted = camera if camera is not None else source
    if wanted is None:
        raise UsageError(
            "nothing to look at", hint="give --camera 0, or --source with a file, folder or URL"
        )
    if camera is not None or is_url(str(wanted)):
        found = camera_by_name(str(wanted), options)
        config = CaptureConfig(wait_for_camera=wait_for_camera)
        return LiveSource(found, config, interrupted=interrupted)
    files = file_source(Path(str(wanted)).expanduser())
    if not realtime:
        return files
    if files.kind != "video":
        raise UsageError(f"--realtime plays videos, and {wanted} is none", hint="leave it out")
    from edge.sources.stream import FileCamera

    return LiveSource(FileCamera(Path(str(wanted)).expanduser()), CaptureConfig())
