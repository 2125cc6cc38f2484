"""A base whose answers are known, measured on pictures whose answers are known.

The pictures are smooth patterns in CelebA's shape, one pattern a person: no detector finds a face
in them, so all are taken as aligned. The network is made, not trained: it calls a picture bright or
red by its mean colour, and its embedding is the picture itself, small.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import InputError, ModelError, UsageError
from edge.faces.canonical import WIDE
from trainer.cli.evaluate_base import evaluate_base_command
from trainer.data.degrade import DEGRADATIONS, degrade
from trainer.inference.source import open_subject

ATTRIBUTES = ("Bright", "Red")
SIDE = 32
PEOPLE, EACH = 30, 4


def looks_of(person: int) -> tuple[float, float]:
    """Mean light, and how much redder than blue; both away from the network's limits."""
    rng = np.random.default_rng(7000 + person)
    light = 128 + rng.choice([-1, -1, -1, 1]) * rng.uniform(20, 45)
    return float(light), float(rng.choice([-1, 1]) * rng.uniform(15, 30))


def portrait(person: int, shot: int) -> np.ndarray:
    """uint8[109, 89, 3] BGR: the person's pattern, and a little of the shot's own."""
    light, red = looks_of(person)
    own = np.random.default_rng(person).normal(0, 1, (6, 5, 1))
    other = np.random.default_rng((person + 1) * 100 + shot).normal(0, 1, (6, 5, 1))
    pattern = cv2.resize((own + 0.5 * other).astype(np.float32), (89, 109))[..., None]
    pixels = light + 18 * (pattern - pattern.mean()) + np.array([-red, 0.0, red])
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def celeba(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 pictures of 30 people in CelebA's layout, all in the official train part."""
    folder = tmp_path_factory.mktemp("data") / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    labels = [str(PEOPLE * EACH), " ".join(ATTRIBUTES)]
    people = []
    for row in range(PEOPLE * EACH):
        person, shot = row // EACH, row % EACH
        name = f"{row + 1:06d}.png"
        cv2.imwrite(str(folder / "img_align_celeba" / name), portrait(person, shot))
        light, red = looks_of(person)
        labels.append(f"{name} {'1' if light > 128 else '-1'} {'1' if red > 0 else '-1'}")
        people.append(f"{name} {person + 1}")
    (folder / "list_attr_celeba.txt").write_text("\n".join(labels))
    (folder / "identity_CelebA.txt").write_text("\n".join(people))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with the int8 file and the Keras model of the made network."""
    keras = pytest.importorskip("keras")
    from edge.models.run_record import MODEL_KERAS, MODEL_TFLITE, Run
    from trainer.networks.quantization import describe, quantize

    layers = keras.layers
    pixels = keras.Input((SIDE, SIDE, 3), name="pixels")
    small = layers.AveragePooling2D(4)(pixels)
    flat = layers.Flatten(name="features")(small)
    dense = layers.Dense(len(ATTRIBUTES), name="attributes")
    logits = dense(layers.GlobalAveragePooling2D()(small))
    features = layers.Dense(64, use_bias=False, name="embedding_features")
    embedding = layers.UnitNormalization(name="embedding")(features(flat))
    model = keras.Model(pixels, {"attributes": logits, "embedding": embedding})
    bright, red = np.ones(3) / 30, np.array([1, 0, -1]) / 10
    dense.set_weights([np.stack([bright, red], axis=1), np.array([-128 / 10, 0.0])])
    luma = np.zeros((64, 3, 64))
    luma[np.arange(64), :, np.arange(64)] = 1 / 3
    mean = np.eye(64) - 1 / 64  # the pattern without its mean light
    features.set_weights([luma.reshape(192, 64) @ mean])

    folder = tmp_path_factory.mktemp("runs") / "base"
    folder.mkdir()
    model.save(folder / MODEL_KERAS)
    crops = np.stack([cv2.resize(portrait(500 + p, 0), (SIDE, SIDE)) for p in range(64)])
    data = quantize(model, crops)
    (folder / MODEL_TFLITE).write_bytes(data)
    network = describe(
        data,
        window=WIDE,
        size_px=SIDE,
        attributes=ATTRIBUTES,
        embedding_size=64,
        thresholds=(0.5, 0.999999),
    )
    Run(kind="base", command="made", seed=11, network=network).save(folder)
    return folder


@pytest.fixture
def evaluate(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    cache = tmp_path_factory.getbasetemp() / "evaluation-cache"
    monkeypatch.setenv("EDGE_CACHE_DIR", str(cache))

    def invoke(*words: object) -> dict[str, Any]:
        arguments = [str(word) for word in words]
        done = CliRunner().invoke(evaluate_base_command, [*arguments, "--json", "-q"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return invoke


def test_known_answers(evaluate: Any, run: Path, celeba: Path) -> None:
    found = evaluate(run, "--data", celeba, "--draw", 400)
    assert found["data"]["part"] == "all"
    assert found["data"]["aligned"] == found["attributes"]["undetected"] == PEOPLE * EACH
    attributes = found["attributes"]
    assert attributes["images"] == PEOPLE * EACH
    assert attributes["accuracy"] > 0.98, "colours in another order would call red blue"
    assert attributes["majority_accuracy"] < 0.85
    assert attributes["per_attribute"]["Red"]["balanced_accuracy"] > 0.97
    assert attributes["learned_something"] is True
    verification = found["verification"]
    assert verification["accuracy"] > 0.9
    assert verification["auc"] > 0.95
    assert 0.3 < verification["tar_at_far_1pct"] <= 1
    assert verification["tar_at_far_01pct"] is None, "too few pairs"
    low, high = verification["intervals_95"]["accuracy"]
    assert low <= verification["accuracy"] <= high


def test_tuned_thresholds_are_those_of_the_network(evaluate: Any, run: Path, celeba: Path) -> None:
    attributes = evaluate(run, "--data", celeba)["attributes"]
    tuned = attributes["tuned"]["per_attribute"]
    assert tuned["Bright"] == attributes["per_attribute"]["Bright"]
    # almost nothing is called red from 0.999999 on
    assert tuned["Red"]["balanced_accuracy"] == pytest.approx(0.5, abs=0.05)


def test_keras_is_measured_beside_and_agrees(evaluate: Any, run: Path, celeba: Path) -> None:
    found = evaluate(run, "--data", celeba)
    keras = found["keras"]
    assert keras["attributes"]["accuracy"] > 0.98
    assert abs(keras["verification"]["auc"] - found["verification"]["auc"]) < 0.01
    agreement = keras["agreement_with_deployed"]
    assert agreement["embedding_cosine_mean"] > 0.99
    assert agreement["attribute_flips"] < 0.02


def test_grey_pictures_have_no_red(evaluate: Any, run: Path, celeba: Path) -> None:
    grey = evaluate(run, "--data", celeba, "--variants", "grey")["variants"]["grey"]
    assert grey["attributes"]["per_attribute"]["Bright"]["accuracy"] > 0.97
    assert grey["attributes"]["per_attribute"]["Red"]["balanced_accuracy"] < 0.7


def test_pairs_of_any_photos_and_a_reference(
    evaluate: Any, run: Path, celeba: Path, tmp_path: Path
) -> None:
    lines = []
    for row in range(0, PEOPLE * EACH - EACH, 2):
        lines.append(f"{row + 1:06d}.png,{row + 2:06d}.png,1")
        lines.append(f"{row + 1:06d}.png,{row + 1 + EACH:06d}.png,0")
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    (tmp_path / "other.tflite").write_bytes((run / "model.int8.tflite").read_bytes())
    described = json.loads((run / "run.json").read_text())["network"]
    (tmp_path / "other.json").write_text(json.dumps(described))
    found = evaluate(
        run,
        *("--pairs", tmp_path / "pairs.csv"),
        *("--images", celeba / "img_align_celeba"),
        *("--reference", tmp_path / "other.tflite"),
    )
    assert found["attributes"] is None
    assert found["verification"]["pairs"] == len(lines)
    assert found["verification"]["undetected"] == PEOPLE * EACH - 2
    assert found["verification"]["accuracy"] > 0.9
    assert found["reference"]["verification"] == found["verification"]


def test_a_face_that_is_not_found_matches_nobody(
    evaluate: Any, run: Path, celeba: Path, tmp_path: Path
) -> None:
    """Pictures of another shape in which nothing is found: equal files, and yet no match."""
    for name, person in (("a", 1), ("b", 1), ("c", 2), ("d", 2)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), cv2.resize(portrait(person, 0), (300, 120)))
    (tmp_path / "pairs.csv").write_text("a.png,b.png,1\nc.png,d.png,1\na.png,c.png,0\n")
    found = evaluate(run, "--pairs", tmp_path / "pairs.csv")["verification"]
    assert found["undetected"] == 4
    assert found["auc"] == 0.5


def test_only_the_test_part_of_data_it_was_trained_on(
    evaluate: Any, run: Path, celeba: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    trained.mkdir()
    for path in run.iterdir():
        (trained / path.name).write_bytes(path.read_bytes())
    facts = json.loads((run / "run.json").read_text())
    facts["data"] = {"folders": {"celeba": PEOPLE * EACH}}
    (trained / "run.json").write_text(json.dumps(facts))
    found = evaluate(trained, "--data", celeba)
    assert found["data"]["part"] == "test"
    assert found["data"]["people"] < PEOPLE / 3
    everything = evaluate(trained, "--data", celeba, "--part", "all")
    assert everything["data"]["people"] == PEOPLE


def test_text_and_plot(run: Path, celeba: Path, tmp_path: Path, evaluate: Any) -> None:
    words = [str(run), "--data", str(celeba), "--plot", str(tmp_path / "a.png"), "-q"]
    done = CliRunner().invoke(evaluate_base_command, words)
    assert done.exit_code == 0, done.output
    assert "points against always answering the majority" in done.stdout
    assert "TAR at FAR 0.1 % too few to say" in done.stdout
    assert cv2.imread(str(tmp_path / "a.png")) is not None


def test_a_model_that_is_not_what_is_said_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a run folder, a bundle nor a model file"):
        open_subject(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="no run folder"):
        open_subject(str(tmp_path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.json").write_text((run / "run.json").read_text())
    (tmp_path / "run/model.int8.tflite").write_bytes(b"another")
    with pytest.raises(ModelError, match="is not the file that its description is of"):
        open_subject(str(tmp_path / "run"))
    (tmp_path / "face.tflite").write_bytes((run / "model.int8.tflite").read_bytes())
    with pytest.raises(ModelError, match=r"not crops of 112 px; describe the file in face\.json"):
        open_subject(str(tmp_path / "face.tflite"))


def test_usage_errors(run: Path, celeba: Path) -> None:
    for words, said in (
        ([], "there is nothing to measure on"),
        (["--images", str(celeba)], "nothing to measure on"),
        (["--data", str(celeba), "--images", str(celeba)], "--images needs --pairs"),
        (["--data", str(celeba), "--variants", "foggy"], "unknown variant 'foggy'"),
    ):
        done = CliRunner().invoke(evaluate_base_command, [str(run), *words])
        assert done.exit_code == 2, done.output
        assert said in done.output


@pytest.mark.parametrize("name", list(DEGRADATIONS))
def test_degradations_repeat_and_keep_shape(name: str) -> None:
    crops = np.stack([cv2.resize(portrait(person, 0), (48, 48)) for person in range(6)])
    made = degrade(crops, name, seed=3)
    assert (made.shape, made.dtype) == (crops.shape, np.uint8)
    assert np.array_equal(made, degrade(crops, name, seed=3))
    pieces = [degrade(crops[:2], name, seed=3), degrade(crops[2:], name, seed=3, first=2)]
    assert np.array_equal(made, np.concatenate(pieces)), "pieces come out as the whole"
    assert np.array_equal(made, crops) == (name == "plain")


def test_degradations_do_what_they_say() -> None:
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (8, 64, 64, 3), np.uint8)
    grey = degrade(crops, "grey")
    assert (grey[..., 0] == grey[..., 2]).all()
    assert np.abs(grey[..., 0] - crops @ [0.114, 0.587, 0.299]).max() <= 0.51
    dark = degrade(crops, "dark").mean() / crops.mean()
    assert 0.1 ** (1 / 2.2) < dark < 0.33 ** (1 / 2.2) + 0.05

    def detail(images: np.ndarray) -> float:
        return float(np.mean([cv2.Laplacian(i.astype(np.float32), -1).var() for i in images]))

    assert detail(degrade(crops, "low-resolution")) < 0.05 * detail(crops)
    assert detail(degrade(crops, "blur")) < 0.05 * detail(crops)
    with pytest.raises(UsageError, match="unknown variant"):
        degrade(crops, "foggy")


def test_cohort_of_a_runs_own_embedding(
    run: Path, celeba: Path, tmp_path: Path, evaluate: Any
) -> None:
    from edge.heads.cohort import Cohort
    from trainer.cli.cohort import cohort_command

    out = tmp_path / "cohort.npz"
    words = [str(celeba), "--embedding", str(run), "-o", str(out), "--variants", "plain,jpeg"]
    done = CliRunner().invoke(cohort_command, [*words, "-q"])
    assert done.exit_code == 0, done.output
    assert f"{2 * PEOPLE * EACH} embeddings of {PEOPLE} people" in done.stdout
    cohort = Cohort.load(out)
    sha256 = json.loads((run / "run.json").read_text())["network"]["sha256"]
    assert cohort.embedder_sha256 == sha256
    assert cohort.embeddings.shape == (2 * PEOPLE * EACH, 64)
