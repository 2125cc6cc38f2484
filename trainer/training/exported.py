"""Augmented pictures as files: what training sees of each photo, one by one, to look at or to feed
to other programs. Each bears a mark, see `trainer.photos.augmented`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.console.overwriting import refuse_existing
from edge.console.progress import progress
from edge.errors import InputError, PictureError
from edge.files.atomic import atomic_folder
from edge.files.image import read_picture
from edge.files.model_file import sha256_of
from trainer.photos.augmented import marked, source_of
from trainer.training.augmentation import Augmentation, augment_picture

_LOG = logging.getLogger("edge.trainer")

_QUALITY = 95


def export_augmented(
    photos: Sequence[Path],
    folder: Path,
    *,
    per_photo: int,
    settings: Augmentation,
    seed: int = 0,
    quiet: bool = True,
) -> int:
    """Write `per_photo` augmented pictures of each photo, `NAME-augmented-1.jpg` and following;
    returns how many. The same seed gives the same pictures.

    Raises `InputError` where the folder exists, where a photo is an augmented picture itself, and
    where none can be decoded.
    """
    refuse_existing(folder)
    count = 0
    with atomic_folder(folder) as made:
        for number, path in enumerate(progress(photos, label="augmenting", quiet=quiet)):
            if source_of(path) is not None:
                raise InputError(
                    f"{path} is an augmented picture itself", hint="give the photos alone"
                )
            try:
                image = read_picture(path)
            except PictureError as problem:
                _LOG.warning("left out: %s", problem.message)
                continue
            digest = sha256_of(path.read_bytes())
            for copy in range(per_photo):
                rng = np.random.Generator(np.random.Philox(key=[seed, number], counter=copy))
                picture = augment_picture(image, settings, rng)
                _write(_name(made, path, number, copy), picture, digest)
                count += 1
        if not count:
            raise InputError(f"none of the {len(photos)} pictures can be decoded")
    return count


def _name(folder: Path, photo: Path, number: int, copy: int) -> Path:
    """Photos of two folders may be called alike."""
    end = f"augmented-{copy + 1}.jpg"
    first = folder / f"{photo.stem}-{end}"
    return first if not first.exists() else folder / f"{photo.stem}-{number}-{end}"


def _write(path: Path, image_bgr: np.ndarray, source_sha256: str) -> None:
    encoded = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    path.write_bytes(marked(encoded.tobytes(), source_sha256))
