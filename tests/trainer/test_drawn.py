"""Drawn people: stable identity, true labels, detectable faces, exact layouts, honest videos."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.errors import InputError, UsageError
from edge.faces.alignment import aligned_picture_transform, warp
from edge.faces.canonical import (
    ARCFACE,
    ARCFACE_WHOLE,
    CELEBA,
    TIGHT,
    WIDE,
    CanonicalFace,
    CropRegion,
)
from edge.faces.detector import Detector
from edge.files.image import read_picture
from trainer.data.celeba import read_faces
from trainer.drawn import (
    CELEBA_ATTRIBUTES,
    DrawnPerson,
    Expression,
    Shot,
    Visit,
    golden_crops,
    person_attributes,
    render,
    shot_attributes,
    write_celeba,
    write_photos,
    write_video,
)
from trainer.drawn.dataset import aligned_crop, aligned_picture, sample_shots
from trainer.drawn.video import draw_frames
from trainer.drawn.view import landmarks_px, view_of

PEOPLE, SHOTS = 12, 3

OF_THE_SHOT = {
    "Blurry",
    "Eyeglasses",
    "Mouth_Slightly_Open",
    "Smiling",
    "Wearing_Hat",
    "Wearing_Necktie",
}
"""Labels that may differ between pictures of one person who owns no hat."""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.open()


@pytest.fixture(scope="module")
def celeba(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "celeba"
    assert write_celeba(folder, people=PEOPLE, shots_per_person=SHOTS, seed=3) == PEOPLE * SHOTS
    return folder


def digest(image: np.ndarray) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_seed_is_a_person_in_every_process(root: Path) -> None:
    code = (
        "import hashlib\n"
        "from trainer.drawn import DrawnPerson, render\n"
        "from trainer.drawn.dataset import sample_shots\n"
        "image = render(DrawnPerson.draw(7), sample_shots(7, 1, 1)[0], size_px=128)\n"
        "print(hashlib.sha256(image.tobytes()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    here = render(DrawnPerson.draw(7), sample_shots(7, 1, 1)[0], size_px=128)
    assert done.stdout.split() == [digest(here)]
    assert DrawnPerson.draw(7) == DrawnPerson.draw(7) != DrawnPerson.draw(8)


def test_what_was_drawn_before_does_not_matter() -> None:
    shot = sample_shots(2, 1, 1)[0]
    first = render(DrawnPerson.draw(2), shot, size_px=96)
    for seed in range(10, 18):
        render(DrawnPerson.draw(seed), replace(shot, hat_roll=0.0), size_px=32)
    assert digest(render(DrawnPerson.draw(2), shot, size_px=96)) == digest(first)


def test_one_person_looks_more_alike_than_two() -> None:
    crops = []
    for seed in range(8):
        person = DrawnPerson.draw(seed)
        shots = [replace(s, blur=0.0, yaw_deg=0.0) for s in sample_shots(seed, 1, 3)]
        crops.append([aligned_crop(person, shot, TIGHT, 32).astype(float) for shot in shots])
    flat = np.array(crops).reshape(24, -1)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    alike = (flat @ flat.T).reshape(8, 3, 8, 3).mean(axis=(1, 3))
    assert (alike.argmax(axis=1) == np.arange(8)).mean() >= 0.75


def test_labels_follow_the_person_but_for_what_a_shot_changes() -> None:
    for seed in range(40):
        person = replace(DrawnPerson.draw(seed), hat=None)
        usual = person_attributes(person)
        assert tuple(usual) == CELEBA_ATTRIBUTES
        for shot in sample_shots(seed, 1, 6):
            labels = shot_attributes(person, shot)
            assert {n for n in labels if labels[n] != usual[n]} <= OF_THE_SHOT
            assert labels["Smiling"] == (shot.expression.smile > 0.45)


def test_every_attribute_but_attractive_has_both_labels() -> None:
    rows = np.array(
        [
            list(shot_attributes(DrawnPerson.draw(seed), shot).values())
            for seed in range(300)
            for shot in sample_shots(seed, 1, 2)
        ]
    )
    shares = dict(zip(CELEBA_ATTRIBUTES, rows.mean(axis=0), strict=True))
    assert shares.pop("Attractive") == 0.0
    assert {name: share for name, share in shares.items() if not 0.02 < share < 0.98} == {}


@pytest.mark.parametrize(
    ("label", "with_it", "without"),
    [
        ("Eyeglasses", {"glasses": "square", "glasses_habit": 1.0}, {"glasses": None}),
        ("Wearing_Hat", {"hat": "cap", "hat_habit": 1.0}, {"hat": None}),
        ("Bald", {"hair_style": "bald"}, {"hair_style": "short"}),
        ("Bangs", {"fringe": "bangs"}, {"fringe": "none"}),
        ("Mustache", {"beard": "mustache"}, {"beard": "none"}),
        ("Goatee", {"beard": "goatee"}, {"beard": "none"}),
        ("Big_Nose", {"nose_tip": 0.18, "nose_half_width": 0.34}, {"nose_tip": 0.12}),
        ("Wearing_Lipstick", {"makeup": "lipstick"}, {"makeup": "none"}),
        ("Wearing_Earrings", {"earrings": True}, {"earrings": False}),
        ("Wearing_Necklace", {"necklace": True}, {"necklace": False}),
        ("Double_Chin", {"chubby": 0.9}, {"chubby": 0.1}),
        ("Rosy_Cheeks", {"rosy": 0.9}, {"rosy": 0.1}),
    ],
)
def test_a_label_is_seen_in_the_picture(
    label: str, with_it: dict[str, Any], without: dict[str, Any]
) -> None:
    plain: dict[str, Any] = {"hair_style": "short", "hat": None, "glasses": None, "beard": "none"}
    base = replace(DrawnPerson.draw(25), **plain)
    shot = Shot(noise=0.0)
    yes, no = replace(base, **with_it), replace(base, **without)
    assert shot_attributes(yes, shot)[label]
    assert not shot_attributes(no, shot)[label]
    pictures = [aligned_picture(person, shot).astype(int) for person in (yes, no)]
    assert (np.abs(pictures[0] - pictures[1]).max(axis=2) > 12).sum() > 25


def test_a_necktie_and_blur_are_seen_in_the_picture() -> None:
    person = next(
        p
        for p in map(DrawnPerson.draw, range(100))
        if len({shot_attributes(p, Shot(outfit=k))["Wearing_Necktie"] for k in range(4)}) > 1
    )
    sharp = aligned_picture(person, Shot(noise=0.0))
    blurry = aligned_picture(person, Shot(noise=0.0, blur=1.5))
    assert shot_attributes(person, Shot(blur=1.5))["Blurry"]
    assert cv2.Laplacian(sharp, cv2.CV_64F).var() > 3 * cv2.Laplacian(blurry, cv2.CV_64F).var()
    ties = [shot_attributes(person, Shot(outfit=k))["Wearing_Necktie"] for k in range(4)]
    chests = [
        aligned_picture(person, Shot(noise=0.0, outfit=k))[200:].astype(int)
        for k in (ties.index(True), ties.index(False))
    ]
    assert np.abs(chests[0] - chests[1]).max() > 60


def test_the_expression_changes_only_the_face() -> None:
    person = replace(DrawnPerson.draw(25), hat=None)
    calm, glad = (
        render(person, Shot(noise=0.0, expression=e), size_px=260).astype(int)
        for e in (Expression(smile=0.0), Expression(smile=1.0, mouth_open=0.8, brow=1.0))
    )
    rows, columns = (np.abs(calm - glad).max(axis=2) > 4).nonzero()
    eyes_px = view_of(Shot(), 260).y_px
    assert rows.size > 400
    assert eyes_px - 50 < rows.min() < rows.max() < eyes_px + 90
    assert 75 < columns.min() < columns.max() < 185


def test_yunet_finds_ordinary_shots(detector: Detector) -> None:
    found, total, missed_px = 0, 0, []
    for seed in range(200, 240):
        person = DrawnPerson.draw(seed)
        for shot in sample_shots(seed, 1, 3):
            faces = detector.detect(render(person, shot, size_px=256))
            total += 1
            found += bool(faces)
            if faces:
                truth = landmarks_px(person, shot, view_of(shot, 256))
                missed_px.append(np.linalg.norm(faces[0].landmarks() - truth, axis=1))
    assert found / total >= 0.98
    assert np.median(missed_px) < 256 / 5.2 * 0.2  # a fifth of the eyes' distance


def test_a_shot_takes_less_than_40_ms() -> None:
    person = DrawnPerson.draw(2)
    shots = [replace(s, hat_roll=1.0) for s in sample_shots(2, 1, 8)]
    spent_ms = []
    for shot in shots + shots:
        start_s = time.process_time()
        render(person, shot, size_px=256)
        spent_ms.append(1e3 * (time.process_time() - start_s))
    assert np.median(spent_ms[len(shots) :]) <= 40.0


def test_celeba_is_written_in_its_own_form(celeba: Path) -> None:
    names = [f"{k + 1:06d}.jpg" for k in range(PEOPLE * SHOTS)]
    assert sorted(path.name for path in (celeba / "img_align_celeba").iterdir()) == names
    lines = (celeba / "list_attr_celeba.txt").read_text("ascii").splitlines()
    assert lines[:2] == [str(len(names)), " ".join(CELEBA_ATTRIBUTES)]
    assert len(lines) == len(names) + 2
    assert all(re.fullmatch(r"\d{6}\.jpg(?: (?:-1| 1)){40}", line) for line in lines[2:])
    for name, pattern in (
        ("identity_CelebA.txt", r"(\d{6}\.jpg) \d+"),
        ("list_eval_partition.txt", r"(\d{6}\.jpg) [012]"),
    ):
        matches = [
            re.fullmatch(pattern, line) for line in (celeba / name).read_text("ascii").splitlines()
        ]
        assert [match and match[1] for match in matches] == names
    assert read_picture(celeba / "img_align_celeba" / names[0]).shape == (218, 178, 3)


def test_celeba_is_read_as_celeba(celeba: Path) -> None:
    table = read_faces(celeba, need_labels=True, quiet=True)
    assert len(table) == PEOPLE * SHOTS
    assert table.attributes == CELEBA_ATTRIBUTES
    assert sorted(set(table.identity.tolist())) == list(range(1, PEOPLE + 1))
    assert np.all(np.diff(table.partition) >= 0)
    splits = [set(table.identity[table.partition == k].tolist()) for k in range(3)]
    assert [len(people) for people in splits] == [8, 2, 2]
    assert len(set.union(*splits)) == PEOPLE
    males = table.labels[:, CELEBA_ATTRIBUTES.index("Male")] == 1
    for identity, male in zip(table.identity.tolist(), males.tolist(), strict=True):
        assert DrawnPerson.draw(identity - 1).male == male


def test_written_faces_lie_on_celebas_points(celeba: Path, detector: Detector) -> None:
    offsets = []
    for path in sorted((celeba / "img_align_celeba").iterdir()):
        faces = detector.detect(read_picture(path))
        if faces:
            offsets.append(faces[0].landmarks() - CELEBA.points())
    assert len(offsets) >= 0.95 * PEOPLE * SHOTS
    assert np.abs(np.median(offsets, axis=0)).max() < 5.0
    assert np.median(np.linalg.norm(offsets, axis=2)) < 4.0


def test_celeba_is_the_same_with_two_processes(celeba: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_celeba(
        tmp_path / "again",
        people=PEOPLE,
        shots_per_person=SHOTS,
        seed=3,
        workers=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert files_of(tmp_path / "again") == files_of(celeba)
    assert seen[-1] == (PEOPLE * SHOTS, PEOPLE * SHOTS)


def test_celeba_is_not_written_over_something(celeba: Path, tmp_path: Path) -> None:
    before = files_of(celeba)
    with pytest.raises(InputError, match="there already"):
        write_celeba(celeba, people=1, shots_per_person=1, seed=0)
    assert files_of(celeba) == before
    with pytest.raises(UsageError):
        write_celeba(tmp_path / "none", people=0, shots_per_person=1, seed=0)
    assert not (tmp_path / "none").exists()


def test_other_first_person_and_size(tmp_path: Path) -> None:
    write_celeba(
        tmp_path / "c", people=2, shots_per_person=1, seed=0, first_person=500, size=(89, 109)
    )
    table = read_faces(tmp_path / "c", quiet=True)
    assert sorted(table.identity.tolist()) == [501, 502]
    assert read_picture(table.paths[0]).shape == (109, 89, 3)


def test_photos_show_one_face_of_the_size_promised(tmp_path: Path, detector: Detector) -> None:
    paths = write_photos(tmp_path, DrawnPerson.draw(30), shots=6, seed=2)
    assert [path.name for path in paths] == [f"photo-{k:03d}.jpg" for k in range(1, 7)]
    heights = []
    for path in paths:
        image = read_picture(path)
        assert sorted(image.shape[:2]) == [480, 640]
        (face,) = detector.detect(image)
        heights.append(face.box_px[3] / image.shape[0])
    assert 0.2 < min(heights) < max(heights) < 0.6
    first = paths[0].read_bytes()
    assert write_photos(tmp_path / "b", DrawnPerson.draw(30), shots=1, seed=2)[0].read_bytes() == (
        first
    )


@pytest.mark.parametrize(
    ("frame", "window", "size_px"), [(CELEBA, WIDE, 64), (ARCFACE, ARCFACE_WHOLE, 112)]
)
def test_golden_crops_are_always_the_same(
    frame: CanonicalFace, window: CropRegion, size_px: int
) -> None:
    crops = golden_crops(window, size_px, 3, frame=frame)
    assert crops.shape == (3, size_px, size_px, 3)
    assert crops.dtype == np.uint8
    assert np.array_equal(crops, golden_crops(window, size_px, 3, frame=frame))
    assert len({digest(crop) for crop in crops}) == 3


def test_a_crop_is_what_alignment_cuts_out() -> None:
    person, shot = DrawnPerson.draw(24), Shot(noise=0.0, yaw_deg=8.0)
    whole = aligned_picture(person, shot)
    cut = warp(whole, aligned_picture_transform(178, 218), TIGHT, 112).astype(int)
    drawn = aligned_crop(person, shot, TIGHT, 112).astype(int)
    assert np.abs(cut - drawn).mean() < 1.0


@pytest.fixture(scope="module")
def visits() -> list[Visit]:
    one, two, three = (DrawnPerson.draw(seed) for seed in (24, 33, 49))
    return [Visit((), 0.4), Visit((one,), 2.0), Visit((two, three), 2.4)]


def test_a_video_shows_who_its_truth_says(
    visits: list[Visit], tmp_path: Path, detector: Detector
) -> None:
    path = tmp_path / "clip.mkv"
    truth = write_video(path, visits, seed=5, fps=6)
    truth.write(tmp_path / "clip.json")
    stored = json.loads((tmp_path / "clip.json").read_text("utf-8"))
    assert (stored["fps"], stored["size_px"]) == (6.0, [640, 480])
    assert len(stored["frames"]) == len(truth.frames) == 29
    video = cv2.VideoCapture(str(path))
    found, whole, people = 0, 0, set()
    for (drawn, seen), frame in zip(
        draw_frames(visits, seed=5, fps=6), stored["frames"], strict=True
    ):
        read, image = video.read()
        assert read
        assert np.array_equal(image, drawn)
        assert [p["person"] for p in frame["people"]] == [s.person for s in seen]
        faces = detector.detect(image)
        assert len(faces) <= len(seen)
        for person in frame["people"]:
            people.add(person["person"])
            whole += person["whole"]
            middle = np.mean(person["landmarks_px"], axis=0)
            near = [np.linalg.norm(face.landmarks().mean(axis=0) - middle) for face in faces]
            found += bool(person["whole"] and min(near, default=1e9) < 20)
    assert not video.read()[0]
    assert people == {24, 33, 49}
    assert whole > 20
    assert found >= 0.98 * whole
    assert truth.frames[0] == ()
    assert max(len(frame) for frame in truth.frames) == 2


def test_people_move_their_head_and_mouth(visits: list[Visit]) -> None:
    points = np.array(
        [seen[0].landmarks_px for _, seen in draw_frames(visits[1:2], seed=5) if seen]
    )
    eyes_px = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    assert np.ptp(points[:, 2, 0]) > 100
    assert eyes_px.max() > 1.04 * eyes_px.min()


def test_videos_of_other_sizes_and_codecs(visits: list[Visit], tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    truth = write_video(path, visits[1:2], seed=1, size=(320, 240), fps=5)
    video = cv2.VideoCapture(str(path))
    count = 0
    while (got := video.read())[0]:
        assert got[1].shape == (240, 320, 3)
        count += 1
    assert count == len(truth.frames) == 10


@pytest.mark.parametrize(
    ("name", "people", "seconds"),
    [("clip.mp4", 1, 1.0), ("clip.mkv", 3, 1.0), ("clip.mkv", 1, 0.0)],
)
def test_videos_that_cannot_be(name: str, people: int, seconds: float, tmp_path: Path) -> None:
    visit = Visit(tuple(map(DrawnPerson.draw, range(people))), seconds)
    with pytest.raises(UsageError):
        write_video(tmp_path / name, [visit], seed=0)
    with pytest.raises(UsageError):
        write_video(tmp_path / "clip.mkv", [], seed=0)
    assert list(tmp_path.iterdir()) == []
