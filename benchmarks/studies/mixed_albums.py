"""Albums with pictures of somebody else among mine: what enrolment refuses and leaves out.

python -m benchmarks.studies.mixed_albums ../shared

Each person that the shipped base was not trained on gives some photos, another one others: halves,
thirds, or up to four; who and which is drawn anew in each round. The same with people of
`lfw-crops`, and in one room: with the poses of `cmu-faces`, and with the sittings of `one-camera`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

if TYPE_CHECKING:
    from benchmarks.studies.person_data import Bench
    from edge.heads.cohort import Cohort
    from edge.heads.threshold import CameraKind

SIZES = ((12, 0), (16, 0), (8, 8), (6, 6), (10, 5), (12, 4), (12, 3), (12, 2), (12, 1))
"""Pictures of mine, and of somebody else."""

FEWEST, FEWEST_FILES = 12, 10
"""Looks by several cameras, and pictures in one room, that make an album."""

STRANGERS = 600
"""Of the cohort, fewer than enrolment takes: each album is compared with them many times."""


@dataclass(frozen=True)
class Mixed:
    """Counts over albums. refused: albums that are refused. named: albums that are not, and of
    which all pictures of somebody else are left out. mine, lost: pictures of mine in albums that
    are not refused, and of these left out.
    """

    albums: int = 0
    refused: int = 0
    named: int = 0
    mine: int = 0
    lost: int = 0

    def with_album(self, found: np.ndarray, mine: int, *, refused: bool) -> Mixed:
        """Count an album too: bool[mine + theirs], what was taken for somebody else's."""
        named = not refused and len(found) > mine and bool(found[mine:].all())
        return Mixed(
            self.albums + 1,
            self.refused + refused,
            self.named + named,
            self.mine + (0 if refused else mine),
            self.lost + (0 if refused else int(found[:mine].sum())),
        )

    def row(self, mine: int, theirs: int) -> str:
        share = f"{(self.refused + self.named) / self.albums:.3f}" if theirs else "–"
        lost = self.lost / self.mine if self.mine else 0.0
        return (
            f"| {mine} + {theirs} | {self.albums} | {self.refused} | {self.named} | {share} | "
            f"{lost:.3f} |"
        )


Albums = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Embeddings float32[N, D] and groups int[N] of each folder."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shared", type=click.Path(path_type=Path))
@click.option(
    "--rounds", type=click.IntRange(1), default=3, help="Number of albums of each person."
)
@click.option(
    "--part",
    type=click.Choice(["all", "chosen", "checked"]),
    default="all",
    help="Every second person, on whom the limits were chosen, or the others.",
)
@click.option(
    "--base", default="shipped", metavar="shipped|RUN", help="Base that computes the embeddings."
)
def main(shared: Path, rounds: int, part: str, base: str) -> None:
    """Measure enrolment's search for strangers on the people in SHARED."""
    from benchmarks.studies.person_data import Bench
    from edge.heads.threshold import ONE, SEVERAL
    from trainer.cohort.choose import find_cohort
    from trainer.inference.source import open_subject

    deployed = open_subject(base).embedder
    bench = Bench(deployed)
    cohort = find_cohort(deployed, base=base)
    every = {"all": slice(None), "chosen": slice(0, None, 2), "checked": slice(1, None, 2)}[part]
    sets: tuple[tuple[str, dict[str, list[Path]], CameraKind], ...] = (
        ("people", _held_out(shared, "people"), SEVERAL),
        ("lfw-crops", _held_out(shared, "lfw-crops"), SEVERAL),
        ("one room, webcam", _folders(shared / "data" / "one-camera" / "nuaa"), ONE),
        ("one room, curtain", _folders(shared / "data" / "one-camera" / "faces94"), ONE),
        ("one room, poses", _folders(shared / "data" / "cmu-faces"), ONE),
    )
    for title, paths, camera in sets:
        albums = _albums(bench, paths, fewest=FEWEST if camera == SEVERAL else FEWEST_FILES)
        albums = {name: albums[name] for name in list(albums)[every]}
        click.echo(f"\n{title}: {len(albums)} people, {rounds} albums of each size\n")
        click.echo(
            "| pictures of mine + of another | albums | refused | all of the other named | both | "
            "mine left out of the others |\n|---|---|---|---|---|---|"
        )
        for mine, theirs in SIZES:
            row = _mixed(albums, (mine, theirs), rounds, cohort, camera).row(mine, theirs)
            click.echo(row)


def _held_out(shared: Path, part: str) -> dict[str, list[Path]]:
    """The pictures of the people that the shipped base was not trained on."""
    from benchmarks.shipped_base.hold_out import held_out_people

    named = {name: shared / "data" / part / name for name in held_out_people(shared)[part]}
    return {name: sorted(folder.iterdir()) for name, folder in sorted(named.items())}


def _folders(root: Path) -> dict[str, list[Path]]:
    """The pictures of each folder, without the smaller copies in `cmu-faces`."""
    return {
        folder.name: [p for p in sorted(folder.iterdir()) if p.stem[-2:] not in ("_2", "_4")]
        for folder in sorted(root.iterdir())
    }


def _albums(bench: Bench, paths: Mapping[str, list[Path]], fewest: int) -> Albums:
    """In one room each picture is taken for a look: the moments of a sitting are alike there."""
    albums = {}
    for name, files in paths.items():
        if len(files) < fewest:
            continue
        looks = bench.looks(files, name)
        groups = looks.groups if fewest == FEWEST else np.arange(len(looks.kept))
        if len(np.unique(groups)) >= fewest:
            albums[name] = bench.embed(looks.crops()), groups
    return albums


def person_of(name: str) -> str:
    """Whose folder it is: sittings of `nuaa` are called pPP-sS."""
    return name.split("-s")[0]


def _mixed(
    albums: Albums, sizes: tuple[int, int], rounds: int, cohort: Cohort, camera: CameraKind
) -> Mixed:
    from edge.heads.camera_shift import estimate_shift, no_shift
    from edge.heads.enrol import FEWEST_LOOKS, moved_plain
    from edge.heads.outliers import DOUBTFUL_SCORE, MOST_OUTLIERS, OTHER_SCORE, outliers
    from edge.heads.threshold import SEVERAL
    from edge.heads.two_people import set_apart

    rng, counts = np.random.default_rng(sizes), Mixed()
    names = list(albums)
    plain = moved_plain(cohort, no_shift(cohort.size), np.random.default_rng(0))[:STRANGERS]
    for name in names * rounds:
        other = rng.choice([one for one in names if person_of(one) != person_of(name)])
        (mine, my_groups), (not_mine, their_groups) = albums[name], albums[other]
        first = rng.permutation(len(mine))[: sizes[0]]
        second = rng.permutation(len(not_mine))[: sizes[1]]
        apart = int(my_groups.max()) + 1
        album = np.concatenate([mine[first], not_mine[second]])
        groups = np.concatenate([my_groups[first], apart + their_groups[second]])
        shift = no_shift(cohort.size) if camera == SEVERAL else estimate_shift(album, cohort)
        strangers = shift.moved(plain).astype(np.float32)
        both = set_apart(album, groups, strangers, shift, camera)
        found = both.found.copy()
        rest = ~found
        doubtful = OTHER_SCORE if camera == SEVERAL else DOUBTFUL_SCORE
        among = (album[rest], groups[rest], strangers, shift)
        found[rest] = outliers(*among, FEWEST_LOOKS, doubtful)
        refused = bool(both.second or found.mean() > MOST_OUTLIERS)
        counts = counts.with_album(found, len(first), refused=refused)
    return counts


if __name__ == "__main__":
    main()
