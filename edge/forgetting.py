"""Forgetting: somebody's head, embeddings and event pictures, wherever this device keeps them.

Files are removed from the file system; what a flash memory keeps of removed files is out of its
reach, which is what encryption at rest is for (`edge.vault`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bundle import SUFFIX, Bundle
from edge.calibration import recalibrate
from edge.errors import RefusedError, ToolkitError
from edge.events import events_folder, pictures_of
from edge.head import Head
from edge.locate import PREVIOUS, bundles_folder, current_link, data_folder, installed_name
from edge.modelfile import sha256_of
from edge.signature import configured_key

NEUTRAL_NAME = "people"
_CARD = "# {name}\n\nSomebody was removed from this bundle on the device that uses it.\n"


@dataclass(frozen=True)
class Forgotten:
    """What was removed. device: whether somebody was enrolled here. bundles: files that were
    written again without them. pictures: event pictures that were removed."""

    name: str
    device: bool
    bundles: tuple[str, ...]
    pictures: int

    @property
    def nothing(self) -> bool:
        return not (self.device or self.bundles or self.pictures)

    def to_json(self) -> dict[str, Any]:
        return {"schema": 1, **vars(self), "bundles": list(self.bundles)}


def bundles_with(name: str, also: Path | None = None) -> tuple[Path, ...]:
    """Bundles of the user, and the file `also`, that know somebody. What cannot be opened is left
    out: it is no bundle that recognizes anybody here."""
    folder = bundles_folder()
    paths = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    if also is not None and also.resolve() not in {path.resolve() for path in paths}:
        paths.append(also)
    found = []
    for path in paths:
        try:
            with Bundle.open(path) as bundle:
                if any(entry.name == name for entry in bundle.manifest.heads):
                    found.append(path)
        except ToolkitError:
            continue
    return tuple(found)


def forget_in_bundles(paths: Iterable[Path], name: str) -> tuple[Path, ...]:
    """Write bundles again without somebody; where they are now.

    Raises `RefusedError` where only signed bundles are opened, as this device cannot sign.
    """
    paths = tuple(paths)
    if paths and configured_key() is not None:
        raise RefusedError(
            f"{name} is also in {', '.join(map(str, paths))}, which is signed, so that this device "
            "cannot write it again",
            hint="remove the file, or flash a bundle without that person",
        )
    return tuple(_without(path, name) for path in paths)


def forget_pictures(name: str, folder: Path | None = None) -> int:
    """Remove the event pictures that show or name somebody; how many there were."""
    found = pictures_of(folder or events_folder(), name)
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _without(path: Path, name: str) -> Path:
    installed = path.resolve().parent == bundles_folder().resolve()
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.new")
    try:
        with Bundle.open(target) as bundle:
            bundle.write(temporary, heads=_others(bundle, name), **_neutral(bundle, name))
            title = _neutral(bundle, name).get("name", bundle.name)
        if not installed:
            os.replace(temporary, target)
            return path
        new = target.with_name(installed_name(title, sha256_of(temporary.read_bytes())))
        os.replace(temporary, new)
    finally:
        temporary.unlink(missing_ok=True)
    for link in (current_link(), data_folder() / PREVIOUS):
        _point(link, target, new)
    target.unlink(missing_ok=True)
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
    if name.casefold() in bundle.name.casefold():
        changes["name"] = NEUTRAL_NAME
    if name.casefold() in bundle.text(bundle.manifest.card).casefold():
        changes["card"] = _CARD.format(name=changes.get("name", bundle.name))
    facts = json.dumps(dict(bundle.manifest.facts), ensure_ascii=False)
    if name.casefold() in facts.casefold():
        changes["facts"] = {}
    return changes


def _point(link: Path, old: Path, new: Path) -> None:
    """Let a symbolic link that points to `old` point to `new`, its neighbour."""
    if not link.is_symlink() or link.resolve() != old:
        return
    target = link.readlink().with_name(new.name)
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    os.replace(fresh, link)
