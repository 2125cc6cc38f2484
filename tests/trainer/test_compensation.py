"""Compensation: the embedding behind int8 features comes nearer to the float one, or stays."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from training_factory import NETWORK, SIDE_PX, some_arrays

from edge.models.embedder import l2_normalized
from edge.models.runtime import open_model
from trainer.networks import compensation
from trainer.networks.compensation import compensate, quantize_compensated
from trainer.networks.face_network import EMBEDDING_FEATURES, build, unnormalized
from trainer.networks.quantization import quantize


def distorted() -> tuple[keras.Model, np.ndarray]:
    """A network whose features have very different ranges, so that int8 hurts, and crops."""
    crops = some_arrays(700, seed=5).windows(np.arange(700), SIDE_PX)
    model = build(NETWORK)
    pixels = crops[:200, ..., ::-1].astype(np.float32)
    for layer in model.layers:
        for inner in getattr(layer, "layers", []):
            inner.momentum = 0.0
    model(pixels, training=True)
    return model, crops


def test_it_brings_the_int8_file_nearer() -> None:
    model, crops = distorted()
    embedding, attributes = compensate(model, crops[:40], crops)
    assert embedding.pays and attributes.layer == "attributes"
    before = model.get_layer(EMBEDDING_FEATURES).get_weights()
    plain, better = quantize(model, crops[:40]), quantize_compensated(model, crops[:40], crops)
    after = model.get_layer(EMBEDDING_FEATURES).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    fresh = some_arrays(100, seed=6).windows(np.arange(100), SIDE_PX)
    wanted = unnormalized(model).predict(fresh[..., ::-1].astype(np.float32), verbose=0)
    near, nearer = (_said(data, fresh) for data in (plain, better))
    cosines = [_cosine(said["embedding"], wanted["embedding"]) for said in (near, nearer)]
    assert cosines[1] > cosines[0]
    away = [np.abs(said["attributes"] - wanted["attributes"]).mean() for said in (near, nearer)]
    assert away[1] < away[0]


def _said(data: bytes, crops: np.ndarray) -> dict[str, np.ndarray]:
    file = open_model(data, "tflite-int8")
    said = [file.run(np.ascontiguousarray(c[None, ..., ::-1])) for c in crops]
    return {role: np.stack([each[role][0] for each in said]) for role in said[0]}


def _cosine(said: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.sum(l2_normalized(said) * l2_normalized(wanted), axis=1).mean())


def test_few_crops_and_no_gain_leave_the_file_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model, crops = distorted()
    plain = quantize(model, crops[:40])
    assert quantize_compensated(model, crops[:40], crops[:100]) == plain
    real = compensation.compensate

    def without_gain(*arguments: object) -> tuple[compensation.Compensation, ...]:
        found = real(*arguments)  # type: ignore[arg-type]
        return tuple(replace(each, before=each.after, after=each.before - 1) for each in found)

    monkeypatch.setattr(compensation, "compensate", without_gain)
    assert quantize_compensated(model, crops[:40], crops) == plain
