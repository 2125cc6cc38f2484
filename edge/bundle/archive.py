"""Archives: zip files of stored members, read without extracting and refused when in doubt.

Every zip tool can open them, but only a small part of the zip format is accepted: members follow
each other without gaps from the first byte to the central directory, none is compressed, encrypted
or larger than allowed, names are plain relative paths, and nothing comes before, between or after.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import weakref
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from edge.errors import (
    BundleError,
    BundleHashMismatch,
    BundleMembersWrong,
    BundleOversized,
    BundlePathEscape,
    BundleTruncated,
)
from edge.files.atomic import atomic_file

MAX_MEMBERS = 1024
MAX_MEMBER_BYTES = 512 * 2**20
MAX_ARCHIVE_BYTES = 2**30
"""What an archive may hold at most; a model for a Raspberry Pi is a thousandth of it."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*")
_MAX_NAME = 200
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX, _VERSION_2_0 = 3, 20
_STORED, _PLAIN_FLAGS = 0, (0, 0x800)
# the records of the zip format (PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16)
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_REFETCH = "copy the bundle again from where it was made"


class BundleCompressed(BundleOversized):
    """A member is compressed, so that its declared size promises nothing (zip bombs)."""


@dataclass(frozen=True)
class Member:
    """Where a member's bytes lie in the archive."""

    name: str
    offset: int
    size_bytes: int
    crc32: int


def checked_name(name: str) -> str:
    """`name` itself. Raises `BundlePathEscape` unless it is a plain relative path in ASCII."""
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise BundlePathEscape(f"a bundle may not hold a file named {name[:_MAX_NAME]!r}")
    return name


class Archive:
    """An open archive. Members are read on demand; safe to use from several threads."""

    def __init__(self, path: Path, descriptor: int, members: Mapping[str, Member]) -> None:
        self.path = path
        self._descriptor = descriptor
        self._members = dict(members)
        self._close = weakref.finalize(self, os.close, descriptor)

    @classmethod
    def open(cls, path: Path) -> Archive:
        """Read the table of members, none of their bytes.

        Raises `BundleTruncated`, `BundleOversized`, `BundleCompressed`, `BundlePathEscape` or
        `BundleMembersWrong` with the reason, `BundleError` where there is no such file.
        """
        path = Path(path)
        descriptor = _open_file(path)
        try:
            return cls(path, descriptor, _read_table(path, descriptor))
        except BaseException:
            os.close(descriptor)
            raise

    def close(self) -> None:
        self._close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._members)

    def size_bytes(self, name: str) -> int:
        return self._member(name).size_bytes

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises `BundleMembersWrong`, `BundleHashMismatch`."""
        member = self._member(name)
        data = _read_exactly(self.path, self._descriptor, member.size_bytes, member.offset)
        if zlib.crc32(data) != member.crc32:
            raise BundleHashMismatch(f"{self.path}: {name} is damaged", hint=_REFETCH)
        return data

    def _member(self, name: str) -> Member:
        try:
            return self._members[name]
        except KeyError:
            raise BundleMembersWrong(f"{self.path} has no {name}", hint=_REFETCH) from None


def write_archive(path: Path, members: Mapping[str, bytes], *, private: bool = False) -> None:
    """Write `members` in their order, whole or not at all; same members, same bytes.

    private: readable by its owner alone, and so are folders that are made for it.

    Raises `BundlePathEscape` for a name and `BundleOversized` for a size that `Archive` refuses.
    """
    _check_sizes(path, {checked_name(name): len(data) for name, data in members.items()})
    with (
        atomic_file(Path(path), private=private) as temporary,
        zipfile.ZipFile(temporary, "w") as file,
    ):
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.create_version = _UNIX, _VERSION_2_0
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            file.writestr(entry, data, compress_type=zipfile.ZIP_STORED)


def check_npz(data: bytes, name: str) -> None:
    """Refuse an `.npz` member that would unpack to more bytes than it has.

    Raises `BundleCompressed`, or `BundleHashMismatch` where it is no `.npz`.
    """
    try:
        entries = zipfile.ZipFile(BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise BundleHashMismatch(f"{name} is no NumPy archive", hint=_REFETCH) from None
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > len(data):
        raise BundleCompressed(f"{name} holds compressed arrays", hint=_REFETCH)


def _open_file(path: Path) -> int:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BundleError(f"{path} is not a file", hint="give a NAME.edge")
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        raise BundleError(
            f"cannot read the bundle {path}: {problem.strerror}", hint="check the path"
        ) from None


def _read_exactly(path: Path, descriptor: int, size: int, offset: int) -> bytes:
    data = os.pread(descriptor, size, offset)
    if len(data) == size:
        return data
    parts = [data]
    while sum(map(len, parts)) < size:  # a read may stop early, on Linux at 2 GiB
        done = sum(map(len, parts))
        part = os.pread(descriptor, size - done, offset + done)
        if not part:
            raise _damaged(path, "it ends too early")
        parts.append(part)
    return b"".join(parts)


def _read_table(path: Path, descriptor: int) -> dict[str, Member]:
    total = os.fstat(descriptor).st_size
    if total > MAX_ARCHIVE_BYTES:
        raise BundleOversized(f"{path} has {total} bytes; a bundle has at most {MAX_ARCHIVE_BYTES}")
    if total < _END.size:
        raise _damaged(path, "it ends too early")
    end = _END.unpack(_read_exactly(path, descriptor, _END.size, total - _END.size))
    signature, disk, first_disk, here, count, size, start, comment = end
    if signature != b"PK\5\6" or comment or disk or first_disk or here != count:
        raise _no_end(path, descriptor)
    if count > MAX_MEMBERS:
        raise BundleOversized(f"{path} has {count} members; a bundle has at most {MAX_MEMBERS}")
    if start + size + _END.size != total or size > count * (_CENTRAL.size + _MAX_NAME):
        raise _damaged(path, "its table of members is in the wrong place")
    table = _read_exactly(path, descriptor, size, start)
    members: dict[str, Member] = {}
    position = 0
    for _ in range(count):
        entry, crc32, place, position = _read_entry(path, table, position)
        name, size_bytes = entry
        if name in members:
            raise BundleMembersWrong(f"{path} has {name} twice", hint=_REFETCH)
        offset = place + _LOCAL.size + len(name)
        members[name] = Member(name, offset, size_bytes, crc32)
    if position != len(table):
        raise _damaged(path, "its table of members is damaged")
    _check_sizes(path, {member.name: member.size_bytes for member in members.values()})
    _check_places(path, descriptor, members, start)
    return members


def _read_entry(path: Path, table: bytes, position: int) -> tuple[tuple[str, int], int, int, int]:
    """One entry of the central directory: (name, size), CRC, place, position of the next."""
    if position + _CENTRAL.size > len(table):
        raise _damaged(path, "its table of members ends too early")
    fields = _CENTRAL.unpack_from(table, position)
    signature, _, _, flags, method, _, _, crc32, packed, size = fields[:10]
    name_size, extra, comment, disk, _, _, place = fields[10:]
    position += _CENTRAL.size
    raw = table[position : position + name_size]
    if signature != b"PK\1\2" or len(raw) != name_size or disk:
        raise _damaged(path, "its table of members is damaged")
    name = checked_name(raw.decode("ascii", "backslashreplace"))
    if method != _STORED or packed != size:
        raise BundleCompressed(f"{path}: {name} is compressed", hint=_REFETCH)
    if flags not in _PLAIN_FLAGS or extra or comment:
        raise _damaged(path, f"{name} is stored in a way that no bundle uses")
    return (name, size), crc32, place, position + name_size


def _check_sizes(path: Path, sizes: Mapping[str, int]) -> None:
    for name, size in sizes.items():
        if size > MAX_MEMBER_BYTES:
            raise BundleOversized(f"{path}: {name} has {size} bytes, allowed {MAX_MEMBER_BYTES}")
    if sum(sizes.values()) > MAX_ARCHIVE_BYTES or len(sizes) > MAX_MEMBERS:
        raise BundleOversized(f"{path} would be larger than {MAX_ARCHIVE_BYTES} bytes")


def _check_places(
    path: Path, descriptor: int, members: Mapping[str, Member], table_start: int
) -> None:
    """Members must fill the file up to the table, each behind a header that says the same."""
    place = 0
    for member in members.values():
        name = member.name.encode("ascii")
        if member.offset != place + _LOCAL.size + len(name) or member.offset > table_start:
            raise _damaged(path, "its members overlap or leave gaps")
        header = _read_exactly(path, descriptor, _LOCAL.size + len(name), place)
        signature, _, flags, method, _, _, crc32, packed, size, name_size, extra = (
            _LOCAL.unpack_from(header)
        )
        said = (signature, method, crc32, packed, size, name_size, extra, header[_LOCAL.size :])
        size_bytes = member.size_bytes
        due = (b"PK\3\4", _STORED, member.crc32, size_bytes, size_bytes, len(name), 0, name)
        if said != due or flags not in _PLAIN_FLAGS:
            raise _damaged(path, f"the header of {member.name} contradicts the table of members")
        place = member.offset + member.size_bytes
    if place != table_start:
        raise _damaged(path, "its members overlap or leave gaps")


def _no_end(path: Path, descriptor: int) -> BundleTruncated:
    start = os.pread(descriptor, 64, 0).lstrip().lower()
    if start.startswith(b"pk\3\4"):
        return _damaged(path, "it ends too early, or something was appended to it")
    if start.startswith(b"version https://git-lfs"):
        return BundleTruncated(f"{path} is a git-lfs pointer", hint="run 'git lfs pull'")
    return BundleTruncated(f"{path} is no bundle", hint="make one with 'edge-export pack'")


def _damaged(path: Path, why: str) -> BundleTruncated:
    return BundleTruncated(f"{path} is damaged: {why}", hint=_REFETCH)
