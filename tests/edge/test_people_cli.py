"""Who is known on this device, by the commands, on drawn people with real models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import Result
from device_factory import answer, bare_home, call, write_two_people
from no_sockets import can_forbid
from register_factory import bytes_below

from benchmarks.studies.copies import augmented
from edge.files.image import read_picture
from edge.people.encryption import KEY_FILE_VARIABLE
from edge.people.event_pictures import face_name, kept_faces, pictures_of

ROOT = Path(__file__).resolve().parents[2]
NAME = "Annabella"
SIZE_PX = (640, 480)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device of its own, without bundle and key."""
    return bare_home(tmp_path / "home", monkeypatch)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of two people who do not exist, in the folders `ana` and `ben`."""
    return write_two_people(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def enrolled(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a device on which Annabella is enrolled."""
    data = tmp_path_factory.mktemp("enrolled")
    code = "from edge.cli.main import main; main(prog_name='edge-recognize')"
    words = ["enrol", "--name", NAME, "--photos", str(photos / "ana"), "--json"]
    environment = {**os.environ, "XDG_DATA_HOME": str(data)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["name"], found["encrypted"], found["people"]) == (NAME, False, [NAME])
    assert found["looks"] >= 10
    assert found["far"]["trials"] > 1000
    return data


@pytest.fixture
def device(enrolled: Path, home: Path) -> Path:
    """A device on which Annabella is enrolled."""
    shutil.copytree(enrolled, home)
    return home / "edge-recognize"


def refused(done: Result, code: int, words: str) -> None:
    assert done.exit_code == code, done.output
    assert words in done.stderr
    assert "Traceback" not in done.output


def people_in(pictures: Path) -> list[str | None]:
    done = call("--source", pictures, "--json", "-q", "--no-attributes")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [face["person"] for line in lines for face in line["faces"]]


def test_who_is_enrolled_is_recognized_at_once_and_listed(device: Path, photos: Path) -> None:
    assert people_in(photos / "ana").count(NAME) >= 11
    assert people_in(photos / "ben").count(NAME) <= 1
    (known,) = answer("people")["people"]
    assert (known["name"], known["origin"]) == (NAME, "device")
    assert f"{NAME}: " in call("people").stdout
    refused(call("enrol", "--name", NAME, "--photos", photos), 1, "is known already")


def test_a_camera_is_enough(home: Path, photos: Path, tmp_path: Path) -> None:
    """The fake camera shows each photo for a second; near-identical frames count once."""
    writer = cv2.VideoWriter(
        str(tmp_path / "me.mkv"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), 2.0, SIZE_PX
    )
    for path in sorted((photos / "ana").iterdir()):
        image = read_picture(path)
        frame = np.zeros((SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
        scale = min(SIZE_PX[0] / image.shape[1], SIZE_PX[1] / image.shape[0])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        frame[: small.shape[0], : small.shape[1]] = small
        for _ in range(2):
            writer.write(frame)
    writer.release()
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"pictures": "me.mkv", "fps": 8, "steps": [["frames", 400]]}))
    done = call("enrol", "--name", NAME, "--camera", f"fake:{script}", "--looks", 12)
    assert done.exit_code == 0, done.output
    assert f"{NAME} is enrolled: 12 looks" in done.stdout
    assert "[" in done.stderr and "turn your head a little" in done.stderr


def test_photos_that_are_known_already_add_nothing(
    device: Path, photos: Path, tmp_path: Path
) -> None:
    words = ("enrol", "--name", NAME, "--photos", photos / "ana", "--add")
    before = bytes_below(device)
    done = answer(*words)
    assert done["looks"] == done["known_already"] >= 10
    assert bytes_below(device) == before
    assert f"{done['looks']} of {done['looks']} are known already" in call(*words).stdout


def test_copies_of_a_photo_are_one_look(photos: Path, tmp_path: Path) -> None:
    """Ten copies, none like another to the byte."""
    image = read_picture(sorted((photos / "ana").iterdir())[0])
    for number in range(12):
        copy = augmented(image, np.random.default_rng(number))
        cv2.imwrite(str(tmp_path / f"{number}.png"), copy)
    done = call("enrol", "--name", NAME, "--photos", tmp_path)
    refused(done, 1, "1 good look is too few")


def test_one_picture_over_and_over_is_one_look(photos: Path, tmp_path: Path) -> None:
    one = sorted((photos / "ana").iterdir())[0]
    for number in range(12):
        shutil.copy(one, tmp_path / f"{number}.jpg")
    done = call("enrol", "--name", NAME, "--photos", tmp_path)
    refused(done, 1, "1 good look is too few, it takes at least 10 (11 as before)")
    assert not (tmp_path / "home").exists() or call("people").stdout.startswith("nobody")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["enrol"], 2, "--name"),
        (["enrol", "--name", "a"], 2, "one of --camera, --photos and --video"),
        (["enrol", "--name", "a", "--photos", "nowhere"], 1, "no file or folder"),
        (["not-me"], 2, "give --name"),
        (["not-me", "--name", "Eva"], 1, "nobody called Eva"),
        (["forget"], 2, "no person is named"),
        (["forget", "Eva"], 1, "there is nothing of Eva"),
        (["forget", "--all"], 1, "nobody is enrolled"),
        (["people", "--key-file", "nowhere"], 1, "cannot read the key file"),
    ],
)
def test_what_cannot_be(words: list[str], code: int, said: str) -> None:
    refused(call(*words), code, said)


def test_wrong_recognitions_are_taken_back(device: Path, photos: Path) -> None:
    events = device / "events"
    events.mkdir()
    for number, path in enumerate(sorted((photos / "ben").iterdir())[:6]):
        name = face_name(f"event-20260101T00000{number}.000-annabella", NAME)
        cv2.imwrite(str(events / name), read_picture(path))
    done = answer("not-me", "--name", NAME, "--last", 5)
    assert (done["pictures"], done["accepted_after"]) == (5, 0)
    assert done["rejected_after"] <= 2
    assert answer("people")["people"][0]["not_me"] == 5
    again = answer("not-me", "--photos", photos / "ben")
    assert again["pictures"] >= 10
    assert people_in(photos / "ana").count(NAME) >= 9


def test_nothing_of_who_is_forgotten_stays(device: Path, photos: Path) -> None:
    shown = photos / "ana"
    done = call("--source", shown, "-q", "--keep-events", 30)
    assert done.exit_code == 0, done.output
    events = device / "events"
    assert len(kept_faces(events, NAME)) >= 11
    assert len(pictures_of(events, NAME)) >= 22
    (events / "event-20260101T000000.000-unknown.jpg").write_bytes(b"somebody else")
    (record,) = (device / "people").glob("*.npz")
    piece = bytes(np.load(record)["embeddings"][0].tobytes())
    before = bytes_below(device)
    assert NAME.encode() in before and piece in before and b"annabella" in before
    done_json = answer("forget", NAME)
    assert done_json["device"] is True
    assert done_json["pictures"] >= 22
    after = bytes_below(device)
    for trace in (NAME.encode(), b"annabella", piece):
        assert trace not in after
    assert b"somebody else" in after
    assert people_in(shown).count(NAME) == 0
    refused(call("forget", NAME), 1, "there is nothing of")


def test_others_stay_when_one_is_forgotten(device: Path, photos: Path) -> None:
    assert answer("enrol", "--name", "Ben", "--photos", photos / "ben")["people"] == [NAME, "Ben"]
    answer("forget", NAME)
    assert [each["name"] for each in answer("people")["people"]] == ["Ben"]
    assert people_in(photos / "ben").count("Ben") >= 9
    assert answer("forget", "--all")["device"] is True
    assert answer("people")["people"] == []


def test_a_key_encrypts_who_is_there_already(
    device: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "people.key"
    assert answer("keygen", "-o", key)["encrypted"] == 1
    assert key.stat().st_mode & 0o777 == 0o600
    refused(call("keygen", "-o", key), 1, "encrypted, and no key is set")
    assert NAME.encode() not in bytes_below(device)
    refused(call("--source", photos / "ana"), 1, "encrypted, and no key is set")
    other = tmp_path / "other.key"
    other.write_text("00" * 32)
    other.chmod(0o600)
    refused(call("people", "--key-file", other), 1, "and this is the key")
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(key))
    assert people_in(photos / "ana").count(NAME) >= 11
    assert answer("people")["encrypted"] is True


@pytest.mark.skipif(not can_forbid(), reason="needs Linux on x86-64 or arm64")
def test_no_socket_is_made(home: Path, photos: Path) -> None:
    """The kernel kills the process at its first `socket()`, from whatever library."""
    code = (
        "import sys; sys.path.insert(0, 'tests/factories')\n"
        "from no_sockets import forbid_sockets; forbid_sockets()\n"
        "from edge.cli.main import main; main(prog_name='edge-recognize')"
    )
    for words in (
        ["enrol", "--name", NAME, "--photos", str(photos / "ana")],
        ["people"],
        ["not-me", "--photos", str(photos / "ben")],
        ["forget", NAME],
    ):
        done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True)
        assert done.returncode == 0, (words, done.stderr)


def test_the_doctor_says_how_people_are_kept(device: Path, tmp_path: Path) -> None:
    def found() -> dict[str, Any]:
        done = call("doctor", "--json")
        return {each["check"]: each for each in json.loads(done.stdout)["findings"]}

    assert f"knows {NAME}" in found()["bundle"]["text"]
    assert "without encryption" in found()["people"]["text"]
    answer("keygen", "-o", tmp_path / "key")
    assert "no key is set" in found()["people"]["text"]
