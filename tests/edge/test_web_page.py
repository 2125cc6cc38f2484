"""The page in a browser: its views, its languages, and three clicks after a false accept."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from chromium import Chromium
from device_factory import answer, bare_home, call
from faked import ADA, STRANGER, picture, result
from site_factory import served

from edge.enrolment.guide import NOT_SEEN, SIDES, WORDS
from edge.faces.quality import NO_FACE_REASONS
from edge.heads.decision import Decision
from edge.people.registry import open_register
from edge.sinks.base import FanOut, Judged
from edge.tracking import challenge, vote
from edge.tracking.presence import Event
from edge.visits.groups import grouped
from edge.visits.store import VisitStore
from trainer.drawn import DrawnPerson, Shot, Visit, render, write_photos, write_video

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "edge" / "web" / "page"
VIEWS = ("live", "recent", "people", "unknown", "health")
CARD = "#view article"
ORDER = f"{challenge.PROMPT} Ada, 2 of 3: {challenge.WORDS[challenge.NOD]}"
BOX_BGR = (112, 201, 72)
"""Of a match, see `edge.recognition.annotate`."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home where Ana is enrolled with a threshold so low that strangers pass, and a clip of
    one."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        bare_home(folder / "home", patch)
        write_photos(folder / "ana", DrawnPerson.draw(1), shots=12, seed=0)
        assert call("enrol", "--name", "ana", "--photos", folder / "ana", "-q").exit_code == 0
        with open_register(None, None) as register:
            (ana,) = register.people.persons
            low = replace(ana, head=replace(ana.head, threshold=-50.0))
            people = replace(register.people, persons=(low,))
            register._keep(replace(people, calibrated_for=register._fingerprint(people.persons)))
        clip = folder / "stranger.mkv"
        write_video(clip, [Visit((DrawnPerson.draw(905),), 1.5)], seed=1)
        assert accepted(clip, "--keep-visits", 10, "--visit-faces") > 0
        yield folder


@pytest.fixture
def device(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(template / "home", tmp_path / "home")
    return bare_home(tmp_path / "home", monkeypatch)


def accepted(clip: Path, *words: object) -> int:
    """Frames of a clip in which somebody is recognized."""
    done = call("--source", clip, "--json", "-q", "--no-attributes", *words)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return sum(any(face["person"] for face in line["faces"]) for line in lines)


@contextmanager
def feeding(fan: FanOut, order: str | None = None) -> Iterator[None]:
    """Pictures of Ada, on track 7, and of somebody unknown come, 20 a second. order: of a challenge
    that Ada's match waits for."""
    stop = threading.Event()
    come = Event("arrived", "Ada <b>", 1.0, "camera", 0.9, 0.6, track=7)

    def feed() -> None:
        number = 0
        while not stop.wait(0.05):
            found = result(ADA, STRANGER, frame=number)
            faces = tuple(replace(face, track=7 + k) for k, face in enumerate(found.faces))
            if order is not None:
                waits = Decision("uncertain", None, 0.91, 0.6, order)
                faces = (replace(faces[0], decision=waits), *faces[1:])
            image = picture(ADA, number, (320, 240))
            fan.put(Judged(image, replace(found, faces=faces), (come,) if number == 0 else ()))
            number += 1

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_each_text_is_there_in_each_language() -> None:
    catalogue = json.loads((PAGE / "words.json").read_text("utf-8"))
    assert set(catalogue) == {"en", "de", "es"}
    english = catalogue["en"]
    for language, texts in catalogue.items():
        assert set(texts) == set(english), language
        for key, text in texts.items():
            fields = re.findall(r"\{\w+\}", text)
            assert sorted(fields) == sorted(re.findall(r"\{\w+\}", english[key])), (language, key)
    used = set()
    for path in PAGE.glob("*.js"):
        used |= set(re.findall(r'say\("(\w+)"', path.read_text("utf-8")))
    assert used <= set(english)
    told = {*WORDS, *WORDS.values(), NOT_SEEN, *(side.words for side in SIDES), *NO_FACE_REASONS}
    told |= {*challenge.WORDS.values(), challenge.LOOK_STRAIGHT, vote.TOO_FEW, vote.DISAGREEING}
    assert told <= {text for key, text in english.items() if key.startswith("said_")}


def test_nothing_is_loaded_from_elsewhere_and_no_markup_is_made_of_text() -> None:
    for path in PAGE.iterdir():
        text = path.read_text("utf-8")
        assert "http:" not in text and "https:" not in text, path.name
        assert "innerHTML" not in text, path.name


@pytest.mark.server
def test_three_clicks_after_a_false_accept(device: Path, template: Path, tmp_path: Path) -> None:
    clip = template / "stranger.mkv"
    with served(None) as (url, _), Chromium(tmp_path) as page:
        page.open(f"{url}/#recent")
        page.wait_for(f"document.querySelectorAll('{CARD} img').length === 1")
        page.click(f"{CARD} button:nth-of-type(2)")
        page.wait_for("document.getElementById('do-it') !== null")
        said = page.value("document.getElementById('foreseen').textContent")
        assert said == "1 of the last 1 visits would be decided otherwise"
        assert answer("visits")["visits"][0]["denied"] == [], "nothing is done yet"
        page.click("#do-it")
        page.wait_for("!document.getElementById('dialog').open")
        page.wait_for(f"document.querySelector('{CARD}').textContent.includes('not ana')")
        assert accepted(clip) == 0
        facts = answer("people")["people"][0]
        assert facts["groups_rejected"] <= 0.01 * facts["groups"]
        page.click("[data-view=people]")
        page.wait_for(
            "document.getElementById('undo') && !document.getElementById('undo').disabled"
        )
        page.click("#undo")
        page.wait_for("document.getElementById('undo').disabled")
        assert answer("visits")["visits"][0]["denied"] == []
        assert accepted(clip) > 0
        page.click(f"{CARD} button:nth-of-type(1)")
        page.wait_for("document.getElementById('new-name') !== null")
        page.type("Zoë")
        page.click("dialog form button.act")
        page.wait_for(f"document.querySelector('{CARD} .who').textContent === 'Zoë'")
    assert answer("visits")["visits"][0]["person"] == "Zoë"


@pytest.mark.server
def test_live_names_everybody_and_holds_on_a_click(device: Path, tmp_path: Path) -> None:
    words = "[...document.querySelectorAll('.face, #events li')].map((row) => row.innerText)"
    count = "document.getElementById('frames').textContent"
    with served(None) as (url, fan), feeding(fan), Chromium(tmp_path) as page:
        page.open(url)
        page.wait_for("document.querySelectorAll('.face').length === 2")
        page.wait_for("document.querySelector('#pictures img').naturalWidth > 0")
        page.photograph(tmp_path / "live.png")
        ada, unknown, event = (text.split() for text in page.value(words))
        assert ada == ["Ada", "#7", "0.91"]
        assert unknown == ["unknown", "#8", "0.20"]
        assert event[-5:] == ["Ada", "<b>", "has", "come", "#7"], "a name is text and never a tag"
        page.click("#hold")
        page.wait_for("document.getElementById('hold').textContent === 'Go on'")
        time.sleep(0.6)  # what was asked for before the click may still come
        before = page.value(count)
        time.sleep(1.2)
        assert page.value(count) == before
        page.click("#hold")
        page.wait_for(f"{count} !== '{before}'")
        assert page.value("document.getElementById('prompts').textContent") == ""
        assert "network 3 ms" in page.value("document.getElementById('stages').textContent")
    shown = cv2.imread(str(tmp_path / "live.png"))
    green = np.abs(shown.astype(int) - BOX_BGR).max(axis=2) < 40
    assert green.sum() > 200, "the box around the face"


@pytest.mark.server
def test_views_by_keyboard_in_german_on_a_phone_in_the_dark(device: Path, tmp_path: Path) -> None:
    prompt = "document.getElementById('prompts').textContent"
    with served(None) as (url, fan), feeding(fan, ORDER), Chromium(tmp_path) as page:
        page.speak("de-AT")
        page.resize(390, 780, dark=True)
        page.open(url)
        page.wait_for("document.querySelectorAll('[role=tab]').length === 5")
        page.wait_for(f"{prompt} === 'Aufgabe für Ada, 2 von 3: nicke langsam'")
        page.value("document.querySelector('[aria-selected=true]').focus()")
        seen = []
        for name in VIEWS:
            page.wait_for(f"location.hash === '#{name}'")
            page.wait_for("document.querySelector('#view section, #view h1') !== null")
            time.sleep(0.4)
            page.photograph(tmp_path / f"{name}.png")
            seen.append(cv2.imread(str(tmp_path / f"{name}.png")))
            wide = page.value("document.documentElement.scrollWidth")
            assert wide <= 390, f"{name} does not fit a phone"
            ends = page.value("document.querySelector('#tabs').scrollWidth")
            assert ends <= 390, "all tabs can be seen"
            page.press("ArrowRight")
        assert page.value("document.documentElement.lang") == "de"
        assert page.value("document.querySelector('[data-view=recent]').textContent") == "Besuche"
    for image in seen:
        assert image[:, :3].mean() < 80, "dark"
        assert np.std(image) > 10


@pytest.mark.server
def test_everything_that_can_be_pressed_has_a_name(device: Path, tmp_path: Path) -> None:
    """And each tab says which is chosen, each picture what it shows."""
    script = """[...document.querySelectorAll('button, input, img, dialog, [role=tab]')]
        .filter((one) => !(one.textContent || one.alt || one.getAttribute('aria-label')
            || one.getAttribute('aria-labelledby') || one.closest('label')))
        .map((one) => one.outerHTML)"""
    with served(None) as (url, _), Chromium(tmp_path) as page:
        page.open(url)
        page.wait_for("document.querySelectorAll('[role=tab]').length === 5")
        for name in VIEWS:
            page.click(f"[data-view={name}]")
            page.wait_for(f"location.hash === '#{name}'")
            page.wait_for("document.querySelector('#view h1, #view h2') !== null")
            assert page.value(script) == []
            assert page.value("document.querySelectorAll('[aria-selected=true]').length") == 1


@pytest.mark.server
def test_somebody_is_enrolled_by_photos_that_are_chosen(device: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "ben", DrawnPerson.draw(905), shots=12, seed=0)
    files = [str(path) for path in sorted((tmp_path / "ben").iterdir())]
    with served(None) as (url, _), Chromium(tmp_path) as page:
        page.open(f"{url}/#people")
        page.wait_for("document.querySelector('#enrol') !== null")
        page.click("#enrol")
        page.wait_for("document.querySelector('#enrol-name') !== null")
        page.type("ben")
        assert page.value("document.querySelector('#by-photos').disabled") is True, "no consent yet"
        page.click("#agrees")
        page.click("#by-photos")
        page.wait_for("document.querySelector('#files') !== null")
        page.choose("#files", [*files, str(ROOT / "README.md")])
        page.wait_for("document.querySelectorAll('#photos li').length === 13", 240)
        assert page.value("document.querySelector('#photos li.problem') !== null")
        page.photograph(tmp_path / "enrol.png")
        page.click("#finish")
        page.wait_for("document.querySelectorAll('#view article').length === 2", 120)
    assert {person["name"] for person in answer("people")["people"]} == {"ana", "ben"}


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The address of the command that recognizes before a scripted camera, which shows drawn person
    905 in sixteen poses, lights and expressions, over and over."""
    rng = np.random.default_rng(4)
    codec = cv2.VideoWriter.fourcc(*"FFV1")
    writer = cv2.VideoWriter(str(folder / "shown.mkv"), cv2.CAP_FFMPEG, codec, 2.5, (320, 320))
    for _ in range(16):
        writer.write(render(DrawnPerson.draw(905), Shot.sample(rng), size_px=320))
    writer.release()
    script = {"pictures": "shown.mkv", "fps": 2.5, "steps": [["frames", 1000]]}
    (folder / "script.json").write_text(json.dumps(script))
    words = [
        "--camera",
        f"fake:{folder / 'script.json'}",
        "--serve",
        "127.0.0.1:0",
        "--threads",
        "1",
    ]
    program = [sys.executable, "-c", "from edge.cli.main import main; main()", "run", *words]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            program, env=os.environ, stdout=subprocess.DEVNULL, stderr=log, text=True
        )
    try:
        while not (found := re.search(r"preview at (\S+)", (folder / "log").read_text())):
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield found[1].rstrip("/")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.mark.server
def test_somebody_is_enrolled_before_a_scripted_camera_that_guides(
    device: Path, tmp_path: Path
) -> None:
    """And is recognized by the same running program at once."""
    note = """window.told = []; setInterval(() => { const words = document.getElementById('words');
        if (words) window.told.push(words.textContent); }, 50)"""
    with running(tmp_path) as url, Chromium(tmp_path) as page:
        page.open(f"{url}/#people")
        page.wait_for("document.querySelector('#enrol') !== null")
        page.value(note)
        page.click("#enrol")
        page.wait_for("document.querySelector('#enrol-name') !== null")
        page.type("ben")
        page.click("#agrees")
        page.click("#by-camera")
        page.wait_for(
            "document.querySelector('#finish') && !document.querySelector('#finish').disabled", 240
        )
        assert page.value("document.querySelector('dialog img').naturalWidth") > 0
        told = set(page.value("[...new Set(window.told)]"))
        assert {"look into the camera"} < told <= {*WORDS.values(), *(s.words for s in SIDES)}
        page.click("#finish")
        page.wait_for("document.querySelectorAll('#view article').length === 2", 240)
        page.click("[data-view=live]")
        page.wait_for(
            "[...document.querySelectorAll('.face .who')].some((w) => w.textContent === 'ben')", 240
        )
    people = {person["name"]: person for person in answer("people")["people"]}
    assert set(people) == {"ana", "ben"}
    assert people["ben"]["looks"] >= 10


@pytest.mark.server
def test_an_unknown_visitor_of_three_clips_is_named_as_a_group(
    device: Path, template: Path, tmp_path: Path
) -> None:
    with open_register(None, None) as register:
        register.settle()  # the threshold that the template has lowered
    VisitStore().clear()
    ben = DrawnPerson.draw(905)
    for number in range(3):
        clip = tmp_path / f"visit-{number}.mkv"
        write_video(clip, [Visit((ben,), 3.2)], seed=10 + number, fps=10)
        assert accepted(clip, "--remember-unknown", "14d") == 0
    (group,) = grouped(VisitStore().visits())
    assert len(group.visits) == 3
    with served(None) as (url, _), Chromium(tmp_path) as page:
        page.open(f"{url}/#unknown")
        page.wait_for(f"document.querySelectorAll('{CARD} img').length === 1")
        assert "Seen 3 times" in page.value(f"document.querySelector('{CARD}').textContent")
        page.click(f"{CARD} button:nth-of-type(2)")
        page.wait_for("document.querySelector('dialog form input') !== null")
        page.type("ben")
        page.click("dialog form button.act")
        page.wait_for("document.getElementById('do-it') !== null", 120)
        said = page.value("document.getElementById('foreseen').textContent")
        assert said == "3 of the last 3 visits would be decided otherwise"
        page.click("#do-it")
        page.wait_for("document.querySelector('#view article') === null", 120)
    assert grouped(VisitStore().visits()) == ()
    assert {visit.named for visit in VisitStore().visits()} == {"ben"}
    assert accepted(tmp_path / "visit-0.mkv") > 0
