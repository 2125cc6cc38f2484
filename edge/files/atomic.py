"""Files appear whole or not at all, and stay: written under a temporary name, flushed to the disk,
renamed, and the folder flushed, so that after a power cut there is the old file or the new one.

Without the flush, ext4 with `noauto_da_alloc` and XFS may keep the new name with no content
(Pillai et al., All File Systems Are Not Created Equal, OSDI 2014).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_CANNOT_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EROFS)
"""What file systems and systems say that cannot flush a folder."""


@contextmanager
def atomic_file(target: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` when the block succeeds.

    The temporary name keeps the suffix of `target`, so that writers that choose a format by suffix
    work. When the block raises, the temporary file is removed and `target` is left as it was.
    private: the file can be read and written by its owner alone from the first byte on, and so can
    folders that are made for it.
    """
    target = Path(target)
    make_folder(target.parent, private=private)
    temporary = _temporary_name(target)
    _create(temporary, private=private)
    try:
        yield temporary
        _flush_file(temporary, private=private)
        os.replace(temporary, target)
        flush_folder(target.parent)
    except OSError as problem:
        raise _about(problem, target) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside `target`; rename it to `target` when the block succeeds.

    With `replace`, an existing `target` is swapped out and removed only after the new one is whole.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(target)
    temporary.mkdir()
    try:
        yield temporary
        publish_folder(temporary, target, replace=replace)
    except OSError as problem:
        raise _about(problem, target) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish_folder(folder: Path, target: Path, *, replace: bool = False) -> None:
    """Flush a finished folder and rename it to `target`, on the same file system.

    With `replace`, a folder that was there is removed once the new one has its name; where that
    fails, it keeps its name.
    """
    _flush_tree(folder)
    old = _temporary_name(target) if replace and target.exists() else None
    if old is not None:
        os.replace(target, old)
    try:
        os.replace(folder, target)
    except BaseException:
        if old is not None:
            os.replace(old, target)
        raise
    flush_folder(target.parent)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def write_new_private(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, readable by its owner alone from the first byte on.

    Raises `FileExistsError`; a file that could not be written whole is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _create(path, private=True)
    try:
        path.write_bytes(data)
        _flush_file(path, private=True)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def make_folder(folder: Path, *, private: bool = False) -> None:
    """Make a folder and those above it, where they are missing.

    private: what is made can be entered by its owner alone; what is there stays as it is.
    """
    if not private:
        folder.mkdir(parents=True, exist_ok=True)
        return
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def remove_files(paths: Iterable[Path]) -> int:
    """Remove files for good: the folders are flushed, so that no power cut brings them back.

    Returns how many there were. Raises `OSError` for the first one that cannot be removed.
    """
    removed, folders = 0, set()
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            removed += 1
            folders.add(path.parent)
    for folder in folders:
        flush_folder(folder)
    return removed


def flush_folder(folder: Path) -> None:
    """Flush a folder's names to the disk, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as problem:  # a folder that may be written and not read, or another system
        if problem.errno not in _CANNOT_FLUSH:
            raise
        return
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if problem.errno not in _CANNOT_FLUSH:
            raise
    finally:
        os.close(descriptor)


def _flush_tree(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                _flush_file(path, private=False)
        flush_folder(Path(place))


def _flush_file(path: Path, *, private: bool) -> None:
    """Flush a file; one that its writer has replaced is made private again before it is seen."""
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        if private and os.name == "posix":
            os.fchmod(descriptor, 0o600)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _about(problem: OSError, target: Path) -> OSError:
    """The problem with the name of the file where it has none: a write to a full disk does not
    say which."""
    if problem.filename is None and problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        problem.filename = str(target)
    return problem


def _create(path: Path, *, private: bool) -> None:
    """An empty file; the kernel takes the process's umask off its mode."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666))


def _temporary_name(target: Path) -> Path:
    suffix = target.suffix
    return target.with_name(f".{target.stem[:80]}-{secrets.token_hex(6)}{suffix}")
