"""Settings of native libraries, made before they are loaded."""

from __future__ import annotations

import os

LIBRARY_SETTINGS = {
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "3",
}
"""What OpenCV reads from the environment when it is loaded. It says nothing itself: its words
would stand beside ours, with passwords of URLs in them. A camera may be silent for 3 s, not 10."""


def set_library_settings() -> None:
    """Set `LIBRARY_SETTINGS`, where the user has not, before OpenCV is loaded."""
    for name, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(name, value)
