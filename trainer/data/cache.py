"""Where what was computed from pictures is kept, and under which key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from edge.files.atomic import atomic_file
from edge.files.cache import CACHE_VARIABLE, cache_folder

__all__ = ["CACHE_VARIABLE", "cache_folder", "cached_array", "pictures_key"]


def cached_array(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array kept at `path` (.npy), made and kept there where there is none yet."""
    if not path.is_file():
        made = make()
        with atomic_file(path) as temporary:
            np.save(temporary, made)
    return np.asarray(np.load(path))


def pictures_key(paths: Iterable[Path], *words: object) -> str:
    """A key (hexadecimal, 32 digits) for pictures as they are now and for what is done to them.

    Changes when a picture's name, size or modification time does; `words` describe the work.
    """
    digest = hashlib.sha256("\0".join(str(word) for word in words).encode())
    for path in paths:
        facts = path.stat()
        digest.update(f"\n{path.name}\0{facts.st_size}\0{facts.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]
