"""Which pictures count as one look: copies, bursts by EXIF time, blocks of a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.seeds.album import PHOTOS, write_copies, write_me
from edge.enrolment.copies import marks_of
from edge.errors import RefusedError
from edge.faces.detector import Detector
from edge.files.image import read_picture
from trainer.photos.grouping import BURST_S, Print, bits_from_hex, group_numbers, refuse_copies
from trainer.photos.origin import camera_model


def noise_print(seed: int, **facts: object) -> Print:
    bits = np.random.default_rng(seed).random(512) < 0.5
    return Print(**{"file": f"{seed}.jpg", "sha256": "", "bits": bits, **facts})  # type: ignore[arg-type]


def write_jpeg(path: Path, seed: int, taken: str = "") -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    exif = Image.Exif()
    if taken:
        exif[272] = "Camera One"
        exif.get_ifd(0x8769)[36867] = taken
    Image.fromarray(pixels).save(path, exif=exif)


def test_photos_of_a_burst_are_one_look(tmp_path: Path) -> None:
    times = ("2026:05:01 10:00:00", "2026:05:01 10:00:03", "2026:05:01 10:00:30", "")
    prints = []
    for seed, taken in enumerate(times):
        path = tmp_path / f"{seed}.jpg"
        write_jpeg(path, seed, taken)
        model, taken_s = camera_model(path)
        assert model == ("Camera One" if taken else "")
        assert (taken_s is None) == (not taken)
        prints.append(noise_print(seed, taken_s=taken_s))
    assert prints[1].taken_s - prints[0].taken_s == 3.0  # type: ignore[operator]
    assert group_numbers(prints).tolist() == [0, 0, 1, 2]


def test_an_impossible_time_counts_as_none(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", 0, "0000:00:00 00:00:00")
    assert camera_model(tmp_path / "a.jpg") == ("Camera One", None)
    (tmp_path / "b.jpg").write_text("no picture")
    assert camera_model(tmp_path / "b.jpg") == ("", None)


def test_just_outside_a_burst_is_another_look() -> None:
    pair = [noise_print(0, taken_s=0.0), noise_print(1, taken_s=BURST_S + 0.1)]
    assert group_numbers(pair).tolist() == [0, 1]


def test_frames_belong_to_their_block_alone() -> None:
    frames = [noise_print(5, file="a.mkv", block=block) for block in (0, 0, 1)]
    assert group_numbers(frames).tolist() == [0, 0, 1]


def test_a_picture_on_two_sides_is_named() -> None:
    one = noise_print(1, file="mine/a.jpg")
    copy = Print("theirs/b.jpg", "", one.bits)
    refuse_copies([one], [noise_print(2)], names=("photos", "others"))
    with pytest.raises(RefusedError, match=r"mine/a\.jpg of the photos is also theirs/b\.jpg"):
        refuse_copies([one], [copy], names=("photos", "others"))


def test_hashes_survive_as_text() -> None:
    one = noise_print(3)
    assert np.array_equal(bits_from_hex(one.hex()), one.bits)
    with pytest.raises(ValueError, match="128 hexadecimal digits"):
        bits_from_hex("ab")


def test_copies_of_many_alike_photos_are_as_many_groups_as_photos(tmp_path: Path) -> None:
    """Drawn faces are so alike that a copy's photo is not among the first that are compared."""
    photos, copies = write_me(tmp_path / "photos"), tmp_path / "copies"
    assert write_copies(photos, copies, 3) == 3 * PHOTOS
    detector, prints = Detector.open(), []
    for path in sorted(copies.iterdir()):
        image = read_picture(path)
        marks = marks_of(image, detector.detect(image)[0])
        prints.append(Print(path.name, "", np.zeros(512, bool), marks=marks))
    photo = [int(one.file.removeprefix("photo-")[:3]) - 1 for one in prints]
    assert group_numbers(prints).tolist() == photo
