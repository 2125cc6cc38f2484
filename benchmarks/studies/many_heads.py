"""Many heads: how long a decision takes, and how much memory, by the number of people in a bundle.

python -m benchmarks.studies.many_heads
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

import click
import numpy as np

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


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=click.IntRange(1), default=30)
@click.argument("counts", type=click.IntRange(1), nargs=-1)
def main(rounds: int, counts: tuple[int, ...]) -> None:
    """Time the decision on one look for COUNTS heads, by default 1, 100, 1,000 and 10,000."""
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
