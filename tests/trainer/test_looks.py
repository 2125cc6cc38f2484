"""Looks: the usable faces of photos and videos, what is dropped and why, one sitting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.errors import InputError
from edge.faces.detector import Detector
from edge.faces.quality import Quality
from edge.files.image import read_picture, write_picture
from edge.models.embedder import Embedder
from trainer.drawn import DrawnPerson
from trainer.drawn.video import Visit, write_video
from trainer.inference.source import open_subject
from trainer.photos.grouping import BLOCK_S, Print
from trainer.photos.samples import (
    PER_BLOCK,
    THUMB_PX,
    FaceSample,
    FaceSamples,
    read_looks,
    thumb_of,
)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    deployed = open_subject("shipped").embedder
    return Embedder(deployed.network, deployed.data)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    write_video(path, [Visit((DrawnPerson.draw(7),), 2.4)], seed=1)
    return path


def read(embedder: Embedder, *paths: Path, vary: int = 2, seed: int = 0) -> FaceSamples:
    return read_looks(paths, embedder, Detector.open(), vary=vary, seed=seed, quiet=True)


def a_look(name: str, *, taken_s: float | None = None, block: int | None = None) -> FaceSample:
    crop = np.zeros((8, 8, 3), np.uint8)
    return FaceSample(
        name=name,
        crop=crop,
        varied=np.zeros((3, 8, 8, 3), np.uint8),
        group=0,
        print=Print(name, "", np.zeros(512, bool), taken_s, block),
        scene=None,
        quality=Quality(True, None, {}),
        thumb=np.zeros((THUMB_PX, THUMB_PX, 3), np.uint8),
    )


def test_photos_give_crops_variations_and_groups(embedder: Embedder, photos: Path) -> None:
    looks = read(embedder, photos)
    side = embedder.network.input.size_px
    assert looks.files == 12
    assert len(looks.kept) + len(looks.dropped) == 12
    assert len(looks.kept) >= 8
    assert looks.crops().shape == (len(looks.kept), side, side, 3)
    varied, owner = looks.varied()
    assert varied.shape == (2 * len(looks.kept), side, side, 3)
    assert owner.tolist() == [n for n in range(len(looks.kept)) for _ in range(2)]
    assert looks.independent == len(set(looks.groups.tolist()))
    assert looks.origin().camera
    assert not looks.videos


def test_variations_follow_the_seed(embedder: Embedder, photos: Path) -> None:
    paths = sorted(photos.iterdir())[:2]
    one, same, other = (read(embedder, *paths, seed=seed).varied()[0] for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_is_dropped_says_why(embedder: Embedder, photos: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "wall.png", np.full((200, 300, 3), 180, np.uint8))
    (tmp_path / "text.jpg").write_text("text")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "torn.mkv").write_bytes(b"nothing")
    face = read_picture(photos / "photo-001.jpg")
    write_picture(tmp_path / "blurred.png", cv2.GaussianBlur(face, (0, 0), 9))
    write_picture(tmp_path / "dark.png", (face * 0.03).astype(np.uint8))
    write_picture(tmp_path / "twice.png", np.hstack([face, face]))
    looks = read(embedder, photos / "photo-001.jpg", tmp_path)
    reasons = {Path(one.name).name: one.reason for one in looks.dropped}
    assert [Path(look.name).name for look in looks.kept] == ["photo-001.jpg"]
    assert reasons["wall.png"] == "no face"
    assert reasons["text.jpg"] == "the file is not a picture that can be decoded"
    assert reasons["empty.jpg"] == "the file is empty"
    assert "neither a video nor a picture" in reasons["torn.mkv"]
    assert not any(str(tmp_path) in reason for reason in reasons.values())
    assert reasons["twice.png"] == "several faces"
    assert set(reasons) >= {"blurred.png", "dark.png"}
    with_thumb = {Path(one.name).name for one in looks.dropped if one.thumb is not None}
    assert with_thumb == {"wall.png", "blurred.png", "dark.png", "twice.png"}


def test_nothing_usable_is_refused_with_the_reasons(embedder: Embedder, tmp_path: Path) -> None:
    write_picture(tmp_path / "wall.png", np.full((200, 300, 3), 180, np.uint8))
    with pytest.raises(InputError, match=r"none of the 1 files .* \(no face\)"):
        read(embedder, tmp_path)


def test_a_copy_is_not_another_look(embedder: Embedder, photos: Path, tmp_path: Path) -> None:
    image = read_picture(photos / "photo-001.jpg")
    write_picture(tmp_path / "brighter.jpg", cv2.convertScaleAbs(image, alpha=1.05, beta=6))
    looks = read(embedder, photos / "photo-001.jpg", photos / "photo-002.jpg", tmp_path)
    assert looks.groups.tolist() == [0, 1, 0]


def test_distinct_poses_before_one_grey_wall_are_so_many_looks(
    embedder: Embedder, photos: Path, tmp_path: Path
) -> None:
    """To a hash of the whole picture they are nearly the same."""
    pictures = []
    for path in sorted(photos.iterdir()):
        image, room = read_picture(path), np.full((720, 960, 3), 128, np.uint8)
        image = cv2.resize(image, (240, 240 * image.shape[0] // image.shape[1]))
        room[200 : 200 + len(image), 360:600] = image
        room[200 : 200 + len(image), 360:600][:40] = 128
        write_picture(tmp_path / path.with_suffix(".png").name, room)
        pictures.append(room)
    looks = read(embedder, tmp_path, vary=0)
    assert len(looks.kept) >= 8
    assert looks.independent == len(looks.kept)


def test_poses_of_one_room_are_so_many_looks(embedder: Embedder, shared: Path) -> None:
    folder = shared / "data" / "cmu-faces" / "boland"
    paths = [path for path in sorted(folder.glob("*.pgm")) if not path.stem.endswith(("_2", "_4"))]
    looks = read(embedder, *paths, vary=0)
    assert len(looks.kept) >= 20
    assert looks.independent >= len(looks.kept) - 1


def test_a_lying_photo_is_turned_as_exif_says(
    embedder: Embedder, photos: Path, tmp_path: Path
) -> None:
    upright = Image.open(photos / "photo-001.jpg")
    exif = Image.Exif()
    exif[274] = 6  # lies on its left side: to be turned clockwise
    path = tmp_path / "lying.png"
    upright.transpose(Image.Transpose.ROTATE_90).save(path.with_suffix(".jpg"), exif=exif)
    plain, turned = read(embedder, photos / "photo-001.jpg", path.with_suffix(".jpg")).crops()
    assert np.abs(plain.astype(int) - turned.astype(int)).mean() < 8


def test_a_video_is_cut_into_blocks(embedder: Embedder, clip: Path) -> None:
    looks = read(embedder, clip)
    assert (looks.videos, looks.files) == (1, 1)
    assert looks.one_sitting
    times = [float(look.name.split(" at ")[1].removesuffix(" s")) for look in looks.kept]
    blocks = [look.print.block for look in looks.kept]
    assert times == sorted(times)
    assert blocks == [int((time + 0.005) / BLOCK_S) for time in times]
    assert max(blocks.count(block) for block in blocks) <= PER_BLOCK
    assert looks.independent == len(set(blocks)) >= 5


def test_one_sitting() -> None:
    hour = [a_look("a.jpg", taken_s=0.0), a_look("b.jpg", taken_s=3600.0)]
    assert FaceSamples(tuple(hour), ()).one_sitting
    assert not FaceSamples((*hour, a_look("c.jpg", taken_s=3601.0)), ()).one_sitting
    assert not FaceSamples((*hour, a_look("c.jpg")), ()).one_sitting
    clip = (a_look("a.mkv", block=0), a_look("a.mkv", block=1))
    assert FaceSamples(clip, (), videos=1, files=1).one_sitting
    assert not FaceSamples((*clip, a_look("b.mkv", block=0)), (), videos=2, files=2).one_sitting
    assert not FaceSamples((*clip, hour[0]), (), videos=1, files=2).one_sitting


def test_what_was_dropped_makes_no_second_sitting() -> None:
    clip = (a_look("a.mkv", block=0), a_look("a.mkv", block=1))
    assert FaceSamples(clip, (), videos=1, files=2).one_sitting
    assert (
        FaceSamples((*clip, a_look("b.mkv", block=0)), (), videos=2, files=2)
        .select(np.array([True, True, False]))
        .one_sitting
    )


def test_select_keeps_what_belongs_together() -> None:
    looks = FaceSamples(tuple(replace(a_look(f"{n}.jpg"), group=n // 2) for n in range(4)), ())
    chosen = looks.select(np.array([True, False, True, True]))
    assert [look.name for look in chosen.kept] == ["0.jpg", "2.jpg", "3.jpg"]
    assert chosen.groups.tolist() == [0, 1, 1]
    assert chosen.independent == 2
    assert chosen.varied()[1].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    with pytest.raises(InputError, match="no usable face is left"):
        looks.select(np.zeros(4, bool)).crops()


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (60, 60), (1, 3000)])
def test_a_thumb_shows_the_whole_picture(size: tuple[int, int]) -> None:
    thumb = thumb_of(np.zeros((*size, 3), np.uint8))
    assert thumb.shape == (THUMB_PX, THUMB_PX, 3)
    ink = np.argwhere(thumb[..., 0] == 0)
    extent = ink.max(axis=0) - ink.min(axis=0) + 1
    expected = [max(1, round(side * THUMB_PX / max(size))) for side in size]
    assert extent.tolist() == expected
