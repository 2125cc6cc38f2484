"""Running a network over many crops: the deployed file, or the Keras model it was made from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge.console.progress import progress_bar
from edge.models.embedder import Embedder, Perception, l2_normalized
from trainer.data.degrade import degrade
from trainer.inference.source import Deployed

CHUNK = 256
"""Crops in memory at a time."""

Perceiver = Callable[[np.ndarray], Perception]
"""From crops, uint8[N, S, S, 3] BGR."""


def deployed_perceiver(deployed: Deployed, *, threads: int | None = None) -> Perceiver:
    """What is known of a face on the device, mirror image included where the network asks for it;
    threads: by default one per core."""
    return _embedder(deployed, threads).embed


def file_perceiver(deployed: Deployed, *, threads: int | None = None) -> Perceiver:
    """The outputs of the deployed file for an unchanged crop, in `edge`'s own runtime."""
    return _embedder(deployed, threads).embed_once


def _embedder(deployed: Deployed, threads: int | None) -> Embedder:
    return Embedder(deployed.network, deployed.data, threads=threads or os.cpu_count() or 1)


def keras_perceiver(path: Path) -> Perceiver:
    """The float model of a base; loads TensorFlow. Raises `InputError` if it is unreadable."""
    from trainer.networks.face_network import load_base

    model = load_base(path)

    def perceive(crops_bgr: np.ndarray) -> Perception:
        pixels = np.ascontiguousarray(crops_bgr[..., ::-1]).astype(np.float32)
        outputs = model.predict_on_batch(pixels)
        embedding, logits = outputs.get("embedding"), outputs.get("attributes")
        return Perception(
            embeddings=None if embedding is None else l2_normalized(np.asarray(embedding)),
            attributes=None if logits is None else np.asarray(logits, dtype=np.float32),
        )

    return perceive


def perceive_all(
    perceiver: Perceiver,
    crops: np.ndarray,
    *,
    rows: np.ndarray | None = None,
    variant: str = "plain",
    seed: int = 0,
    label: str = "looking at faces",
    quiet: bool = False,
) -> Perception:
    """The outputs of a network for crops, uint8[N, S, S, 3] BGR, degraded first.

    crops: usually a memory map. rows: which of them and in which order, int64[K], at least one; all
    by default.
    """
    order = np.arange(len(crops)) if rows is None else rows
    parts = []
    with progress_bar(label, len(order), quiet=quiet) as bar:
        for first in range(0, len(order), CHUNK):
            piece = np.asarray(crops[order[first : first + CHUNK]])
            if variant != "plain":
                piece = degrade(piece, variant, seed=seed, first=first)
            parts.append(perceiver(piece))
            bar.advance(len(piece))
    return Perception(
        embeddings=_joined([part.embeddings for part in parts]),
        attributes=_joined([part.attributes for part in parts]),
    )


def _joined(parts: list[np.ndarray | None]) -> np.ndarray | None:
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays) if arrays else None
