"""Where a folder of faces keeps its pictures and its lists."""

from __future__ import annotations

from pathlib import Path

from edge.files.formats import is_picture
from edge.files.listing import list_folder

_LIST_FOLDERS = (".", "Anno", "Eval", "anno", "eval")
_PICTURE_FOLDERS = tuple(
    f"{outer}{name}{inner}"
    for name in ("img_align_celeba", "img_align_celeba_png", "images")
    for outer in ("", "Img/")
    for inner in ("", f"/{name}")
)


def is_celeba(folder: Path) -> bool:
    """Whether the folder is CelebA by its other files, attribute list or not."""
    known = ("identity_CelebA", "list_eval_partition", "list_landmarks_align_celeba")
    return any((folder / name).is_dir() for name in _PICTURE_FOLDERS[:4]) or any(
        list_file(folder, stem) for stem in known
    )


def list_file(folder: Path, stem: str) -> Path | None:
    """One of CelebA's lists, .txt or .csv, beside the pictures or in Anno or Eval."""
    names = (folder / sub / f"{stem}{end}" for sub in _LIST_FOLDERS for end in (".txt", ".csv"))
    return next((path for path in names if path.is_file()), None)


def picture_folder(folder: Path) -> Path | None:
    """The folder that holds the pictures themselves, None where they lie in folders by identity."""
    for name in _PICTURE_FOLDERS:
        if (folder / name).is_dir() and pictures(folder / name):
            return folder / name
    return folder if pictures(folder) and not pictures_below(folder) else None


def pictures(folder: Path) -> list[Path]:
    """The pictures right in a folder, by name."""
    return sorted(path for path in folder.iterdir() if is_picture(path) and path.is_file())


def pictures_below(folder: Path) -> list[Path]:
    """The pictures in the folder's sub-folders, at any depth, by name."""
    return [path for path in list_folder(folder, is_picture).files if path.parent != folder]
