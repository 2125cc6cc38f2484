"""Deliberately broken quantizations: none of them gets into a bundle."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_factory as factory

from edge.errors import GateFailed, ModelError
from export.convert.float_model import FloatModel
from export.gate.candidate import Judge, ParityMissed, reference_answers
from export.gate.limits import Recipe
from export.options import PackOptions
from export.packing.pack import pack

QUICK = Recipe(timing_s=0.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factory.shared_base(tmp_path_factory.getbasetemp().parent)


@pytest.fixture(scope="module")
def model(base: Path) -> FloatModel:
    return FloatModel(base / "model.keras")


@pytest.fixture(scope="module")
def judge(base: Path, model: FloatModel) -> Judge:
    with np.load(base / "representative.npz") as file:
        held_out = file["held_out"]
    return Judge(held_out, reference_answers(model, held_out), (), QUICK)


def run_with(base: Path, folder: Path, data: bytes) -> Path:
    """The base run with another deployed file, of which everything else is right."""
    shutil.copytree(base, folder)
    (folder / "cohort.npz").unlink()
    network = factory.deployed_network(data)
    (folder / "model.int8.tflite").write_bytes(data)
    fields = json.loads((folder / "run.json").read_text())
    fields["network"] = network.to_json()
    (folder / "run.json").write_text(json.dumps(fields))
    factory.add_cohort(folder)
    return folder


def refusal(base: Path, tmp_path: Path, data: bytes) -> ParityMissed:
    """Packing the run with this deployed file is refused, and nothing is left behind."""
    run = run_with(base, tmp_path / "run", data)
    out = tmp_path / "out" / "x.edge"
    options = PackOptions(
        run, out, formats=("tflite-int8",), recipe=QUICK, log=tmp_path / "log" / "x.log"
    )
    with pytest.raises(GateFailed) as caught:
        pack(options)
    assert isinstance(caught.value, ParityMissed)
    assert not out.parent.exists() or not list(out.parent.iterdir())
    assert caught.value.hint
    return caught.value


def pixels(base: Path) -> np.ndarray:
    with np.load(base / "representative.npz") as file:
        return factory.calibration_pixels(file["crops"])


SPOILT: dict[str, Callable[[Any], Any]] = {
    "scaled twice": lambda x: x / 255.0,
    "-1..1 instead of 0..255": lambda x: x / 127.5 - 1.0,
    "blue and red exchanged": lambda x: x[..., ::-1],
}


@pytest.mark.parametrize("how", sorted(SPOILT))
def test_wrong_normalization(base: Path, judge: Judge, model: FloatModel, how: str) -> None:
    data = factory.int8_file(model.keras, pixels(base)[:20], change=SPOILT[how])
    found = judge.judge(factory.deployed_network(data), data)
    assert any("cosine" in words or "the same for" in words for words in found.violations)


def test_calibrated_on_pixels_of_another_scale(base: Path, judge: Judge, model: FloatModel) -> None:
    data = factory.int8_file(model.keras, pixels(base)[:20] / 255.0)
    assert not judge.judge(factory.deployed_network(data), data).passed


def test_a_good_one_passes(base: Path, judge: Judge) -> None:
    data = (base / "model.int8.tflite").read_bytes()
    assert judge.judge(factory.network_of(base), data).violations == ()


def test_calibrated_on_noise(base: Path, tmp_path: Path, model: FloatModel) -> None:
    noise = np.random.default_rng(0).normal(128, 2, pixels(base).shape).astype(np.float32)
    data = factory.int8_file(model.keras, noise)
    assert "mean cosine" in refusal(base, tmp_path, data).message


def test_constant_output(base: Path, tmp_path: Path, model: FloatModel) -> None:
    def constant(said: dict[str, Any]) -> dict[str, Any]:
        return {role: 0 * value + 0.3 for role, value in said.items()}

    data = factory.int8_file(model.keras, pixels(base)[:20], outputs=constant)
    problem = refusal(base, tmp_path, data)
    assert "the same for every face" in problem.message
    assert "calibrate on real crops" in str(problem)


def test_a_head_that_decides_otherwise(base: Path, tmp_path: Path) -> None:
    """A small difference of the embedding, which no other limit minds, under a head at its
    threshold: a format that decides otherwise is refused, the one that it stands on is not."""
    run = run_with(base, tmp_path / "run", (base / "model.int8.tflite").read_bytes())
    (run / "heads").mkdir()
    head = factory.a_head(run)
    with np.load(run / "representative.npz") as file:
        held_out = file["held_out"]
    scores = head.score(factory.embeddings_of(run, held_out))
    near = float(np.sort(scores)[len(scores) // 2])  # where faces are dense
    replace(head, threshold=near, margin=0.0).save(run / "heads" / "Anna.npz")
    out = tmp_path / "x.edge"
    with pytest.raises(ParityMissed, match=r"Anna: .*% of the decisions agree"):
        pack(PackOptions(run, out, ("tflite-float16",), recipe=QUICK, log=tmp_path / "x.log"))
    assert not out.exists()
    options = PackOptions(run, out, ("tflite-int8",), recipe=QUICK, log=tmp_path / "x.log")
    assert pack(options).chosen.parity.agreement == {"Anna": 1.0}


def test_nan_from_a_conversion_that_lost_its_weights(
    base: Path, judge: Judge, model: FloatModel
) -> None:
    """The trap: this conversion of a Keras 3 model succeeds with a file that returns NaN."""
    import tensorflow as tf

    from export.convert.tflite import named

    @tf.function(input_signature=model.function().input_signature)
    def infer(pixels: Any) -> list[Any]:
        said = model.keras(pixels, training=False)
        return [said[role] * np.float32("nan") for role in model.roles]

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [infer.get_concrete_function()], model.keras
    )
    data = named(converter.convert(), model.widths)
    found = judge.converted(factory.network_of(base), "tflite-float32", lambda: data)
    assert not found.passed
    assert "not finite" in found.violations[0]
    assert "lost weights" in found.advice


@pytest.mark.long
def test_a_float_model_that_learned_nothing(base: Path, tmp_path: Path, model: FloatModel) -> None:
    import keras

    run = run_with(base, tmp_path / "run", (base / "model.int8.tflite").read_bytes())
    dull = keras.models.clone_model(model.keras)
    for value in ("0", "nan"):
        for layer in dull.layers:
            layer.set_weights([np.full_like(w, float(value)) for w in layer.get_weights()])
        dull.save(run / "model.keras")
        words = "the same" if value == "0" else "not finite"
        with pytest.raises(ModelError, match=words):
            pack(PackOptions(run, tmp_path / "x.edge", recipe=QUICK, log=tmp_path / "x.log"))
    assert "x.edge" not in os.listdir(tmp_path)  # noqa: PTH208
