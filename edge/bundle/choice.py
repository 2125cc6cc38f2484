"""What was found out about a bundle on this device: how many threads, and which runtime of the face
detector, serve it best.

`edge-bench run NAME.edge --pick` measures it and writes `NAME.edge.choice.json` beside the bundle;
`edge-recognize` takes what stands there wherever `--threads` is not given. It belongs to one file:
beside another one of the same name it is passed over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from edge.console.json_text import json_text
from edge.faces.yunet import Runtime
from edge.files.atomic import atomic_file
from edge.files.model_file import sha256_of

SCHEMA = 1
SUFFIX = ".choice.json"
MOST_THREADS = 256


@dataclass(frozen=True)
class Choice:
    """bundle_sha256: of the bundle's file. threads: of the runtime. median_ms: of a picture with
    so many. device: in a few words, where that was measured. detector: what runs it.
    """

    bundle_sha256: str
    threads: int
    median_ms: float
    device: str
    detector: Runtime = "best"

    def save(self, bundle: Path) -> Path:
        """Write it beside the bundle; returns where."""
        path = choice_path(bundle)
        with atomic_file(path) as temporary:
            temporary.write_text(json_text({"schema": SCHEMA, **vars(self)}, indent=1) + "\n")
        return path


def choice_path(bundle: Path) -> Path:
    """Where the choice for a bundle stands."""
    return bundle.with_name(bundle.name + SUFFIX)


def bundle_sha256(bundle: Path) -> str:
    """Of the file, hexadecimal."""
    return sha256_of(bundle.read_bytes())


def read_choice(bundle: Path | None) -> Choice | None:
    """What was chosen for this very bundle on this device; None where nothing was, or what stands
    there is of another file or cannot be read.
    """
    if bundle is None:
        return None
    try:
        said = json.loads(choice_path(bundle).read_text("utf-8"))
        choice = Choice(
            str(said["bundle_sha256"]),
            int(said["threads"]),
            float(said["median_ms"]),
            str(said["device"]),
            said.get("detector", "best"),
        )
        known = choice.detector in get_args(Runtime)
        fits = known and said["schema"] == SCHEMA and 1 <= choice.threads <= MOST_THREADS
        return choice if fits and choice.bundle_sha256 == bundle_sha256(bundle) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
