"""People: who is enrolled on this device, kept in a folder beside the bundles.

`state.json` names one file a person, by a random number and not by name, and one with thresholds
and what else is set for all together; a change writes new files of whatever is different, then
`state.json`, then removes the old ones, each flushed to the disk before the next, so that it
happens whole or not at all. What a kill or a power cut leaves besides is removed by the next
command and at the next start. The files are encrypted where the vault has a key.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.locate import data_folder
from edge.errors import EncryptionError, PeopleError, ToolkitError
from edge.faces.keepsake import Keepsake
from edge.files.atomic import atomic_file, flush_folder, make_folder, remove_files
from edge.files.model_file import sha256_of
from edge.files.npz_record import NpzRecord, npz_bytes
from edge.files.platform import lock_now
from edge.heads.calibration import SET_TOGETHER
from edge.heads.calibration_record import calibration_from_json
from edge.heads.enrol import Album
from edge.heads.head import Head
from edge.people.encryption import Encryption, key_missing

SCHEMA = 1
FOLDER, STATE, LOCK = "people", "state.json", ".lock"
OTHER = "other_base"
"""Key of `state.json` under which the same people lie, enrolled again on the base of another
bundle; see `stage_people`."""
BEFORE = "before"
"""Key of `state.json` under which the state lies that the last `not-me` can be taken back to."""
SUFFIX, SUFFIX_TOGETHER = ".npz", ".json"
_AGAIN = "restore the folder, or remove it and enroll again"


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody known on this device.

    head: as it judges. album: the pictures' embeddings that it can be fitted on again, None for a
    person of the bundle whose head was corrected here. not_me: float32[H, D], hard negatives, and
    of which picture each row is, int64[H]. replaces: SHA-256 of the bundle's head that this one
    stands for, "" for somebody enrolled here.
    """

    head: Head
    album: Album | None
    not_me: np.ndarray
    not_me_of: np.ndarray
    replaces: str = ""

    @property
    def name(self) -> str:
        return self.head.name

    @property
    def mistaken(self) -> int:
        """Pictures of others that were given as hard negatives."""
        return len(np.unique(self.not_me_of))

    @cached_property
    def content(self) -> str:
        """32 hexadecimal digits of all but what is set for everybody together: the same for another
        threshold, another after anything else has changed."""
        facts = self.head.calibration.to_json()
        own = {key: value for key, value in facts.items() if key not in (*SET_TOGETHER, "scored")}
        scored = facts.get("scored")  # follows from head and cohort
        cohort = scored.get("cohort") if isinstance(scored, dict) else None
        said = [self.head.name, self.head.key, self.head.margin, cohort, self.replaces, own]
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        for key, array in self._arrays().items():
            digest.update(f"{key} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:32]

    def together(self) -> dict[str, Any]:
        """What is set for everybody together, JSON values."""
        facts = self.head.calibration.to_json()
        found = {key: facts[key] for key in SET_TOGETHER if key in facts}
        return {"threshold": float(self.head.threshold), "facts": found}

    def as_set(self, together: Mapping[str, Any] | None) -> Person:
        """With what `together` said; the same where nothing was said, as in earlier versions."""
        if together is None:
            return self
        facts = calibration_from_json({**self.head.calibration.to_json(), **together["facts"]})
        threshold = float(together["threshold"])
        return replace(self, head=replace(self.head, threshold=threshold, calibration=facts))

    def to_bytes(self) -> bytes:
        """As an `.npz` of stored arrays."""
        meta = {"schema": SCHEMA, "replaces": self.replaces}
        arrays: dict[str, np.ndarray] = {
            "head": np.frombuffer(self.head.to_bytes(), np.uint8),
            **self._arrays(),
        }
        return npz_bytes(arrays, meta)

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {
            "not_me": np.asarray(self.not_me, np.float32),
            "not_me_of": np.asarray(self.not_me_of, np.int64),
        }
        if self.album is not None:
            arrays["embeddings"] = self.album.embeddings
            arrays["groups"] = np.asarray(self.album.groups, np.int64)
            if self.album.varied is not None and self.album.varied_of is not None:
                arrays["varied"] = self.album.varied
                arrays["varied_of"] = np.asarray(self.album.varied_of, np.int64)
            if self.album.pictures is not None:
                arrays |= _arrays_of(self.album.pictures)
        return arrays

    @classmethod
    def from_bytes(cls, data: bytes, name: str) -> Person:
        """Raises `PeopleError` when it is none, damaged or of another schema."""
        try:
            file = NpzRecord.read(data, schema=SCHEMA)
            return cls(
                head=Head.from_bytes(file.array("head", np.uint8, "bytes").tobytes(), name),
                album=_album_in(file),
                not_me=file.array("not_me", np.float32, "H", "D"),
                not_me_of=file.array("not_me_of", np.int64, "H"),
                replaces=str(file.meta["replaces"]),
            )
        except (KeyError, TypeError, ValueError, ToolkitError) as problem:
            raise PeopleError(f"{name} cannot be read: {problem}", hint=_AGAIN) from None


@dataclass(frozen=True, eq=False)
class People:
    """Everybody known on this device.

    embedder_sha256: the file that all embeddings are of, "" where nobody is known. thresholds: of
    the bundle's heads, by the SHA-256 of each, set together with those of `persons`.
    calibrated_for: fingerprint of the heads and the cohort that all thresholds were set for.
    """

    persons: tuple[Person, ...] = ()
    embedder_sha256: str = ""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    calibrated_for: str = ""


def people_folder() -> Path:
    """`people` in the data folder, see `edge.bundle.locate.data_folder`."""
    return data_folder() / FOLDER


def waits_for(folder: Path, embedder_sha256: str) -> bool:
    """Whether somebody is enrolled here, and nothing of it is on this base."""
    state = _read_state(folder)
    if state is None or not (state["members"] or OTHER in state):
        return False
    return _edition(state, embedder_sha256)["embedder_sha256"] != embedder_sha256


def stage_people(folder: Path, people: People, vault: Encryption) -> None:
    """Keep the people as they are on another base beside what there is; with that base they count
    from now on, and with the one before everything stays. Another staging before is replaced."""
    state = _read_state(folder)
    if state is None:
        return
    state.pop(OTHER, None)
    _write(folder / STATE, json.dumps({**state, OTHER: _written(folder, people, vault)}).encode())
    remove_files(_left_behind(folder, _named(_read_state(folder) or state)))


def state_sha256(folder: Path) -> str:
    """Of who is known on this device, "" where nobody is."""
    try:
        return sha256_of((folder / STATE).read_bytes())
    except FileNotFoundError:
        return ""


def is_sealed(folder: Path) -> bool | None:
    """Whether the people of a folder are encrypted; None where nobody is known."""
    state = _read_state(folder)
    return None if state is None else bool(state["key_id"])


def load_people(folder: Path, vault: Encryption, embedder_sha256: str = "") -> People:
    """Who is known; nobody where the folder does not exist.

    embedder_sha256: of the base in use, where there are people on more than one. Raises
    `EncryptionError` where the key is missing or wrong, `PeopleError` where a file is damaged.
    """
    for last in (False, True):
        state = _read_state(folder)
        if state is None:
            return People()
        _check_key(state, vault)
        try:
            return _people_of(folder, _edition(state, embedder_sha256), vault)
        except FileNotFoundError as problem:  # removed by a change since: read the new state
            if last:
                name = Path(str(problem.filename)).name
                raise PeopleError(f"{folder} lacks its {name}", hint=_AGAIN) from None
    raise AssertionError("unreachable")


def save_people(folder: Path, people: People, vault: Encryption, *, can_undo: bool = False) -> None:
    """Write who is known in place of what was known before; with nobody left, remove the folder.

    can_undo: keep what was known before for `undo_people`, until the next change.
    Raises `PeopleError` where the folder cannot be removed.
    """
    if not people.persons:
        remove_people(folder)
        return
    make_folder(folder, private=True)
    before = _edition(_read_state(folder) or {"members": {}}, people.embedder_sha256)
    state = _written(folder, people, vault, before)
    if can_undo:
        state[BEFORE] = {k: value for k, value in before.items() if k not in (BEFORE, OTHER)}
    _write(folder / STATE, json.dumps(state, indent=1).encode())
    remove_files(_left_behind(folder, _named(state)))


def undo_people(folder: Path, vault: Encryption) -> People:
    """Take the last change back that could be undone; who is known then.

    Raises `PeopleError` where there is none, or the key is missing or wrong.
    """
    state = _read_state(folder)
    if state is None or BEFORE not in state:
        raise PeopleError(
            "there is nothing to undo: only the last not-me can be undone, until the next change"
        )
    _check_key(state, vault)
    before = state[BEFORE]
    if not before["members"]:
        remove_people(folder)
        return People()
    people = _people_of(folder, before, vault)
    _write(folder / STATE, json.dumps(before, indent=1).encode())
    remove_files(_left_behind(folder, _named(before)))
    return people


def remove_people(folder: Path) -> None:
    """Remove everybody: `state.json` first, so that whoever reads meanwhile finds all or nobody.

    Raises `PeopleError` where something stays.
    """
    try:
        remove_files([folder / STATE])
        remove_files(_left_behind(folder, ()))
        if folder.exists():
            folder.rmdir()
            flush_folder(folder.parent)
    except OSError as problem:
        raise PeopleError(
            f"{folder} cannot be removed: {problem.strerror}", hint="check its permissions"
        ) from None


def tidy_people(folder: Path) -> None:
    """Remove what a change that was cut off has left: files that `state.json` does not name, and
    the folder where it names nobody. Does nothing while another command changes who is known, or
    where this user may not."""
    with contextlib.suppress(PeopleError, OSError):
        if folder.is_dir() and _is_untidy(folder):
            with only_writer(folder):
                pass


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Held while people are changed, so that two commands do not undo each other's work."""
    make_folder(folder.parent, private=True)
    descriptor = os.open(folder.parent / f".{folder.name}{LOCK}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            lock_now(descriptor)
        except BlockingIOError:
            raise PeopleError(
                "another command is changing who is known", hint="wait until it is done"
            ) from None
        with contextlib.suppress(PeopleError, OSError):
            _tidy(folder)
        yield
    finally:
        os.close(descriptor)


def _is_untidy(folder: Path) -> bool:
    state = _read_state(folder)
    return state is None or bool(_left_behind(folder, _named(state)))


def _tidy(folder: Path) -> None:
    """Raises `PeopleError` where `state.json` is damaged, and nothing is removed."""
    if not folder.is_dir():
        return
    state = _read_state(folder)
    if state is None:
        remove_people(folder)
    else:
        remove_files(_left_behind(folder, _named(state)))


def _named(state: Mapping[str, Any]) -> set[str]:
    """The files that a state names, those that it can be taken back to, and those of another
    base."""
    editions = (state, *(state[key] for key in (BEFORE, OTHER) if key in state))
    return {name for each in editions for name in (*each["members"], *each.get("together", {}))}


def _edition(state: dict[str, Any], embedder_sha256: str) -> dict[str, Any]:
    """The people of a state on a base; of the one they were enrolled on where it says
    nothing of that."""
    other = state.get(OTHER)
    if other is not None and other["embedder_sha256"] == embedder_sha256:
        return {"schema": SCHEMA, **other}
    return state


def _files_of(
    folder: Path, state: Mapping[str, Any], vault: Encryption
) -> dict[str, tuple[str, dict[str, Any]]]:
    """By `Person.content` the files of a state that are there, as they would be written now, and
    what the state says of each."""
    if state.get("key_id", vault.key_id) != vault.key_id:
        return {}
    found = {}
    for name, said in _together(folder, state, vault).items():
        with contextlib.suppress(OSError, KeyError):
            entry = state["members"][name]
            if (folder / name).stat().st_size == entry["size_bytes"]:
                found[str(said["content"])] = (name, entry)
    return found


def _together(folder: Path, state: Mapping[str, Any], vault: Encryption) -> dict[str, Any]:
    """By file what is set for everybody together; nothing where an earlier version wrote the
    state. Raises `PeopleError` where it is damaged, `FileNotFoundError` where it is gone."""
    for name, entry in state.get("together", {}).items():
        return dict(json.loads(vault.unseal(_read(folder, name, entry), name)))
    return {}


def _read(folder: Path, name: str, entry: Mapping[str, Any]) -> bytes:
    data = (folder / Path(name).name).read_bytes()
    if sha256_of(data) != entry["sha256"]:
        raise PeopleError(f"{folder / name} is not what was written", hint=_AGAIN)
    return data


def _sealed(
    folder: Path, suffix: str, data: bytes, vault: Encryption
) -> tuple[str, dict[str, Any]]:
    """Write a file under a random name; the name, and what a state says about the file."""
    name = secrets.token_hex(8) + suffix
    sealed = vault.seal(data, name)
    _write(folder / name, sealed)
    return name, {"sha256": sha256_of(sealed), "size_bytes": len(sealed)}


def _written(
    folder: Path, people: People, vault: Encryption, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write a file for each person who has none among those of `before`, a state that is in use;
    the state that names them."""
    members: dict[str, dict[str, Any]] = {}
    together: dict[str, dict[str, Any]] = {}
    known = {} if before is None else _files_of(folder, before, vault)
    for person in people.persons:
        name, entry = known.pop(person.content, ("", {}))
        if not name:
            name, entry = _sealed(folder, SUFFIX, person.to_bytes(), vault)
        members[name] = entry
        together[name] = {"content": person.content, **person.together()}
    name, entry = _sealed(folder, SUFFIX_TOGETHER, json.dumps(together).encode(), vault)
    return {
        "schema": SCHEMA,
        "embedder_sha256": people.embedder_sha256,
        "key_id": vault.key_id,
        "members": members,
        "together": {name: entry},
        "thresholds": dict(people.thresholds),
        "calibrated_for": people.calibrated_for,
    }


def _arrays_of(pictures: Sequence[Keepsake]) -> dict[str, np.ndarray]:
    """Pictures that are kept, as arrays of a file."""
    data = b"".join(kept.jpeg for kept in pictures)
    return {
        "pictures": np.frombuffer(data, np.uint8),
        "picture_bytes": np.array([len(kept.jpeg) for kept in pictures], np.int64),
        "picture_points": np.stack([kept.points_px for kept in pictures]),
        "picture_scores": np.array([kept.detector_score for kept in pictures], np.float32),
    }


def _album_in(file: NpzRecord) -> Album | None:
    if "embeddings" not in file:
        return None
    varied = "varied" in file
    return Album(
        file.array("embeddings", np.float32, "N", "D"),
        file.array("groups", np.int64, "N"),
        file.array("varied", np.float32, "M", "D") if varied else None,
        file.array("varied_of", np.int64, "M") if varied else None,
        _pictures_in(file),
    )


def _pictures_in(file: NpzRecord) -> tuple[Keepsake, ...] | None:
    if "pictures" not in file:
        return None
    data = file.array("pictures", np.uint8, "bytes of pictures").tobytes()
    ends = np.cumsum(file.array("picture_bytes", np.int64, "N"))
    found = file.array("picture_points", np.float32, "N", 7, 2)
    starts = [0, *ends[:-1]]
    return tuple(
        Keepsake(data[start:end], points, float(score))
        for start, end, points, score in zip(
            starts, ends, found, file.array("picture_scores", np.float32, "N"), strict=True
        )
    )


def _left_behind(folder: Path, members: Iterable[str]) -> list[Path]:
    """Files of a folder of people that are not among its members; a folder in it is not ours."""
    kept = {*members, STATE}
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.name not in kept and not path.is_dir()]


def _read_state(folder: Path) -> dict[str, Any] | None:
    path = folder / STATE
    try:
        state = json.loads(path.read_bytes())
        if state["schema"] != SCHEMA:
            raise ValueError(f"schema {state['schema']}, this version reads {SCHEMA}")
        members, thresholds = dict(state["members"]), dict(state["thresholds"])
        checked = {"key_id": str(state["key_id"]), "members": members, "thresholds": thresholds}
        return {**state, **checked}
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise PeopleError(f"cannot read {path}: {problem.strerror}") from None
    except (ValueError, KeyError, TypeError) as problem:
        raise PeopleError(f"{path} is damaged: {problem}", hint=_AGAIN) from None


def _check_key(state: Mapping[str, Any], vault: Encryption) -> None:
    sealed_by = state["key_id"]
    if sealed_by and not vault.is_locked:
        raise key_missing()
    if sealed_by and sealed_by != vault.key_id:
        raise EncryptionError(
            f"the people enrolled on this device are encrypted with the key {sealed_by}, "
            f"and this is the key {vault.key_id}",
            hint="give the key that they were enrolled with",
        )


def _people_of(folder: Path, state: Mapping[str, Any], vault: Encryption) -> People:
    persons = []
    together = _together(folder, state, vault)
    for name, entry in state["members"].items():
        data = _read(folder, name, entry)
        person = Person.from_bytes(vault.unseal(data, name), name)
        persons.append(person.as_set(together.get(name)))
    return People(
        persons=tuple(sorted(persons, key=lambda person: person.name)),
        embedder_sha256=str(state["embedder_sha256"]),
        thresholds={str(k): float(v) for k, v in state["thresholds"].items()},
        calibrated_for=str(state["calibrated_for"]),
    )


def _write(path: Path, data: bytes) -> None:
    with atomic_file(path, private=True) as temporary:
        temporary.write_bytes(data)
