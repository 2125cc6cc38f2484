"""Ana, a drawn person enrolled and packed by the product itself, once a session."""

from __future__ import annotations

import fcntl
from pathlib import Path

import export
import trainer
from edge.files.atomic import atomic_folder
from edge.files.image import write_picture
from trainer.drawn import DrawnPerson, Shot, Visit, render, write_photos, write_video

ANA = 3
"""Seed of a drawn person whom the shipped base tells apart from other drawn people."""


def make_ana(folder: Path) -> Path:
    """The folder `ana` in `folder`, made by the first process that asks; see the fixture `ana`."""
    target = folder / "ana"
    with (folder / "ana.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            with atomic_folder(target) as made:
                _fill(made)
    return target


def _fill(folder: Path) -> None:
    person = DrawnPerson.draw(ANA)
    write_photos(folder / "photos", person, shots=12, seed=3)
    run = folder / "runs" / "ana"
    trainer.enrol_person(folder / "photos", name="ana", out=run, camera="several")
    export.pack(run, folder / "ana.edge")
    write_picture(folder / "ana.jpg", render(person, Shot(), size_px=320))
    write_video(folder / "clip.mkv", [Visit((person,), 2.0)], seed=1)
