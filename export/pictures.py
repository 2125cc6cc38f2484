"""Pictures: crops to measure and calibrate on for a run that keeps none, as a person's.

A person's run on the shipped base carries the int8 file that its heads stand on, and neither the
float model nor crops. The training package brings the float model; the pictures come from the user.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.alignment import align
from edge.detector import Detector
from edge.errors import InputError, PictureError
from edge.network import Network
from edge.picture import is_picture, read_picture
from export.parity import FEWEST_CROPS
from export.photofinder import files_in
from export.runfolder import RunFolder

MOST = 512
"""Pictures that are looked at, spread over the folder."""


def with_pictures(run: RunFolder, roots: Sequence[Path], detector: Path | None = None) -> RunFolder:
    """The run with the shipped float model and the faces in pictures; roots: files or folders.

    Every other face calibrates, the rest is what files are measured on. Raises `InputError` where
    the run has a float model of its own or stands on another base, or for too few faces.
    """
    if run.keras is not None:
        raise InputError(
            f"{run.path} has its own float model and crops", hint="pack it without --pictures"
        )
    model = shipped_float_model(run.network)
    if model is None:
        raise InputError(
            f"the float model that {run.path} stands on is not here",
            hint="pack the base's own run, with --head RUN for the person",
        )
    crops = faces(roots, run.network, Detector.open(detector))
    if len(crops) < 2 * FEWEST_CROPS:
        raise InputError(
            f"{len(crops)} pictures in {', '.join(map(str, roots))} show a face, "
            f"{2 * FEWEST_CROPS} are needed",
            hint="give pictures of more people",
        )
    return replace(run, float_model=model, given_crops=(crops[::2], crops[1::2]))


def shipped_float_model(network: Network) -> Path | None:
    """The Keras file that the shipped base was made from, None where `network` is another or the
    training package is not installed. Nothing of that package is imported.
    """
    spec = importlib.util.find_spec("trainer")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        folder = Path(place) / "shipped"
        try:
            info = json.loads((folder / "run.json").read_bytes())
            known = info["network"]["sha256"] == network.sha256
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if known and (folder / "base.keras").is_file():
            return folder / "base.keras"
    return None


def faces(roots: Sequence[Path], network: Network, detector: Detector) -> np.ndarray:
    """The largest face of each picture in files or folders, uint8[N, S, S, 3] BGR.

    N is at most `MOST`. Raises `InputError` when there is no such file or folder.
    """
    paths = [path for path in files_in(roots) if is_picture(path)]
    chosen = np.unique(np.linspace(0, max(0, len(paths) - 1), min(MOST, len(paths))).astype(int))
    expects = network.input
    found = []
    for place in chosen:
        try:
            image = read_picture(paths[place])
        except PictureError:
            continue
        seen = detector.detect(image)
        if seen:
            face = max(seen, key=lambda one: one.area_px2)
            found.append(align(image, face, expects.frame, expects.window, expects.size_px))
    size = expects.size_px
    return np.stack(found) if found else np.zeros((0, size, size, 3), np.uint8)
