"""`python -m benchmarks.seeds`: five historical systems, each beside ours."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import click

from benchmarks.seeds import copied_photos, five_models, nan_loss, sunglasses, three_losses
from benchmarks.seeds.stage import Play, Stage, show
from edge.console.commands import PATH, command, out_option, quiet_option, seed_option
from edge.errors import GateFailed, InputError
from edge.files.atomic import atomic_file

SEEDS: dict[int, tuple[str, Play]] = {
    1: (copied_photos.TITLE, copied_photos.play),
    2: (nan_loss.TITLE, nan_loss.play),
    3: (five_models.TITLE, five_models.play),
    4: (three_losses.TITLE, three_losses.play),
    5: (sunglasses.TITLE, sunglasses.play),
}


@command(
    "seeds",
    examples="""
    python -m benchmarks.seeds
    python -m benchmarks.seeds 2 5
    python -m benchmarks.seeds 5 --cmu faces --weights mobilenet_v2_notop.weights.h5
    python -m benchmarks.seeds 1 --data ~/celeba --copies 316
    """,
)
@click.argument("numbers", type=click.IntRange(1, 5), nargs=-1, metavar="[1-5]...")
@click.option(
    "--data", type=PATH, metavar="CELEBA_DIR", help="Use these real faces; by default drawn ones."
)
@click.option("--cmu", type=PATH, metavar="DIR", help="Folder of CMU Face Images, for seed 5.")
@click.option(
    "--weights", type=PATH, metavar="FILE", help="Weights of MobileNetV2 from ImageNet, for seed 5."
)
@click.option(
    "--copies",
    type=click.IntRange(2),
    default=8,
    help="Copies of each photo; the original had 316.",
)
@click.option("--epochs", type=click.IntRange(1), default=4, help="Epochs of each training.")
@click.option(
    "--people",
    type=click.IntRange(48),
    default=120,
    help="Number of drawn people, with 4 images each.",
)
@click.option("--folder", type=PATH, default=Path("seeds"), help="Folder of all files.")
@out_option(help="Save the tables as JSON.")
@seed_option()
@quiet_option()
def main(numbers: tuple[int, ...], folder: Path, out: Path | None, **options: Any) -> None:
    """Play what five people tried to build: their figure, the trivial one and ours, with N.

    Each of their mistakes is made again on stage; where the product does not name one, the command
    ends with 1.
    """
    mark = folder / ".edge-seeds"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise InputError(f"{folder} holds something else", hint="name a new folder by --folder")
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    played: list[tuple[int, str, Stage, float]] = []
    for number in numbers or tuple(SEEDS):
        title, play = SEEDS[number]
        own = folder / str(number)
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        stage, began = Stage(own, **options), time.monotonic()
        click.echo(f"\nSeed {number}: {title}")
        play(stage)
        played.append((number, title, stage, time.monotonic() - began))
    tables = []
    for number, title, stage, seconds in played:
        tables.append({**show(number, title, stage), "seconds": round(seconds)})
        click.echo(f"\n{seconds:.0f} s")
    if out is not None:
        with atomic_file(out) as temporary:
            temporary.write_text(json.dumps(tables, indent=1) + "\n", "utf-8")
    missed = [one.what for _, _, stage, _ in played for one in stage.mistakes if not one.caught]
    if missed:
        raise GateFailed(f"{len(missed)} mistakes were not named: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
