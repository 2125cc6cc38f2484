"""Pictures: crops to measure and calibrate on for a run that keeps none, as a person's.

A person's run on the shipped base carries the int8 file that its heads stand on, and neither the
float model nor crops. The training package brings the float model; the pictures come from the user.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.console.display_text import counted, shortened
from edge.console.progress import progress
from edge.enrolment.degrade import degrade_every, with_ends
from edge.errors import InputError, PictureError
from edge.faces.alignment import align
from edge.faces.detector import Detector
from edge.files.formats import is_picture
from edge.files.image import read_picture
from edge.files.model_file import sha256_of
from edge.models.spec import Network, NetworkInput
from export.inputs.find_photos import files_in
from export.inputs.run_folder import RunFolder

log = logging.getLogger(__name__)

FEWEST_CROPS = 20
"""Below this many crops shares such as "the worst 1 %" mean nothing."""

MOST = 512
"""Pictures that are looked at, spread over people and, of each person, over all pictures."""

ENOUGH_PEOPLE = 10
"""From so many folders on, nobody calibrates and is measured on as well."""


@dataclass(frozen=True, eq=False)
class Faces:
    """crops: uint8[N, S, S, 3] BGR. person: int[N], whose folder each is from. sha256: of each
    picture's file.
    """

    crops: np.ndarray
    person: np.ndarray
    sha256: tuple[str, ...] = ()


def with_pictures(run: RunFolder, roots: Sequence[Path], detector: Path | None = None) -> RunFolder:
    """The run with the shipped float model and the faces in pictures; roots: files or folders.

    Half of the faces calibrates, see `representative`; the rest, of other people where there are
    `ENOUGH_PEOPLE`, is what files are measured on. Raises `InputError` where the run has a float
    model of its own or stands on another base, or for too few faces.
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
    found = enough_faces(roots, run.network, detector)
    calibrates = halved(found.person)
    crops = representative(found.crops[calibrates])
    return replace(run, float_model=model, given_crops=(crops, found.crops[~calibrates]))


def enough_faces(
    roots: Sequence[Path],
    network: Network,
    detector: Path | None,
    *,
    fewest: int = 2 * FEWEST_CROPS,
    without: Collection[str] = (),
) -> Faces:
    """As `faces`, with YuNet of that file. without: SHA-256 of pictures that are passed over.

    Raises `InputError` for fewer than `fewest`.
    """
    found = faces(roots, network, Detector.open(detector))
    keep = [place for place, sha256 in enumerate(found.sha256) if sha256 not in without]
    if len(keep) < fewest:
        others = " that quantization was not calibrated on" if without else ""
        raise InputError(
            f"{len(keep)} pictures in {', '.join(map(str, roots))}{others} show a face, "
            f"{fewest} are needed",
            hint="give pictures of more people",
        )
    kept = tuple(found.sha256[place] for place in keep)
    return Faces(found.crops[keep], found.person[keep], kept)


def tensors(expects: NetworkInput, crops_bgr: np.ndarray) -> Iterator[np.ndarray]:
    """Input tensors of a network, of a batch each, of crops uint8[N, S, S, 3] BGR; the last batch
    is filled with the last crop.
    """
    for first in range(0, len(crops_bgr), expects.batch):
        crops = crops_bgr[first : first + expects.batch]
        missing = np.repeat(crops[-1:], expects.batch - len(crops), axis=0)
        yield expects.tensor(np.concatenate([crops, missing]))


def halved(person: np.ndarray) -> np.ndarray:
    """bool[N]: which of the faces of `person`, int[N], calibrate: about half.

    Whole people where there are enough and both halves get enough faces, else every other face.
    """
    every_other = np.arange(len(person)) % 2 == 0
    numbers, counts = np.unique(person, return_counts=True)
    if len(numbers) < ENOUGH_PEOPLE:
        return every_other
    whole = np.isin(person, numbers[np.argsort(-counts, kind="stable")][::2])
    few = min(whole.sum(), (~whole).sum())
    return whole if few >= FEWEST_CROPS else every_other


def representative(crops_bgr: np.ndarray) -> np.ndarray:
    """Crops to calibrate on, uint8[N + 2, S, S, 3] BGR, of plain ones: in the order of their light,
    every second one degraded as by a poor camera, the last two all black and all white.
    """
    light = np.argsort(crops_bgr.mean(axis=(1, 2, 3)), kind="stable")
    crops = crops_bgr[light]
    degrade_every(crops, 2, np.random.default_rng(0), first=1)
    return with_ends(crops)


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


def faces(roots: Sequence[Path], network: Network, detector: Detector) -> Faces:
    """The largest face of each picture in files or folders, a folder a person.

    At most `MOST` pictures are looked at, of all people alike. Raises `InputError` when there is no
    such file or folder.
    """
    expects = network.input
    crops, person, hashes = [], [], []
    unread, faceless = list[str](), 0
    for path, number in progress(_spread(roots), label="looking for faces"):
        try:
            image = read_picture(path)
        except PictureError as problem:
            unread.append(problem.message)
            continue
        seen = detector.detect(image)
        faceless += not seen
        if seen:
            face = max(seen, key=lambda one: one.area_px2)
            crops.append(align(image, face, expects.frame, expects.window, expects.size_px))
            person.append(number)
            hashes.append(sha256_of(path.read_bytes()))
    for line in shortened(unread, "{} more that cannot be read"):
        log.warning("left out: %s", line)
    if faceless:
        log.warning("%s without a face left out", counted(faceless, "picture"))
    size = expects.size_px
    nothing = np.zeros((0, size, size, 3), np.uint8)
    stacked = np.stack(crops) if crops else nothing
    return Faces(stacked, np.array(person, np.int64), tuple(hashes))


def _spread(roots: Sequence[Path]) -> list[tuple[Path, int]]:
    """Pictures with the numbers of their folders, in order: as many of each folder as it takes for
    `MOST` together, spread over it.
    """
    folders: dict[Path, list[Path]] = {}
    for path in files_in(roots):
        if is_picture(path):
            folders.setdefault(path.parent, []).append(path)
    share = _share([len(paths) for paths in folders.values()])
    chosen = []
    for number, paths in enumerate(folders.values()):
        places = np.linspace(0, len(paths) - 1, min(share, len(paths))).astype(int)
        chosen += [(paths[place], number) for place in places]
    places = np.linspace(0, len(chosen) - 1, min(MOST, len(chosen))).astype(int)
    return [chosen[place] for place in places]


def _share(counts: Sequence[int]) -> int:
    """Least number that may be taken of each folder so that `MOST` come together."""
    share = 1
    while sum(min(share, count) for count in counts) < min(MOST, sum(counts)):
        share += 1
    return share
