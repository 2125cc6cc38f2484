"""Files appear whole, stay after a power cut, and are private from their first byte on."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.files.atomic import (
    atomic_file,
    atomic_folder,
    make_folder,
    publish_folder,
    remove_files,
    write_new_private,
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is flushed, renamed and removed, in its order: "flush NAME", "rename NAME"."""
    made: list[str] = []

    def noting(name: str, function: Callable[..., None]) -> Callable[..., None]:
        def call(first: int | str | Path, *rest: object) -> None:
            place = rest[0] if rest else Path(f"/proc/self/fd/{first}").readlink()
            made.append(f"{name} {Path(str(place)).name}")
            function(first, *rest)

        return call

    monkeypatch.setattr("os.fsync", noting("flush", os.fsync))
    monkeypatch.setattr("os.replace", noting("rename", os.replace))
    return made


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_a_file_is_flushed_then_renamed_then_its_folder_flushed(
    tmp_path: Path, calls: list[str]
) -> None:
    with atomic_file(tmp_path / "in" / "a.json") as temporary:
        temporary.write_text("{}")
    assert calls == [f"flush {temporary.name}", "rename a.json", "flush in"]
    calls.clear()
    with atomic_folder(tmp_path / "run") as folder:
        (folder / "heads").mkdir()
        (folder / "heads" / "ana.npz").write_text("x")
    assert calls[-2:] == ["rename run", f"flush {tmp_path.name}"]
    assert calls[:-2] == [f"flush {folder.name}", "flush ana.npz", "flush heads"]
    calls.clear()
    assert remove_files([tmp_path / "in" / "a.json", tmp_path / "gone"]) == 1
    assert calls == ["flush in"]


def test_a_private_file_is_so_while_it_is_written(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        target = tmp_path / "deep" / "people" / "one.npz"
        with atomic_file(target, private=True) as temporary:
            assert mode_of(temporary) == 0o600
            assert mode_of(target.parent) == mode_of(target.parent.parent) == 0o700
            temporary.unlink()
            temporary.write_text("by a writer that makes the file anew")
        assert mode_of(target) == 0o600
        write_new_private(tmp_path / "key", b"secret")
        assert mode_of(tmp_path / "key") == 0o600
        with atomic_file(tmp_path / "open") as temporary:
            pass
        assert mode_of(tmp_path / "open") == 0o666, "others are as the user's umask says"
        make_folder(tmp_path, private=True)
        assert mode_of(tmp_path) == 0o700 or tmp_path.exists()
    finally:
        os.umask(before)
    with pytest.raises(FileExistsError):
        write_new_private(tmp_path / "key", b"another")
    assert (tmp_path / "key").read_bytes() == b"secret"


def test_the_umask_of_the_process_is_never_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread's files would be open to all in between."""
    monkeypatch.delattr("os.umask")
    with atomic_file(tmp_path / "a"), atomic_folder(tmp_path / "b"):
        pass


def test_what_was_there_stays_when_something_fails(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_text("old")

    def fail() -> None:
        with atomic_file(target) as temporary:
            temporary.write_text("half")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert target.read_text() == "old"

    def fill() -> None:
        with atomic_file(target), open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(OSError, match=rf"No space left on device: '{re.escape(str(target))}'"):
        fill()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").touch()
    with pytest.raises(FileNotFoundError):
        publish_folder(tmp_path / "missing", tmp_path / "run", replace=True)
    with atomic_folder(tmp_path / "run", replace=True) as folder:
        (folder / "new").touch()
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == [
        "a",
        "run",
        "run/new",
    ]
