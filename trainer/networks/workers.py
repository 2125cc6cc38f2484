"""Which of several machines that train together this one is."""

from __future__ import annotations

import json
import os


def worker_number() -> int:
    """This machine's number in TF_CONFIG; 0, the one that writes the run, without one."""
    try:
        return int(json.loads(os.environ["TF_CONFIG"])["task"]["index"])
    except (KeyError, ValueError, TypeError):
        return 0
