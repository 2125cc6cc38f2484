"""What is shown: no secret of a URL wherever it stands, and nothing that a terminal obeys."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.console.display_text import for_terminal, without_secrets, without_secrets_of

MARK = "Xq7Zk"
"""Stands before and after every secret, so that a half of one is found too."""

SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12).map(
    lambda text: f"{MARK}{text}{MARK}"
)
PLACES = (
    "rtsp://me:{}@10.0.0.2:554/live",
    "rtsp://{}@10.0.0.2/live",
    "rtsp://{}:me@[::1]:554/live/2",
    "http://cam.local/live/{}/x",
    "http://cam.local/v.mjpg?loginuse=me&loginpas={}",
    "http://cam.local/v.mjpg?channel=1&access_token={}",
    "http://cam.local/v.mjpg?{}",
    "https://hooks.example.org/services/T00/{}",
    "rtsp://10.0.0.2:554/user=me_password={}_channel=1_stream=0.sdp?real_stream",
    "mqtt://me:{}@broker/home/door",
    "http://cam.local/live#{}",
)


@pytest.mark.parametrize("place", PLACES)
@given(secret=SECRETS)
def test_no_part_of_a_secret_is_shown(place: str, secret: str) -> None:
    for form in (secret, quote(secret, safe="")):
        url = place.format(form)
        assert MARK not in without_secrets(url)
        message = f"cannot open {url}: no host called me:{form}@10.0.0.2, {form}"
        assert MARK not in without_secrets_of(message, url)
        assert MARK not in without_secrets_of(f"'{url}': gone")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://10.0.0.1/live", "rtsp://10.0.0.1/live"),
        ("rtsp://10.0.0.1:554/h264Preview_01_main", "rtsp://10.0.0.1:554/h264Preview_01_main"),
        ("http://[::1]:81/v.mjpg?res=hd&fps=5", "http://[::1]:81/v.mjpg?res=hd&fps=5"),
        ("rtsp://me:pass@10.0.0.1:554/live", "rtsp://***@10.0.0.1:554/live"),
        ("rtsp://me:p/ss@10.0.0.1:554/live", "rtsp://***"),
        ("rtsp://me:12/34@10.0.0.1", "rtsp://***"),
        ("http://h/a?mail=x@y", "http://***"),
        ("http://h/cam/1", "http://h/cam/***"),
        ("http://h/", "http://h/"),
        ("http://h", "http://h"),
        ("https://api.example.org/bot12:AbC/send", "https://api.example.org/***/***"),
        ("http://h/v?pwd=x&channel=2", "http://h/v?***&channel=2"),
        ("me:password@h", "***"),
    ],
)
def test_what_is_shown(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_a_url_that_was_taken_for_a_path_shows_no_secret() -> None:
    said = f"there is no file or folder {Path('http://me:s3cret@10.0.0.2/live')}; check the path"
    assert without_secrets_of(said) == "there is no file or folder http:/***; check the path"
    assert without_secrets_of("C:/me and a:/b, not read") == "C:/me and a:/b, not read"


def test_bytes_of_a_name_that_are_no_utf8_are_spelt_out() -> None:
    assert for_terminal(os.fsdecode(b"caf\xe9.jpg")) == "caf\\xe9.jpg"


def test_short_secrets_are_hidden_as_words() -> None:
    said = without_secrets_of("cannot resolve me:pw@host; pwned", "http://me:pw@host/x")
    assert said == "cannot resolve ***@host; pwned"


@given(st.text())
def test_a_terminal_gets_no_codes(text: str) -> None:
    shown = for_terminal(text)
    assert all(letter.isprintable() or letter in "\n\t\xa0" for letter in shown)


def test_codes_are_spelt_out() -> None:
    assert for_terminal("a\x1b]0;x\x07b\x9b2J") == "a\\x1b]0;x\\x07b\\x9b2J"
    assert (
        for_terminal("Zoë\u202ecod.exe\r\n李 \U0001f600") == "Zoë\\u202ecod.exe\\r\n李 \U0001f600"
    )
