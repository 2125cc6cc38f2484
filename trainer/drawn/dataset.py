"""Drawn people as files: CelebA's exact layout, photos for enrolment, crops for bundles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from edge.errors import InputError, UsageError
from edge.faces.canonical import CELEBA, CanonicalFace, CropRegion
from edge.files.atomic import atomic_folder
from edge.files.image import write_picture
from trainer.drawn.attributes import CELEBA_ATTRIBUTES, shot_attributes
from trainer.drawn.person import DrawnPerson
from trainer.drawn.render import photograph
from trainer.drawn.shot import Shot
from trainer.drawn.view import View, aligned_view

Progress = Callable[[int, int], object]
"""Called with the number of pictures drawn so far and the number of all."""

SPLITS = (0.70, 0.15, 0.15)
"""Shares of the people in training (0), validation (1) and test (2)."""

FACE_U = 2.7
"""Height of a face from its hairline to its chin, about what a detector frames, in u."""

FACE_SHARES = (0.25, 0.5)
"""Height of the face in a photo as a share of the picture's height, from and to."""

_GOLDEN_SEED = 0x601D
_GOLDEN_PEOPLE = 1_000_000
"""Seed of the first golden person, far from those of any data set."""


@dataclass(frozen=True)
class _Task:
    """All pictures of one person: where they go, and their names in the order of the shots."""

    folder: Path
    person: int
    seed: int
    size: tuple[int, int]
    names: tuple[str, ...]


def write_celeba(
    folder: Path,
    *,
    people: int,
    shots_per_person: int,
    seed: int,
    first_person: int = 0,
    size: tuple[int, int] = (CELEBA.width_px, CELEBA.height_px),
    workers: int = 1,
    progress: Progress | None = None,
) -> int:
    """Write a data set in CelebA's layout; returns the number of pictures.

    The people are those of the seeds ``first_person`` and following; a person's number in
    ``identity_CelebA.txt`` is the seed plus one, as CelebA counts from 1. As in CelebA, a person is
    in one split only, the training pictures come first, and within a split the order is random.
    ``size`` is (width, height) in px; faces lie on the points of `edge.faces.canonical.CELEBA`,
    scaled to it. The same arguments write the same bytes, whatever ``workers`` (processes) is.

    Raises `UsageError` for fewer than one person or shot, and `InputError` when the folder is
    there and not empty, or cannot be written.
    """
    if people < 1 or shots_per_person < 1:
        raise UsageError("a data set needs at least one person and one shot of each")
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already", hint="name a new or empty folder")
    split = _split(people, seed)
    owners = _order(split, shots_per_person, seed)
    names = [f"{k + 1:06d}.jpg" for k in range(len(owners))]
    try:
        with atomic_folder(folder) as temporary:
            (temporary / "img_align_celeba").mkdir()
            tasks = [
                _Task(
                    temporary / "img_align_celeba",
                    first_person + k,
                    seed,
                    size,
                    tuple(names[i] for i in np.flatnonzero(owners == k)),
                )
                for k in range(people)
            ]
            labels = _draw_all(tasks, workers, progress)
            _write_lists(temporary, names, labels, owners + first_person + 1, split[owners])
    except OSError as problem:
        raise InputError(f"cannot write {folder}: {problem.strerror}") from None
    return len(names)


def sample_shots(person: int, seed: int, count: int) -> list[Shot]:
    """Draw the shots that a data set of this seed holds of a person, always the same."""
    rng = np.random.default_rng([seed, person, 0x5407])
    return [Shot.sample(rng) for _ in range(count)]


def aligned_picture(
    person: DrawnPerson,
    shot: Shot,
    *,
    size: tuple[int, int] = (CELEBA.width_px, CELEBA.height_px),
    frame: CanonicalFace = CELEBA,
) -> np.ndarray:
    """Draw a picture in which the face lies on a frame's points, uint8 BGR [h, w, 3].

    ``size`` is (width, height) in px, any scale of the frame.
    """
    scale = np.array(size) / (frame.width_px, frame.height_px)
    points = (frame.points() + 0.5) * scale - 0.5
    return photograph(person, shot, aligned_view(person, shot, points), size)


def write_photos(
    folder: Path, person: DrawnPerson, *, shots: int, seed: int, size_px: int = 640
) -> list[Path]:
    """Write ordinary photos of one person, ``photo-001.jpg`` and following; returns their paths.

    Upright or wide, 3:4, ``size_px`` on the long side; the face is 25 to 50 % of the picture's
    height and lies anywhere near the middle. Raises `InputError` when the folder cannot be written.
    """
    rng = np.random.default_rng([seed, person.seed, 0xF070])
    paths = []
    for k in range(shots):
        short = size_px * 3 // 4
        size = (short, size_px) if rng.random() < 0.5 else (size_px, short)
        shot = Shot.sample(rng)
        scale = size[1] * rng.uniform(*FACE_SHARES) / FACE_U
        eyes_px = (size[0] * rng.uniform(0.36, 0.64), size[1] * rng.uniform(0.34, 0.46))
        view = View(float(scale), shot.roll_deg, 0.0, 0.0).put((0.0, 0.0), eyes_px)
        blur = shot.blur * scale * FACE_U / size[1]
        image = photograph(person, replace(shot, blur=blur), view, size)
        path = Path(folder) / f"photo-{k + 1:03d}.jpg"
        try:
            write_picture(path, image)
        except OSError as problem:
            raise InputError(f"cannot write {path}: {problem.strerror}") from None
        paths.append(path)
    return paths


def aligned_crop(
    person: DrawnPerson,
    shot: Shot,
    window: CropRegion,
    size_px: int,
    *,
    frame: CanonicalFace = CELEBA,
) -> np.ndarray:
    """Draw a window of an aligned picture, uint8 BGR [S, S, 3].

    ``window`` is a square of the frame and ``size_px`` its side S in the crop. It is drawn in that
    size, not scaled: its pixels lie where `edge.faces.alignment.warp` would take them from.
    """
    zoom = size_px / window.side_px
    corner = np.array([window.x_px, window.y_px])
    points = (frame.points() - corner + 0.5) * zoom - 0.5
    return photograph(person, shot, aligned_view(person, shot, points), (size_px, size_px))


def golden_crops(
    window: CropRegion, size_px: int, count: int, *, frame: CanonicalFace = CELEBA
) -> np.ndarray:
    """Draw aligned crops of different people, always the same, uint8 BGR [count, S, S, 3].

    See `aligned_crop`; the pictures are sharp and the poses ordinary.
    """
    crops = np.empty((count, size_px, size_px, 3), np.uint8)
    for k in range(count):
        person = DrawnPerson.draw(_GOLDEN_PEOPLE + k)
        shot = replace(sample_shots(person.seed, _GOLDEN_SEED, 1)[0], blur=0.0)
        crops[k] = aligned_crop(person, shot, window, size_px, frame=frame)
    return crops


def _split(people: int, seed: int) -> np.ndarray:
    """Return the split of every person, int64 [people]; three people or more fill all three."""
    held_out = [max(round(share * people), int(people > 2)) for share in SPLITS[1:]]
    counts = [people - sum(held_out), *held_out]
    shuffled = np.random.default_rng([seed, people, 0x5917]).permutation(people)
    split = np.empty(people, np.int64)
    split[shuffled] = np.repeat(np.arange(3), counts)
    return split


def _order(split: np.ndarray, shots: int, seed: int) -> np.ndarray:
    """Return whom each picture shows, int64 [people * shots]: split by split, mixed within."""
    rng = np.random.default_rng([seed, len(split), 0x0D3])
    parts = [rng.permutation(np.repeat(np.flatnonzero(split == k), shots)) for k in range(3)]
    return np.concatenate(parts)


def _draw_all(
    tasks: Sequence[_Task], workers: int, progress: Progress | None
) -> dict[str, list[bool]]:
    """Draw all pictures and return the labels of each, in CelebA's order."""
    total = sum(len(task.names) for task in tasks)
    labels: dict[str, list[bool]] = {}
    for done in _mapped(tasks, workers):
        labels.update(done)
        if progress is not None:
            progress(len(labels), total)
    return labels


def _mapped(tasks: Sequence[_Task], workers: int) -> Iterator[dict[str, list[bool]]]:
    if workers <= 1:
        yield from map(_draw_person, tasks)
        return
    context = get_context("spawn")
    workers = min(workers, len(tasks), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,)) as pool:
        yield from pool.map(_draw_person, tasks)


def _draw_person(task: _Task) -> dict[str, list[bool]]:
    """Write the pictures of one person; returns their labels by name."""
    person = DrawnPerson.draw(task.person)
    labels = {}
    for name, shot in zip(
        task.names, sample_shots(task.person, task.seed, len(task.names)), strict=True
    ):
        write_picture(task.folder / name, aligned_picture(person, shot, size=task.size))
        labels[name] = list(shot_attributes(person, shot).values())
    return labels


def _write_lists(
    folder: Path,
    names: Sequence[str],
    labels: dict[str, list[bool]],
    identities: np.ndarray,
    split: np.ndarray,
) -> None:
    """Write the three lists with the spaces and the order of CelebA's own."""
    rows = [
        f"{name} {' '.join(' 1' if label else '-1' for label in labels[name])}" for name in names
    ]
    header = [str(len(names)), " ".join(CELEBA_ATTRIBUTES)]
    lists = {
        "list_attr_celeba.txt": header + rows,
        "identity_CelebA.txt": [f"{n} {k}" for n, k in zip(names, identities, strict=True)],
        "list_eval_partition.txt": [f"{n} {k}" for n, k in zip(names, split, strict=True)],
    }
    for name, lines in lists.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
