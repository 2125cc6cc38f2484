"""Embeddings of crops by the deployed file, kept on disk so that a second run need not wait."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from edge.errors import ModelError
from edge.files.atomic import atomic_file
from edge.files.cache import EMBEDDINGS, cache_folder
from edge.files.model_file import sha256_of
from edge.models.embedder import Embedder


def embeddings_of(
    embedder: Embedder,
    crops_bgr: np.ndarray,
    *,
    cache_dir: Path | None = None,
    keep: bool = True,
) -> np.ndarray:
    """float32[N, D] of length 1, of crops uint8[N, S, S, 3] BGR.

    Kept in `cache_dir` (see `trainer.data.cache`) under the hash of model file, crops and how they
    are looked at, readable by its owner alone, and with `keep`; 'edge-recognize forget' clears
    it. Raises `ModelError` for a network without embedding.
    """
    network = embedder.network
    if "embedding" not in network.outputs:
        raise ModelError(
            "the base has no embedding, so nobody can be enrolled on it",
            hint="train it with --embedding-size, or bring an --embedding",
        )
    if not len(crops_bgr):
        return np.zeros((0, network.embedding_size), np.float32)
    how = f"{network.sha256} {'mirrored' if network.mirrored else 'once'} "
    key = sha256_of(how.encode() + np.ascontiguousarray(crops_bgr).tobytes())[:32]
    path = cache_folder(cache_dir) / EMBEDDINGS / f"{key}.npy"
    kept = _read(path, len(crops_bgr), network.embedding_size)
    if kept is not None:
        return kept
    found = embedder.embed(crops_bgr).embeddings
    assert found is not None
    if keep:
        with (
            contextlib.suppress(OSError),
            atomic_file(path, private=True) as temporary,
            temporary.open("wb") as file,
        ):
            np.save(file, found)
    return found


def _read(path: Path, count: int, size: int) -> np.ndarray | None:
    try:
        kept = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
    fits = kept.dtype == np.float32 and kept.shape == (count, size)
    return kept if fits and np.isfinite(kept).all() else None
