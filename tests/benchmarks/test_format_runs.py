"""Files in runtimes for the table of formats: what they say, and what is said of failures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies.format_runs import LITERT, OLD, ONNX, OPENCV, latency_ratio, run, runtimes
from edge.bundle.locate import shipped_bundle
from edge.models.embedder import Embedder


def crops() -> np.ndarray:
    with shipped_bundle() as bundle:
        side = bundle.base.input.size_px
    return np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)


def test_the_shipped_file_says_what_the_embedder_says() -> None:
    with shipped_bundle() as bundle:
        entry = bundle.manifest.base
        data = bundle.read(entry.member)
    said = run(entry.network, data, LITERT, crops(), None)
    expected = Embedder(entry.network, data).embed_once(crops())
    assert expected.embeddings is not None and expected.attributes is not None
    assert said.problem == ""
    np.testing.assert_allclose(said.embeddings, expected.embeddings, atol=1e-6)
    np.testing.assert_allclose(said.logits, expected.attributes, atol=1e-6)


def test_a_file_that_a_runtime_does_not_know_is_named_not_raised() -> None:
    with shipped_bundle() as bundle:
        network = bundle.manifest.base.network
    for runtime in (LITERT, ONNX, OPENCV):
        said = run(network, b"no model at all", runtime, crops(), None)
        assert said.problem
        assert said.embeddings.size == 0


def test_an_old_runtime_that_is_not_there_is_named() -> None:
    """The Python of these tests has no tflite-runtime, or none that stands beside its NumPy."""
    with shipped_bundle() as bundle:
        network = bundle.manifest.base.network
    assert run(network, b"no model", OLD, crops(), Path(sys.executable)).problem


def test_the_ratio_of_a_file_that_does_not_run_is_no_number() -> None:
    with shipped_bundle() as bundle:
        entry = bundle.manifest.base
        own = (entry.network, bundle.read(entry.member))
    assert latency_ratio(*own, LITERT, own, crops()[0], rounds=3) > 0
    assert np.isnan(latency_ratio(own[0], b"no model", ONNX, own, crops()[0], rounds=3))


def test_numbers_that_are_not_finite_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def run(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
            return {"embedding": np.full((1, 8), np.nan), "attributes": np.zeros((1, 2))}

    monkeypatch.setattr("benchmarks.studies.format_runs._opened", lambda data, runtime: Broken())
    with shipped_bundle() as bundle:
        network = bundle.manifest.base.network
    assert run(network, b"", OPENCV, crops(), None).problem == (
        "returns numbers that are not finite"
    )


def test_what_is_tried_where() -> None:
    assert runtimes("onnx-float32", None) == (ONNX, OPENCV)
    assert runtimes("tflite-int8", None) == (LITERT,)
    assert runtimes("tflite-int8", Path("python")) == (LITERT, OLD)
