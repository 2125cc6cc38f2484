"""Overwriting: what is there already is replaced only where the user says so, by one rule."""

from __future__ import annotations

from pathlib import Path

from edge.errors import InputError

RUN_JSON = "run.json"
"""What a run of `edge-train` holds; other folders may hold anything and are never replaced."""


def refuse_existing(target: Path | None, *, overwrite: bool = False) -> None:
    """Raises `InputError` where a command would write over a file or a folder that holds something.

    overwrite: files may be replaced, and runs; other folders never. What is neither, such as
    `/dev/stdout`, may be written to, and so may an empty folder.
    """
    if target is None or not (target.is_file() or _holds_something(target)):
        return
    replaceable = not target.is_dir() or (target / RUN_JSON).is_file()
    if overwrite and replaceable:
        return
    more = ", or add --overwrite" if replaceable else ""
    what = "exists" if replaceable else "exists, and is no run that could be replaced"
    raise InputError(f"{target} {what}", hint=f"choose another name{more}")


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
