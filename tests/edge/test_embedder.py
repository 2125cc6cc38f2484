"""The embedder: one look at a face, or one at it and one at its mirror image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ModelError
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE
from edge.models.embedder import Embedder, Perception, l2_normalized, mirror_images
from edge.models.spec import Network, NetworkInput

SIZE_PX = 16


class Halves:
    """A model that tells the mean brightness of both halves, for a full batch only."""

    runtime = "none"

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        assert len(pixels) == self.batch
        left, right = np.split(pixels.astype(np.float32).mean(axis=(1, 3)), 2, axis=1)
        halves = np.stack([left.mean(axis=1), right.mean(axis=1)], axis=1)
        return {"e": halves, "a": halves / 255 - 0.5}


def network(batch: int, *, mirrored: bool) -> Network:
    return Network(
        format="tflite-int8",
        sha256="0" * 64,
        input=NetworkInput(ARCFACE, ARCFACE_WHOLE, SIZE_PX, batch=batch),
        outputs={"embedding": "e", "attributes": "a"},
        embedding_size=2,
        attributes=("Left", "Right"),
        mirrored=mirrored,
    )


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, SIZE_PX, SIZE_PX, 3), np.uint8)


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_both_sides_of_a_face_are_one(
    batch: int, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.models.embedder.open_model", lambda *_, **__: Halves(batch))
    once = Embedder(network(batch, mirrored=False), b"")
    twice = Embedder(network(batch, mirrored=True), b"")
    plain, mirror = once.embed(crops), once.embed(mirror_images(crops))
    np.testing.assert_allclose(plain.embeddings, mirror.embeddings[:, ::-1], rtol=1e-6)
    assert np.abs(plain.embeddings - mirror.embeddings).max() > 0.01
    both = twice.embed(crops)
    np.testing.assert_allclose(
        both.embeddings, l2_normalized(plain.embeddings + mirror.embeddings), atol=1e-6
    )
    np.testing.assert_allclose(
        both.attributes, (plain.attributes + mirror.attributes) / 2, atol=1e-6
    )
    same(both, twice.embed(mirror_images(crops)))
    same(plain, twice.embed_once(crops))
    assert twice.embed(crops[:0]).embeddings.shape == (0, 2)


def same(one: Perception, other: Perception) -> None:
    np.testing.assert_allclose(one.embeddings, other.embeddings, atol=1e-6)
    np.testing.assert_allclose(one.attributes, other.attributes, atol=1e-6)


def test_a_description_tells_how_a_face_is_looked_at() -> None:
    for mirrored in (False, True):
        told = network(1, mirrored=mirrored)
        assert Network.from_json(told.to_json()) == told
    data = network(1, mirrored=True).to_json()
    without = {name: value for name, value in data.items() if name != "mirrored"}
    assert Network.from_json(without) == replace(network(1, mirrored=True), mirrored=False)
    with pytest.raises(ModelError, match="not bool"):
        Network.from_json(data | {"mirrored": 1})
