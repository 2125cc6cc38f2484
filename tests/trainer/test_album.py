"""An album: what --photos means, folders laid out in parts, and the files inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import InputError
from trainer.photos.album import Album, expanded, find_files, is_video, open_album


def lay_out(root: Path, *names: str) -> Path:
    """Empty files, with the folders that they lie in."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_files_and_plain_folders_enrol_as_they_are(tmp_path: Path) -> None:
    lay_out(tmp_path, "anna/a.jpg", "clip.mp4")
    paths = (tmp_path / "anna", tmp_path / "clip.mp4")
    assert open_album(paths) == Album(paths)


def test_me_and_others(tmp_path: Path) -> None:
    lay_out(tmp_path, "Me/a.jpg", "Others/b.jpg", "elsewhere/c.jpg")
    album = open_album([tmp_path])
    assert album.me == (tmp_path / "Me",)
    assert album.others == (tmp_path / "Others",)
    assert not album.test_me
    assert open_album([lay_out(tmp_path / "two", "me/a.jpg")]).others == ()


@pytest.mark.parametrize("validation", ["validation", "val", "Valid"])
def test_parts(tmp_path: Path, validation: str) -> None:
    for part in ("train", validation, "test"):
        lay_out(tmp_path / part, "me/a.jpg", "others/b.jpg")
    album = open_album([tmp_path])
    train, between, test = (tmp_path / part for part in ("train", validation, "test"))
    assert album.me == (train / "me", between / "me")
    assert album.others == (train / "others", between / "others")
    assert (album.test_me, album.test_others) == ((test / "me",), (test / "others",))
    assert album.me_parts == (
        ("train", train / "me"),
        ("validation", between / "me"),
        ("test", test / "me"),
    )


@pytest.mark.parametrize("others", ["no paco", "No_Paco", "not-paco"])
def test_folders_called_by_the_name(tmp_path: Path, others: str) -> None:
    for part in ("train", "validation", "test"):
        lay_out(tmp_path / part, "Paco/a.jpg", f"{others}/b.jpg")
    album = open_album([tmp_path], "paco")
    train, between, test = (tmp_path / part for part in ("train", "validation", "test"))
    assert album.me == (train / "Paco", between / "Paco")
    assert album.others == (train / others, between / others)
    assert (album.test_me, album.test_others) == ((test / "Paco",), (test / others,))
    assert open_album([train], "paco").others == (train / others,)
    with pytest.raises(InputError, match="no folder 'me' or 'ana'"):
        open_album([tmp_path], "ana")


def test_a_folder_of_many_people_is_no_album_of_one(tmp_path: Path) -> None:
    lay_out(tmp_path, "paco/a.jpg", "ana/b.jpg")
    assert open_album([tmp_path], "paco") == Album((tmp_path,))


def test_a_part_without_me_is_refused(tmp_path: Path) -> None:
    lay_out(tmp_path, "train/me/a.jpg", "test/others/b.jpg")
    with pytest.raises(InputError, match="test has no folder 'me'"):
        open_album([tmp_path])


def test_others_without_me_do_not_enrol(tmp_path: Path) -> None:
    lay_out(tmp_path, "anna/a.jpg", "others/b.jpg")
    with pytest.raises(InputError, match="'others' but no folder 'me'"):
        open_album([tmp_path])


def test_patterns_name_what_they_match(tmp_path: Path) -> None:
    lay_out(tmp_path, "a_open.jpg", "b_open.jpg", "a_shut.jpg")
    assert expanded([tmp_path / "*_open.jpg"]) == [tmp_path / "a_open.jpg", tmp_path / "b_open.jpg"]
    with pytest.raises(InputError, match=r"\*_red\.jpg does not exist"):
        expanded([tmp_path / "*_red.jpg"])
    with pytest.raises(InputError, match="nowhere does not exist"):
        open_album([tmp_path / "nowhere"])


def test_a_name_with_brackets_is_a_name_first(tmp_path: Path) -> None:
    lay_out(tmp_path, "a[1].jpg", "a1.jpg")
    assert expanded([tmp_path / "a[1].jpg"]) == [tmp_path / "a[1].jpg"]


def test_files_inside_are_found_once_in_order_and_hidden_ones_are_not(tmp_path: Path) -> None:
    lay_out(tmp_path, "b.JPG", "a/c.pgm", "a/clip.webm", "notes.txt", ".thumbs/d.jpg", "a/._c.jpg")
    found = [tmp_path / name for name in ("a/c.pgm", "a/clip.webm", "b.JPG")]
    assert find_files([tmp_path]) == found
    assert find_files([tmp_path / "b.JPG", tmp_path]) == [found[2], *found[:2]]


def test_a_folder_that_is_hidden_itself_may_be_named(tmp_path: Path) -> None:
    lay_out(tmp_path, ".mine/a.jpg")
    assert find_files([tmp_path / ".mine"]) == [tmp_path / ".mine" / "a.jpg"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    lay_out(tmp_path, "notes.txt")
    with pytest.raises(InputError, match="holds no pictures or videos"):
        find_files([tmp_path])


def test_videos_by_name() -> None:
    named = {"a.MKV": True, "a.gif": True, "a.jpg": False, "._a.mp4": False}
    assert {name: is_video(Path(name)) for name in named} == named
