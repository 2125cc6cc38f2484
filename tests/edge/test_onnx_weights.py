"""ONNX models with weights in a second file: read from beside the model, or refused by its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from edge.files.model_file import read_model_file
from edge.files.onnx_weights import external_files, with_weights
from edge.models.runtime import open_model
from trainer.inference.source import open_file

onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")


def in_two_files(folder: Path, *, in_one: bool = False) -> Path:
    """A matrix product and a constant, as torch.onnx writes them."""
    rng = np.random.default_rng(0)
    kernel = onnx.numpy_helper.from_array(rng.normal(size=(300, 40)).astype(np.float32), "kernel")
    bias = onnx.numpy_helper.from_array(rng.normal(size=40).astype(np.float32) * 9, "value")
    nodes = [
        onnx.helper.make_node("MatMul", ["pixels", "kernel"], ["product"]),
        onnx.helper.make_node("Constant", [], ["bias"], value=bias),
        onnx.helper.make_node("Add", ["product", "bias"], ["embedding"]),
    ]
    pixels = onnx.helper.make_tensor_value_info("pixels", 1, [1, 300])
    said = onnx.helper.make_tensor_value_info("embedding", 1, [1, 40])
    graph = onnx.helper.make_graph(nodes, "net", [pixels], [said], [kernel])
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    path = folder / ("one.onnx" if in_one else "net.onnx")
    onnx.save_model(
        model, path, save_as_external_data=not in_one, location="net.onnx.data",
        size_threshold=0, convert_attribute=True,
    )  # fmt: skip
    return path


def answer(data: bytes) -> np.ndarray:
    pixels = np.linspace(-1, 1, 300, dtype=np.float32)[None]
    return open_model(data, "onnx-float32").run(pixels)["embedding"]


def test_weights_are_read_from_beside_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = in_two_files(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    assert external_files(path.read_bytes()) == ("net.onnx.data",)
    whole = read_model_file(path)
    assert external_files(whole) == ()
    onnx.checker.check_model(onnx.load_from_string(whole))
    alone = in_two_files(tmp_path, in_one=True).read_bytes()
    np.testing.assert_array_equal(answer(whole), answer(alone))
    assert with_weights(path, alone) == alone


def test_no_runtime_looks_for_them_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = in_two_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"not in it but in net\.onnx\.data"):
        open_model(path.read_bytes(), "onnx-float32")


def test_what_is_wrong_with_the_second_file(tmp_path: Path) -> None:
    path = in_two_files(tmp_path)
    beside = path.with_name("net.onnx.data")
    weights = beside.read_bytes()
    beside.write_bytes(weights[:-4])
    with pytest.raises(ModelError, match=r"net\.onnx\.data beside .* is too short"):
        read_model_file(path)
    beside.unlink()
    with pytest.raises(ModelError, match=r"second file, net\.onnx\.data, which cannot be read"):
        read_model_file(path)
    beside.write_bytes(weights)
    model = onnx.load(path, load_external_data=False)
    for place in ("../net.onnx.data", "/etc/hostname", "a\\b"):
        model.graph.initializer[0].external_data[0].value = place
        path.write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match="does not lie beside it"):
            read_model_file(path)


def test_a_damaged_file_is_left_to_its_runtime(tmp_path: Path) -> None:
    data = in_two_files(tmp_path, in_one=True).read_bytes()
    for damaged in (data[: len(data) // 2], b"\xff" * 40, b"no model"):
        assert external_files(damaged) == ()
        with pytest.raises(ModelError):
            open_model(damaged, "onnx-float32")


def test_the_file_that_was_packed_without_weights(
    shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    found = open_file(shared / "faults" / "11-weights-beside.onnx")
    assert found.network.embedding_size == 64
    assert len(found.data) > (shared / "faults" / "11-weights-beside.onnx.data").stat().st_size
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    from edge.models.embedder import Embedder

    said = Embedder(found.network, found.data).embed(crops).embeddings
    assert said is not None
    assert np.isfinite(said).all()
