"""The documented recipe for nginx before a running server: TLS, tokens, writes, streams, bodies."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path

import pytest
from device_factory import bare_home
from faked import ADA, picture, result
from site_factory import served

from edge.sinks.base import Judged
from edge.tracking.presence import Event

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "abcdef123456"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OURS = {"X-Edge-Recognize": "1", "Content-Type": "application/json"}


def recipe() -> str:
    """The server of nginx in docs/device.md."""
    text = (ROOT / "docs" / "device.md").read_text("utf-8")
    found = re.search(r"^nginx:\n\n```\n(server \{.*?^\})\n```", text, re.S | re.M)
    assert found is not None
    return found[1]


@contextmanager
def proxied(folder: Path, url: str) -> Iterator[HTTPSConnection]:
    """A connection to nginx with the recipe before a server, with addresses and files of here."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed: apt install nginx-light openssl")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pi"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as end:
        port = end.getsockname()[1]
    server = recipe()
    for before, after in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/recognize.pem", str(cert)),
        ("/etc/ssl/recognize.key", str(key)),
        ("http://127.0.0.1:8080", url),
    ):
        assert server.count(before) == 1
        server = server.replace(before, after)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
    settings = folder / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""
    settings.write_text(
        f"{user}\ndaemon off;\npid {folder / 'pid'};\nevents {{}}\n"
        f"http {{\naccess_log {folder / 'access.log'};\n{places}\n{server}\n}}\n"
    )
    log = folder / "error.log"
    command = [program, "-e", str(log), "-p", str(folder), "-c", str(settings)]
    trusted = ssl.create_default_context(cafile=str(cert))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while not answers(port):
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield HTTPSConnection("127.0.0.1", port, timeout=60, context=trusted)
        finally:
            process.terminate()


def answers(port: int) -> bool:
    with socket.socket() as end:
        return end.connect_ex(("127.0.0.1", port)) == 0


def ask(
    proxy: HTTPSConnection, method: str, path: str, body: bytes | None = None, **headers: str
) -> HTTPResponse:
    """One request to the name of the recipe, on a connection of its own."""
    proxy.close()
    proxy.request(method, path, body, {"Host": f"recognize.example.org:{proxy.port}", **headers})
    return proxy.getresponse()


@pytest.mark.server
def test_the_recipe_for_nginx_lets_in_who_may_and_keeps_streams_flowing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare_home(tmp_path / "home", monkeypatch)
    with served(None, token=TOKEN) as (url, fan), proxied(tmp_path, url) as proxy:
        mine = f"https://recognize.example.org:{proxy.port}"
        assert ask(proxy, "GET", "/api/people").status == 401
        assert ask(proxy, "GET", "/", Accept="text/html").status == 401, "the form"
        found = ask(proxy, "GET", "/api/people", **BEARER)
        assert (found.status, json.load(found)["people"]) == (200, [])
        form = ask(proxy, "POST", "/login", f"token={TOKEN}".encode())
        cookie = {"Cookie": (form.headers["Set-Cookie"] or "").partition(";")[0]}
        assert (form.status, form.headers["Location"]) == (303, "./")
        assert ask(proxy, "GET", "/", **cookie).status == 200
        undo = ask(proxy, "POST", "/api/undo", b"{}", Origin=mine, **cookie, **OURS)
        assert (undo.status, "nothing to undo" in json.load(undo)["error"]) == (409, True)
        evil = "https://evil.example"
        refused = ask(proxy, "POST", "/api/undo", b"{}", Origin=evil, **cookie, **OURS)
        assert (refused.status, "origin" in json.load(refused)["error"]) == (403, True)
        stream = ask(proxy, "GET", f"/api/events?token={TOKEN}")
        assert stream.readline() == b"retry: 3000\n", "not held back"
        fan.put(Judged(picture(ADA), result(ADA), (Event("arrived", "Ada", 1.0, "camera"),)))
        lines = [stream.readline() for _ in range(4)]
        assert b'"Ada"' in lines[3]
        large = ask(proxy, "POST", "/api/recognize", b"x" * 17_000_000, **BEARER, **OURS)
        assert large.status == 413
        proxy.close()
    logged = (tmp_path / "access.log").read_text() + (tmp_path / "error.log").read_text()
    assert TOKEN not in logged
