"""Albums with pictures of somebody else among mine: what enrolment leaves out.

python -m benchmarks.studies.mixed_albums ../shared

Each person that the shipped base was not trained on gives `MINE` photos, another one up to four;
who and which is drawn anew in each round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

if TYPE_CHECKING:
    from trainer.photos.samples import FaceSamples

MINE = 12
MOST_THEIRS = 4


@dataclass(frozen=True)
class Mixed:
    """Counts over albums. lost: pictures of mine left out. kept: of `theirs`, pictures of somebody
    else that stayed. refused: albums of which too many pictures do not fit.
    """

    lost: int = 0
    theirs: int = 0
    kept: int = 0
    albums: int = 0
    refused: int = 0

    def with_album(self, found: np.ndarray) -> Mixed:
        """Count an album too: bool[MINE + theirs], what was taken for somebody else's."""
        from edge.heads.outliers import MOST_OUTLIERS

        return Mixed(
            self.lost + int(found[:MINE].sum()),
            self.theirs + len(found) - MINE,
            self.kept + int((~found[MINE:]).sum()),
            self.albums + 1,
            self.refused + int(found.mean() > MOST_OUTLIERS),
        )

    def row(self, theirs: int) -> str:
        kept = f"{self.kept / self.theirs:.3f}" if self.theirs else "–"
        lost = self.lost / (self.albums * MINE)
        return f"| {theirs} | {kept} | 1 | {lost:.3f} | {self.refused} of {self.albums} |"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shared", type=click.Path(path_type=Path))
@click.option("--rounds", type=click.IntRange(1), default=3, help="Albums of each person.")
def main(shared: Path, rounds: int) -> None:
    """Measure enrolment's search for strangers on the people in SHARED."""
    from benchmarks.shipped_base.hold_out import held_out_people
    from benchmarks.studies.person_data import Bench
    from edge.heads.camera_shift import no_shift
    from edge.heads.enrol import moved_plain
    from trainer.cohort.choose import find_cohort
    from trainer.inference.source import open_subject

    deployed = open_subject("shipped").embedder
    bench = Bench(deployed)
    albums: dict[str, tuple[np.ndarray, FaceSamples]] = {}
    for name in sorted(held_out_people(shared)["people"]):
        paths = sorted((shared / "data" / "people" / name).iterdir())
        looks = bench.looks(paths, name)
        if looks.independent >= MINE:
            albums[name] = bench.embed(looks.crops()), looks
    cohort = find_cohort(deployed)
    strangers = moved_plain(cohort, no_shift(cohort.size), np.random.default_rng(0))
    click.echo(f"\n{len(albums)} people, {rounds} albums each, {MINE} pictures of their own\n")
    click.echo(
        "| pictures of one other person | of them kept | kept without a search | own left out | "
        "albums refused |"
    )
    click.echo("|---|---|---|---|---|")
    for theirs in range(MOST_THEIRS + 1):
        click.echo(_mixed(albums, theirs, rounds, strangers).row(theirs))


def _mixed(
    albums: Mapping[str, tuple[np.ndarray, FaceSamples]],
    theirs: int,
    rounds: int,
    strangers: np.ndarray,
) -> Mixed:
    from edge.heads.camera_shift import no_shift
    from edge.heads.outliers import outliers

    rng, counts = np.random.default_rng(theirs), Mixed()
    names = list(albums)
    for name in names * rounds:
        other = rng.choice([one for one in names if one != name])
        (mine, my_looks), (not_mine, other_looks) = albums[name], albums[other]
        first = rng.permutation(len(mine))[:MINE]
        second = rng.permutation(len(not_mine))[:theirs]
        apart = int(my_looks.groups.max()) + 1
        counts = counts.with_album(
            outliers(
                np.concatenate([mine[first], not_mine[second]]),
                np.concatenate([my_looks.groups[first], apart + other_looks.groups[second]]),
                strangers,
                no_shift(mine.shape[1]),
            )
        )
    return counts


if __name__ == "__main__":
    main()
