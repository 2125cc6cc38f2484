"""Seed 1: a small network at 192 px, gone on with from a saved file, 6,642 copies of 21 photos."""

from __future__ import annotations

from benchmarks.seeds.album import PHOTOS, split_afterwards, write_copies, write_me
from benchmarks.seeds.eyewear import with_and_without
from benchmarks.seeds.stage import Row, Stage, accuracy_row, load_json

TITLE = "cnn-16 at 192 px, twice as many epochs from a saved file, one unit that says “me”"

SMALL = "--arch cnn-16 --input-size 192 --embedding-size 0 --window wide --schedule constant"
OTHERS = 40
PEOPLE = 12


def play(stage: Stage) -> None:
    """Train, go on from an old file with another rate, and split 21 photos after copying them."""
    first = stage.train("first", f"{SMALL} --epochs {stage.epochs} --save-format h5")
    stage.compare(accuracy_row("40 attributes, first epochs", first, "not stated"))
    saved = stage.folder / "first" / "model.h5"
    more = stage.train(
        "second",
        f"{SMALL} --epochs {stage.epochs} --start-from {saved} --learning-rate 0.0003",
    )
    stage.compare(accuracy_row("40 attributes, as many again from the .h5", more, "not stated"))
    _one_unit(stage)
    photos = write_me(stage.folder / "photos")
    copies = stage.folder / "copies"
    count = write_copies(photos, copies, stage.copies)
    others = sorted((stage.faces() / "img_align_celeba").iterdir())[:OTHERS]
    mixed = stage.folder / "split-afterwards"
    split_afterwards(copies, others, mixed)
    stage.provoke(
        f"{PHOTOS} photos augmented to {count}, joined with {OTHERS} others, split afterwards",
        f"edge-train person --photos {mixed} --name me --out {stage.folder / 'leak'} -q",
        "of the photos is also",
        "independent photos",
    )
    stage.play(
        f"edge-train person --photos {copies} --name me --camera several "
        f"--out {stage.folder / 'me'} -q"
    )
    facts = load_json(stage.folder / "me" / "report.json")["calibration"]
    stage.compare(
        Row(
            "independent photos of “me”",
            "6,642",
            str(count),
            str(facts["groups"]),
            f"{count} copies of {PHOTOS} photos",
        )
    )


def _one_unit(stage: Stage) -> None:
    """One unit on the flattened features of the frozen network. A softmax over two units is the
    same head: its answer is the difference of both.
    """
    positive, negative, pattern = with_and_without(stage, stage.folder / "eyes", PEOPLE)
    run = stage.folder / "unit"
    stage.play(
        f"edge-train person --positive {positive} --negative {negative} --name glasses "
        f"--group-regex '{pattern}' --base {stage.folder / 'second'} --head linear --out {run} -q"
    )
    facts = load_json(run / "report.json")["figures"]
    stage.compare(
        Row(
            "one unit on 64 frozen features, people disjoint",
            "not stated",
            f"{facts['majority_accuracy']:.3f}",
            f"{facts['accuracy']:.3f}",
            f"{facts['positive'] + facts['negative']} faces of {facts['groups']} people",
        )
    )
