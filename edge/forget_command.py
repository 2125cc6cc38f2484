"""What `edge-recognize forget` does: everything of one person, wherever it lies on this device."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from edge.errors import InputError, ToolkitError, UsageError
from edge.forgetting import Forgotten, bundles_with, forget_in_bundles, forget_pictures
from edge.locate import locate
from edge.people import load_people, only_writer, people_folder, save_people
from edge.register import Register
from edge.vault import Vault


def run_forget(
    name: str | None,
    *,
    bundle: Path | None = None,
    key_file: Path | None = None,
    events_folder: Path | None = None,
) -> Forgotten:
    """Raises `InputError` where nothing of them is there, `RefusedError` where they stay in a
    signed bundle; what could be removed is removed then."""
    if not name:
        raise UsageError("nobody is named", hint="give a NAME, or --all")
    vault = Vault.open(key_file)
    used = _used(bundle)
    with only_writer(people_folder()):
        device = _from_device(name, vault)
        pictures = forget_pictures(name, events_folder)
        written = forget_in_bundles(bundles_with(name, used), name)
        _settle(bundle, vault)
    done = Forgotten(name, device, tuple(str(path) for path in written), pictures)
    if done.nothing:
        raise InputError(f"there is nothing of {name} on this device", hint="edge-recognize people")
    return done


def run_forget_all(name: str | None) -> Forgotten:
    """Remove everybody enrolled on this device; bundles and event pictures stay."""
    if name:
        raise UsageError("--all and a name exclude each other", hint="give one of them")
    folder = people_folder()
    with only_writer(folder):
        there = folder.exists()
        shutil.rmtree(folder, ignore_errors=True)
    if not there:
        raise InputError("nobody is enrolled on this device")
    return Forgotten("", True, (), 0)


def _used(bundle: Path | None) -> Path | None:
    try:
        return locate(bundle).path
    except ToolkitError:
        if bundle is not None:
            raise
        return None


def _from_device(name: str, vault: Vault) -> bool:
    folder = people_folder()
    known = load_people(folder, vault)
    left = tuple(person for person in known.persons if person.name != name)
    if len(left) == len(known.persons):
        return False
    save_people(folder, replace(known, persons=left, calibrated_for=""), vault)
    return True


def _settle(bundle: Path | None, vault: Vault) -> None:
    """Set the thresholds of who is left and keep them; where that cannot be done now, it is done
    whenever the people are used."""
    try:
        with locate(bundle).open() as opened:
            Register(opened, vault).settle()
    except ToolkitError:
        return
