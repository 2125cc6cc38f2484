"""Heads: what they compute, and what is refused when one is read."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedding_factory import EMBEDDER, unit

from edge.errors import ModelError
from edge.heads.calibration_record import Unstated
from edge.heads.head import DENSE_128, LINEAR, Head, Layer, linear_layers
from edge.heads.normalization import Normalization, likeness_to, z_normalization

RNG = np.random.default_rng(0)


def a_head(**changes: Any) -> Head:
    head = Head(
        name="Anna Müller",
        kind=LINEAR,
        embedder_sha256=EMBEDDER,
        layers=linear_layers(np.array([1.0, -2.0, 0.5]), 0.25),
        threshold=0.7,
        margin=0.1,
        normalization=Normalization("z", 0.5, 2.0),
        calibration=Unstated({"strangers": 100, "warnings": ["few looks"]}),
    )
    return replace(head, **changes)


def arrays_of(head: Head) -> dict[str, np.ndarray]:
    with np.load(BytesIO(head.to_bytes())) as file:
        return {name: file[name] for name in file.files}


def bytes_of(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def with_meta(head: Head, **changes: Any) -> bytes:
    arrays = arrays_of(head)
    meta = {**json.loads(arrays["meta"].tobytes()), **changes}
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    return bytes_of(arrays)


def test_a_linear_head_by_hand() -> None:
    x = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    assert np.allclose(a_head().raw(x), [1.25, -1.75])
    assert np.allclose(a_head().score(x), [(1.25 - 0.5) / 2, (-1.75 - 0.5) / 2])
    assert a_head(threshold=0.0).accepts(x).tolist() == [True, False]
    assert a_head().score(x).dtype == np.float64


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "sigmoid"])
def test_two_layers_against_plain_numpy(activation: str) -> None:
    w, b = RNG.normal(size=(3, 4)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
    v = RNG.normal(size=(4, 1)).astype(np.float32)
    head = a_head(
        kind=DENSE_128,
        layers=(Layer(w, b, activation), Layer(v, np.zeros(1, np.float32))),
        normalization=Normalization(),
    )
    x = RNG.normal(size=(7, 3)).astype(np.float32)
    z = x.astype(np.float64) @ w + b
    expected = {
        "linear": z,
        "relu": np.maximum(z, 0),
        "tanh": np.tanh(z),
        "sigmoid": 1 / (1 + np.exp(-z)),
    }[activation]
    assert np.allclose(head.score(x), (expected @ v)[:, 0])


@pytest.mark.parametrize("kind", ["none", "z", "t", "as", "own"])
def test_round_trip(kind: str, tmp_path: Path) -> None:
    rows = RNG.normal(size=(6, 3)).astype(np.float16)
    extra = {"rows": rows, "top": 1, "weight": -0.5, "centre": 0.1, "spread": 0.2}
    norm = Normalization(kind, 0.5, 2.0, **(extra if kind in ("t", "as", "own") else {}))
    head = a_head(normalization=norm)
    x = unit(RNG.normal(size=(5, 3)))
    head.save(tmp_path / "head.npz")
    again = Head.load(tmp_path / "head.npz")
    assert again.to_bytes() == head.to_bytes()
    assert (again.score(x) == head.score(x)).all()
    assert (again.name, again.threshold, again.margin) == (head.name, 0.7, 0.1)
    assert again.calibration.to_json() == head.calibration.to_json()


def test_bytes_are_stored_and_undated() -> None:
    import zipfile

    entries = zipfile.ZipFile(BytesIO(a_head().to_bytes())).infolist()
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time[0] for entry in entries} == {1980}


def test_own_pictures_pull_and_strangers_push() -> None:
    me, other = unit(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    rows = np.stack([me]).astype(np.float16)
    flat = linear_layers(np.zeros(3), 0.0)
    own = Normalization("own", rows=rows, top=1, weight=-1.0)
    away = Normalization("as", rows=rows, top=1, weight=1.0)
    faces = np.stack([me, other])
    assert np.allclose(a_head(layers=flat, normalization=own).score(faces), [1, 0], atol=1e-3)
    assert np.allclose(a_head(layers=flat, normalization=away).score(faces), [-1, 0], atol=1e-3)


def test_likeness_takes_the_most_alike() -> None:
    rows = np.eye(3, dtype=np.float16)
    x = np.array([[0.9, 0.4, 0.1]], np.float32)
    assert likeness_to(x, rows, 1) == pytest.approx(0.9)
    assert likeness_to(x, rows, 2) == pytest.approx(0.65)
    assert likeness_to(x, rows) == pytest.approx(1.4 / 3)


def test_z_makes_strangers_standard() -> None:
    raw = RNG.normal(5, 3, 1000)
    scores = z_normalization(raw).apply(raw, np.zeros((1000, 3), np.float32))
    assert scores.mean() == pytest.approx(0, abs=1e-9)
    assert scores.std() == pytest.approx(1)


def test_embeddings_of_another_size_are_refused() -> None:
    with pytest.raises(ModelError, match="takes embeddings of 3 numbers"):
        a_head().score(np.zeros((1, 4), np.float32))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"name": "a\nb"},
        {"kind": "forest"},
        {"threshold": float("nan")},
        {"margin": -1.0},
        {"layers": ()},
        {"layers": (Layer(np.zeros((3, 2), np.float32), np.zeros(2, np.float32)),)},
        {"normalization": Normalization("t", rows=np.zeros((3, 9), np.float16))},
    ],
)
def test_impossible_heads(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError):
        a_head(**changes)


def test_impossible_layers() -> None:
    good = np.zeros((3, 1), np.float32)
    for weights, bias in (
        (good.astype(np.float64), np.zeros(1, np.float32)),
        (good, np.zeros(2, np.float32)),
        (np.full((3, 1), np.inf, np.float32), np.zeros(1, np.float32)),
    ):
        with pytest.raises(ModelError):
            Layer(weights, bias)
    with pytest.raises(ModelError, match="activation"):
        Layer(good, np.zeros(1, np.float32), "swish")


@pytest.mark.parametrize("kind", ["x", "z", "t", "as"])
def test_impossible_normalizations(kind: str) -> None:
    with pytest.raises(ValueError, match="normalization"):
        Normalization(kind, std=-1.0)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"PK\3\4 nothing",
        a_head().to_bytes()[:200],
        with_meta(a_head(), schema=2),
        with_meta(a_head(), activations=[]),
        with_meta(a_head(), activations=["linear"] * 3),
        with_meta(a_head(), calibration=[]),
        with_meta(a_head(), normalization={}),
        bytes_of({**arrays_of(a_head()), "more": np.zeros(1)}),
        bytes_of({**arrays_of(a_head()), "weights_0": np.array([[None]], object)}),
        bytes_of({"meta": np.zeros(4, np.uint8)}),
    ],
)
def test_what_is_no_head(damaged: bytes, tmp_path: Path) -> None:
    (tmp_path / "head.npz").write_bytes(damaged)
    with pytest.raises(ModelError) as caught:
        Head.load(tmp_path / "head.npz")
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the head"):
        Head.load(tmp_path / "none.npz")
