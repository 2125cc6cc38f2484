"""The cache: where programs keep what they computed from pictures, for the next time."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "EDGE_CACHE_DIR"
"""Environment variable that names the cache folder."""

EMBEDDINGS = "embeddings"
"""Its folder of embeddings: they tell whom a picture shows."""


def cache_folder(cache_dir: Path | None = None) -> Path:
    """`cache_dir`, else $EDGE_CACHE_DIR, else edge-recognize in the user's cache folder.

    The user's cache folder is $XDG_CACHE_HOME or ~/.cache (XDG base directory specification).
    """
    if cache_dir is not None:
        return Path(cache_dir)
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    user = os.environ.get("XDG_CACHE_HOME")
    return (Path(user) if user else Path.home() / ".cache") / "edge-recognize"


def cached_embeddings() -> tuple[Path, ...]:
    """Files of embeddings that are kept."""
    return tuple(sorted((cache_folder() / EMBEDDINGS).glob("*.npy")))
