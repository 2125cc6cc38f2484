"""`edge-recognize enrol`, `not-me`, `people`, `forget`, `keygen`: who is known on this device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from edge.cli.turn_options import turn_options
from edge.console.commands import (
    PATH,
    bundle_option,
    command,
    detector_option,
    emit_json,
    json_option,
    out_option,
    person_name_option,
    quiet_option,
    say,
    threads_option,
)
from edge.console.display_text import counted
from edge.errors import UsageError
from edge.people import KEY_FILE_VARIABLE

key_file_option = click.option(
    "--key-file",
    type=PATH,
    metavar="FILE",
    envvar=KEY_FILE_VARIABLE,
    show_envvar=True,
    help="Key that encrypts the people enrolled on this device; see 'edge-recognize keygen'.",
)

events_folder_option = click.option(
    "--events-folder",
    type=PATH,
    metavar="DIR",
    help="Folder of the images that --keep-events keeps.",
)


def ruling_options(callback: Any) -> Any:
    """`--preview`, `--yes`, `--bundle`, `--key-file` and `--json` of a command that rules."""
    options = (
        click.option(
            "--preview",
            is_flag=True,
            help="Show what would be decided differently, and change nothing.",
        ),
        click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
        bundle_option(help="Use this bundle; by default the one that 'edge-recognize run' uses."),
        key_file_option,
        json_option(),
    )
    for option in reversed(options):
        callback = option(callback)
    return callback


@command(
    "enrol",
    examples="""
    edge-recognize enrol --name ana --camera 0
    edge-recognize enrol --name ana --photos ~/photos/ana
    edge-recognize enrol --name ana --video selfie.mp4 --json
    edge-recognize enrol --name ana --camera csi --add
    """,
)
@person_name_option()
@click.option(
    "--camera", metavar="WHICH", help="Enroll from this camera, named as for 'edge-recognize run'."
)
@click.option(
    "--photos",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="Enroll from photos or folders of photos; may be repeated.",
)
@click.option(
    "--video",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="Enroll from a video; may be repeated.",
)
@bundle_option(
    help="Add the person to this bundle; by default the one that 'edge-recognize run' uses."
)
@turn_options
@click.option(
    "--looks",
    type=click.IntRange(10, 200),
    default=20,
    metavar="N",
    help="Number of samples to collect from the camera.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(1),
    default=90.0,
    help="Stop collecting from the camera after this time.",
)
@click.option("--add", is_flag=True, help="Add samples to a person who is enrolled on this device.")
@click.option(
    "--keep",
    type=click.Choice(("crops",)),
    help="Keep the cut-out faces, to enroll again on the base of a later bundle; with a key "
    "they are always kept, encrypted.",
)
@click.option(
    "--target-far",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of strangers that may be accepted.",
)
@key_file_option
@detector_option()
@threads_option()
@json_option()
@quiet_option(help="Print nothing but the result and errors.")
def enrol(as_json: bool, **options: Any) -> None:
    """Enroll a person on this device, without a workstation.

    Before a camera it gives directions: look to the sides, come closer, add light. It needs at
    least 10 good samples; nearly identical images count once. It sets the thresholds of all people
    again. It does not keep the images; with --keep crops or a key it keeps the cut-out faces.
    """
    _one_thread_of_algebra()
    from edge.cli.enrol import EnrolOptions, run_enrol

    keep = options.pop("keep") is not None
    done = run_enrol(EnrolOptions(keep_crops=keep, **options))
    if as_json:
        emit_json(done.to_json())
    else:
        say(done.text())


@command(
    "not-me",
    examples="""
    edge-recognize not-me --name ana
    edge-recognize not-me --name ana --last 2
    edge-recognize not-me --name ana --photos ~/photos/sister
    edge-recognize not-me --name ana --visit 12
    edge-recognize not-me --undo
    """,
)
@click.option(
    "--name", help="Person who was recognized wrongly; may be left out if one person is known."
)
@click.option(
    "--last",
    type=click.IntRange(1),
    default=5,
    metavar="N",
    help="Use the last N of the kept events.",
)
@click.option(
    "--photos",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="Use these images, videos or folders of other people instead; may be repeated.",
)
@events_folder_option
@click.option(
    "--visit",
    "visits",
    type=click.IntRange(1),
    multiple=True,
    metavar="N",
    help="Use this visit instead, by its number in 'edge-recognize visits'; may be repeated.",
)
@click.option(
    "--preview", is_flag=True, help="With --visit: show what would change, and change nothing."
)
@click.option("--yes", is_flag=True, help="With --visit: do not ask for confirmation.")
@click.option(
    "--undo",
    is_flag=True,
    help="Undo the last not-me, name or rename, if nothing has changed since.",
)
@bundle_option(help="Use this bundle; by default the one that 'edge-recognize run' uses.")
@key_file_option
@detector_option()
@threads_option()
@json_option()
@quiet_option()
def not_me(
    as_json: bool,
    undo: bool,
    visits: tuple[int, ...],
    preview: bool,
    yes: bool,
    **options: Any,
) -> None:
    """Correct wrong recognitions: use their images as hard negatives of a person.

    The images are those that 'edge-recognize --keep-events N' kept when it recognized the person,
    or the ones that you name. Look at them first. Images that would cost more than a fifth of the
    person's own samples are refused, because they show the person.
    """
    _one_thread_of_algebra()
    from edge.people.corrections import CorrectionOptions, run_correction

    if undo:
        if options["name"] or options["photos"] or options["events_folder"] or visits:
            raise UsageError("--undo only undoes the last not-me or name", hint="give it alone")
        from edge.visits.rulings import take_back_last

        names = take_back_last(options["key_file"], options["bundle"])
        if as_json:
            emit_json({"schema": 1, "undone": True, "people": list(names)})
        else:
            say("the last not-me is undone")
        return
    if visits:
        from edge.cli.ruling import rule

        if not options["name"] or options["photos"] or options["events_folder"]:
            raise UsageError("--visit needs --name, and no other pictures")
        rule(
            options["name"],
            "is-not",
            numbers=visits,
            preview=preview,
            yes=yes,
            bundle=options["bundle"],
            key_file=options["key_file"],
            as_json=as_json,
        )
        return
    if preview or yes:
        raise UsageError("--preview and --yes are for visits", hint="add --visit N")
    done = run_correction(CorrectionOptions(**options))
    if as_json:
        emit_json({"schema": 1, **done.to_json()})
        return
    say(
        f"{done.name}: {counted(done.pictures, 'picture')} of others; accepted before "
        f"{done.accepted_before}, now {done.accepted_after}\nown looks rejected: before "
        f"{done.rejected_before}, now {done.rejected_after} of {done.groups}"
    )


@command(
    "people",
    examples="""
    edge-recognize people
    edge-recognize people --bundle family.edge --json
    """,
)
@bundle_option(help="Use this bundle; by default the one that 'edge-recognize run' uses.")
@key_file_option
@json_option()
def people(bundle: Path | None, key_file: Path | None, as_json: bool) -> None:
    """List the people of the bundle and those enrolled on this device."""
    from edge.heads.crowd import crowd_of
    from edge.people.store import is_sealed, people_folder
    from edge.visits.camera_book import read_book

    with _register(bundle, key_file) as register:
        known = register.known()
    crowd = crowd_of([each.head for each in known])
    sealed, book = is_sealed(people_folder()), read_book()
    if as_json:
        facts = [
            {**each.to_json(), "cameras": [bound.to_json() for bound in book.bounds(each.head)]}
            for each in known
        ]
        emit_json(
            {"schema": 1, "encrypted": sealed, "people": facts, "crowd": crowd.to_json()},
        )
        return
    for each in known:
        facts = each.to_json()
        words = [counted(facts["looks"], "look") if facts["looks"] else "", each.origin]
        if facts["not_me"]:
            words.append(f"{counted(facts['not_me'], 'picture')} of others taken back")
        say(f"{each.head.name}: {', '.join(word for word in words if word)}")
        for line in (line for bound in book.bounds(each.head) for line in bound.lines()):
            say(f"    {line}")
        for warning in facts["warnings"]:
            say(f"    warning: {warning}")
    for warning in crowd.warnings:
        say(f"warning: {warning}")
    if not known:
        say("nobody is known; enroll somebody: edge-recognize enrol --name ana --camera 0")
    if sealed is False:
        say("enrolled on this device without encryption; see 'edge-recognize keygen -h'")


@command(
    "forget",
    examples="""
    edge-recognize forget ana
    edge-recognize forget ana --bundle family.edge --json
    edge-recognize forget --all
    """,
)
@click.argument("name", required=False)
@click.option(
    "--all",
    "everybody",
    is_flag=True,
    help="Remove all people enrolled on this device; needs no key.",
)
@events_folder_option
@bundle_option(help="Use this bundle; by default the one that 'edge-recognize run' uses.")
@key_file_option
@json_option()
def forget(name: str | None, everybody: bool, as_json: bool, **options: Any) -> None:
    """Remove a person from this device: head, embeddings, event images, bundles.

    Bundles on this device are written again without the person. What stays is named, and the exit
    code is then 1. Remove copies elsewhere, backups and the workstation's run folder yourself.
    """
    from edge.cli.forget import run_forget, run_forget_all

    if everybody:
        done = run_forget_all(name, events_folder=options["events_folder"])
    else:
        done = run_forget(name, **options)
    if as_json:
        emit_json(done.to_json())
    else:
        say(done.text())
    if done.unreached:
        click.get_current_context().exit(1)


@command(
    "keygen",
    examples=f"""
    edge-recognize keygen -o ~/.config/edge-recognize/people.key
    export {KEY_FILE_VARIABLE}=~/.config/edge-recognize/people.key
    """,
)
@out_option(required=True, help="Write the key to this new file; it never overwrites one.")
@json_option()
def keygen(out: Path, as_json: bool) -> None:
    """Make a key that encrypts the people enrolled on this device.

    It encrypts those already enrolled, too. Without the key they cannot be recognized any more. The
    key protects a stolen memory card only if it is stored elsewhere.
    """
    from edge.people.encryption import Encryption, write_key
    from edge.people.store import load_people, only_writer, people_folder, save_people

    folder = people_folder()
    with only_writer(folder):
        known = load_people(folder, Encryption())
        key_id = write_key(out)
        if known.persons:
            save_people(folder, known, Encryption.open(out))
    if as_json:
        emit_json(
            {"schema": 1, "key_id": key_id, "file": str(out), "encrypted": len(known.persons)}
        )
    else:
        say(f"wrote the key {key_id} to {out}; set {KEY_FILE_VARIABLE} to that file")


def _register(bundle: Path | None, key_file: Path | None) -> Any:
    from edge.people.registry import open_register

    return open_register(bundle, key_file)


def _one_thread_of_algebra() -> None:
    """Small matrices gain nothing from threads, and sums come out the same on every machine."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


COMMANDS = (enrol, not_me, people, forget, keygen)
