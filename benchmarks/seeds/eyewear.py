"""Pictures with glasses and without: CMU's faces sorted, or drawn people."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from benchmarks.seeds.stage import Stage

FIRST = 5000
SHOTS = 4


def with_and_without(stage: Stage, folder: Path, people: int) -> tuple[Path, Path, str]:
    """A folder for each answer, and the pattern that says whose picture a file is."""
    if stage.cmu is not None:
        return *_sorted_cmu(stage.cmu, folder), "^[a-z0-9]+"
    return *_drawn(folder, people), "^p[0-9]+"


def _sorted_cmu(cmu: Path, folder: Path) -> tuple[Path, Path]:
    """The pictures in full size by eyewear; smaller copies and spoilt ones (`.bad`) aside."""
    for path in sorted(cmu.rglob("*")):
        if not path.is_file():
            continue
        if path.suffix != ".pgm":
            place = "spoilt"
        elif path.stem.endswith(("_2", "_4")):
            place = "smaller"
        else:
            place = "with" if path.stem.endswith("_sunglasses") else "without"
        target = folder / place / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    return folder / "with", folder / "without"


def _drawn(folder: Path, people: int) -> tuple[Path, Path]:
    """Every drawn person, once with dark glasses and once without."""
    from trainer.drawn import DrawnPerson
    from trainer.drawn.dataset import write_photos

    for number in range(people):
        person = replace(DrawnPerson.draw(FIRST + number), hat=None, glasses_rgb=(10, 10, 10))
        for name, glasses in (("with", "square"), ("without", None)):
            shown = replace(person, glasses=glasses, glasses_habit=1.0)
            own = folder / "drawn" / name / str(number)
            for path in write_photos(own, shown, shots=SHOTS, seed=number, size_px=240):
                target = folder / name / f"p{number:02d}-{path.name}"
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
    return folder / "with", folder / "without"
