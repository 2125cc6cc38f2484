"""`edge-train cohort`: embeddings of strangers, for any embedder and from any folder of faces."""

from __future__ import annotations

from pathlib import Path

import click

from edge.console.commands import (
    PATH,
    command,
    detector_option,
    emit_json,
    json_option,
    names_option,
    out_option,
    overwrite_option,
    quiet_option,
    say,
    seed_option,
    threads_option,
)
from edge.console.display_text import counted

LONGEST_GROUP = 60
"""Characters of a group's name."""


@command(
    "cohort",
    examples="""
    edge-train cohort ~/celeba --embedding shipped -o cohort.npz
    edge-train cohort ~/lfw ~/celeba --embedding face.tflite -o cohort.npz --per-person 4
    edge-train cohort ~/strangers --embedding runs/base -o cohort.npz --variants plain,grey --json
    edge-train cohort press=~/lfw children=~/kids --embedding shipped -o cohort.npz --looks 2
    """,
)
@click.argument("folders", nargs=-1, required=True, metavar="[GROUP=]DIR...")
@click.option(
    "--embedding",
    required=True,
    metavar="shipped|RUN|FILE",
    help="Compute embeddings with the shipped base, a run, a bundle, or a model file.",
)
@names_option(
    "--variants",
    default=("plain", "grey", "low-resolution", "dark"),
    help="Variants of each face: plain, grey, low-resolution, dark, blur, jpeg.",
)
@click.option(
    "--looks",
    type=click.IntRange(1),
    metavar="N",
    help="Use N variants of each person: the first, and others by lot.",
)
@click.option(
    "--per-person", type=click.IntRange(1), metavar="N", help="Use at most N images of a person."
)
@click.option(
    "--source", default="", metavar="TEXT", help="Source of the faces, recorded in the file."
)
@click.option(
    "--licence", default="", metavar="TEXT", help="License of the faces, recorded in the file."
)
@click.option(
    "--allow-missing", is_flag=True, help="Continue although many listed images are missing."
)
@click.option("--cache-dir", type=PATH, metavar="DIR", help="Folder of cached crops.")
@out_option(required=True)
@overwrite_option("out")
@detector_option()
@threads_option()
@seed_option()
@json_option()
@quiet_option()
def cohort_command(
    folders: tuple[str, ...],
    embedding: str,
    variants: tuple[str, ...],
    looks: int | None,
    per_person: int | None,
    source: str,
    licence: str,
    allow_missing: bool,
    cache_dir: Path | None,
    out: Path,
    detector_model: Path | None,
    threads: int | None,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compute a cohort: the embeddings of strangers.

    Heads are trained against a cohort, and thresholds are set on it. DIR is CelebA, folders by
    person, or a folder of images of different people. Each DIR is a group of people, named by
    GROUP or by its folder; a threshold keeps out the group that is most like the person. The file
    holds no names.
    """
    from trainer.cohort.build import CohortPlan, build_cohort, strangers
    from trainer.data.degrade import check_variants
    from trainer.inference.source import open_subject

    groups = named_groups(folders)
    plan = CohortPlan(
        variants=variants,
        looks=looks,
        groups=groups,
        per_person=per_person,
        seed=seed,
        source=source or ", ".join(folder.resolve().name for _, folder in groups),
        licence=licence,
        allow_missing=allow_missing,
        detector=detector_model,
        cache_dir=cache_dir,
        threads=threads,
        quiet=quiet,
    )
    check_variants(plan.variants)
    subject = open_subject(embedding)
    faces = strangers([folder for _, folder in groups], plan)
    cohort, counts = build_cohort(faces, subject.embedder, plan)
    cohort.save(out)
    if as_json:
        emit_json(
            {
                "cohort": str(out),
                "embedder": {"name": subject.name, "sha256": subject.embedder.network.sha256},
                "variants": list(plan.variants),
                "groups": cohort.people_of_groups,
                "embeddings": len(cohort.embeddings),
                "size_bytes": out.stat().st_size,
                **counts.to_json(),
            }
        )
        return
    say(
        f"{out}: {len(cohort.embeddings)} embeddings of {counts.people} people, "
        f"{counts.pictures} pictures as {', '.join(plan.variants)}"
    )
    if len(groups) > 1:
        parts = [f"{name} {people}" for name, people in cohort.people_of_groups.items()]
        say(f"groups: {', '.join(parts)}")
    if counts.unusable or counts.repeated:
        say(
            f"left out: {counted(counts.unusable, 'picture')} without a face, "
            f"{counts.repeated} repeated"
        )


def named_groups(words: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    """Names of groups and the folder of each, from words as DIR or GROUP=DIR.

    Raises `UsageError` for a name that is given twice, empty or too long.
    """
    from edge.errors import UsageError

    found: dict[str, Path] = {}
    for word in words:
        name, equals, folder = word.partition("=")
        if not equals or "/" in name or Path(word).expanduser().is_dir():
            path = Path(word).expanduser()
            name = path.resolve().name
        else:
            path = Path(folder).expanduser()
        name = name.strip()
        if not 1 <= len(name) <= LONGEST_GROUP or not name.isprintable():
            raise UsageError(f"'{name}' cannot be the name of a group", hint="give GROUP=DIR")
        if name in found:
            raise UsageError(
                f"two folders are called {name}", hint=f"name the groups: {name}-2={path}"
            )
        found[name] = path
    return tuple(found.items())
