"""Folders of faces as they really come: layouts, label files, broken pictures, identities."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DataError, InputError
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE, CELEBA, WIDE
from trainer.data.celeba import read_faces, read_folder
from trainer.data.crops import crop_array
from trainer.data.label_files import read_numbers
from trainer.data.landmarks import assumed_points, find_landmarks
from trainer.data.table import FIRST_OWN_IDENTITY, concat
from trainer.drawn.dataset import write_celeba

NAMES = ["Bald", "Male", "Smiling", "Young"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


pytestmark = pytest.mark.usefixtures("cache")


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (20, 24)) -> Path:
    """Noise, so that no two pictures are alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def labels_of(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, (count, len(NAMES)))


def celeba(folder: Path, count: int = 6, pictures: str = "img_align_celeba") -> np.ndarray:
    """CelebA as it is unpacked: a count line, a header with a space at its end, runs of spaces."""
    labels = labels_of(count)
    lines = [str(count), " ".join(NAMES) + " "]
    for row, values in enumerate(labels):
        picture(folder / pictures / f"{row + 1:06d}.jpg", row)
        lines.append(f"{row + 1:06d}.jpg " + " ".join(f"{2 * v - 1:2d}" for v in values) + " ")
    (folder / "list_attr_celeba.txt").write_text("\r\n".join(lines) + "\r\n")
    return labels


def kaggle(folder: Path, absent: int) -> np.ndarray:
    labels = celeba(folder, pictures="img_align_celeba/img_align_celeba")
    (folder / "list_attr_celeba.txt").unlink()
    rows = [
        [f"{row + 1:06d}.jpg", *(1 if v else absent for v in values)]
        for row, values in enumerate(labels)
    ]
    with (folder / "list_attr_celeba.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows([["image_id", *NAMES], *rows])
    return labels


def test_celeba_as_it_is_unpacked(tmp_path: Path) -> None:
    labels = celeba(tmp_path)
    (tmp_path / "identity_CelebA.txt").write_text(
        "".join(f"{row + 1:06d}.jpg {row // 2 + 40}\n" for row in range(6))
    )
    (tmp_path / "list_eval_partition.txt").write_text(
        "".join(f"{row + 1:06d}.jpg {row // 2}\n" for row in range(5))
    )
    table = read_faces(tmp_path)
    assert table.attributes == tuple(NAMES)
    assert table.labels.dtype == np.int8
    assert np.array_equal(table.labels, labels)
    assert [path.name for path in table.paths] == [f"{row:06d}.jpg" for row in range(1, 7)]
    assert table.identity.tolist() == [40, 40, 41, 41, 42, 42]
    assert table.partition.tolist() == [0, 0, 1, 1, 2, -1]


@pytest.mark.parametrize("absent", [-1, 0])
def test_kaggle_csv_and_nested_pictures(tmp_path: Path, absent: int) -> None:
    labels = kaggle(tmp_path, absent)
    (tmp_path / "list_eval_partition.csv").write_text("image_id,partition\n000003.jpg,2\n")
    table = read_faces(tmp_path)
    assert np.array_equal(table.labels, labels)
    assert table.partition.tolist() == [-1, -1, 2, -1, -1, -1]


@pytest.mark.parametrize(
    ("delimiter", "encoding", "said_so"),
    [
        (";", "utf-8-sig", False),
        (";", "utf-8", True),
        ("\t", "utf-16", False),
        (",", "utf-8", False),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_lists_as_spreadsheets_write_them(
    tmp_path: Path, delimiter: str, encoding: str, said_so: bool, suffix: str
) -> None:
    """Quoted cells, CRLF, a byte order mark, a column too many, the count padded to a full row."""
    labels = celeba(tmp_path)
    (tmp_path / "list_attr_celeba.txt").unlink()
    rows = [["image_id", *NAMES, ""]]
    rows += [
        [f"{row + 1:06d}.jpg", *("1" if v else "-1" for v in values), ""]
        for row, values in enumerate(labels)
    ]
    rows.insert(0, [str(len(labels)), *[""] * (len(NAMES) + 1)])
    path = tmp_path / f"list_attr_celeba{suffix}"
    with path.open("w", encoding=encoding, newline="") as stream:
        if said_so:
            stream.write(f"sep={delimiter}\r\n")
        csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    (tmp_path / "identity_CelebA.csv").write_text(
        "image_id;identity_id\r\n" + "".join(f"{n:06d}.jpg;{n + 7}\r\n" for n in range(1, 7)),
        "utf-8-sig",
    )
    table = read_faces(tmp_path)
    assert table.attributes == tuple(NAMES)
    assert np.array_equal(table.labels, labels)
    assert table.identity.tolist() == [8, 9, 10, 11, 12, 13]


@pytest.mark.parametrize(
    ("on", "off"), [("TRUE", "FALSE"), ("WAHR", "FALSCH"), ("1,0", "0,0"), ("1.0", "-1.0")]
)
def test_labels_as_spreadsheets_change_them(tmp_path: Path, on: str, off: str) -> None:
    labels = celeba(tmp_path)
    (tmp_path / "list_attr_celeba.txt").unlink()
    rows = [[f"{n:06d}.jpg", *(on if v else off for v in r)] for n, r in enumerate(labels, start=1)]
    text = "\r\n".join(";".join(row) for row in [["image_id", *NAMES], *rows])
    (tmp_path / "list_attr_celeba.csv").write_bytes(text.encode("utf-16-le"))
    assert np.array_equal(read_faces(tmp_path).labels, labels)


def test_numbers_as_pandas_and_r_write_them(tmp_path: Path) -> None:
    path = tmp_path / "identity_CelebA.csv"
    path.write_text("image_id;identity\na.jpg;7.0\nb.jpg;8,0\n")
    assert read_numbers(path) == {"a.jpg": 7, "b.jpg": 8}
    (tmp_path / "r.txt").write_text('"a.jpg" "7"\n"b.jpg" "8"\n')
    assert read_numbers(tmp_path / "r.txt") == {"a.jpg": 7, "b.jpg": 8}
    path.write_text("image_id,identity\na.jpg,anna\nb.jpg,ben\n")
    with pytest.raises(DataError, match="line 2: 'anna' is no number"):
        read_numbers(path)


def test_lines_of_spreadsheets_are_counted_as_they_stand(tmp_path: Path) -> None:
    celeba(tmp_path)
    (tmp_path / "list_attr_celeba.txt").unlink()
    path = tmp_path / "list_attr_celeba.csv"
    path.write_text("sep=;\nimage_id;Male\n\n000001.jpg;1\n000002.jpg;maybe\n")
    with pytest.raises(DataError, match="line 5: 'maybe' is no label"):
        read_faces(tmp_path)


def test_lists_in_anno_and_png_pictures(tmp_path: Path) -> None:
    celeba(tmp_path, pictures="Img/img_align_celeba")
    (tmp_path / "Anno").mkdir()
    (tmp_path / "list_attr_celeba.txt").rename(tmp_path / "Anno/list_attr_celeba.txt")
    for path in (tmp_path / "Img/img_align_celeba").iterdir():
        picture(path.with_suffix(".png"))
        path.unlink()
    assert len(read_faces(tmp_path)) == 6


def edited(folder: Path, line: int, old: str, new: str) -> Path:
    path = folder / "list_attr_celeba.txt"
    lines = path.read_text().split("\n")
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(("value", "said"), [("2", "'2' is no label"), ("x", "'x' is no label")])
def test_other_values_are_refused_with_their_line(tmp_path: Path, value: str, said: str) -> None:
    celeba(tmp_path)
    with pytest.raises(DataError, match=f"line 5: {said}"):
        read_faces(edited(tmp_path, 5, "1 ", f"{value} "))


def test_mixed_values_are_refused_with_their_line(tmp_path: Path) -> None:
    celeba(tmp_path)
    with pytest.raises(DataError, match="line 6: 0 in a file that used -1 before"):
        read_faces(edited(tmp_path, 6, "-1", "0"))


def test_a_cut_row_and_a_cut_list_are_refused(tmp_path: Path) -> None:
    celeba(tmp_path / "row")
    text = (tmp_path / "row/list_attr_celeba.txt").read_text()
    shutil.copytree(tmp_path / "row", tmp_path / "list")
    (tmp_path / "row/list_attr_celeba.txt").write_text(text.rstrip().rsplit(" ", 1)[0])
    with pytest.raises(DataError, match="line 8: 3 values for 4 columns"):
        read_faces(tmp_path / "row")
    (tmp_path / "list/list_attr_celeba.txt").write_text(text[: text.index("000006")])
    with pytest.raises(DataError, match="promises 6 rows and holds 5"):
        read_faces(tmp_path / "list")


def test_a_picture_listed_twice_is_refused(tmp_path: Path) -> None:
    celeba(tmp_path)
    with pytest.raises(DataError, match=r"line 4: 000001.jpg was listed in line 3"):
        read_faces(edited(tmp_path, 4, "000002", "000001"))


def test_subset_by_name_in_its_order(tmp_path: Path) -> None:
    labels = celeba(tmp_path)
    table = read_faces(tmp_path, ["Young", "Bald"])
    assert table.attributes == ("Young", "Bald")
    assert np.array_equal(table.labels, labels[:, [3, 0]])
    with pytest.raises(DataError, match="no 'Smilling'; did you mean Smiling"):
        read_faces(tmp_path, ["Smilling"])


def test_few_unusable_pictures_are_skipped_and_many_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = celeba(tmp_path, count=200)
    pictures = tmp_path / "img_align_celeba"
    (pictures / "000007.jpg").unlink()
    (pictures / "000009.jpg").write_bytes(b"no picture")
    reading = read_folder(tmp_path)
    assert reading.missing == ("000007.jpg",)
    assert reading.undecodable == ("img_align_celeba/000009.jpg",)
    assert np.array_equal(reading.table.labels, np.delete(labels, [6, 8], axis=0))
    read_faces(tmp_path)
    assert "skipped 1 missing (000007.jpg)" in caplog.text
    assert "skipped 1 undecodable (img_align_celeba/000009.jpg)" in caplog.text
    (pictures / "000011.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"3 of 200 pictures cannot be used.*--allow-missing"):
        read_faces(tmp_path)
    assert len(read_faces(tmp_path, allow_missing=True)) == 197


def test_a_mended_picture_is_seen_despite_the_cache(tmp_path: Path) -> None:
    celeba(tmp_path, count=120)
    broken = tmp_path / "img_align_celeba/000003.jpg"
    good = broken.read_bytes()
    broken.write_bytes(good[:1])
    assert len(read_faces(tmp_path)) == 119
    broken.write_bytes(good)
    assert len(read_faces(tmp_path)) == 120


def test_clear_errors_for_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        read_faces(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        read_faces(tmp_path / "empty")
    celeba(tmp_path / "celeba")
    (tmp_path / "celeba/list_attr_celeba.txt").unlink()
    with pytest.raises(DataError, match=r"no list_attr_celeba.txt or list_attr_celeba.csv; fetch"):
        read_faces(tmp_path / "celeba")
    assert len(read_faces(tmp_path / "celeba", without_labels=True)) == 6


def test_folders_by_identity_without_labels(tmp_path: Path) -> None:
    picture(tmp_path / "Ann/0001.jpg", 1)
    picture(tmp_path / "Bob/0001.png", 2)
    picture(tmp_path / "Bob/0002.webp", 3)
    picture(tmp_path / "contact-sheet.jpg", 4)
    reading = read_folder(tmp_path)
    assert reading.layout == "identities"
    table = reading.table
    assert table.attributes == ()
    assert [path.parent.name for path in table.paths] == ["Ann", "Bob", "Bob"]
    assert table.identity[0] != table.identity[1] == table.identity[2]
    assert (table.identity >= FIRST_OWN_IDENTITY).all()
    with pytest.raises(DataError, match="list_attr_celeba"):
        read_faces(tmp_path, need_labels=True)


def test_pictures_beside_folders_are_not_guessed_about(tmp_path: Path) -> None:
    """A flat folder of strangers with two sub-folders does not become two people."""
    for number in range(4):
        picture(tmp_path / f"{number}.jpg", number)
        picture(tmp_path / ("2019" if number % 2 else "2020") / f"{number}.jpg", 10 + number)
    with pytest.raises(DataError, match=r"4 pictures .* beside 2 folders"):
        read_folder(tmp_path)


def test_folders_by_celeba_number_with_a_list(tmp_path: Path) -> None:
    for number, name in ((7201, "000093"), (7201, "000114"), (88, "000200")):
        picture(tmp_path / str(number) / f"{name}.jpg", int(name))
    rows = ["000093.jpg -1  1 -1 -1", "000200.jpg  1 -1 -1  1"]
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(["2", " ".join(NAMES), *rows]))
    table = read_faces(tmp_path)
    by_name = {path.name: row for row, path in enumerate(table.paths)}
    assert len(table) == 3
    assert table.identity[[by_name["000093.jpg"], by_name["000200.jpg"]]].tolist() == [7201, 88]
    assert table.labels[by_name["000093.jpg"]].tolist() == [0, 1, 0, 0]
    assert table.labels[by_name["000114.jpg"]].tolist() == [-1] * 4


def test_cleaned_csv_is_read_back(tmp_path: Path) -> None:
    celeba(tmp_path)
    (tmp_path / "identity_CelebA.txt").write_text("000001.jpg 12\n000004.jpg 5\n")
    table = read_faces(tmp_path)
    for name in ("list_attr_celeba.txt", "identity_CelebA.txt"):
        (tmp_path / name).unlink()
    labels = table.labels.copy()
    labels[2, 1] = -1
    table = concat([table.select([0, 1, 2]), table.select([3, 4, 5])])
    table.labels[:] = labels
    table.write_csv(tmp_path / "list_attr_celeba.csv")
    again = read_faces(tmp_path)
    assert np.array_equal(again.labels, labels)
    assert np.array_equal(again.identity, table.identity)
    assert again.attributes == table.attributes


def test_cleaned_csv_of_folders_that_repeat_names(tmp_path: Path) -> None:
    for person in ("ann", "bob"):
        picture(tmp_path / person / "0001.jpg", len(person))
    table = read_faces(tmp_path).with_attributes(["Male"])
    table.labels[:, 0] = (0, 1)
    table.write_csv(tmp_path / "list_attr_celeba.csv")
    again = read_faces(tmp_path)
    assert again.labels.tolist() == [[0], [1]]
    assert np.array_equal(again.identity, table.identity)


def test_fingerprint_is_of_the_data_and_not_of_the_place(tmp_path: Path) -> None:
    celeba(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there/deep")
    os.utime(tmp_path / "there/deep/img_align_celeba/000001.jpg", (1, 1))
    here, there = read_faces(tmp_path / "here"), read_faces(tmp_path / "there/deep")
    assert here.fingerprint() == there.fingerprint()
    edited(tmp_path / "there/deep", 3, "-1", " 1")
    assert read_faces(tmp_path / "there/deep").fingerprint() != here.fingerprint()


def test_identities_of_different_folders_do_not_collide(tmp_path: Path) -> None:
    for root in ("one", "two"):
        picture(tmp_path / root / "ann/1.jpg", 1)
        picture(tmp_path / root / "bob/1.jpg", 2)
    one, two = read_faces(tmp_path / "one"), read_faces(tmp_path / "two")
    joined = concat([one, two])
    assert len(set(joined.identity.tolist())) == 4
    assert np.array_equal(joined.identity[:2], one.identity)
    same = concat([one.select([0]), one.select([0, 1])])
    assert same.identity.tolist() == [one.identity[0], *one.identity]


def test_celeba_numbers_join_and_attributes_unite(tmp_path: Path) -> None:
    celeba(tmp_path)
    (tmp_path / "identity_CelebA.txt").write_text("000001.jpg 12\n")
    left, right = read_faces(tmp_path, ["Bald", "Male"]), read_faces(tmp_path, ["Male", "Young"])
    joined = concat([left, right])
    assert joined.attributes == ("Bald", "Male", "Young")
    assert joined.identity[0] == joined.identity[6] == 12
    assert (joined.labels[:6, 2] == -1).all()
    assert (joined.labels[6:, 0] == -1).all()
    assert np.array_equal(joined.labels[6:, 1:], right.labels)


def test_drawn_faces_are_found_and_cut_where_they_are(tmp_path: Path) -> None:
    write_celeba(tmp_path / "set", people=3, shots_per_person=2, seed=3, size=(89, 109))
    table = read_faces(tmp_path / "set", ["Male", "Smiling"])
    landmarks = find_landmarks(table, quiet=True)
    assert landmarks.size.tolist() == [[89, 109]] * 6
    assert landmarks.usable.all()
    assert landmarks.found.sum() >= 4
    away = np.linalg.norm(landmarks.points - assumed_points(89, 109), axis=2).mean(axis=1)
    assert away.max() < 0.06 * 89
    crops = crop_array(table, landmarks, CELEBA, WIDE, 64, quiet=True)
    assert crops.shape == (6, 64, 64, 3)
    again = crop_array(table, find_landmarks(table, quiet=True), CELEBA, WIDE, 64, quiet=True)
    assert np.array_equal(crops, again)
    assert crop_array(table, landmarks, ARCFACE, ARCFACE_WHOLE, 112, quiet=True).shape[1] == 112


def test_a_picture_without_a_face_counts_as_aligned_only_in_celebas_shape(tmp_path: Path) -> None:
    picture(tmp_path / "a/1.png", 1, size=(178, 218))
    picture(tmp_path / "a/2.png", 2, size=(300, 200))
    landmarks = find_landmarks(read_faces(tmp_path), quiet=True)
    assert landmarks.found.tolist() == [False, False]
    assert landmarks.usable.tolist() == [True, False]
    assert np.allclose(landmarks.points[0], CELEBA.points(), atol=0.01)
    assert landmarks.counts() == {"detected": 0, "aligned": 1, "unusable": 1}


def test_real_celeba(shared: Path) -> None:
    table = read_faces(shared / "data/celeba", check_pictures=False)
    assert len(table) == 8696
    assert len(table.attributes) == 40
    assert set(np.unique(table.labels)) == {0, 1}
    assert len(np.unique(table.identity)) == 4734
    some = table.select(np.arange(0, 8696, 400))
    assert find_landmarks(some, quiet=True).found.mean() > 0.9


def test_real_folders_by_identity(shared: Path) -> None:
    people = read_faces(shared / "data/people", check_pictures=False)
    assert (len(people), len(np.unique(people.identity))) == (2360, 152)
    assert people.identity.max() < FIRST_OWN_IDENTITY
    lfw = read_faces(shared / "data/lfw-crops", check_pictures=False)
    assert (len(lfw), len(np.unique(lfw.identity))) == (6766, 3476)
