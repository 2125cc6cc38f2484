"""`edge-train attributes` from a folder of drawn people to a run folder, and what it refuses."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from training_factory import NETWORK

from edge.bundle.locate import SHIPPED
from edge.files.model_file import sha256_of
from edge.models.run_record import REPRESENTATIVE, Run, load_crops
from edge.models.spec import Network
from trainer.base.data import widened
from trainer.base.settings import BaseSettings
from trainer.cli.attributes import attributes_command
from trainer.data.holdout import held_out, read_hold_out
from trainer.data.table import FaceTable, identity_number
from trainer.drawn.dataset import write_celeba
from trainer.networks.face_network import load_base
from trainer.networks.quantization import agreement, agreement_words

PEOPLE, SHOTS = 12, 3


@pytest.fixture(scope="module")
def celeba(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "celeba"
    write_celeba(folder, people=PEOPLE, shots_per_person=SHOTS, seed=5, size=(89, 109))
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def train(data: Path, out: Path, cache: Path, *more: str) -> Result:
    words = ["--data", data, "--out", out, "--cache-dir", cache, "--quiet", "--arch", NETWORK.arch]
    words += ["--input-size", "48", "--embedding-size", "8", "--batch-size", "6", *more]
    return CliRunner().invoke(attributes_command, [str(word) for word in words])


@pytest.fixture(scope="module")
def finished(celeba: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "base"
    more = ("--seed", "3", "--schedule", "constant", "--tensorboard", str(out.parent / "curves"))
    result = train(celeba, out, cache, "--epochs", "1", *more)
    assert result.exit_code == 0, result.output
    assert "against always answering the majority" in result.output
    return out


def test_the_run_folder(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    wanted = {"run.json", "model.keras", "model.int8.tflite", "representative.npz", "golden.npz"}
    assert wanted <= names
    assert not finished.with_name("base.training").exists()
    run = Run.load(finished)
    assert (run.kind, run.seed) == ("base", 3)
    assert run.command.startswith("edge-train ")
    assert run.data["pictures"] == PEOPLE * SHOTS
    assert run.data["people"] == PEOPLE
    assert sum(part["people"] for part in run.data["parts"].values()) == PEOPLE
    assert len(run.data["fingerprint"]) == 64
    assert run.versions["keras"]
    raw = json.loads((finished / "run.json").read_text())
    assert raw["embedder"] is None
    assert raw["schema"] == 1


def test_figures_stand_beside_their_baselines(finished: Path) -> None:
    run = Run.load(finished)
    figures = run.figures.to_json()["attributes"]
    assert 0.5 <= figures["majority_accuracy"] <= 1
    assert figures["accuracy"] is not None
    assert figures["learned_something"] is run.learned_something
    assert run.figures.to_json()["verification"]["chance_auc"] == 0.5
    if not run.learned_something:
        assert any("nothing useful" in warning for warning in run.warnings)


def test_the_deployed_file_is_the_network(finished: Path) -> None:
    run = Run.load(finished)
    data = (finished / "model.int8.tflite").read_bytes()
    assert run.network.sha256 == sha256_of(data)
    assert len(run.network.attributes) == 40
    assert len(run.network.attribute_thresholds) == 40
    crops, apart = load_crops(finished / REPRESENTATIVE, 48, "crops", "held_out")
    assert crops.shape[1:] == apart.shape[1:] == (48, 48, 3)
    assert not crops[-2].any()
    assert (crops[-1] == 255).all()
    close = agreement(load_base(finished / "model.keras"), run.network, data, apart)
    assert close.mean_cosine > 0.9
    said = agreement_words(close.to_json())
    assert re.fullmatch(r"cosine .* mean 0\.\d{4}, worst 1 % .*, of \d+ pictures", said), said
    assert isinstance(run.network, Network)


def test_the_report_shows_curves_parameters_and_the_majority(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    facts = json.loads((finished / "report.json").read_text())
    assert page.count("<img ") == 2
    assert f"{facts['parameters']['all']:,}, of which" in page
    assert "always the majority: " in page
    assert load_base(finished / "model.keras").count_params() == facts["parameters"]["all"]
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)  # it stands alone


def test_tensorboard_reads_the_curves(finished: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    reader = EventAccumulator(str(finished.parent / "curves"))
    reader.Reload()
    history = Run.load(finished).figures.to_json()["history"]
    assert set(reader.Tags()["tensors"]) == set(history[0])
    (event,) = reader.Tensors("val_loss")
    assert event.step == 1
    value = float(make_ndarray(event.tensor_proto))
    assert value == pytest.approx(history[0]["val_loss"], rel=1e-5)


def test_without_tensorboard_it_is_said_at_once(
    celeba: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    result = train(celeba, tmp_path / "base", cache, "--tensorboard", str(tmp_path / "curves"))
    assert result.exit_code != 0
    assert "tensorboard" in result.output
    assert "[train]" in result.output
    assert not list(tmp_path.iterdir())


def test_a_saved_model_is_refused_before_training(
    celeba: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    result = train(celeba, tmp_path / "base", cache, "--arch", f"file:{tmp_path / 'saved'}")
    assert result.exit_code == 2
    assert "is a SavedModel" in result.output
    assert "as .keras or .h5" in result.output


def test_a_run_whose_int8_file_decides_otherwise_is_kept(
    finished: Path, celeba: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from trainer.networks import quantization

    out = tmp_path / "base"
    shutil.copytree(finished, out)
    words = ["--data", str(celeba), "--out", str(out), "--resume", "--quiet"]
    with monkeypatch.context() as patch:
        patch.setattr(quantization, "SMALLEST_COSINE", 1.1)
        result = CliRunner().invoke(attributes_command, words)
    assert result.exit_code == 1
    assert f"kept in {out}" in result.output
    assert "--calibrate-on DIR" in result.output
    assert "decides otherwise" in Run.load(out).warnings[0]
    assert (out / "model.keras").is_file()
    again = CliRunner().invoke(attributes_command, [*words, "--calibrate-on", str(celeba)])
    assert again.exit_code == 0, again.output
    assert not [text for text in Run.load(out).warnings if "decides otherwise" in text]
    crops, before = (
        load_crops(folder / REPRESENTATIVE, 48, "crops")[0] for folder in (out, finished)
    )
    assert crops.shape != before.shape or (crops != before).any()


def test_a_list_says_who_is_shown(celeba: Path, cache: Path, tmp_path: Path) -> None:
    from trainer.base.data import load_base_data

    listed = tmp_path / "people.csv"
    listed.write_text("picture;person\r\n000001.jpg;7001\r\n000002.jpg;7001\r\n", "utf-8-sig")
    settings = BaseSettings(
        folders=(celeba,), out=tmp_path / "base", identities=listed, cache_dir=cache, input_size=48
    )
    table = load_base_data(settings.data(), seed=0, embedding_size=8, quiet=True).table
    named = {
        path.name for path, who in zip(table.paths, table.identity, strict=True) if who == 7001
    }
    assert named == {"000001.jpg", "000002.jpg"}


def test_an_existing_run_is_refused(finished: Path, celeba: Path, cache: Path) -> None:
    before = (finished / "run.json").read_bytes()
    result = train(celeba, finished, cache)
    assert result.exit_code != 0
    assert "exists already" in result.output
    assert "--resume" in result.output
    assert (finished / "run.json").read_bytes() == before


def test_a_finished_run_goes_on(finished: Path, celeba: Path, cache: Path, tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "base"
    shutil.copytree(finished, out)
    words = ["--data", str(celeba), "--out", str(out), "--resume", "--epochs", "2", "--quiet"]
    result = CliRunner().invoke(attributes_command, [*words, "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["epochs"] == 2
    assert len(answer["run"]["figures"]["history"]) == 2
    assert (
        Run.load(out).figures.to_json()["history"][0]
        == Run.load(finished).figures.to_json()["history"][0]
    )
    other = CliRunner().invoke(attributes_command, [*words, "--alpha", "0.5"])
    assert "--alpha is 0.5 now and was 1.0" in other.output


def test_stopped_after_some_epochs(celeba: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "base"
    result = train(celeba, out, cache, "--epochs", "3", "--stop-after", "1")
    assert result.exit_code == 0, result.output
    assert "go on with --resume" in result.output
    assert not out.exists()
    assert (tmp_path / "base.training" / "checkpoint.npz").is_file()
    again = train(celeba, out, cache, "--epochs", "3")
    assert "exists already" in again.output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--loss", "softmax"], "several at once"),
        (["--arch", "cnn-32"], "at least 190 px"),
        (["--progressive", "64:1"], "below 48 px"),
        (["--fractions", "1,2"], "--fractions is as in"),
        (["--optimizer", "magic"], "unknown optimizer"),
        (["--resume"], "could be resumed"),
        (["--hold-out", "nowhere.txt"], "cannot read the hold-out file"),
        (["--embedding-size", "0", "--margin", "arcface"], "there is none"),
        (["--teacher", "nowhere.tflite"], "cannot read the model file"),
        (["--blends", "10"], "blends of two faces need a teacher to learn from"),
        (["--attributes", "Male,Clever"], "has no attribute 'Clever'"),
    ],
)
def test_what_is_refused_before_training(
    words: list[str], text: str, celeba: Path, cache: Path, tmp_path: Path
) -> None:
    result = train(celeba, tmp_path / "base", cache, *words)
    assert result.exit_code != 0
    assert text in result.output
    assert not list(tmp_path.iterdir())


def test_a_teacher_and_blends(celeba: Path, cache: Path, tmp_path: Path) -> None:
    teacher = ["--teacher", str(SHIPPED / "base.int8.tflite")]
    teacher += ["--teacher-description", str(SHIPPED / "base.json"), "--blends", "30"]
    out = tmp_path / "base"
    result = train(celeba, out, cache, "--epochs", "1", *teacher)
    assert result.exit_code == 0, result.output
    assert json.loads((out / "run.json").read_text())["data"]["blends"] == 30


def test_held_out_people_are_never_seen(celeba: Path, cache: Path, tmp_path: Path) -> None:
    from trainer.base.data import load_base_data

    listed = tmp_path / "hold-out.txt"
    listed.write_text("# for evaluation\n1\n\n2\n000005.jpg\n")
    settings = BaseSettings(
        folders=(celeba,), out=tmp_path / "base", hold_out=listed, cache_dir=cache, input_size=48
    )
    data = load_base_data(settings.data(), seed=0, embedding_size=8, quiet=True)
    assert not set(data.table.identity.tolist()) & {1, 2}
    assert "000005.jpg" not in {path.name for path in data.table.paths}
    assert data.counts["held_out"] >= 2 * SHOTS
    assert len(data.arrays) == len(data.table) == PEOPLE * SHOTS - data.counts["held_out"]


def test_hold_out_lists() -> None:
    paths = (Path("a/Ada/1.jpg"), Path("a/Ben/1.jpg"), Path("a/17/2.jpg"), Path("a/18/3.jpg"))
    identity = np.array([identity_number("Ada"), identity_number("Ben"), 17, 18])
    none = np.full(4, -1, np.int8)
    table = FaceTable(paths, (), np.zeros((4, 0), np.int8), identity, none)
    assert held_out(table, frozenset({"Ada", "17"})).tolist() == [True, False, True, False]
    assert held_out(table, frozenset({"Ben/1.jpg"})).tolist() == [False, True, False, False]
    assert held_out(table, frozenset({"3.jpg"})).tolist() == [False, False, False, True]
    with pytest.raises(Exception, match="cannot read the hold-out file"):
        read_hold_out(Path("nowhere.txt"))


def test_widened_windows_contain_the_window_exactly() -> None:
    from edge.faces.canonical import MIDDLE

    wide, side_px, margin_px = widened(MIDDLE, 96, 0.125)
    assert (side_px, margin_px) == (120, 12)
    pixel = MIDDLE.side_px / 96
    assert wide.side_px == pytest.approx(120 * pixel)
    assert wide.x_px + margin_px * pixel == pytest.approx(MIDDLE.x_px)
    assert widened(MIDDLE, 96, 0.0)[0] == MIDDLE


def test_settings_survive_their_file(tmp_path: Path) -> None:
    settings = BaseSettings(
        folders=(Path("a"), Path("b")), out=tmp_path / "base", teacher=Path("t.tflite"), epochs=7
    )
    settings.working_folder.mkdir()
    settings.save(settings.working_folder)
    (settings.working_folder / "checkpoint.npz").write_bytes(b"")
    given: Any = BaseSettings(folders=(Path("a"),), out=tmp_path / "base", learning_rate=0.5)
    again = given.continued(set(), {"learning_rate"})
    assert again.folders == settings.folders
    assert again.teacher == settings.teacher
    assert (again.epochs, again.learning_rate) == (7, 0.5)


def test_the_split_is_a_list_that_is_the_same_in_each_run(
    finished: Path, celeba: Path, cache: Path, tmp_path: Path
) -> None:
    listed = dict(line.split() for line in (finished / "split.txt").read_text().splitlines())
    official = (celeba / "list_eval_partition.txt").read_text().splitlines()
    assert listed == dict(line.split() for line in official)
    out = tmp_path / "base"
    done = train(celeba, out, cache, "--epochs", "1", "--seed", "4", "--save-format", "h5")
    assert done.exit_code == 0, done.output
    assert (out / "split.txt").read_bytes() == (finished / "split.txt").read_bytes()


def test_an_old_file_is_written_and_gone_on_from(celeba: Path, cache: Path, tmp_path: Path) -> None:
    """4 + 4 epochs with another rate, as notebooks do: the second begins where the file ends."""
    first, second = tmp_path / "first", tmp_path / "second"
    done = train(celeba, first, cache, "--epochs", "1", "--save-format", "h5")
    assert done.exit_code == 0, done.output
    saved = first / "model.h5"
    rate = ("--learning-rate", "1e-12", "--schedule", "constant", "--optimizer", "sgd")
    done = train(celeba, second, cache, "--start-from", str(saved), "--epochs", "1", *rate)
    assert done.exit_code == 0, done.output
    before, after = (load_base(run / "model.keras") for run in (first, second))
    for a, b in zip(before.trainable_weights, after.trainable_weights, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-6)
    other = ("--start-from", str(saved), "--embedding-size", "16")
    done = train(celeba, tmp_path / "other", cache, *other)
    assert done.exit_code == 1
    assert "other sizes" in done.output
    done = train(celeba, tmp_path / "both", cache, *other[:2], "--weights", "imagenet")
    assert done.exit_code == 2


def test_ranges_are_those_that_were_asked_for(celeba: Path, cache: Path, tmp_path: Path) -> None:
    done = train(
        celeba, tmp_path / "run", cache, "--epochs", "1", "--rotation", "20", "--zoom", "0.2",
        "--export-augmented", str(tmp_path / "seen"), "--per-photo", "1",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (settings["rotation"], settings["zoom"], settings["shift"]) == (20.0, 0.2, None)
    run = Run.load(tmp_path / "run")
    assert len(list((tmp_path / "seen").iterdir())) == run.data["parts"]["train"]["pictures"]
    made = BaseSettings(folders=(), out=tmp_path, rotation=20.0, zoom=0.2).augmentation()
    assert (made.rotation_deg, made.zoom, made.shift) == (20.0, 0.2, 0.04)
    assert made.margin > BaseSettings(folders=(), out=tmp_path).augmentation().margin
