"""Forgetting: somebody's head, embeddings and event pictures, wherever this device keeps them.

Files are removed from the file system; what a flash memory keeps of removed files is out of its
reach, which is what encryption at rest is for (`edge.people.encryption`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.locate import PREVIOUS, bundles_folder, current_link, data_folder, installed_name
from edge.bundle.reader import SUFFIX, Bundle
from edge.bundle.signature import configured_key
from edge.bundle.writer import BundleWriter
from edge.console.display_text import counted
from edge.errors import RefusedError, ToolkitError
from edge.files.atomic import flush_folder, remove_files
from edge.files.cache import cached_embeddings
from edge.files.model_file import sha256_of
from edge.heads.calibration import recalibrate
from edge.heads.head import Head
from edge.people.event_pictures import events_folder, pictures_of, pictures_of_anybody
from edge.people.store import Person

NEUTRAL_NAME = "people"
_CARD = "# {name}\n\nSomebody was removed from this bundle on the device that uses it.\n"


@dataclass(frozen=True)
class Forgotten:
    """What was removed. device: whether somebody was enrolled here. bundles: files that were
    written again without them. pictures: event pictures that were removed. not_me: pictures of
    them that were kept as hard negatives of others. visits: kept visits that name or show them.
    unreached: what may still know them, and why.
    """

    name: str
    device: bool
    bundles: tuple[str, ...]
    pictures: int
    not_me: int = 0
    visits: int = 0
    unreached: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        return not (self.device or self.bundles or self.pictures or self.visits)

    def to_json(self) -> dict[str, Any]:
        lists = {"bundles": list(self.bundles), "unreached": list(self.unreached)}
        return {"schema": 1, **vars(self), **lists}

    def text(self) -> str:
        """A few lines for people."""
        parts = ["who was enrolled here"] if self.device else []
        parts += [f"{path} (written again)" for path in self.bundles]
        parts += [counted(self.pictures, "event picture")] if self.pictures else []
        parts += [counted(self.visits, "visit")] if self.visits else []
        parts += [f"{counted(self.not_me, 'picture')} kept against others"] if self.not_me else []
        removed = ", ".join(parts) or "nothing"
        lines = [f"forgotten: {self.name or 'everybody'}; removed: {removed}"]
        lines += [f"not reached: {each}" for each in self.unreached]
        called = [path for path in self.bundles if _names(Path(path).name, self.name)]
        lines += [f"still called after {self.name}: {path}; rename it" for path in called]
        lines += ["an edge-recognize that runs forgets at SIGHUP (systemctl reload edge-recognize)"]
        return "\n".join(lines)


def bundles_with(
    name: str, also: Path | None = None
) -> tuple[tuple[Path, ...], tuple[tuple[Path, str], ...]]:
    """Bundles of the user, and the file `also`, that know somebody, or anybody where `name` is
    empty; and those that cannot be opened, with the reason."""
    folder = bundles_folder()
    paths = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    if also is not None and also.resolve() not in {path.resolve() for path in paths}:
        paths.append(also)
    found, closed = [], []
    for path in paths:
        try:
            with Bundle.open(path) as bundle:
                if any(name in (entry.name, "") for entry in bundle.manifest.heads):
                    found.append(path)
        except ToolkitError as problem:
            closed.append((path, problem.message))
    return tuple(found), tuple(closed)


def heads_of(name: str, paths: Iterable[Path]) -> tuple[Head, ...]:
    """Somebody's heads in bundles."""
    found = []
    for path in paths:
        with Bundle.open(path) as bundle:
            found += [head for head in bundle.heads if head.name == name]
    return tuple(found)


def without_pictures_of(heads: Sequence[Head], person: Person) -> Person:
    """A person without the hard negatives that one of `heads` takes for its own: they show who is
    to be forgotten. Somebody's head is not fitted again here."""
    own = np.zeros(len(person.not_me), bool)
    for head in heads:
        if head.embedder_sha256 == person.head.embedder_sha256 and len(own):
            own |= head.accepts(person.not_me)
    kept = ~np.isin(person.not_me_of, person.not_me_of[own])
    return replace(person, not_me=person.not_me[kept], not_me_of=person.not_me_of[kept])


def forget_in_bundles(
    paths: Iterable[Path], name: str, links: Iterable[Path] = ()
) -> tuple[Path, ...]:
    """Write bundles again without somebody; where they are now. Those of `links` that point to one
    of them point to the new file then, as the device's own links do.

    Raises `RefusedError` where only signed bundles are opened, as this device cannot sign.
    """
    paths = tuple(paths)
    if paths and configured_key() is not None:
        raise RefusedError(
            f"{name} is also in {', '.join(map(str, paths))}, which is signed, so that this device "
            "cannot write it again",
            hint="remove the file, or flash a bundle without that person",
        )
    kept = (current_link(), data_folder() / PREVIOUS, *links)
    return tuple(_without(path, name, kept) for path in paths)


def forget_pictures(name: str, folder: Path | None = None) -> tuple[int, tuple[str, ...]]:
    """Remove the event pictures that show or name somebody, or anybody where `name` is empty; how
    many there were, and which could not be removed."""
    folder = folder or events_folder()
    return _removed(pictures_of(folder, name) if name else pictures_of_anybody(folder))


def forget_cached() -> tuple[int, tuple[str, ...]]:
    """Remove the embeddings that the workstation's programs keep for the next time, of whomever:
    their names do not say. How many there were, and which could not be removed."""
    return _removed(cached_embeddings())


def _removed(paths: Iterable[Path]) -> tuple[int, tuple[str, ...]]:
    """Each of the files is tried, also after one that cannot be removed."""
    count, kept = 0, []
    for path in paths:
        try:
            count += remove_files([path])
        except OSError as problem:
            kept.append(f"{path} cannot be removed: {problem.strerror}")
    return count, tuple(kept)


def _without(path: Path, name: str, links: Iterable[Path]) -> Path:
    """The new file is whole and has its name before a link leads to it, and all links lead to it
    before the old one goes."""
    installed = path.resolve().parent == bundles_folder().resolve()
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.new")
    try:
        with Bundle.open(target) as bundle:
            heads = _others(bundle, name)
            BundleWriter.of(bundle, heads=heads, **_neutral(bundle, name)).write(temporary)
            title = _neutral(bundle, name).get("name", bundle.name)
        if not installed:
            os.replace(temporary, target)
            flush_folder(target.parent)
            return path
        new = target.with_name(installed_name(title, sha256_of(temporary.read_bytes())))
        os.replace(temporary, new)
        flush_folder(new.parent)
    finally:
        temporary.unlink(missing_ok=True)
    for link in links:
        _point(link, target, new)
    if new != target:
        remove_files([target])
    return new


def _others(bundle: Bundle, name: str) -> Sequence[Head]:
    """The other heads, with thresholds for a bundle without that person where they can be set."""
    left = [head for head in bundle.heads if head.name != name]
    cohort = bundle.cohort()
    if cohort is None:
        return left
    try:
        return recalibrate(left, cohort)
    except ToolkitError:
        return left


def _neutral(bundle: Bundle, name: str) -> dict[str, Any]:
    """Fields of the bundle that name somebody, without them."""
    changes: dict[str, Any] = {}
    if _names(bundle.name, name):
        changes["name"] = NEUTRAL_NAME
    if _names(bundle.text(bundle.manifest.card), name):
        changes["card"] = _CARD.format(name=changes.get("name", bundle.name))
    facts = json.dumps(dict(bundle.manifest.facts), ensure_ascii=False)
    if _names(facts, json.dumps(name, ensure_ascii=False)[1:-1]):
        changes["facts"] = {}
    return changes


def _names(text: str, name: str) -> bool:
    """Whether a text names somebody, in whatever case."""
    return bool(name) and name.casefold() in text.casefold()


def _point(link: Path, old: Path, new: Path) -> None:
    """Let a symbolic link that points to `old` point to `new` beside it; of links that lead
    to links, the last one."""
    if not link.is_symlink() or link.resolve() != old:
        return
    while (following := link.parent / link.readlink()).is_symlink():
        link = following
    target = link.readlink().with_name(new.name)
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    os.replace(fresh, link)
    flush_folder(link.parent)
