"""External embedders in smaller files: made, measured, packed with people enrolled anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_factory as factory
from click.testing import CliRunner

from edge.bundle.reader import Bundle
from edge.errors import GateFailed, InputError, ModelError, RefusedError, ToolkitError, UsageError
from edge.files.model_file import sha256_of
from edge.heads.cohort import Cohort
from edge.models.embedder import Embedder
from edge.models.spec import Network
from export.cli.main import main as edge_export
from export.convert import onnx_models as onnxfile
from export.convert import tflite
from export.convert import tflite_file as tflitefile
from export.convert.description import described
from export.convert.float_model import FloatModel
from export.gate.limits import Recipe
from export.gate.parity import answers_of_file, measure
from export.inputs.run_folder import RunFolder
from export.options import PackOptions
from export.packing import embedder as quantized
from export.packing.embedder import MADE_OF, QuantizeOptions, quantize, with_embedder
from export.packing.pack import PackResult, pack
from export.verify.golden import verify
from trainer.cli.main import main as edge_train
from trainer.drawn import DrawnPerson
from trainer.drawn.dataset import write_photos

QUICK = Recipe(timing_s=0.0)
KINDS = [(of, kind) for of, kinds in MADE_OF.items() for kind in kinds]


@pytest.fixture(autouse=True)
def _log_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factory.shared_base(tmp_path_factory.getbasetemp().parent)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Network, bytes]]:
    """The same embedder, not the base's, as TFLite and as ONNX."""
    path = tmp_path_factory.mktemp("embedder") / "model.keras"
    factory.float_model(seed=8).save(path)
    model = FloatModel(path)
    made = {
        "tflite-float32": tflite.convert(model, "tflite-float32"),
        "onnx-float32": onnxfile.convert(model, {}),
    }
    said = replace(factory.deployed_network(b""), source="elsewhere", licence="CC-BY-4.0")
    return {kind: (described(said, kind, data), data) for kind, data in made.items()}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 photos of four drawn people."""
    folder = tmp_path_factory.mktemp("people")
    for number in range(4):
        write_photos(folder / str(number), DrawnPerson.draw(20 + number), shots=12, seed=number)
    return folder


def cohort_of(network: Network, data: bytes, out: Path) -> Path:
    """Stripes and blobs as strangers."""
    said = Embedder(network, data).embed(factory.some_crops(40, 4)).embeddings
    assert said is not None
    Cohort(
        embeddings=said.astype(np.float16),
        identity=np.arange(40, dtype=np.int32),
        variant=np.zeros(40, np.uint8),
        variants=("plain",),
        embedder_sha256=network.sha256,
    ).save(out)
    return out


def enrolled(photos: Path, base: Path, embedder: Path, cohort: Path, out: Path) -> Path:
    words = ["person", "--photos", photos, "--name", "me", "--base", base, "--embedding", embedder]
    words += ["--cohort", cohort, "--target-far", "0.3", "--camera", "one", "--out", out, "-q"]
    done = CliRunner().invoke(edge_train, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def me(
    base: Path,
    files: dict[str, tuple[Network, bytes]],
    photos: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Enrolled on the float file."""
    folder = tmp_path_factory.mktemp("me")
    network, data = files["tflite-float32"]
    (folder / "face.tflite").write_bytes(data)
    (folder / "face.json").write_text(json.dumps(network.to_json()))
    cohort = cohort_of(network, data, folder / "face.npz")
    return enrolled(photos, base, folder / "face.tflite", cohort, folder / "run")


@pytest.fixture(scope="module")
def smaller(me: Path, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("smaller") / "small.tflite"
    quantize(QuantizeOptions(me, out, (people,), "tflite-float16", recipe=QUICK))
    return out


def packed(run: Path, out: Path, **changes: Any) -> PackResult:
    return pack(PackOptions(run, out, recipe=QUICK, **changes))


def with_file(run: Path, network: Network, data: bytes, to: Path) -> Path:
    """The run with another embedder file and nobody enrolled."""
    shutil.copytree(run, to)
    shutil.rmtree(to / "heads")
    (to / "cohort.npz").unlink()
    for old in to.glob("embedder.*"):
        old.unlink()
    (to / f"embedder.{network.format.partition('-')[0]}").write_bytes(data)
    facts = json.loads((to / "run.json").read_text())
    facts["embedder"] = replace(network, sha256=sha256_of(data)).to_json()
    (to / "run.json").write_text(json.dumps(facts))
    return to


@pytest.mark.parametrize(("of", "kind"), KINDS)
def test_files_are_smaller_and_say_the_same(
    files: dict[str, tuple[Network, bytes]], of: str, kind: str
) -> None:
    network, data = files[of]
    crops = factory.some_crops(60, 1)
    made = [quantized._made(data, kind, network, crops) for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) < 0.9 * len(data)
    held_out = factory.some_crops(60, 2)
    reference = answers_of_file(network, data, held_out)
    answers = answers_of_file(quantized._described(network, kind, made[0]), made[0], held_out)
    parity = measure(reference, answers, ())
    assert not parity.problem
    assert parity.cosine_mean is not None
    assert parity.cosine_mean > 0.99
    source = onnxfile if kind.startswith("onnx") else tflitefile
    assert source.is_float(data)
    assert not source.is_float(made[0])


def test_a_file_of_an_old_converter(files: dict[str, tuple[Network, bytes]]) -> None:
    """Operators are numbered in the old field alone, and there is no signature."""
    from tensorflow.lite.tools import flatbuffer_utils

    network, data = files["tflite-float32"]
    model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    for code in model.operatorCodes:
        assert code.deprecatedBuiltinCode == code.builtinCode
        code.builtinCode = 0
    model.signatureDefs = None
    old = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    crops = factory.some_crops(4, 1)
    made = [tflitefile.quantize(d, "tflite-int8", network.input, crops) for d in (data, old)]
    assert made[0] == made[1]


def test_a_person_is_enrolled_again_on_the_smaller_file(
    base: Path, me: Path, smaller: Path, photos: Path, people: Path, tmp_path: Path
) -> None:
    """Or enrolled on it from the start."""
    facts = json.loads(smaller.with_suffix(".json").read_text())
    assert len(facts["calibrated_on"]) == 24
    data = smaller.read_bytes()
    cohort = cohort_of(Network.from_json(facts), data, tmp_path / "small.npz")
    changes = {"embedder": smaller, "cohort": cohort, "pictures": (photos, people)}
    result = packed(me, tmp_path / "me.edge", **changes)
    assert result.enrolled_again == ("me",)
    assert result.embedder is not None
    assert result.embedder.parity.crops == 12 + 48 - 24
    assert result.embedder.parity.agreement["me"] >= 0.995
    straight = enrolled(photos, base, smaller, cohort, tmp_path / "run")
    with Bundle.open(tmp_path / "me.edge") as bundle:
        assert bundle.embedder_data == data
        assert bundle.embedder.format == "tflite-float16"
        assert bundle.embedder.minimal_runtimes
        (head,) = bundle.heads
        assert head.facts.target_far == 0.3
        assert head.embedder_sha256 == sha256_of(data)
        assert "CC-BY-4.0" in bundle.text("licences/embedder.txt")
        assert "elsewhere, made tflite-float16 by ai-edge-quantizer" in bundle.embedder.source
        assert bundle.manifest.facts["embedder"]["passed"]
    verify(tmp_path / "me.edge").require()
    assert "embedder:" in result.lines()
    packed(straight, tmp_path / "straight.edge")


def test_what_is_missing_to_enrol_again_is_said(
    me: Path, smaller: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "x.edge"
    with pytest.raises(RefusedError, match=r"me of .* the scores would mean nothing") as refused:
        packed(me, out, embedder=smaller)
    assert "--pictures with the photos of me" in (refused.value.hint or "")
    with pytest.raises(RefusedError, match="no strangers to enroll me against") as refused:
        packed(me, out, embedder=smaller, pictures=(photos,))
    assert f"--embedding {smaller}" in (refused.value.hint or "")
    with pytest.raises(RefusedError, match="made by another embedder") as refused:
        packed(me, out, embedder=smaller, pictures=(photos,), cohort=me / "cohort.npz")
    assert f"--embedding {smaller}" in (refused.value.hint or "")
    assert not out.exists()


def test_faces_that_it_was_not_calibrated_on_are_needed(
    me: Path, smaller: Path, photos: Path, tmp_path: Path
) -> None:
    facts = json.loads(smaller.with_suffix(".json").read_text())
    cohort = cohort_of(Network.from_json(facts), smaller.read_bytes(), tmp_path / "small.npz")
    with pytest.raises(InputError, match="not calibrated on show a face, 20 are needed"):
        packed(me, tmp_path / "x.edge", embedder=smaller, cohort=cohort, pictures=(photos,))


def test_another_embedder_in_its_place_is_refused(
    base: Path, me: Path, photos: Path, people: Path, tmp_path: Path
) -> None:
    """It runs and tells faces apart, but is no copy."""
    data = (base / "model.int8.tflite").read_bytes()
    network = factory.network_of(base)
    (tmp_path / "other.tflite").write_bytes(data)
    cohort = cohort_of(network, data, tmp_path / "other.npz")
    changes = {"cohort": cohort, "pictures": (photos, people)}
    with pytest.raises(InputError, match=r"cannot read .*other\.json"):
        packed(me, tmp_path / "x.edge", embedder=tmp_path / "other.tflite", **changes)
    (tmp_path / "other.json").write_text(json.dumps(network.to_json()))
    with pytest.raises(GateFailed, match=r"of the embedder, tflite-int8 missed the gate.*cosine"):
        packed(me, tmp_path / "x.edge", embedder=tmp_path / "other.tflite", **changes)
    assert not (tmp_path / "x.edge").exists()
    window = network.to_json()
    window["input"]["size_px"] = 64
    (tmp_path / "other.json").write_text(json.dumps(window))
    with pytest.raises(ModelError, match="looks at other crops"):
        with_embedder(RunFolder.open(me), tmp_path / "other.tflite")


def refused(run: Path, tmp_path: Path, people: Path, kind: str = "tflite-int8") -> ToolkitError:
    out = tmp_path / "x.tflite"
    with pytest.raises(ToolkitError) as problem:
        quantize(QuantizeOptions(run, out, (people,), kind, recipe=QUICK))
    assert not out.exists()
    assert not out.with_suffix(".json").exists()
    return problem.value


def test_what_cannot_be_quantized_is_said(
    base: Path, me: Path, smaller: Path, people: Path, tmp_path: Path
) -> None:
    assert "no external embedder" in refused(base, tmp_path, people).message
    assert isinstance(refused(me, tmp_path, people, "onnx-int8"), UsageError)
    network = Network.from_json(json.loads(smaller.with_suffix(".json").read_text()))
    done = with_file(me, network, smaller.read_bytes(), tmp_path / "done")
    already = refused(done, tmp_path, people)
    assert isinstance(already, RefusedError)
    assert "quantized already" in already.message
    hidden = replace(network, format="tflite-float32")
    lying = with_file(me, hidden, smaller.read_bytes(), tmp_path / "lying")
    assert "quantized already" in refused(lying, tmp_path, people).message
    (tmp_path / "few").mkdir()
    assert "0 pictures" in refused(me, tmp_path, tmp_path / "few").message
    with pytest.raises(UsageError, match="no name for it"):
        quantize(QuantizeOptions(me, tmp_path / "x.onnx", (people,), recipe=QUICK))


def test_an_unknown_operator_is_said(files: dict[str, tuple[Network, bytes]]) -> None:
    """Every operator is one that the quantizer does not know: nothing would be smaller."""
    from tensorflow.lite.tools import flatbuffer_utils

    network, data = files["tflite-float32"]
    model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    for code in model.operatorCodes:
        code.builtinCode = code.deprecatedBuiltinCode = 32
        code.customCode = b"Own"
    own = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    with pytest.raises(ModelError, match="next to none of its operators"):
        tflitefile.quantize(own, "tflite-dynamic", network.input, factory.some_crops(2, 1))


def spoilt(change: Callable[[Any], Any]) -> Callable[..., bytes]:
    """Instead of a quantized file, one whose embedding's weights were changed."""

    def make(*_: Any) -> bytes:
        model = factory.float_model(seed=8)
        layer = model.get_layer("embedding_features")
        kernel, bias = layer.get_weights()
        layer.set_weights([change(kernel), change(bias + 1)])
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            model.save(path)
            return tflite.convert(FloatModel(path), "tflite-float16")

    return make


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda weights: weights * (weights.ndim == 1), "the same for every face"),
        (lambda weights: weights * np.nan, "not finite"),
        (lambda weights: weights[..., ::-1], "mean cosine"),
    ],
)
def test_broken_files_are_refused(
    me: Path,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Any], Any],
    reason: str,
) -> None:
    monkeypatch.setattr(tflitefile, "quantize", spoilt(change))
    problem = refused(me, tmp_path, people, "tflite-float16")
    assert isinstance(problem, GateFailed)
    assert problem.exit_code == 1
    assert reason in problem.message


def test_calibration_on_one_colour_is_refused(
    me: Path, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantized, "representative", lambda crops: np.full_like(crops, 128))
    assert isinstance(refused(me, tmp_path, people), GateFailed)


def test_an_embedder_that_says_nothing_is_not_packed(me: Path, tmp_path: Path) -> None:
    data = spoilt(lambda weights: weights * (weights.ndim == 1))()
    network = RunFolder.open(me).embedder
    run = with_file(me, replace(network, format="tflite-float16"), data, tmp_path / "run")
    with pytest.raises(GateFailed, match="embedding is the same for every face"):
        packed(run, tmp_path / "x.edge")


def test_the_command(me: Path, people: Path, tmp_path: Path) -> None:
    out = tmp_path / "face.tflite"
    words = ["quantize", str(me), "--pictures", str(people), "-o", str(out), "--min-cosine", "0.9"]
    done = CliRunner().invoke(edge_export, [*words, "--json", "-q"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert [c["format"] for c in said["candidates"]] == [
        "tflite-float32",
        *MADE_OF["tflite-float32"],
    ]
    assert said["chosen"] in MADE_OF["tflite-float32"]
    assert out.is_file()
    words[words.index("-o") + 1] = str(out.with_name("refused.tflite"))
    done = CliRunner().invoke(edge_export, [*words, "--min-cosine", "1", "--format", "tflite-int8"])
    assert done.exit_code == 1
    assert "nothing was written" in done.stderr
    assert "refused: mean cosine" in done.stderr


def test_without_the_quantizer_it_says_what_to_install(
    me: Path, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_quantizer", None)
    words = ["quantize", str(me), "--pictures", str(people), "-o", str(tmp_path / "face.tflite")]
    done = CliRunner().invoke(edge_export, [*words, "-q"])
    assert done.exit_code != 0
    assert "checkout again with [export]" in done.stderr
