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
    quiet_option,
    seed_option,
    threads_option,
)


@command(
    "cohort",
    examples="""
    edge-train cohort ~/celeba --embedding shipped -o cohort.npz
    edge-train cohort ~/lfw ~/celeba --embedding face.tflite -o cohort.npz --per-person 4
    edge-train cohort ~/strangers --embedding runs/base -o cohort.npz --variants plain,grey --json
    """,
)
@click.argument("folders", type=PATH, nargs=-1, required=True, metavar="DIR...")
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
@detector_option()
@threads_option()
@seed_option()
@json_option()
@quiet_option()
def cohort_command(
    folders: tuple[Path, ...],
    embedding: str,
    variants: tuple[str, ...],
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
    person, or a folder of images of different people. The file holds no names.
    """
    from trainer.cohort.build import CohortPlan, build_cohort, strangers
    from trainer.data.degrade import check_variants
    from trainer.inference.source import open_subject

    plan = CohortPlan(
        variants=variants,
        per_person=per_person,
        seed=seed,
        source=source or ", ".join(folder.resolve().name for folder in folders),
        licence=licence,
        allow_missing=allow_missing,
        detector=detector_model,
        cache_dir=cache_dir,
        threads=threads,
        quiet=quiet,
    )
    check_variants(plan.variants)
    subject = open_subject(embedding)
    cohort, counts = build_cohort(strangers(folders, plan), subject.embedder, plan)
    cohort.save(out)
    if as_json:
        emit_json(
            {
                "cohort": str(out),
                "embedder": {"name": subject.name, "sha256": subject.embedder.network.sha256},
                "variants": list(plan.variants),
                "embeddings": len(cohort.embeddings),
                "size_bytes": out.stat().st_size,
                **counts.to_json(),
            }
        )
        return
    click.echo(
        f"{out}: {len(cohort.embeddings)} embeddings of {counts.people} people, "
        f"{counts.pictures} pictures as {', '.join(plan.variants)}"
    )
    if counts.unusable or counts.repeated:
        click.echo(
            f"left out: {counts.unusable} pictures without a face, {counts.repeated} repeated ones"
        )
