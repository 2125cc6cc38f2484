"""`edge-train audit`: what is wrong with a data set."""

from __future__ import annotations

from pathlib import Path

import click

from edge.console.commands import (
    PATH,
    command,
    emit_json,
    json_option,
    overwrite_option,
    quiet_option,
    say,
    seed_option,
)


@command(
    "audit",
    examples="""
    edge-train audit ~/celeba
    edge-train audit ~/photos-by-person --json
    edge-train audit ~/celeba --csv cleaned.csv
    """,
)
@click.argument("folder", type=PATH, metavar="DIR")
@click.option(
    "--csv", "table", type=PATH, metavar="FILE", help="Also write the cleaned table here."
)
@overwrite_option("table")
@click.option("--cache-dir", type=PATH, metavar="DIR", help="Folder of cached fingerprints.")
@seed_option()
@json_option()
@quiet_option()
def audit_command(
    folder: Path,
    table: Path | None,
    cache_dir: Path | None,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Report what a folder of faces holds and what is wrong with it.

    Finds duplicates and near-duplicates, also across the parts of the split, people in several
    parts, unbalanced labels, sizes, and missing or unreadable images. DIR is CelebA as it comes, or
    a folder with one folder per person.
    """
    from trainer.data.audit import audit, describe
    from trainer.data.celeba import read_faces

    found = audit(folder, seed=seed, cache_dir=cache_dir, quiet=quiet)
    if table is not None:
        read_faces(folder, allow_missing=True, cache_dir=cache_dir, quiet=quiet).write_csv(table)
    if as_json:
        emit_json(found.to_json())
    else:
        say(describe(found))
