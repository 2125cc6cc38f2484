"""Seed 4: one network with three losses, and a head of 4,353 parameters on its convolutions."""

from __future__ import annotations

from benchmarks.seeds.eyewear import with_and_without
from benchmarks.seeds.stage import Row, Stage, accuracy_row, load_json

TITLE = "cnn-32 with three losses, and a head of 4,353 parameters"

SMALL = "--arch cnn-32 --input-size 192 --embedding-size 0 --window wide --schedule constant"
MOST_IDLE_EPOCHS = 1

HEAD = "4,353"
"""Trainable parameters of 128 sigmoid units and one unit on 32 features."""

PEOPLE = 12


def play(stage: Stage) -> None:
    """Three losses with curves for TensorBoard, and a base that answers the majority, named."""
    runs = {}
    for loss in ("bce", "focal", "mse"):
        board = stage.folder / "curves" / loss
        runs[loss] = stage.train(
            loss, f"{SMALL} --epochs {2 * stage.epochs} --loss {loss} --tensorboard {board}"
        )
        stage.compare(accuracy_row(f"40 attributes, loss {loss}", runs[loss], "the majority's"))
        stage.compare(
            Row(
                f"curves of {loss} for TensorBoard",
                "1",
                "–",
                str(len(list(board.glob("events*")))),
                f"{2 * stage.epochs} epochs",
            )
        )
    _head(stage)
    idle = stage.train(
        "idle", f"{SMALL} --epochs {MOST_IDLE_EPOCHS} --optimizer sgd --learning-rate 1e-9"
    )
    stage.judge(
        "a base whose accuracy is the majority's, taken for trained",
        not idle.learned_something,
        " ".join(idle.warnings),
        "learned nothing useful",
    )


def _head(stage: Stage) -> None:
    """Dense 128 and Dense 1 on the frozen convolutions, packed and run as a device runs it."""
    base, run = stage.folder / "bce", stage.folder / "glasses"
    positive, negative, pattern = with_and_without(stage, stage.folder / "eyes", PEOPLE)
    said = stage.play(
        f"edge-train person --positive {positive} --negative {negative} --name glasses "
        f"--group-regex '{pattern}' --base {base} --head dense-128 --out {run} -q"
    ).said
    facts = load_json(run / "report.json")["figures"]
    found = next((line.strip() for line in said.splitlines() if "parameters" in line), "not said")
    stage.compare(Row("parameters of the head", HEAD, "1", found, "one head"))
    stage.compare(
        Row(
            "its accuracy, people disjoint",
            "not stated",
            f"{facts['majority_accuracy']:.3f}",
            f"{facts['accuracy']:.3f}",
            f"{facts['positive'] + facts['negative']} faces of {facts['groups']} people",
        )
    )
    bundle = stage.folder / "glasses.edge"
    stage.play(f"edge-export pack {base} --head {run} -o {bundle} -q")
    tested = stage.play(f"edge-recognize self-test {bundle}")
    stage.compare(
        Row("packed, and run on a device", "no", "–", tested.out.strip().splitlines()[-1], "1 file")
    )
