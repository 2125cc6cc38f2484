"""Distillation targets: what a teacher says, its projection, and how it is described."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from teacher_factory import FakeModel, faces, fake_teacher

from edge.errors import ModelError
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE
from trainer.data.celeba import read_faces
from trainer.data.landmarks import find_landmarks
from trainer.inference.external import projection, read_teacher, targets, teacher_embeddings


def some_embeddings(count: int = 300, dimensions: int = 24) -> np.ndarray:
    """Unit vectors with a common part and falling variances, as real embeddings have them."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, dimensions)) * 0.85 ** np.arange(dimensions) + 0.2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def cosine_error(embeddings: np.ndarray, basis: np.ndarray) -> float:
    projected = embeddings @ basis
    return float(np.abs(projected @ projected.T - embeddings @ embeddings.T).mean())


def test_the_projection_is_orthonormal_and_keeps_inner_products_best() -> None:
    embeddings = some_embeddings()
    basis = projection(embeddings, 12)
    np.testing.assert_allclose(basis.T @ basis, np.eye(12), atol=1e-5)
    rng = np.random.default_rng(1)
    others = [np.linalg.qr(rng.normal(size=(24, 12)))[0] for _ in range(20)]
    assert cosine_error(embeddings, basis) < 0.2 * min(cosine_error(embeddings, o) for o in others)
    centred = embeddings - embeddings.mean(axis=0)
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    assert cosine_error(embeddings, basis) <= cosine_error(embeddings, rows[:12].T)


def test_projections_that_need_not_lose_anything() -> None:
    embeddings = some_embeddings()
    same = targets(embeddings, projection(embeddings, 24))
    np.testing.assert_allclose(same, embeddings, atol=1e-6)
    wider = targets(embeddings, projection(embeddings, 32))
    assert wider.shape == (300, 32)
    np.testing.assert_allclose(wider @ wider.T, embeddings @ embeddings.T, atol=1e-5)


def test_the_projection_is_the_same_every_time() -> None:
    embeddings = some_embeddings()
    np.testing.assert_array_equal(projection(embeddings, 5), projection(embeddings.copy(), 5))


def test_targets_have_length_one_and_gaps_stay() -> None:
    embeddings = some_embeddings()
    embeddings[7] = 0
    made = targets(embeddings, projection(embeddings, 8))
    lengths = np.linalg.norm(made, axis=1)
    np.testing.assert_allclose(np.delete(lengths, 7), 1.0, atol=1e-5)
    assert not made[7].any()


def test_a_known_teacher_needs_no_description(tmp_path: Path) -> None:
    path = tmp_path / "MobileFaceNet.tflite"
    path.write_bytes(b"any bytes: it is not opened yet")
    network = read_teacher(path).network
    assert network.input.frame == ARCFACE
    assert network.input.window == ARCFACE_WHOLE
    assert (network.input.size_px, network.input.colour_order) == (112, "rgb")
    assert network.embedding_size == 192


def test_an_unknown_teacher_must_be_described(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(b"some model")
    with pytest.raises(ModelError, match=r"nothing says how.*describe its input in other\.json"):
        read_teacher(path)
    (tmp_path / "MobileFaceNet.tflite").write_bytes(b"bytes")
    description = read_teacher(tmp_path / "MobileFaceNet.tflite").network.to_json()
    description |= {"format": "onnx-float32", "outputs": {"embedding": "feat"}, "sha256": "?"}
    path.with_suffix(".json").write_text(json.dumps(description))
    described = read_teacher(path).network
    assert described.outputs == {"embedding": "feat"}
    assert len(described.sha256) == 64
    path.with_suffix(".json").write_text(
        json.dumps({**description, "outputs": {"attributes": "a"}})
    )
    with pytest.raises(ModelError, match="names no output 'embedding'"):
        read_teacher(path)
    path.with_suffix(".json").write_text("[1")
    with pytest.raises(ModelError, match="cannot read the teacher's description"):
        read_teacher(path)


def test_what_the_teacher_says_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_teacher(tmp_path, monkeypatch)
    table, landmarks = faces(tmp_path / "faces")
    given = {"cache_dir": tmp_path / "cache", "quiet": True}
    said = teacher_embeddings(table, landmarks, read_teacher(path), **given)
    assert FakeModel.calls == len(table.paths)  # pairs of a face and its mirror image
    again = teacher_embeddings(table, landmarks, read_teacher(path), **given)
    assert FakeModel.calls == len(table.paths)
    np.testing.assert_array_equal(said, again)
    path.write_bytes(b"other bytes")
    teacher_embeddings(table, landmarks, read_teacher(path), **given)
    assert FakeModel.calls == 2 * len(table.paths)


def test_face_and_mirror_are_one_and_lost_faces_are_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_teacher(tmp_path, monkeypatch)
    table, landmarks = faces(tmp_path / "faces")
    said = teacher_embeddings(
        table, landmarks, read_teacher(path), cache_dir=tmp_path / "cache", quiet=True
    )
    assert not said[2].any()
    kept = np.delete(said, 2, axis=0)
    np.testing.assert_allclose(kept[:, 0], kept[:, 1], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(kept, axis=1), 1.0, atol=1e-6)


def test_the_real_teacher_knows_people(shared: Path, tmp_path: Path) -> None:
    table = read_faces(shared / "data" / "lfw-crops", check_pictures=False, quiet=True)
    people, counts = np.unique(table.identity, return_counts=True)
    rows = [np.flatnonzero(table.identity == p)[:2] for p in people[counts >= 2][:12]]
    table = table.select(np.concatenate(rows))
    landmarks = find_landmarks(table, cache_dir=tmp_path, quiet=True)
    said = teacher_embeddings(
        table,
        landmarks,
        read_teacher(shared / "weights" / "MobileFaceNet.tflite"),
        cache_dir=tmp_path,
        quiet=True,
    )
    cosine = said @ said.T
    same = np.array([cosine[2 * i, 2 * i + 1] for i in range(12)])
    other = cosine[::2, ::2][np.triu_indices(12, 1)]
    assert same.mean() > 0.45
    assert other.mean() < 0.15
    assert np.median(same) > other.max()
