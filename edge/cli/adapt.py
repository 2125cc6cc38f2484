"""`edge-recognize adapt`: the owner's word on a threshold, by what visits before a camera say."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.people import ruling_options
from edge.cli.ruling import agrees
from edge.console.commands import command, emit_json, say
from edge.errors import InputError, UsageError


@command(
    "adapt",
    examples="""
    edge-recognize adapt ana --preview
    edge-recognize adapt ana --to 3.8
    edge-recognize adapt ana --reset
    """,
)
@click.argument("name")
@click.option(
    "--to",
    type=click.FloatRange(-20, 60),
    metavar="T",
    help="Set the threshold to this score; by default the one that the visits ask for.",
)
@click.option("--reset", is_flag=True, help="Go back to the threshold set at enrolment.")
@ruling_options
def adapt(
    name: str,
    to: float | None,
    reset: bool,
    preview: bool,
    yes: bool,
    bundle: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Set a person's threshold by the strangers who came before this camera.

    First shows which of the last visits the new threshold would decide differently. A threshold is
    lowered only when you confirm it. It stays until the person is enrolled, corrected or calibrated
    again.
    """
    if reset and to is not None:
        raise UsageError("--reset and --to exclude each other", hint="give one of them")
    if as_json and not (preview or yes):
        raise UsageError("--json cannot ask", hint="add --preview or --yes")
    from dataclasses import replace

    from edge.people.registry import open_register
    from edge.visits.camera_book import changing_book, rejects_then
    from edge.visits.replay import foresee
    from edge.visits.rulings import FORESEEN
    from edge.visits.store import VisitStore

    with open_register(bundle, key_file) as register, changing_book() as held:
        head, heads, book = register.find(name).head, register.heads, held[0]
        asked = [b.needed for b in book.bounds(head) if b.needed is not None]
        if not reset and to is None and not asked:
            raise InputError(
                f"too few strangers were seen to ask for another threshold of {name}",
                hint="let edge-recognize run before the camera, or give --to",
            )
        target = None if reset else to if to is not None else max(asked)
        new = book.with_word(head, target)
        now, then = book.page(head).threshold(head), new.page(head).threshold(head)
        visits = VisitStore(vault=register.vault).visits(FORESEEN)
        foresight = foresee(visits, book.applied(heads), new.applied(heads))
        cost = rejects_then(replace(head, threshold=now), then)
        if not as_json:
            say(f"{name}: {now:.2f} now, {then:.2f} then; {cost}\n{foresight.text()}")
        done = not preview and (yes or agrees())
        if done:
            held[0] = new
    if as_json:
        facts = {"name": name, "threshold": now, "threshold_then": then, **foresight.to_json()}
        emit_json({"schema": 1, "done": done, **facts})
    elif done:
        say("done; an edge-recognize that runs takes it over at SIGHUP")
