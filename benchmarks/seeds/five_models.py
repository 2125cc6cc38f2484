"""Seed 3: five models in one table on 32 attributes, with one split for all."""

from __future__ import annotations

from benchmarks.seeds.stage import Row, Stage, accuracy_row
from edge.models.run_record import Run
from trainer.drawn.attributes import CELEBA_ATTRIBUTES
from trainer.run_folder import SPLIT_LIST

TITLE = "five models of 32 attributes in one table"

LEFT_OUT = (
    *("Attractive", "Blurry", "Oval_Face", "Pointy_Nose"),
    *("Big_Lips", "Narrow_Eyes", "Rosy_Cheeks", "Wearing_Necklace"),
)
"""Eight of the forty: what people label least alike."""


def play(stage: Stage) -> None:
    """A plain network, the same with callbacks and with thresholds, a residual one, VGG16 frozen
    and fine-tuned; each run lists its split."""
    names = [name for name in CELEBA_ATTRIBUTES if name not in LEFT_OUT]
    kept = " ".join(f"--attributes {name}" for name in names)
    shared = f"--embedding-size 0 --window wide {kept}"
    cnn = f"{shared} --arch cnn-32 --input-size 192"
    vgg = f"{shared} --arch keras:VGG16 --input-size 48 --weights none --learning-rate 0.0003"
    runs = {
        "CNN": stage.train("cnn", f"{cnn} --epochs {stage.epochs} --schedule constant"),
        "CNN with callbacks": stage.train(
            "callbacks", f"{cnn} --epochs {2 * stage.epochs} --schedule plateau --early-stopping 3"
        ),
        "residual": stage.train(
            "residual", f"{shared} --arch resnet --input-size 64 --epochs {stage.epochs}"
        ),
        "VGG16, features alone": stage.train(
            "vgg-features", f"{vgg} --freeze -1 --epochs {stage.epochs}"
        ),
        "VGG16, fine-tuned": stage.train("vgg", f"{vgg} --epochs {stage.epochs}"),
    }
    for name, run in runs.items():
        stage.compare(accuracy_row(name, run, "accuracy without the majority beside it"))
        if name == "CNN with callbacks":
            stage.compare(_tuned("CNN with callbacks and thresholds", run))
    zeros = _zeros(runs["CNN"])
    stage.compare(Row("always “no”", "not stated", f"{zeros:.3f}", "–", "their data: 78 % zeros"))
    lists = {(stage.folder / f / SPLIT_LIST).read_bytes() for f in
             ("cnn", "callbacks", "residual", "vgg-features", "vgg")}  # fmt: skip
    stage.compare(
        Row("different splits in five runs", "5", "–", str(len(lists)), f"{len(runs)} runs")
    )
    learned = [name for name, run in runs.items() if not run.learned_something]
    said = "; ".join(
        f"{name}: {text}" for name in learned for text in runs[name].warnings if "useful" in text
    )
    if learned:
        stage.judge(
            "a model that does no better than always “no”", True, said, "learned nothing useful"
        )


def _tuned(what: str, run: Run) -> Row:
    said = run.figures.to_json()
    figures, half = said["attributes"], said["attributes_at_half"]
    test = run.data["parts"]["test"]
    return Row(
        what,
        "accuracy alone",
        "0.5 (balanced)",
        f"{figures['balanced_accuracy']:.3f} balanced (at 0.5: {half['balanced_accuracy']:.3f})",
        f"{test['pictures']} pictures of {test['people']} people",
    )


def _zeros(run: Run) -> float:
    """Share of labels that are 0, of the people who test."""
    figures = run.figures.to_json()["attributes"]["per_attribute"].values()
    known = [one for one in figures if one["images"]]
    return 1.0 - sum(one["positive_share"] for one in known) / len(known)
