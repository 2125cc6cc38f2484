"""An album of one person and of many copies of few photos, as earlier projects made it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.files.image import read_picture, write_picture

PHOTOS = 21
"""Of the student who made 6,642 pictures of them."""

ME = 7


def write_me(folder: Path, shots: int = PHOTOS, seed: int = 0, person: int = ME) -> Path:
    """Photos of one drawn person."""
    from trainer.drawn import DrawnPerson
    from trainer.drawn.dataset import write_photos

    write_photos(folder, DrawnPerson.draw(person), shots=shots, seed=seed)
    return folder


def write_copies(photos: Path, folder: Path, each: int, seed: int = 0) -> int:
    """`each` copies of every photo, turned, mirrored, zoomed, moved and stretched as Keras' image
    generator does, without any mark; returns how many there are.
    """
    from trainer.training.augmentation import Augmentation, augment_picture, wider

    settings = wider(Augmentation(), rotation=20.0, zoom=0.2, shift=0.1, stretch=0.1)
    rng = np.random.default_rng(seed)
    files = sorted(photos.iterdir())
    for path in files:
        image = read_picture(path)
        for number in range(each):
            write_picture(
                folder / f"{path.stem}-{number:03d}.jpg", augment_picture(image, settings, rng)
            )
    return each * len(files)


def split_afterwards(copies: Path, others: list[Path], folder: Path, seed: int = 0) -> None:
    """The mistake itself: copies and others mixed, and only then parted into train and test."""
    rng = np.random.default_rng(seed)
    for name, files in (("me", sorted(copies.iterdir())), ("others", others)):
        for path in files:
            part = "test" if rng.random() < 0.2 else "train"
            target = folder / part / name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path.resolve())
