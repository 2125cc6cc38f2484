"""Strangers accepted by group: origin, age, sex and glasses, of people whom no threshold knew.

python -m benchmarks.scaling.group_far ../shared

Heads of the people of `data/people` whom the base was not trained on, against one half of the
shipped cohort. Strangers are the faces of the other half, found again among the files that they are
of, since names say origin, age and sex, and the held-out people of CelebA with their labels.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cv2
import numpy as np

from edge.errors import RefusedError

if TYPE_CHECKING:
    from benchmarks.studies.person_data import Bench, Judged, Shown
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head

SAME_FACE = 0.9
"""Cosine from which a face of a file is the cohort's: crops differ by a pixel."""

ATTRIBUTES = ("Male", "Young", "Eyeglasses", "Pale_Skin")


def halves(cohort: Cohort) -> tuple[Cohort, Cohort]:
    """By identity, each with strangers who train and who set thresholds."""
    from edge.heads.cohort import trains

    first = trains(cohort.identity, seed=7)
    return cohort.select(first), cohort.select(~first)


def sides_of(path: Path) -> dict[str, str]:
    """What a file's name of `more-faces` tells of the face: kind of division to side of it."""
    source, stem = path.parts[0], path.stem
    if source == "utkface":
        age, sex, origin, *_ = stem.split("_")
        names = ("white", "black", "Asian", "Indian", "other origins")
        return {
            "origin (web)": names[int(origin)],
            "sex (web)": ("men", "women")[int(sex)],
            "age (web)": _age(int(age)),
        }
    if source == "scut":
        kind = {"A": "Asian", "C": "Caucasian"}[stem[0]]
        return {
            "origin (portraits)": kind,
            "sex (portraits)": {"F": "women", "M": "men"}[stem[1]],
        }
    return {"age (East Asian)": _age(int(stem.split("A")[1]))}


def _age(years: int) -> str:
    return "under 20" if years < 20 else "20 to 49" if years < 50 else "50 on"


def of_files(bench: Bench, shared: Path, other: Cohort) -> tuple[Judged, list[dict[str, str]]]:
    """The held-out faces that are of a half of the cohort, and the sides that each is on."""
    from benchmarks.shipped_base.groups import held_out_groups, unpack
    from benchmarks.studies.person_data import Shown
    from edge.files.image import read_picture
    from edge.heads.camera_shift import plain_rows

    groups = held_out_groups(shared)
    source_of = {Path(n).name: Path(n) for names in groups.values() for n in names}

    with tempfile.TemporaryDirectory() as place:
        unpack(shared, groups, Path(place) / "faces")
        files = sorted((Path(place) / "faces").rglob("*.jpg"))

        def shown() -> Iterator[Shown]:
            for path in files:
                yield Shown(path.name, read_picture(path), path.name)

        judged = bench.judge(shown(), one_face=True, total=len(files), label="more-faces")
    plain = other.select(plain_rows(other)).vectors()
    nearest = (judged.embeddings @ plain.T).max(axis=1)
    sides = [
        sides_of(source_of[judged.person[frame]]) if near >= SAME_FACE else {}
        for frame, near in zip(judged.frame, nearest, strict=True)
    ]
    return judged, sides


def of_celeba(bench: Bench, shared: Path) -> tuple[Judged, list[dict[str, str]]]:
    """Held-out people of CelebA, at twice the size, and the sides by most of their labels."""
    from benchmarks.shipped_base.hold_out import IDENTITY, held_out_people
    from benchmarks.studies.person_data import Shown
    from edge.files.image import read_picture
    from trainer.data.label_files import read_labels

    folder = shared / "data" / "celeba"
    people = set(held_out_people(shared)["celeba"])
    words = [line.split() for line in (folder / IDENTITY).read_text().splitlines()]
    rows = [(name, person) for name, person in words if person in people]
    listed = read_labels(folder / "list_attr_celeba.txt")
    row_of = {name: number for number, name in enumerate(listed.names)}
    columns = [listed.attributes.index(name) for name in ATTRIBUTES]
    labels: dict[str, list[np.ndarray]] = {}
    for name, person in rows:
        labels.setdefault(person, []).append(listed.labels[row_of[name], columns])

    def shown() -> Iterator[Shown]:
        for name, person in rows:
            image = read_picture(folder / "img_align_celeba" / name)
            yield Shown(person, cv2.resize(image, None, fx=2, fy=2, interpolation=2), name)

    judged = bench.judge(shown(), one_face=True, total=len(rows), label="celeba")
    most = {person: np.mean(each, axis=0) > 0.5 for person, each in labels.items()}
    sides = [
        {
            f"{name} (CelebA)": "yes" if has else "no"
            for name, has in zip(ATTRIBUTES, most[judged.person[frame]], strict=True)
        }
        for frame in judged.frame
    ]
    return judged, sides


def rows(heads: Sequence[Head], judged: Judged, sides: list[dict[str, str]]) -> Iterator[str]:
    """A line for each side of each division; worst over best where N carries it."""
    from edge.heads.group_rates import GroupRates
    from edge.heads.threshold import Rate

    accepted = np.stack([head.accepts(judged.embeddings) for head in heads])
    whose = np.array(judged.person)[judged.frame]
    for division in sorted({name for each in sides for name in each}):
        found, shares = [], []
        for side in sorted({each[division] for each in sides if division in each}):
            here = np.array([each.get(division) == side for each in sides])
            people = sorted(set(whose[here]))
            by_person = np.stack([accepted[:, here & (whose == p)].any(axis=1) for p in people])
            rate = Rate(int(by_person.any(axis=1).sum()), len(people))
            pairs = f"{by_person.sum()} of {by_person.size} ({by_person.mean():.5f})"
            shares.append(float(by_person.mean()))
            found.append((side, rate))
            yield f"| {division}: {side} | {pairs} | {rate} |"
        ratio = f"{max(shares) / min(shares):.1f}" if min(shares) else "no number"
        yield f"| {division}, worst over best | {ratio} | {GroupRates(tuple(found))} |"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shared", type=click.Path(path_type=Path))
def main(shared: Path) -> None:
    """Count whom the heads of held-out people accept, by group."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from benchmarks.shipped_base.hold_out import held_out_people
    from benchmarks.studies.person_data import Bench, people
    from benchmarks.studies.person_figures import given
    from benchmarks.studies.person_strategies import shipped
    from trainer.cohort.choose import find_cohort
    from trainer.inference.source import open_subject

    deployed = open_subject("shipped").embedder
    bench = Bench(deployed)
    known, other = halves(find_cohort(deployed))
    heads = []
    for trial in people(bench, shared, set(held_out_people(shared)["people"]).__contains__):
        try:
            heads.append(shipped(given(trial, bench), known))
        except RefusedError as problem:
            click.echo(f"{trial.name} left out: {problem}", err=True)
    click.echo(f"{len(heads)} heads\n")
    click.echo("| strangers | pairs of head and stranger accepted | strangers any head accepts |")
    click.echo("|---|---|---|")
    for strangers in (of_files(bench, shared, other), of_celeba(bench, shared)):
        for line in rows(heads, *strangers):
            click.echo(line)


if __name__ == "__main__":
    main()
