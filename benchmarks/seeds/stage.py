"""The stage: commands as a user types them, what they end with, and the two tables of a seed."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from edge.errors import ToolkitError
from edge.models.run_record import Run

_MAINS = {
    "edge-train": "trainer.cli.main",
    "edge-export": "export.cli.main",
    "edge-recognize": "edge.cli.main",
}

SHOWN = 300
"""Characters of a refusal that are shown."""


@dataclass(frozen=True)
class Row:
    """A figure beside theirs and the trivial one. n: what was counted."""

    what: str
    theirs: str
    trivial: str
    ours: str
    n: str


@dataclass(frozen=True)
class Mistake:
    """A historical mistake that was made again. caught: whether the product named it by all of the
    words that it had to. said: in which words.
    """

    what: str
    said: str
    caught: bool


@dataclass(frozen=True)
class Done:
    """How a command ended. said: standard output and standard error."""

    code: int
    out: str
    said: str


@dataclass(eq=False)
class Stage:
    """Where a seed is played. folder: for its files. data, cmu: real data, None for drawn people.
    photos: of the mistakes' copies, how many each of 21 photos is augmented to. quiet: commands
    alone are shown. rows, mistakes: what it found.
    """

    folder: Path
    data: Path | None = None
    cmu: Path | None = None
    weights: Path | None = None
    copies: int = 8
    epochs: int = 4
    people: int = 120
    seed: int = 0
    quiet: bool = False
    rows: list[Row] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def play(self, line: str) -> Done:
        """Run a command that must succeed. Raises `ToolkitError` with its words where not."""
        done = self._run(line)
        if done.code:
            raise ToolkitError(
                f"'{line.split(' --')[0]}' ended with {done.code}: {done.said[-SHOWN:]}"
            )
        return done

    def provoke(self, what: str, line: str, *words: str) -> Done:
        """Make a mistake: the command must be refused, naming all of `words`."""
        done = self._run(line)
        self.judge(what, done.code in (1, 2), done.said, *words)
        return done

    def judge(self, what: str, refused: bool, said: str, *words: str) -> None:
        """Record whether a mistake was named."""
        flat = " ".join(said.split())
        caught = refused and all(word in flat for word in words)
        at = max(0, flat.find(words[0])) if words else 0
        begin = max(0, flat.rfind("error:", 0, at + 1))
        self.mistakes.append(Mistake(what, flat[begin : begin + SHOWN], caught))
        click.echo(f"  {'caught' if caught else 'NOT CAUGHT'}: {self.mistakes[-1].said}")

    def compare(self, row: Row) -> None:
        """Record a figure."""
        self.rows.append(row)

    def train(self, out: str, options: str) -> Run:
        """`edge-train attributes` into `folder/out`; options without --data and --out."""
        target = self.folder / out
        quiet = " --quiet" if self.quiet else ""
        self.play(
            f"edge-train attributes --data {self.faces()} --out {target} --seed {self.seed} "
            f"{options}{quiet}"
        )
        return Run.load(target)

    def faces(self) -> Path:
        """CelebA's layout: the data given, or drawn people."""
        if self.data is not None:
            return self.data
        target = self.folder.parent / f"drawn-{self.people}"
        if not target.exists():
            from trainer.drawn.dataset import write_celeba

            click.echo(f"drawing {self.people} people, nobody of whom exists")
            write_celeba(
                target, people=self.people, shots_per_person=4, seed=1, size=(89, 109), workers=2
            )
        return target

    def _run(self, line: str) -> Done:
        click.echo(f"\n$ {line}")
        name, *arguments = shlex.split(line)
        code = f"from {_MAINS[name]} import main; main(prog_name={name!r})"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        with (self.folder / "commands.log").open("a") as log:
            log.write(f"$ {line}\n{done.stdout}{done.stderr}\n")
        if done.stdout and "--json" not in arguments and not done.returncode:
            click.echo(done.stdout.rstrip())
        return Done(done.returncode, done.stdout, done.stdout + done.stderr)


def accuracy_row(what: str, run: Run, theirs: str) -> Row:
    """The mean attribute accuracy of a base's run on people whom it was not trained on."""
    figures = run.figures.to_json()["attributes_at_half"]
    test = run.data["parts"]["test"]
    return Row(
        what,
        theirs,
        f"{figures['majority_accuracy']:.3f}",
        f"{figures['accuracy']:.3f}",
        f"{test['pictures']} pictures of {test['people']} people",
    )


def show(number: int, title: str, stage: Stage) -> dict[str, Any]:
    """Print the tables of a seed; returns them for JSON."""
    click.echo(f"\n## Seed {number}: {title}\n")
    click.echo("| what | theirs | trivial | ours | N |\n|---|---|---|---|---|")
    for row in stage.rows:
        click.echo(f"| {row.what} | {row.theirs} | {row.trivial} | {row.ours} | {row.n} |")
    click.echo("\n| their mistake, made again | what the product says |\n|---|---|")
    for one in stage.mistakes:
        said = one.said.replace("|", "/")
        click.echo(f"| {one.what} | {'' if one.caught else '**not caught**: '}{said} |")
    return {
        "seed": number,
        "title": title,
        "rows": [vars(row) for row in stage.rows],
        "mistakes": [vars(one) for one in stage.mistakes],
    }


Play = Callable[[Stage], None]


def load_json(path: Path) -> Any:
    """A report that a command wrote."""
    return json.loads(path.read_text())
