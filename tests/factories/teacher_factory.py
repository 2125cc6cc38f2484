"""A teacher that is none: it says how bright a face is, and counts how often it is asked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.faces.canonical import ARCFACE
from trainer.data.landmarks import Landmarks
from trainer.data.table import FaceTable


class FakeModel:
    """Says the mean brightness of the left and the right half, and counts its calls."""

    calls = 0
    runtime = "none"

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        type(self).calls += 1
        half = pixels.shape[2] // 2
        sides = [pixels[:, :, :half].mean(axis=(1, 2, 3)), pixels[:, :, half:].mean(axis=(1, 2, 3))]
        return {"embeddings": np.stack([*sides, np.ones(len(pixels))], axis=1).astype(np.float32)}


def faces(folder: Path, count: int = 5) -> tuple[FaceTable, Landmarks]:
    rng = np.random.default_rng(2)
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 255, (112, 112, 3), dtype=np.uint8))
    none = np.full(count, -1)
    table = FaceTable(
        tuple(paths), (), np.zeros((count, 0), np.int8), none.astype(np.int64), none.astype(np.int8)
    )
    points = np.repeat(ARCFACE.points()[None].astype(np.float32), count, axis=0)
    found = np.ones(count, dtype=bool)
    found[2] = False
    size = np.full((count, 2), 112, np.int32)
    return table, Landmarks(points, found, np.zeros(count, dtype=bool), size)


def fake_teacher(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a teacher that answers as `FakeModel`, which has not been asked yet."""
    monkeypatch.setattr("edge.models.embedder.open_model", lambda *_, **__: FakeModel())
    FakeModel.calls = 0
    path = folder / "MobileFaceNet.tflite"
    path.write_bytes(b"bytes")
    return path
