"""Seed 5: sunglasses, a network straight from ImageNet, with the same people on both sides."""

from __future__ import annotations

from benchmarks.seeds.eyewear import with_and_without
from benchmarks.seeds.stage import Row, Stage, load_json

TITLE = "sunglasses, by a network straight from ImageNet"

DRAWN_PEOPLE = 24


def play(stage: Stage) -> None:
    """Whole people on one side, every picture counted; then without names: warned about."""
    folder = stage.folder
    positive, negative, pattern = with_and_without(stage, folder / "eyes", DRAWN_PEOPLE)
    theirs = "0.93, the same people on both sides"
    weights = "none" if stage.weights is None else str(stage.weights)
    size = "--input-size 128" if stage.weights is not None else "--input-size 64 --alpha 0.35"
    if stage.weights is None:  # nothing to stand on: all of it is trained
        size += " --from-layer 0 --finetune-rate 0.001 --optimizer adam"
        size += f" --epochs 1 --finetune-epochs {3 * stage.epochs}"
    out = folder / "direct"
    stage.play(
        f"edge-train direct --positive {positive} --negative {negative} --name sunglasses "
        f"--group-regex '{pattern}' --weights {weights} {size} --out {out} -q"
    )
    figures = load_json(out / "report.json")["figures"]
    stage.compare(
        Row(
            "accuracy, all pictures counted, people disjoint",
            theirs,
            f"{figures['majority_accuracy']:.3f}",
            f"{figures['accuracy']:.3f}",
            f"{figures['pictures']} pictures of {figures['groups']} people",
        )
    )
    for one in figures["files"]:
        stage.compare(
            Row(
                f"{one['name']}, {one['size_bytes'] / 1e6:.1f} MB, answers as the network",
                "one file",
                "–",
                f"{one['same']:.4f}",
                f"{figures['pictures']} pictures",
            )
        )
    done = stage.play(
        f"edge-train person --positive {positive} --negative {negative} --name sunglasses "
        f"--out {folder / 'unnamed'} -q"
    )
    stage.judge(
        "the same people on both sides, nobody told apart",
        "warning" in done.said,
        done.said,
        "--group-regex",
    )
