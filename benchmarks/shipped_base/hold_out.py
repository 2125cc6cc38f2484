"""Who the shipped base never sees: writes the file for `edge-train attributes --hold-out`.

    python -m benchmarks.shipped_base.hold_out ../shared hold-out.txt [--folders heldout]

The choice follows from a hash of each person's folder name or number, so that it can be made again
without a list of people in the project. Held out are 12 % of the people of `data/celeba`, 28 % of
those of `data/people`, 20 % of the people of `data/lfw-crops` with several pictures, and all of its
people with a single picture, who become the cohort. Of `data/more-faces` some 400 faces of each
group are held out, who join the cohort (`benchmarks.shipped_base.groups`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from benchmarks.shipped_base.groups import held_out_groups, unpack
from edge.errors import InputError
from edge.files.atomic import atomic_file
from edge.files.formats import is_picture

IDENTITY, ATTRIBUTES = "identity_CelebA.txt", "list_attr_celeba.txt"

SINGLES = "lfw-crops, single pictures"

SHARES_PERCENT = {"celeba": 12, "people": 28, "lfw-crops": 20}


def chosen(names: Iterable[str], percent: int) -> Iterator[str]:
    """Those names whose SHA-256 falls into the first `percent` of 100 equal parts."""
    for name in names:
        if int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 100 < percent:
            yield name


def held_out_people(shared: Path) -> dict[str, list[str]]:
    """Folder of the data to the names of its held-out people, sorted.

    Raises `InputError` when a part of the data is missing.
    """
    data = Path(shared) / "data"
    try:
        rows = (data / "celeba" / IDENTITY).read_text().split()
        people = [path.name for path in (data / "people").iterdir() if path.is_dir()]
        pictures = {
            path.name: sum(map(is_picture, path.iterdir()))
            for path in (data / "lfw-crops").iterdir()
            if path.is_dir()
        }
    except OSError as problem:
        raise InputError(f"the data is not complete: {problem}") from None
    singles = {name for name, count in pictures.items() if count == 1}
    several = set(pictures) - singles
    return {
        "celeba": sorted(chosen(set(rows[1::2]), SHARES_PERCENT["celeba"])),
        "people": sorted(chosen(people, SHARES_PERCENT["people"])),
        "lfw-crops": sorted(chosen(several, SHARES_PERCENT["lfw-crops"])),
        SINGLES: sorted(singles),
    }


def lay_out(shared: Path, groups: dict[str, list[str]], target: Path) -> None:
    """Folders of the held-out people under `target`, which must not hold them yet."""
    data = Path(shared).resolve() / "data"
    folders = {"people": "people", "lfw-crops": "lfw-crops", SINGLES: "lfw-crops"}
    for group, folder in folders.items():
        made = target / ("lfw-singles" if group == SINGLES else group)
        made.mkdir(parents=True)
        for name in groups[group]:
            (made / name).symlink_to(data / folder / name)
    wanted = set(groups["celeba"])
    source, made = data / "celeba", target / "celeba"
    (made / "img_align_celeba").mkdir(parents=True)
    identity = [line.split() for line in (source / IDENTITY).read_text().splitlines()]
    kept = [(name, person) for name, person in identity if person in wanted]
    (made / IDENTITY).write_text("".join(f"{name} {person}\n" for name, person in kept))
    names = {name for name, _ in kept}
    _, header, *rows = (source / ATTRIBUTES).read_text().splitlines()
    rows = [row for row in rows if row.split(maxsplit=1)[0] in names]
    (made / ATTRIBUTES).write_text("\n".join([str(len(rows)), header, *rows]) + "\n")
    for name in names:
        picture = source / "img_align_celeba" / name
        (made / "img_align_celeba" / name).symlink_to(picture)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shared", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--folders",
    type=click.Path(path_type=Path),
    help="Write the data of the people held out to this folder.",
)
def main(shared: Path, target: Path, folders: Path | None) -> None:
    """Write the hold-out file TARGET for the data in SHARED.

    Example: python -m benchmarks.shipped_base.hold_out ../shared hold-out.txt --folders heldout
    """
    groups, strangers = held_out_people(shared), held_out_groups(shared)
    if folders is not None:
        lay_out(shared, groups, folders)
        unpack(shared, strangers, folders / "groups")
    groups |= strangers
    with atomic_file(target) as temporary:
        lines = [f"# {group}\n" + "\n".join(names) for group, names in groups.items()]
        temporary.write_text("\n".join(lines) + "\n")
    click.echo(", ".join(f"{group}: {len(names)}" for group, names in groups.items()))


if __name__ == "__main__":
    main()
