"""The whole way on drawn people: photos, a head, a bundle, and a video of visits to recognize.

    python -m benchmarks.demo [--train-base]

Everything is drawn, nothing is downloaded and no camera is needed. The commands are those that a
user types; each is printed before it runs.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.demo_visits import Visitor, frame_to_show, sentence, visitors, write_showpiece
from edge.bundle.locate import shipped_exists
from edge.console.commands import command, quiet_option, seed_option
from edge.console.progress import progress_bar
from edge.errors import InputError, ToolkitError
from edge.files.atomic import atomic_file

ME = 30
"""Seed of the drawn person who enrolls: of 7 to 59 the one whom the shipped base tells apart best.

Chosen with `python -m benchmarks.studies.demo_person`, on the shipped base.
"""

STRANGERS = (901, 902, 903, 904, 905, 906, 907, 908)
"""Seeds of the strangers in the video; they are in no data set of the demo."""

FIRST_OF_COHORT, COHORT_PEOPLE, COHORT_SHOTS = 2000, 300, 2
FIRST_OF_BASE, BASE_PEOPLE, BASE_SHOTS = 4000, 500, 4
"""Drawn people of the cohort and of the training data, apart from each other and from the video."""

BASE_OPTIONS = "--alpha 0.35 --input-size 64 --window wide --margin arcface --epochs 24"
BASE_OPTIONS += " --learning-rate 0.003 --degradation 0.2"

_MAINS = {
    "edge-train": "trainer.cli.main",
    "edge-export": "export.cli.main",
    "edge-recognize": "edge.cli.main",
}


@command(
    "demo",
    examples="""
    python -m benchmarks.demo
    python -m benchmarks.demo --train-base --folder demo
    """,
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder of all files; it replaces those of an earlier demo.",
)
@click.option(
    "--train-base/--shipped-base",
    default=None,
    help="Train a small base on drawn people, or use the shipped one (the default).",
)
@seed_option()
@quiet_option()
def main(folder: Path, train_base: bool | None, seed: int, quiet: bool) -> None:
    """Draw people, enroll one of them, pack a bundle and recognize a drawn video."""
    if train_base is None:
        train_base = not shipped_exists()
    _empty(folder)
    truth, visits = _draw(folder, train_base, seed, quiet)
    base = "shipped"
    if train_base:
        base = str(folder / "base")
        _run(f"edge-train attributes --data {folder}/faces --out {base} {BASE_OPTIONS}", folder)
    cohort = folder / "cohort.npz"
    _run(f"edge-train cohort {folder}/strangers --embedding {base} -o {cohort}", folder)
    run, bundle = folder / "me", folder / "me.edge"
    _run(
        f"edge-train person --photos {folder}/photos --name me --base {base} --cohort {cohort} "
        f"--camera several --out {run}",
        folder,
    )
    _run(f"edge-export pack {run} -o {bundle}", folder)
    video = folder / "visits.mkv"
    printed = _run(
        f"edge-recognize --source {video} --bundle {bundle} --json "
        f"--save {folder}/visits-annotated.avi",
        folder,
        shown=False,
    )
    results = [json.loads(line) for line in printed.splitlines()]
    number = frame_to_show(results, truth, ME)
    pictured = number is not None and write_showpiece(
        folder / "visits-annotated.avi", results[number], number, folder / "annotated.png"
    )
    _report(folder, visitors(results, truth, visits, ME), results, train_base, pictured)


def _empty(folder: Path) -> None:
    """Remove what an earlier demo left; a folder of anything else is refused."""
    mark = folder / ".edge-demo"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise InputError(f"{folder} holds something else", hint="name a new folder by --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mark.touch()


def _draw(folder: Path, train_base: bool, seed: int, quiet: bool) -> tuple[Any, list[Any]]:
    """Draw photos, strangers, a video, and faces to train on where needed.

    Returns the video's truth and its visits.
    """
    from trainer.drawn import DrawnPerson
    from trainer.drawn.dataset import write_celeba, write_photos
    from trainer.drawn.video import Visit, write_video

    click.echo("Drawing people: nobody of them exists.")
    me = DrawnPerson.draw(ME)
    write_photos(folder / "photos", me, shots=24, seed=seed)
    sets = [("strangers", COHORT_PEOPLE, COHORT_SHOTS, FIRST_OF_COHORT)]
    if train_base:
        sets.append(("faces", BASE_PEOPLE, BASE_SHOTS, FIRST_OF_BASE))
    for name, people, shots, first in sets:
        with progress_bar(f"drawing {name}", people * shots, quiet=quiet) as bar:
            write_celeba(
                folder / name,
                people=people,
                shots_per_person=shots,
                seed=seed,
                first_person=first,
                workers=2,
                progress=lambda done, total: bar.advance(1),
            )
    others = [DrawnPerson.draw(number) for number in STRANGERS]
    visits = [
        Visit((me,), 4.0),
        Visit((others[0],), 3.0),
        Visit((others[1], me), 4.0),
        Visit((others[2],), 3.0),
        Visit((others[3],), 3.0),
        Visit((me,), 3.0),
        Visit((others[4],), 3.0),
        Visit((me, others[5]), 4.0),
        Visit((others[6],), 3.0),
        Visit((others[7],), 3.0),
    ]
    truth = write_video(folder / "visits.mkv", visits, seed=seed)
    truth.write(folder / "visits-truth.json")
    return truth, visits


def _run(line: str, folder: Path, *, shown: bool = True) -> str:
    """Run one command as a user would; returns its standard output.

    Raises `ToolkitError` when it fails; its own words are on the screen or in the log then.
    """
    click.echo(f"\n$ {line}")
    name, *arguments = shlex.split(line)
    code = f"from {_MAINS[name]} import main; main(prog_name={name!r})"
    with (folder / "demo.log").open("a") as log:
        log.write(f"$ {line}\n")
        log.flush()
        # progress and the last words go to the terminal, what libraries mutter to the log
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.PIPE,
            stderr=None if sys.stderr.isatty() else log,
            text=True,
            check=False,
        )
        log.write(done.stdout if shown else "")
    if done.returncode:
        raise ToolkitError(
            f"'{line.split(' --')[0]}' ended with exit code {done.returncode}",
            hint=f"see {folder / 'demo.log'}",
        )
    if shown:
        click.echo(done.stdout.rstrip())
    return done.stdout


def _report(
    folder: Path,
    found: Sequence[Visitor],
    results: Sequence[dict[str, Any]],
    trained: bool,
    pictured: bool,
) -> None:
    """Print the table by visits and by frames, beside what trivial recognizers would do."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Who was recognized as me", title_justify="left")
    for heading in ("who", "visits", "recognized", "first after", "frames", "accepted"):
        table.add_column(heading, justify="left" if heading == "who" else "right")
    for me in (True, False):
        own = [visitor for visitor in found if visitor.me == me]
        waits_s = [visitor.first_s for visitor in own if visitor.first_s is not None]
        faces = sum(visitor.faces for visitor in own)
        matches = sum(visitor.matches for visitor in own)
        table.add_row(
            "me" if me else f"{len(own)} strangers",
            str(len(own)),
            str(len(waits_s)),
            f"{float(np.median(waits_s)):.1f} s" if waits_s else "-",
            str(faces),
            f"{matches} ({100 * matches / max(1, faces):.0f} %)",
        )
    mine = sum(visitor.me for visitor in found)
    times = [result["latency_ms"]["total"] for result in results]
    p50, p95 = (float(np.percentile(times, percent)) for percent in (50, 95))
    summary = {
        "drawn": True,
        "base": "trained here on drawn faces" if trained else "shipped",
        "result": sentence(found),
        "visitors": [vars(visitor) for visitor in found],
        "latency_ms": {"p50": p50, "p95": p95, "frames": len(times)},
    }
    with atomic_file(folder / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n")
    picture = f"{folder}/annotated.png, " if pictured else ""
    click.echo(f"\n{sentence(found)}\n")
    Console(highlight=False).print(table)
    click.echo(
        f"Accepting everybody is right in {mine} of {len(found)} visits, accepting nobody in "
        f"{len(found) - mine}.\nLatency of a frame: {p50:.1f} ms at the median, {p95:.1f} ms at "
        f"p95 of {len(times)} frames, tracked ones included.\n\n"
        f"Look at {picture}{folder}/visits-annotated.avi and {folder}/me/report.html.\n\n"
        'These people are drawn, and "me" is one that the base tells apart well: the figures say '
        "nothing about real faces. With your own photos and camera:\n\n"
        "  edge-train person --photos ~/photos/me --name me --out runs/me\n"
        "  edge-export pack runs/me -o me.edge\n"
        "  edge-recognize --camera 0 --bundle me.edge"
    )


if __name__ == "__main__":
    main()
