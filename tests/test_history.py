"""Five mistakes of earlier projects of this kind: each is refused or warned about by name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from device_factory import write_two_people
from training_factory import some_arrays, some_training

from benchmarks.studies.copies import KINDS
from edge.enrolment.copies import is_copy, marks_of
from edge.enrolment.samples import embeddings_of, usable_face
from edge.errors import DataError, RefusedError
from edge.faces.detector import Detector
from edge.faces.quality import QualityGate
from edge.files.image import read_picture, write_picture
from edge.models.embedder import Embedder
from edge.models.run_record import RUN_JSON, Run
from trainer.cli.main import main as edge_train
from trainer.data.attribute_metrics import NOTHING_LEARNED
from trainer.data.label_files import read_labels
from trainer.drawn import DrawnPerson
from trainer.drawn.dataset import write_photos
from trainer.inference.source import open_subject
from trainer.photos.recurring import NONE_RECURS
from trainer.photos.samples import read_looks
from trainer.training.checkpoint import Checkpoint


def call(*arguments: object) -> Result:
    return CliRunner().invoke(edge_train, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def sound_run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "sound"
    done = call("person", "--photos", photos, "--name", "me", "--out", run, "-q", "--privacy")
    assert done.exit_code == 0, done.output
    return run


def test_softmax_over_several_labels_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = call(
        "attributes", "--data", tmp_path / "data", "--out", tmp_path / "run", "--loss", "softmax"
    )
    assert done.exit_code == 2
    assert "several at once" in " ".join(done.stderr.split())
    assert "--loss bce" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_nan_loss_stops_and_keeps_the_last_good_weights(tmp_path: Path) -> None:
    arrays = some_arrays(48)
    some_training(tmp_path, arrays, epochs=1, schedule="constant").run()
    good = Checkpoint.load(tmp_path / "checkpoint.npz")
    broken = replace(arrays, targets=np.full_like(arrays.targets, np.nan))
    again = some_training(tmp_path, broken, epochs=2, schedule="constant")
    again.resume()
    with pytest.raises(RefusedError, match=r"loss .*NaN.*epoch 2, step 1"):
        again.run()
    kept = Checkpoint.load(tmp_path / "checkpoint.npz")
    assert all(np.array_equal(a, b) for a, b in zip(good.state, kept.state, strict=True))
    assert all(np.isfinite(array).all() for array in kept.state)


def test_a_head_on_a_base_that_learned_nothing_says_so(
    sound_run: Path, photos: Path, tmp_path: Path
) -> None:
    assert Run.load(sound_run).learned_something
    base, run = tmp_path / "lazy", tmp_path / "run"
    shutil.copytree(sound_run, base)
    replace(Run.load(base), learned_something=False).save(base)
    done = call(
        "person", "--photos", photos, "--name", "me", "--base", base, "--out", run, "-q", "--json"
    )
    assert done.exit_code == 0, done.output
    assert any(NOTHING_LEARNED in text for text in json.loads(done.stdout)["warnings"])
    assert json.loads((run / RUN_JSON).read_text())["learned_something"] is False
    assert NOTHING_LEARNED in (run / "report.html").read_text()


def test_varied_copies_of_a_photo_stay_in_one_group(photos: Path, tmp_path: Path) -> None:
    for number in (2, 3):
        image = read_picture(photos / f"photo-{number:03d}.jpg")
        write_picture(tmp_path / f"{number}.png", image)
        for kind, copier in KINDS.items():
            copy = copier(image, np.random.default_rng(number))
            write_picture(tmp_path / f"{number} {kind}.png", copy)
    deployed = open_subject("shipped").embedder
    embedder = Embedder(deployed.network, deployed.data)
    looks = read_looks([tmp_path], embedder, Detector.open(), vary=0, quiet=True)
    assert len(looks.kept) >= 2 * len(KINDS) - 2, "what the gate rejects is no look"
    whose = [Path(look.name).name[0] for look in looks.kept]
    assert looks.groups.tolist() == [int(number) - 2 for number in whose]


def test_a_screenshot_of_a_close_up_is_its_photo(photos: Path) -> None:
    """What lies beyond the picture's edge, near to the face, is a screenshot's dark bar."""
    detector = Detector.open()
    image = read_picture(photos / "photo-002.jpg")
    x, y, w, h = (int(side) for side in detector.detect(image)[0].box_px)
    near = np.ascontiguousarray(
        image[max(0, y - h // 10) : y + h + h // 10, max(0, x - w // 10) : x + w + w // 10]
    )
    framed = cv2.copyMakeBorder(near, 40, 60, 50, 30, cv2.BORDER_CONSTANT, value=(24, 24, 24))
    one, other = (marks_of(shown, detector.detect(shown)[0]) for shown in (near, framed))
    assert is_copy(one, other)


def test_a_copy_in_train_and_test_is_an_error_that_names_both_files(
    photos: Path, tmp_path: Path
) -> None:
    for part, numbers in (("train", range(1, 9)), ("test", range(9, 13))):
        (tmp_path / part / "me").mkdir(parents=True)
        for k in numbers:
            shutil.copy2(photos / f"photo-{k:03d}.jpg", tmp_path / part / "me")
    leaked = cv2.convertScaleAbs(read_picture(photos / "photo-002.jpg"), alpha=1.08, beta=5)
    write_picture(tmp_path / "test" / "me" / "brighter.jpg", leaked)
    done = call("person", "--photos", tmp_path, "--name", "me", "--out", tmp_path / "run", "-q")
    assert done.exit_code == 1
    assert "photo-002.jpg" in done.stderr
    assert "brighter.jpg" in done.stderr
    assert "the 13 pictures show 12 independent photos" in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()


def test_another_camera_for_the_others_is_warned_about(photos: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    for path in write_photos(others, DrawnPerson.draw(21), shots=5, seed=4):
        grey = cv2.cvtColor(read_picture(path), cv2.COLOR_BGR2GRAY)
        write_picture(path, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    done = call(
        "person", "--photos", photos, "--not-me", others, "--name", "me",
        "--out", tmp_path / "run", "-q", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    warnings = json.loads(done.stdout)["warnings"]
    assert any("tell the cameras apart" in text for text in warnings)


def test_so_are_strangers_laid_out_beside_me(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(photos, root / "me")
    (root / "others").mkdir()
    for number in (31, 32, 33):
        folder = root / "others" / f"p{number}"
        folder.mkdir()
        for path in write_photos(folder, DrawnPerson.draw(number), shots=2, seed=4):
            grey = cv2.cvtColor(read_picture(path), cv2.COLOR_BGR2GRAY)
            write_picture(path, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    done = call(
        "person", "--photos", root, "--name", "me", "--out", tmp_path / "run", "-q", "--json"
    )
    assert done.exit_code == 0, done.output
    warnings = json.loads(done.stdout)["warnings"]
    assert any("the photos and the others look different" in text for text in warnings)


@pytest.mark.parametrize("absent", ["-1", "0"])
def test_labels_of_minus_one_mean_absent(tmp_path: Path, absent: str) -> None:
    path = tmp_path / "list_attr_celeba.txt"
    path.write_text(f"2\nBald Smiling\na.jpg  1 {absent}\nb.jpg {absent} {absent}\n")
    assert read_labels(path).labels.tolist() == [[1, 0], [0, 0]]


def test_mixed_labels_are_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "list_attr_celeba.txt"
    path.write_text("2\nBald Smiling\na.jpg  1 -1\nb.jpg 0 1\n")
    with pytest.raises(DataError, match="line 4: 0 in a file that used -1 before"):
        read_labels(path)


def test_an_album_of_two_people_is_refused_and_both_are_shown(tmp_path: Path) -> None:
    photos = write_two_people(tmp_path)
    for folder in (photos / "ana", photos / "ben"):
        for path in sorted(folder.iterdir())[9:]:
            path.unlink()
    words = ("--photos", photos / "ana", "--photos", photos / "ben", "--out", tmp_path / "run")
    done = call("person", *words, "--name", "me", "-q")
    assert done.exit_code == 1
    said = " ".join(done.stderr.split())
    assert "are two people" in said and str(photos / "ana") in said and str(photos / "ben") in said
    assert (tmp_path / "run-contact-sheet.png").is_file()
    assert not (tmp_path / "run").exists()


def test_of_two_faces_the_one_is_taken_that_the_album_shows(tmp_path: Path) -> None:
    photos = write_two_people(tmp_path)
    ana, ben = (sorted((photos / name).iterdir()) for name in ("ana", "ben"))
    beside = photos / "ana" / "beside.png"
    sides = [cv2.resize(cv2.imread(str(path)), (400, 400)) for path in (ben[0], ana[0])]
    cv2.imwrite(str(beside), np.hstack(sides))
    ana[0].unlink()
    strangers = photos / "ana" / "strangers.png"
    sides = [cv2.resize(cv2.imread(str(path)), (400, 400)) for path in ben[1:3]]
    cv2.imwrite(str(strangers), np.hstack(sides))
    eyes = open_subject("shipped").embedder
    looks = read_looks(
        [photos / "ana"], Embedder(eyes.network, eyes.data), Detector.open(), recurring=True, vary=0
    )
    own = [look for look in looks.kept if look.name == str(beside)]
    assert [one.reason for one in looks.dropped if one.name == str(strangers)] == [NONE_RECURS]
    assert len(own) == 1
    embedder = Embedder(eyes.network, eyes.data)
    face = usable_face(sides_of(beside, 1), Detector.open(), QualityGate())
    assert not isinstance(face, str)
    mine = embeddings_of(embedder, embedder.crop(sides_of(beside, 1), face[0])[None])
    assert float((embeddings_of(embedder, own[0].crop[None]) @ mine.T)[0, 0]) > 0.9


def sides_of(path: Path, number: int) -> np.ndarray:
    """The left or the right half of a picture."""
    image = cv2.imread(str(path))
    return np.ascontiguousarray(np.hsplit(image, 2)[number])
