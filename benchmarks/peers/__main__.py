"""`python -m benchmarks.peers SHARED`: every peer on the same people and clips."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from benchmarks.peers.kinds import OURS, PEERS
from benchmarks.peers.table import PeerResult, markdown, picture
from edge.console.commands import PATH, command, quiet_option
from edge.errors import InputError, ToolkitError
from edge.files.atomic import atomic_file

NAMES = (OURS, *(kind.name for kind in PEERS))


@command(
    "peers",
    examples="""
    python -m benchmarks.peers ../shared
    python -m benchmarks.peers ../shared --peer ours --peer face_recognition --set webcam
    """,
)
@click.argument("shared", type=PATH, envvar="EDGE_SHARED")
@click.option("--peer", "wanted", type=click.Choice(NAMES), multiple=True, help="Some of them.")
@click.option("--set", "sets", multiple=True, metavar="NAME", help="Some sets of pictures.")
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Judge one frame in N of each clip, to be done sooner.",
)
@click.option("--folder", type=PATH, default=Path("peers"), help="Environments and results.")
@quiet_option()
def main(
    shared: Path,
    wanted: tuple[str, ...],
    sets: tuple[str, ...],
    every: int,
    folder: Path,
    quiet: bool,
) -> None:
    """Measure other face recognizers and ours on the people and clips in SHARED.

    Each gets an environment of its own, from the registry; one that cannot be installed is skipped
    with the reason. Writes peers.json, peers.md and peers.png.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from benchmarks.peers.measure import measure_ours, measure_peer
    from benchmarks.peers.pictures import picture_sets
    from benchmarks.shipped_base.hold_out import held_out_people

    held_out = frozenset(held_out_people(shared)["people"])
    chosen = [one for one in picture_sets(shared, held_out) if not sets or one.name in sets]
    if not chosen:
        raise InputError(f"there is no set of pictures {', '.join(sets)}")
    folder.mkdir(parents=True, exist_ok=True)
    results: list[PeerResult] = []
    for name in wanted or NAMES:
        click.echo(f"{name} …", err=True)
        if name == OURS:
            results += measure_ours(chosen, folder, every, quiet)
        else:
            kind = next(one for one in PEERS if one.name == name)
            try:
                results.append(measure_peer(kind, chosen, shared / "weights", folder, every))
            except ToolkitError as problem:
                results.append(PeerResult(kind.title, skipped=problem.message))
        with atomic_file(folder / "peers.json") as temporary:
            temporary.write_text(json.dumps([one.to_json() for one in results], indent=1) + "\n")
    text = markdown(results)
    (folder / "peers.md").write_text(text, "utf-8")
    picture(results, chosen[0].name, folder / "peers.png")
    click.echo(text)


if __name__ == "__main__":
    main()
