"""Compensation: the embedding behind int8 features comes nearer to the float one, or stays."""

from __future__ import annotations

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
    found = compensate(model, crops[:40], crops)
    assert found.pays
    before = model.get_layer(EMBEDDING_FEATURES).get_weights()
    plain, better = quantize(model, crops[:40]), quantize_compensated(model, crops[:40], crops)
    after = model.get_layer(EMBEDDING_FEATURES).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    fresh = some_arrays(100, seed=6).windows(np.arange(100), SIDE_PX)
    wanted = unnormalized(model).predict(fresh[..., ::-1].astype(np.float32), verbose=0)
    assert _cosine(better, fresh, wanted["embedding"]) > _cosine(plain, fresh, wanted["embedding"])


def _cosine(data: bytes, crops: np.ndarray, wanted: np.ndarray) -> float:
    file = open_model(data, "tflite-int8")
    said = [file.run(np.ascontiguousarray(c[None, ..., ::-1]))["embedding"][0] for c in crops]
    return float(np.sum(l2_normalized(np.stack(said)) * l2_normalized(wanted), axis=1).mean())


def test_few_crops_and_no_gain_leave_the_file_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model, crops = distorted()
    plain = quantize(model, crops[:40])
    assert quantize_compensated(model, crops[:40], crops[:100]) == plain
    real = compensation.compensate

    def without_gain(*arguments: object) -> compensation.Compensation:
        found = real(*arguments)  # type: ignore[arg-type]
        return compensation.Compensation(found.kernel, found.bias, found.after, found.before)

    monkeypatch.setattr(compensation, "compensate", without_gain)
    assert quantize_compensated(model, crops[:40], crops) == plain
