"""Many heads: how long a decision takes, and how much memory, by the number of people in a bundle;
and how long it takes to enroll one more.

python -m benchmarks.studies.many_heads
python -m benchmarks.studies.many_heads --enrolling 1 100 1000
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

import click
import numpy as np

from edge.heads.threshold import ONE

if TYPE_CHECKING:
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

LOOKS = 15
"""Of each person."""


def some_heads(count: int, cohort: Cohort) -> list[Head]:
    """One head as enrolment makes it, for strangers of the cohort, and copies of it that look along
    other directions: as large and as slow as heads of others, which is all that is timed."""
    from edge.heads.enrol import enrol

    rng = np.random.default_rng(0)
    looks = cohort.vectors()[:1] + 0.3 * rng.normal(size=(LOOKS, cohort.size)) / cohort.size**0.5
    looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
    first = enrol("p0", looks, np.arange(LOOKS), cohort)
    heads = [first]
    for number in range(1, count):
        order = rng.permutation(cohort.size)
        layer = replace(first.layers[0], weights=first.layers[0].weights[order])
        kind = replace(first.normalization, rows=first.normalization.rows[:, order])
        heads.append(replace(first, name=f"p{number}", layers=(layer,), normalization=kind))
    return heads


def enrolling_row(count: int) -> str:
    """What one more person costs a device that knows `count`: thresholds of all, set again; what is
    kept on the disk; and all of it, with the new head."""
    from edge.bundle.locate import shipped_bundle
    from edge.heads.calibration import recalibrate
    from edge.heads.enrol import Album
    from edge.people.encryption import Encryption
    from edge.people.registry import Registry
    from edge.people.store import People, Person, save_people

    with shipped_bundle() as bundle, tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "people"
        cohort = bundle.cohort()
        assert cohort is not None
        rng = np.random.default_rng(1)
        nobody = np.zeros((0, cohort.size), np.float32), np.zeros(0, np.int64)

        def album(seen: np.ndarray) -> Album:
            looks = seen + 0.3 * rng.normal(size=(LOOKS, cohort.size)) / cohort.size**0.5
            looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
            varied = np.repeat(looks, 8, axis=0)
            return Album(looks, np.arange(LOOKS), varied, np.repeat(np.arange(LOOKS), 8))

        faces = cohort.vectors()
        heads = recalibrate(some_heads(count, cohort), cohort)
        persons = tuple(Person(head, album(faces[0]), *nobody) for head in heads)
        save_people(folder, People(persons, bundle.embedder.sha256), Encryption())
        Registry(bundle, folder=folder).settle()
        before = {path.name for path in folder.iterdir()}
        register = Registry(bundle, folder=folder)
        register.cohort()
        started = process_time()
        people = register.with_looks("new", album(faces[1]), camera=ONE, one_sitting=True)
        fitted = process_time()
        register.keep(people)
        kept = process_time()
        recalibrate(register.heads, cohort)
        again = process_time()
        written = len({path.name for path in folder.iterdir()} - before)
        return (
            f"| {count:,} | {again - kept:.2f} | {kept - fitted:.2f} | {kept - started:.2f} | "
            f"{written} |"
        )


def frame_rows(clip: Path, counts: tuple[int, ...]) -> None:
    """What a frame of a clip costs with so many heads: followed as a device does, and each frame
    alone; one thread, in turns, the least of five rounds."""
    import cv2

    from edge.bundle.locate import shipped_bundle
    from edge.recognition.recognizer import Recognizer
    from edge.sources.files import file_source
    from edge.tracking.follower import Follower

    cv2.setNumThreads(1)
    with file_source(clip) as source:
        images = [frame.image_bgr for frame in source if frame.image_bgr is not None]
    with shipped_bundle() as bundle:
        cohort = bundle.cohort()
        assert cohort is not None
        heads = some_heads(max(counts), cohort)
        opened = {n: Recognizer.open(bundle, threads=1, heads=heads[:n]) for n in counts}
    spent_ms: dict[tuple[int, str], list[float]] = {}
    for number in range(6):
        for count, recognizer in opened.items():
            follower = Follower()
            began = process_time()
            for frame, image in enumerate(images):
                follower.follow(recognizer, image, frame / 30)
            followed = process_time()
            for image in images[::3]:
                recognizer.recognize(image)
            ended = process_time()
            if number:  # the first round warms up
                whole_s = (followed - began) / len(images)
                alone_s = (ended - followed) / len(images[::3])
                spent_ms.setdefault((count, "followed"), []).append(1000 * whole_s)
                spent_ms.setdefault((count, "alone"), []).append(1000 * alone_s)
    click.echo(f"Processor milliseconds a frame, {len(images)} frames:\n")
    click.echo("| heads | followed | times the first | each frame alone | times the first |")
    click.echo("|---|---|---|---|---|")
    first = {kind: min(spent_ms[counts[0], kind]) for kind in ("followed", "alone")}
    for count in counts:
        shown = {kind: min(spent_ms[count, kind]) for kind in first}
        cells = (f"{ms:.2f} | {ms / first[kind]:.3f}" for kind, ms in shown.items())
        click.echo(f"| {count:,} | {' | '.join(cells)} |")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=click.IntRange(1), default=30)
@click.option("--clip", type=click.Path(exists=True), help="Time whole frames of this video.")
@click.option("--enrolling", is_flag=True, help="Time what one more person costs.")
@click.argument("counts", type=click.IntRange(1), nargs=-1)
def main(rounds: int, clip: str | None, enrolling: bool, counts: tuple[int, ...]) -> None:
    """Time the decision on one look for COUNTS heads, by default 1, 100, 1,000 and 10,000."""
    if enrolling:
        click.echo("Processor seconds:\n")
        click.echo("| people here | thresholds | kept | the whole enrolment | files written |")
        click.echo("|---|---|---|---|---|")
        for count in counts or (1, 100, 1000):
            click.echo(enrolling_row(count))
        return
    if clip is not None:
        frame_rows(Path(clip), counts or (1, 1000))
        return
    from edge.heads.decision import HeadScore, decide
    from edge.heads.together import HeadsTogether
    from trainer.cohort.choose import find_cohort
    from trainer.inference.source import open_subject

    cohort = find_cohort(open_subject("shipped").embedder)
    looks = cohort.vectors()[:rounds]
    click.echo("Processor milliseconds for one look:\n")
    click.echo("| heads | one by one | together | ratio | rows, MB | same decisions |")
    click.echo("|---|---|---|---|---|---|")
    for count in counts or (1, 100, 1000, 10000):
        heads = some_heads(count, cohort)
        together = HeadsTogether(heads)
        alone_ms, joint_ms, same = [], [], 0
        for look in looks:
            started = process_time()
            wanted = decide(
                [
                    HeadScore(h.name, float(h.score(look[None])[0]), h.threshold, h.margin, h.key)
                    for h in heads
                ]
            )
            between = process_time()
            found = decide(together.scores(look))
            ended = process_time()
            alone_ms.append(1000 * (between - started))
            joint_ms.append(1000 * (ended - between))
            same += found == wanted
        ratio = median(a / j for a, j in zip(alone_ms, joint_ms, strict=True))
        size_mb = sum(4 * h.normalization.rows.size for h in heads) / 1e6
        click.echo(
            f"| {count:,} | {median(alone_ms):.2f} | {median(joint_ms):.2f} | {ratio:.1f} | "
            f"{size_mb:.1f} | {same} of {len(looks)} |"
        )


if __name__ == "__main__":
    main()
