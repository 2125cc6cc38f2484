"""Seed 2: a loss that becomes NaN, a generator of pictures, and its pictures as test pictures."""

from __future__ import annotations

from benchmarks.seeds.album import write_me
from benchmarks.seeds.stage import Row, Stage, accuracy_row

TITLE = "categorical cross-entropy on forty labels at once, and a generator's pictures"

RANGES = "--rotation 20 --zoom 0.2 --shift 0.1 --stretch 0.1"
EACH = 5


def play(stage: Stage) -> None:
    """The loss by its name, the generator's ranges, its pictures as files, and these as a test."""
    stage.provoke(
        "categorical cross-entropy on labels of which several hold at once (their loss: NaN)",
        f"edge-train attributes --data {stage.faces()} --loss categorical_crossentropy "
        f"--out {stage.folder / 'nan'} -q",
        "a face has several at once",
        "NaN",
    )
    size = "--arch cnn-32 --input-size 192 --window wide --embedding-size 0"
    base = stage.train("ranges", f"{size} --epochs {stage.epochs} --degradation 0 {RANGES}")
    stage.compare(accuracy_row("40 attributes with their generator's ranges", base, "NaN"))
    photos = write_me(stage.folder / "photos", shots=12, seed=3, person=30)
    more, run = stage.folder / "augmented", stage.folder / "me"
    stage.play(
        f"edge-train person --photos {photos} --name me --camera several --export-augmented {more} "
        f"--per-photo {EACH} {RANGES} --out {run} -q"
    )
    count = len(list(more.iterdir()))
    stage.provoke(
        f"{count} augmented pictures as test pictures",
        f"edge-train evaluate-person {run} --photos {more} -q",
        "an augmented copy of another photo",
    )
    stage.compare(
        Row("augmented pictures that pass as a test", "all", "100 %", "0", f"{count} pictures")
    )
