"""Fine-tuning: the better phase is kept, statistics stay, and the result is a base of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np
import pytest
from training_factory import ATTRIBUTES, EMBEDDING, NETWORK, SIDE_PX, some_arrays

from edge.errors import InputError, RefusedError
from edge.faces.canonical import WIDE
from edge.files.model_file import sha256_of
from edge.models.embedder import Embedder
from trainer.cohort.build import CohortPlan
from trainer.data.table import FaceTable
from trainer.finetune.base import stranger_crops, tune_base
from trainer.finetune.loop import FineTuned, FineTuning, Question, finetune, held_out_groups
from trainer.inference.source import Deployed, ModelSource
from trainer.networks.face_network import all_layers, build
from trainer.networks.quantization import describe, quantize

NAMES = tuple(f"attribute {number}" for number in range(ATTRIBUTES))
QUICK = FineTuning(from_layer=0, feature_epochs=25, epochs=5, patience=25, rate=1e-2)


@lru_cache(maxsize=1)
def faces() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crops, whether each shows the first attribute, and who it is."""
    arrays = some_arrays(120, people=12, seed=8)
    crops = arrays.windows(np.arange(120), SIDE_PX)
    return crops, arrays.labels[:, 0] == 1, np.arange(120) % 12


@lru_cache(maxsize=1)
def base() -> keras.Model:
    made = build(NETWORK)
    for layer in all_layers(made):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    made(faces()[0][..., ::-1].astype(np.float32), training=True)
    return made


def question() -> Question:
    crops, answer, group = faces()
    return Question(crops, answer, group, held_out_groups(answer, group, seed=1))


@lru_cache(maxsize=1)
def done() -> FineTuned:
    return finetune(base(), question(), QUICK)


def test_the_better_phase_is_kept_and_the_base_is_not_touched() -> None:
    before = [np.array(w) for w in base().get_weights()]
    result = done()
    assert set(result.losses) == {"frozen backbone", "unfrozen"}
    assert result.losses[result.best] == min(result.losses.values())
    assert result.losses[result.best] < np.log(2)
    assert all(np.array_equal(a, b) for a, b in zip(before, base().get_weights(), strict=True))
    moved = [
        not np.array_equal(a, b) for a, b in zip(before, result.model.get_weights(), strict=True)
    ]
    assert any(moved)


def test_batch_normalization_stays_as_it_is() -> None:
    result = done()
    for old, new in zip(all_layers(base()), all_layers(result.model), strict=True):
        if isinstance(old, keras.layers.BatchNormalization):
            for a, b in zip(old.get_weights(), new.get_weights(), strict=True):
                assert np.array_equal(a, b)


def test_a_group_is_never_on_both_sides() -> None:
    asked = question()
    assert not set(asked.group[asked.held_out]) & set(asked.group[~asked.held_out])
    torn = asked.held_out.copy()
    torn[np.flatnonzero(asked.group == asked.group[torn][0])[0]] ^= True
    with pytest.raises(InputError, match="in training and in validation"):
        replace(asked, held_out=torn)
    with pytest.raises(InputError, match="both answers"):
        replace(asked, answer=np.ones(len(asked.answer), bool))


def subject(folder: Path) -> ModelSource:
    path = folder / "base.keras"
    base().save(path)
    data = quantize(base(), faces()[0][:40])
    network = describe(
        data, window=WIDE, size_px=SIDE_PX, attributes=NAMES, embedding_size=EMBEDDING
    )
    return ModelSource("a base", Deployed(network, data), Deployed(network, data), keras=path)


def test_the_tuned_base_has_a_hash_of_its_own(tmp_path: Path) -> None:
    crops, answer, group = faces()
    old = subject(tmp_path)
    tuned = tune_base(old, crops, answer, group, from_layer=0, seed=0)
    assert tuned.deployed.network.sha256 == sha256_of(tuned.deployed.data)
    assert tuned.deployed.network.sha256 != old.base.network.sha256
    assert tuned.facts["kept"] in tuned.facts["validation_loss"]
    said = Embedder(tuned.deployed.network, tuned.deployed.data).embed(crops[:8])
    assert said.embeddings is not None
    assert said.embeddings.shape == (8, EMBEDDING)
    tuned.save(tmp_path)
    assert {"model.keras", "model.int8.tflite", "representative.npz"} <= {
        path.name for path in tmp_path.iterdir()
    }
    with pytest.raises(InputError, match="no Keras model"):
        tune_base(replace(old, keras=None), crops, answer, group, from_layer=0, seed=0)


def test_fewer_than_fifty_strangers_are_refused(tmp_path: Path) -> None:
    table = FaceTable(
        paths=tuple(tmp_path / f"{n}.jpg" for n in range(60)),
        attributes=(),
        labels=np.zeros((60, 0), np.int8),
        identity=np.arange(60) % 49,
        partition=np.full(60, -1, np.int8),
    )
    with pytest.raises(RefusedError, match="at least 50 strangers, here are 49"):
        stranger_crops(table, subject(tmp_path), CohortPlan())
