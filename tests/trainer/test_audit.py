"""The audit finds what was hidden in a data set on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from trainer.cli.audit import audit_command
from trainer.data.audit import audit, describe
from trainer.data.celeba import read_faces
from trainer.data.duplicates import duplicate_groups, prints_of

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_CACHE_DIR", str(tmp_path / "cache"))


def scene(seed: int, size: tuple[int, int] = (89, 109)) -> np.ndarray:
    """A smooth picture, as unlike the others as scenes are."""
    noise = np.random.default_rng(seed).normal(0, 1, (7, 6, 3)).astype(np.float32)
    smooth = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 55 * smooth, 0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, quality: int = 95) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    """40 pictures of 20 people with an official partition, and one flaw of each kind."""
    folder = tmp_path / "flawed"
    pictures = folder / "img_align_celeba"
    lists: dict[str, list[str]] = {"attr": ["40", "Bald Male"], "identity": [], "partition": []}
    for row in range(40):
        name = f"{row + 1:06d}.jpg"
        save(pictures / name, scene(row))
        person, part = row // 2 + 1, 0 if row < 32 else 1 if row < 36 else 2
        lists["attr"].append(f"{name} {'1' if row == 0 else '-1'} {'1' if row % 2 else '-1'}")
        lists["identity"].append(f"{name} {person}")
        lists["partition"].append(f"{name} {part}")
    lists["identity"][39] = "000040.jpg 1"  # the person of the first pictures, which are in train
    save(pictures / "000034.jpg", scene(4))  # equal to 000005, which is somebody else, in train
    save(pictures / "000020.jpg", cv2.convertScaleAbs(scene(18), alpha=0.9), quality=60)
    (pictures / "000011.jpg").write_bytes(b"\xff\xd8\xff broken")
    (pictures / "000013.jpg").unlink()
    files = {"attr": "list_attr_celeba", "identity": "identity_CelebA"}
    for kind, lines in lists.items():
        stem = files.get(kind, "list_eval_partition")
        (folder / f"{stem}.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_every_flaw_is_found(flawed: Path) -> None:
    found = audit(flawed, quiet=True)
    assert (found.pictures, found.people, found.split) == (38, 20, "official")
    assert found.parts == {"train": 30, "validation": 4, "test": 4}
    assert found.missing == ("000013.jpg",)
    assert found.undecodable == ("img_align_celeba/000011.jpg",)
    assert found.across_parts == (1,)
    groups = {group.names: group for group in found.duplicates}
    equal = groups["img_align_celeba/000005.jpg", "img_align_celeba/000034.jpg"]
    near = groups["img_align_celeba/000019.jpg", "img_align_celeba/000020.jpg"]
    assert len(groups) == 2
    assert (equal.exact, equal.parts, equal.people) == (True, ("train", "validation"), 2)
    assert (near.exact, near.parts, near.people) == (False, ("train",), 1)
    assert found.leaks == found.contradictions == (equal,)
    assert found.sizes == ((89, 109, 38),)


def test_balance_beside_the_majority(flawed: Path) -> None:
    found = audit(flawed, quiet=True)
    bald, male = found.balance
    assert (bald.labelled, bald.positive_share) == (38, 1 / 38)
    assert bald.majority_accuracy == 37 / 38
    assert male.positive_share == 20 / 38
    assert found.majority_accuracy == pytest.approx((37 + 20) / 76)
    assert "1 attribute nearly constant: Bald" in found.warnings()


def test_json_and_text_of_the_command(flawed: Path) -> None:
    done = CliRunner().invoke(audit_command, [str(flawed), "--json", "-q"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["duplicates_across_parts"] == 1
    assert said["people_across_parts"] == [1]
    assert said["attributes"]["Male"]["labelled"] == 38
    text = describe(audit(flawed, quiet=True))
    assert "1 person in more than one part" in text
    assert "undecodable: img_align_celeba/000011.jpg" in text


def test_the_cleaned_table_is_written(flawed: Path, tmp_path: Path) -> None:
    target = tmp_path / "clean.csv"
    done = CliRunner().invoke(audit_command, [str(flawed), "--csv", str(target), "-q"])
    assert done.exit_code == 0, done.output
    lines = target.read_text().splitlines()
    assert lines[0] == "image_id,identity,partition,Bald,Male"
    assert lines[1] == "000001.jpg,1,0,1,0"
    assert len(lines) == 39


def test_a_clean_folder_has_nothing_to_mend(tmp_path: Path) -> None:
    for row in range(30):
        save(tmp_path / "clean" / f"p{row // 3}" / f"{row}.jpg", scene(100 + row))
    found = audit(tmp_path / "clean", quiet=True)
    assert found.warnings() == ()
    assert found.duplicates == ()
    assert found.pictures_of_person == (3, 3.0, 3)
    assert "nothing to mend" in describe(found)


def test_copies_are_found_at_another_size_and_blank_pictures_are_not(tmp_path: Path) -> None:
    save(tmp_path / "a/1.jpg", scene(1))
    save(tmp_path / "a/2.jpg", scene(1, (178, 218)))
    for name, level in (("3", 0), ("4", 128), ("5", 250)):
        save(tmp_path / f"a/{name}.jpg", np.full((64, 64, 3), level, np.uint8))
    table = read_faces(tmp_path)
    groups = duplicate_groups(prints_of(table, quiet=True))
    assert [[table.paths[row].stem for row in group] for group in groups] == [["1", "2"]]


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    code = "from trainer.cli.audit import audit_command as main; main()"
    command = [sys.executable, "-c", code, str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is no folder" in done.stderr


def test_real_duplicates_of_lfw(shared: Path) -> None:
    table = read_faces(shared / "data/lfw-crops", check_pictures=False)
    people = {"Emmy_Rossum", "Eva_Amurri", "Carlos_Beltran", "Raul_Ibanez", "Tony_Blair"}
    some = table.select([r for r, p in enumerate(table.paths) if p.parent.name in people])
    groups = duplicate_groups(prints_of(some, quiet=True))
    assert [{some.paths[row].parent.name for row in group} for group in groups] == [
        {"Carlos_Beltran", "Raul_Ibanez"},
        {"Emmy_Rossum", "Eva_Amurri"},
    ]
