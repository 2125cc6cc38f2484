"""What a device keeps of people: where, since when, how much, how protected, what removes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge.bundle.locate import bundles_folder, data_folder
from edge.bundle.reader import SUFFIX
from edge.people.encryption import MAGIC
from edge.people.event_pictures import PREFIX, events_folder
from edge.people.store import is_sealed, people_folder
from edge.visits.camera_book import book_path
from edge.visits.store import visits_folder

SEALED, PRIVATE, OPEN = "encrypted", "for its owner alone", "readable by others"


@dataclass(frozen=True)
class Kept:
    """One kind of thing. what: in plain words. place: file or folder. since: the oldest, ISO 8601
    in UTC. removed_by: the command."""

    what: str
    place: Path
    files: int
    size_bytes: int
    since: str
    protection: str
    removed_by: str

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "place": str(self.place)}

    def text(self) -> str:
        """Two lines for people."""
        unit = "file" if self.files == 1 else "files"
        size = f"{self.files} {unit}, {self.size_bytes / 1e3:.0f} kB"
        return (
            f"{self.what}: {size}, since {self.since[:10]}, {self.protection}\n"
            f"    {self.place}; removed by {self.removed_by}"
        )


def kept_here() -> tuple[Kept, ...]:
    """All that this device keeps of people in its usual folders; what is not there is left out.

    Raises `PeopleError` where who is enrolled cannot be read.
    """
    everybody = "edge-recognize forget NAME, or --all"
    events = events_folder()
    found = (
        _kept("heads and embeddings of who is enrolled", people_folder(), "*", everybody,
              sealed=is_sealed(people_folder())),
        _kept("visits", visits_folder(), "*", everybody),
        _kept("counts of visits, without names and faces", book_path(), "", everybody),
        _kept("event pictures", events, f"{PREFIX}*", "edge-recognize forget NAME, or --all"),
        _kept("bundles, with the heads that were flashed", bundles_folder(), f"*{SUFFIX}",
              "edge-recognize forget NAME"),
        _kept("text of consent", data_folder() / "consent.txt", "", "removing the file"),
    )  # fmt: skip
    return tuple(one for one in found if one is not None)


def _kept(
    what: str, place: Path, pattern: str, removed_by: str, *, sealed: bool | None = None
) -> Kept | None:
    paths = [place] if not pattern else place.glob(pattern) if place.is_dir() else ()
    files = [path for path in paths if path.is_file()]
    if not files:
        return None
    facts = [path.stat() for path in files]
    oldest = datetime.fromtimestamp(min(fact.st_mtime for fact in facts), timezone.utc)
    closed = sealed if sealed is not None else _all_sealed(files)
    private = all(fact.st_mode & 0o077 == 0 for fact in facts) or place.stat().st_mode & 0o077 == 0
    return Kept(
        what,
        place,
        len(files),
        sum(fact.st_size for fact in facts),
        oldest.isoformat(timespec="seconds"),
        SEALED if closed else PRIVATE if private else OPEN,
        removed_by,
    )


def _all_sealed(files: Iterable[Path]) -> bool:
    for path in files:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return False
    return True
