"""`python -m benchmarks.peers SHARED`: every peer on the same people and clips."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks.peers.kinds import AS_DEVICE, EVERY_FRAME, OURS, PEERS
from benchmarks.peers.table import PeerResult, tables
from benchmarks.scaling.recorded import RECORDED, draw
from edge.console.commands import PATH, command, quiet_option
from edge.errors import InputError, ToolkitError
from edge.files.atomic import atomic_file

if TYPE_CHECKING:
    from benchmarks.peers.pictures import PictureSet

NAMES = (OURS, *(kind.name for kind in PEERS))
TITLES = (EVERY_FRAME, AS_DEVICE, *(kind.title for kind in PEERS))


@command(
    "peers",
    examples="""
    python -m benchmarks.peers ../shared
    python -m benchmarks.peers ../shared --peer ours --peer face_recognition --set webcam
    """,
)
@click.argument("shared", type=PATH, envvar="EDGE_SHARED")
@click.option(
    "--peer", "wanted", type=click.Choice(NAMES), multiple=True, help="Measure only these peers."
)
@click.option("--set", "sets", multiple=True, metavar="NAME", help="Use only these sets.")
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Use one frame in N of each clip, to finish sooner.",
)
@click.option(
    "--folder", type=PATH, default=Path("peers"), help="Folder of environments and results."
)
@click.option("--record", is_flag=True, help="Keep the tables for RESULTS.md, see `make bench`.")
@quiet_option()
def main(
    shared: Path,
    wanted: tuple[str, ...],
    sets: tuple[str, ...],
    every: int,
    folder: Path,
    record: bool,
    quiet: bool,
) -> None:
    """Measure other face recognizers and ours on the people and clips in SHARED.

    Each gets an environment of its own, from the registry; one that cannot be installed is skipped
    with the reason. Writes peers.json, peers.md and peers.png; where some peers or sets are
    measured again, the other results of the same base are kept.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from benchmarks.peers.pictures import picture_sets
    from benchmarks.shipped_base.hold_out import held_out_people

    held_out = frozenset(held_out_people(shared)["people"])
    chosen = [one for one in picture_sets(shared, held_out) if not sets or one.name in sets]
    if not chosen:
        raise InputError(f"there is no set of pictures {', '.join(sets)}")
    folder.mkdir(parents=True, exist_ok=True)
    settings = _settings(every)
    kept = _kept(folder / "peers.json", settings)
    for name in wanted or NAMES:
        for pictures in chosen:
            click.echo(f"{name}, {pictures.name} …", err=True)
            for one in _measured(name, pictures, shared, folder, every, quiet):
                kept[one.title] = one.beside(kept.get(one.title))
            with atomic_file(folder / "peers.json") as temporary:
                measured = [one.to_json() for one in kept.values()]
                said = {**settings, "results": measured}
                temporary.write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    results = [kept[title] for title in TITLES if title in kept]
    day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    made = tables(results, settings["command"], day, settings["base"])
    if record:
        for table in made:
            table.save(RECORDED)
    text = "\n\n".join(table.markdown() for table in made) + "\n"
    (folder / "peers.md").write_text(text, "utf-8")
    draw(made, folder)
    click.echo(text)


def _measured(
    name: str, pictures: PictureSet, shared: Path, folder: Path, every: int, quiet: bool
) -> list[PeerResult]:
    from benchmarks.peers.measure import measure_ours, measure_peer

    if name == OURS:
        return measure_ours([pictures], folder, every, quiet)
    kind = next(one for one in PEERS if one.name == name)
    try:
        return [measure_peer(kind, [pictures], shared / "weights", folder, every)]
    except ToolkitError as problem:
        return [PeerResult(kind.title, skipped=f"{pictures.name}: {problem.message}")]


def _kept(path: Path, settings: dict[str, str]) -> dict[str, PeerResult]:
    """By title, of an earlier run with the same settings."""
    if not path.is_file():
        return {}
    said = json.loads(path.read_text("utf-8"))
    if {name: said.get(name) for name in settings} != settings:
        return {}
    results = [PeerResult.of_json(one) for one in said["results"]]
    return {one.title: one for one in results}


def _settings(every: int) -> dict[str, str]:
    """What results must have in common: the command and the start of the base's SHA-256."""
    from edge.bundle.locate import shipped_bundle

    with shipped_bundle() as bundle:
        base = bundle.base.sha256[:12]
    some = "" if every == 1 else f" --every {every}"
    return {"command": f"python -m benchmarks.peers ../shared{some}", "base": base}


if __name__ == "__main__":
    main()
