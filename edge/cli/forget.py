"""What `edge-recognize forget` does: everything of one person, wherever it lies on this device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge.bundle.locate import locate
from edge.errors import InputError, ToolkitError, UsageError
from edge.heads.head import Head
from edge.people.encryption import Encryption
from edge.people.erasure import (
    Forgotten,
    bundles_with,
    forget_cached,
    forget_in_bundles,
    forget_pictures,
    heads_of,
    without_pictures_of,
)
from edge.people.registry import Registry
from edge.people.store import (
    load_people,
    only_writer,
    people_folder,
    remove_people,
    save_people,
)
from edge.visits.camera_book import forget_heads, remove_book
from edge.visits.store import VisitStore


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
        raise UsageError("no person is named", hint="give a NAME, or --all")
    vault = Encryption.open(key_file)
    used = _used(bundle)
    with only_writer(people_folder()):
        found, closed = bundles_with(name, used)
        heads = heads_of(name, found)
        own = [each.head for each in load_people(people_folder(), vault).persons]
        visits = VisitStore(vault=vault).forget(name, (*heads, *(h for h in own if h.name == name)))
        forget_heads((*heads, *(head for head in own if head.name == name)))
        device, changed = _from_device(name, heads, vault)
        pictures, kept = forget_pictures(name, events_folder)
        _, cached = forget_cached()
        written = forget_in_bundles(found, name, () if used is None else (used,))
        if device or changed or written:
            _settle(bundle, vault, tuple(changed))
    paths = tuple(map(str, written))
    unreached = (*(f"{path} cannot be opened: {why}" for path, why in closed), *kept, *cached)
    done = Forgotten(name, device, paths, pictures, sum(changed.values()), visits, unreached)
    if done.nothing and not unreached:
        raise InputError(f"there is nothing of {name} on this device", hint="edge-recognize people")
    return done


def run_forget_all(name: str | None, *, events_folder: Path | None = None) -> Forgotten:
    """Remove everybody enrolled on this device, all visits, and all event pictures that show or
    name somebody; bundles stay, and those that know somebody or cannot be opened are named."""
    if name:
        raise UsageError("--all and a name exclude each other", hint="give one of them")
    folder = people_folder()
    with only_writer(folder):
        there = folder.exists()
        remove_people(folder)
        visits = VisitStore().clear()
        remove_book()
        pictures, kept = forget_pictures("", events_folder)
        _, cached = forget_cached()
        found, closed = bundles_with("", _used(None))
    unreached = (
        *(f"{path} knows somebody: 'edge-recognize forget NAME' takes them out" for path in found),
        *(f"{path} cannot be opened: {why}" for path, why in closed),
        *kept,
        *cached,
    )
    if not there and not visits and not pictures and not unreached:
        raise InputError("nobody is enrolled on this device")
    return Forgotten("", there, (), pictures, visits=visits, unreached=unreached)


def _used(bundle: Path | None) -> Path | None:
    try:
        return locate(bundle).path
    except ToolkitError:
        if bundle is not None:
            raise
        return None


def _from_device(
    name: str, heads: Sequence[Head], vault: Encryption
) -> tuple[bool, dict[str, int]]:
    """Remove somebody, and pictures of them that are kept against others: whether they were there,
    and how many pictures by whom they were kept against. heads: of them, in bundles."""
    folder = people_folder()
    known = load_people(folder, vault)
    own = [person.head for person in known.persons if person.name == name]
    others = [person for person in known.persons if person.name != name]
    left = [without_pictures_of((*heads, *own), person) for person in others]
    pairs = zip(others, left, strict=True)
    changed = {b.name: b.mistaken - a.mistaken for b, a in pairs if len(b.not_me) > len(a.not_me)}
    if own or changed:
        save_people(folder, replace(known, persons=tuple(left), calibrated_for=""), vault)
    return bool(own), changed


def _settle(bundle: Path | None, vault: Encryption, changed: Sequence[str]) -> None:
    """Fit those again who have lost hard negatives, set the thresholds of who is left and keep
    them; where that cannot be done now, it is done
    whenever the people are used."""
    try:
        with locate(bundle).open() as opened:
            Registry(opened, vault).settle(changed)
    except ToolkitError:
        return
