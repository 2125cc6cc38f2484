"""The visitors' book: the last visits, each in a private file, encrypted where there is a key."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge.bundle.locate import data_folder
from edge.errors import EncryptionError, InputError, PeopleError
from edge.files.atomic import atomic_file, make_folder, remove_files
from edge.heads.head import Head
from edge.people.encryption import Encryption
from edge.visits.visit import Visit

log = logging.getLogger(__name__)

FOLDER = "visits"
MOST_VISITS = 2000
LAST_WORD = "last-word.json"
"""What the owner's last word has changed, so that it can be taken back."""

_NAME = re.compile(r"(\d{8})\.visit")


def visits_folder() -> Path:
    """Where `--keep-visits` keeps them."""
    return data_folder() / FOLDER


class VisitStore:
    """The visits of a folder, at most `keep` of them; the oldest go first.

    What cannot be read, or not without a key, is left out and counted in `unreadable`.
    """

    def __init__(
        self, folder: Path | None = None, vault: Encryption | None = None, keep: int = MOST_VISITS
    ) -> None:
        self.folder = folder or visits_folder()
        self.vault = vault or Encryption()
        self.keep = min(keep, MOST_VISITS)
        self.unreadable = 0
        self._cache: dict[str, tuple[int, Visit]] = {}

    def add(self, visit: Visit) -> Visit:
        """Store a visit under the next number, and remove what is too much. Raises `OSError`."""
        numbers = self._numbers()
        visit = replace(visit, number=(numbers[-1] if numbers else 0) + 1)
        make_folder(self.folder, private=True)
        self.write(visit)
        surplus = [*numbers, visit.number][: -self.keep]
        remove_files(self._path(number) for number in surplus)
        return visit

    def write(self, visit: Visit) -> None:
        """Write a visit that has its number, in place of what was there."""
        path = self._path(visit.number)
        with atomic_file(path, private=True) as temporary:
            temporary.write_bytes(self.vault.seal(visit.to_bytes(), path.name))

    def visits(self, last: int | None = None) -> tuple[Visit, ...]:
        """The last `last` visits, or all, the oldest first."""
        self.unreadable = 0
        numbers = self._numbers()
        found = []
        for number in numbers if last is None else numbers[-last:]:
            try:
                found.append(self._read(number))
            except FileNotFoundError:  # removed meanwhile
                continue
            except (PeopleError, EncryptionError, OSError):
                self.unreadable += 1
        self._cache = {n: c for n, c in self._cache.items() if _number(n) in set(numbers)}
        return tuple(found)

    def find(self, number: int) -> Visit:
        """Raises `InputError` where it is not kept, `PeopleError`, `EncryptionError`."""
        try:
            return self._read(number)
        except FileNotFoundError:
            raise InputError(
                f"there is no visit {number}", hint="edge-recognize visits lists them"
            ) from None

    def forget(self, name: str, heads: Sequence[Head] = ()) -> int:
        """Remove the visits that name somebody, and those with a look that one of their heads
        accepts; how many. Of others the name goes, where they say that it was not them."""
        gone = []
        for visit in self.visits():
            if visit.names(name) or _shows(visit, heads):
                gone.append(visit.number)
            elif name in visit.denied:
                left = tuple(other for other in visit.denied if other != name)
                self.write(replace(visit, denied=left))
        remove_files([self.folder / LAST_WORD] if self.folder.is_dir() else [])
        return remove_files(self._path(number) for number in gone)

    def forget_unknown(self, after_s: float) -> int:
        """Remove visits of nobody known that began longer ago than `after_s`; how many."""
        now = datetime.now(timezone.utc)
        old = [
            visit.number
            for visit in self.visits()
            if visit.who is None
            and (now - datetime.fromisoformat(visit.at)).total_seconds() > after_s
        ]
        return remove_files(self._path(number) for number in old)

    def clear(self) -> int:
        """Remove all visits; how many there were."""
        if not self.folder.is_dir():
            return 0
        count = remove_files(self._path(number) for number in self._numbers())
        remove_files(path for path in self.folder.iterdir() if path.is_file())
        self.folder.rmdir()
        return count

    def remember_word(self, word: dict[str, Any]) -> None:
        """Keep what the owner's last word has changed, in place of the one before."""
        path = self.folder / LAST_WORD
        with atomic_file(path, private=True) as temporary:
            temporary.write_bytes(self.vault.seal(json.dumps(word).encode(), path.name))

    def last_word(self) -> dict[str, Any] | None:
        """What the owner's last word has changed; None where there is none to take back."""
        path = self.folder / LAST_WORD
        try:
            found: dict[str, Any] = json.loads(self.vault.unseal(path.read_bytes(), path.name))
            return found
        except FileNotFoundError:
            return None
        except ValueError:
            raise PeopleError(f"{path} is damaged", hint="remove it") from None

    def forget_word(self) -> None:
        """Nothing can be taken back from now on."""
        remove_files([self.folder / LAST_WORD])

    def _read(self, number: int) -> Visit:
        path = self._path(number)
        changed_ns = path.stat().st_mtime_ns
        cached = self._cache.get(path.name)
        if cached is not None and cached[0] == changed_ns:
            return cached[1]
        visit = Visit.from_bytes(self.vault.unseal(path.read_bytes(), path.name), number)
        self._cache[path.name] = (changed_ns, visit)
        return visit

    def _numbers(self) -> list[int]:
        if not self.folder.is_dir():
            return []
        found = (_number(path.name) for path in self.folder.iterdir())
        return sorted(number for number in found if number is not None)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.visit"


def _number(name: str) -> int | None:
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def _shows(visit: Visit, heads: Iterable[Head]) -> bool:
    looks = visit.looks
    return looks.has_embeddings and any(
        head.embedder_sha256 == looks.embedder_sha256
        and head.size == looks.embeddings.shape[1]
        and bool(head.accepts(looks.embeddings).any())
        for head in heads
    )
