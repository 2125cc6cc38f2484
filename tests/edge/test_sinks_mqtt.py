"""MQTT: addresses and topics, and a real broker where one is installed."""

from __future__ import annotations

import contextlib
import gc
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from faked import ADA, STRANGER, picture, result

from edge.cli.main import main
from edge.cli.run import RunOptions, check_options
from edge.errors import SinkError, ToolkitError, UsageError
from edge.sinks.base import FanOut, Judged
from edge.sinks.device_id import device_id
from edge.sinks.mqtt import Mqtt, MqttConfig, slug
from edge.tracking.presence import Event

ARRIVAL = Event("arrived", "Ada", 1.0, "camera", 0.91, 0.6)
LEFT = Event("left", "Ada", 3.0, "camera", seen_s=2.0)


@pytest.fixture(autouse=True)
def this_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_DEVICE_ID", "pi7")


def judged(*events: Event) -> Judged:
    return Judged(picture(ADA), result(ADA), events)


def test_a_url_says_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "My-Pi")
    plain = MqttConfig.from_url("mqtt://broker")
    assert plain == MqttConfig("broker", 1883, "", "", False, "edge-recognize/my_pi-pi7", "pi7")
    full = MqttConfig.from_url("mqtts://me:p%40ss@broker:99/home/door")
    assert full == MqttConfig("broker", 99, "me", "p@ss", True, "home/door", "pi7")
    assert MqttConfig.from_url("mqtts://broker").port == 8883
    monkeypatch.setenv("EDGE_MQTT_PASSWORD", "hidden")
    assert MqttConfig.from_url("mqtt://me@broker").password == "hidden"


@pytest.mark.parametrize(
    "url", ["broker", "http://broker", "mqtt://", "mqtt://h:x", "mqtt://h/a/#"]
)
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--mqtt"):
        MqttConfig.from_url(url)


@pytest.mark.parametrize(
    ("name", "topic"), [("Ada", "ada"), ("Zoë B.", "zoe_b"), ("李", "person_5f6d"), ("a/+#", "a")]
)
def test_names_become_parts_of_topics(name: str, topic: str) -> None:
    found = slug(name)
    assert found == topic or (topic.startswith("person_") and found.startswith("person_"))
    assert not set(found) & set("/+# ")


def test_two_names_never_share_a_topic() -> None:
    sink = Mqtt(MqttConfig.from_url("mqtt://h"), ["Ada", "ada", "ADA!"])
    assert len({sink._slug(name) for name in ("Ada", "ada", "ADA!", "unknown")}) == 4
    assert sink._slug("Ada") == "ada"


def test_without_paho_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho", None)
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(ToolkitError, match=r"paho-mqtt>=2"):
        Mqtt(MqttConfig.from_url("mqtt://h")).__enter__()


def test_a_broker_that_is_away_slows_nobody_and_is_counted() -> None:
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
    sink = Mqtt(MqttConfig.from_url("mqtt://127.0.0.1:9/x"))
    started_s = time.monotonic()
    with FanOut([sink]) as fan:
        for _ in range(10):
            fan.put(judged(ARRIVAL))
    assert time.monotonic() - started_s < 15
    assert fan.failed == {"mqtt 127.0.0.1:9": 10}


def test_the_id_is_random_stored_and_can_be_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EDGE_DEVICE_ID")
    ids = set()
    for name in ("one", "two"):
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / name))
        ids.add(device_id())
        assert device_id() in ids, "it stays"
        assert MqttConfig.from_url("mqtt://h").device == device_id()
    assert len(ids) == 2
    shown = CliRunner().invoke(main, ["device-id"])
    assert shown.stdout.strip() == device_id()
    assert CliRunner().invoke(main, ["device-id", "--set", "door"]).exit_code == 0
    assert device_id() == "door"
    for wrong in ("", "-x", "Ä", "a/b", "x" * 33):
        assert CliRunner().invoke(main, ["device-id", "--set", wrong]).exit_code == 2
    (tmp_path / "two" / "edge-recognize" / "device-id").write_bytes(b"\xff torn")
    assert device_id() not in (*ids, "door")


def test_two_devices_of_one_name_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "raspberrypi")
    found = []
    for name in ("3f2a", "91bc"):
        monkeypatch.setenv("EDGE_DEVICE_ID", name)
        found.append(MqttConfig.from_url("mqtt://h"))
    one, other = found
    assert one.topic != other.topic and one.node != other.node
    assert one.client_id != other.client_id
    same = MqttConfig.from_url("mqtt://h")
    assert same.client_id == other.client_id, "it does not change with the process"
    assert len(one.client_id) <= 23, "as MQTT 3.1 allows"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A server's certificate for 127.0.0.1 that nobody else has signed, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    return cert, key


@contextmanager
def tls_server(cert: Path, key: Path) -> Iterator[int]:
    """Takes TLS connections and says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    end = server.accept()[0]
                    with context.wrap_socket(end, server_side=True):
                        stop.wait(0.2)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            stop.set()
            thread.join()


def told_reason(sink: Mqtt) -> str:
    with ended(sink):
        wait_until(lambda: sink._reason)
        with pytest.raises(SinkError) as raised:
            sink.write(judged(ARRIVAL))
    return str(raised.value)


@contextmanager
def ended(sink: Mqtt) -> Iterator[None]:
    """The sink open, and paho's thread waited for, which leaves a socket of a refused handshake to
    the garbage collector."""
    with sink:
        client = sink._client
        yield
    client.loop_stop()
    client._sock_close()
    gc.collect()


@pytest.mark.filterwarnings("ignore:.*SSLSocket")  # paho's, of a connection that is under way
def test_the_reason_is_told_why_a_broker_is_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
    off = told_reason(Mqtt(MqttConfig.from_url(f"mqtt://127.0.0.1:{free_port()}/x")))
    assert off.startswith("the broker cannot be reached: Connection refused")
    assert "Connection refused" in caplog.text
    cert, key = certificate(tmp_path)
    with tls_server(cert, key) as port:
        url = f"mqtts://127.0.0.1:{port}/x"
        untrusted = told_reason(Mqtt(MqttConfig.from_url(url)))
        assert "its certificate is not trusted (self" in untrusted
        assert "EDGE_MQTT_CA=FILE" in untrusted
        monkeypatch.setenv("EDGE_MQTT_CA", str(cert))
        config = MqttConfig.from_url(url)
        assert config.authorities == str(cert)
        sink = Mqtt(config)
        with ended(sink):
            time.sleep(0.5)
            assert sink._reason == "", "the handshake is done; this server says nothing more"
    monkeypatch.setenv("EDGE_MQTT_CA", str(tmp_path / "missing.pem"))
    with pytest.raises(UsageError, match="no such file"):
        MqttConfig.from_url(url)


def free_port() -> int:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])


@contextmanager
def mosquitto(folder: Path, port: int) -> Iterator[None]:
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with subprocess.Popen(
        [program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_until(lambda: can_connect(port))
            yield
        finally:
            process.terminate()


def can_connect(port: int) -> bool:
    with socket.socket() as end:
        return end.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.02)


@contextmanager
def listening(port: int) -> Iterator[dict[str, str]]:
    """The last payload of every topic, as another client sees it."""
    paho = pytest.importorskip("paho.mqtt.client")
    last: dict[str, str] = {}
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = lambda c, d, message: last.update(
        {message.topic: message.payload.decode(errors="surrogateescape")}
    )
    client.on_connect = lambda c, *rest: c.subscribe("#")
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield last
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.server
def test_a_real_broker_hears_who_is_there(tmp_path: Path) -> None:
    port = free_port()
    sink = Mqtt(MqttConfig.from_url(f"mqtt://127.0.0.1:{port}/home/door"), ["Ada", "Ben"])
    with mosquitto(tmp_path, port), listening(port) as last:
        with sink:
            sink.tell("status", {"software": "9.9"})  # before there is a connection
            wait_until(lambda: last.get("home/door/availability") == "online")
            wait_until(lambda: last.get("home/door/status") == '{"software": "9.9"}')
            wait_until(lambda: last.get("home/door/person/ben") == "OFF")
            sink.write(judged(ARRIVAL))
            wait_until(lambda: last.get("home/door/person/ada") == "ON")
            wait_until(lambda: json.loads(last["home/door/state"])["people"] == ["Ada"])
            wait_until(lambda: "home/door/event" in last)
            assert json.loads(last["home/door/event"])["event"] == "arrived"
            sink.write(judged(Event("arrived", "Newcomer", 2.0, "camera")))
            wait_until(lambda: last.get("home/door/person/newcomer") == "ON")
            sink.write(judged(LEFT))
            wait_until(lambda: last.get("home/door/person/ada") == "OFF")
        wait_until(lambda: last.get("home/door/availability") == "offline")
        config = json.loads(
            last["homeassistant/binary_sensor/edge_pi7_home_door/person_ada/config"]
        )
        assert config["state_topic"] == "home/door/person/ada"
        assert config["availability_topic"] == "home/door/availability"
        assert config["device"]["identifiers"] == ["edge_pi7_home_door"]
        assert len({json.loads(v)["unique_id"] for k, v in last.items() if "config" in k}) == 5
        with listening(port) as later:
            wait_until(lambda: later.get("home/door/availability") == "offline")
            wait_until(lambda: "home/door/state" in later, 2)
            assert "home/door/event" not in later, "events are not retained, states are"


@pytest.mark.server
def test_a_face_goes_to_a_real_broker_where_that_was_asked_for(tmp_path: Path) -> None:
    port = free_port()
    config = MqttConfig.from_url(f"mqtt://127.0.0.1:{port}/home/door")
    entity = "homeassistant/image/edge_pi7_home_door/picture/config"
    found = result(ADA, STRANGER)
    faces = tuple(replace(face, track=7 + k) for k, face in enumerate(found.faces))
    image = picture(ADA, size_px=(1280, 960))
    come = Judged(image, replace(found, faces=faces), (replace(ARRIVAL, track=7),))
    with mosquitto(tmp_path, port), listening(port) as last:
        with Mqtt(config, ["Ada"], pictures=True) as sink:
            wait_until(lambda: last.get("home/door/availability") == "online")
            shown = json.loads(last[entity])
            assert (shown["image_topic"], shown["content_type"]) == (
                "home/door/picture",
                "image/jpeg",
            )
            sink.write(replace(come, events=(LEFT,)))
            wait_until(lambda: "home/door/event" in last)
            assert json.loads(last["home/door/event"])["on"] == "left"
            sink.write(replace(come, events=(replace(ARRIVAL, person=None, track=8),), blurs=True))
            wait_until(lambda: json.loads(last["home/door/event"])["on"] == "unknown")
            wait_until(lambda: "home/door/picture" in last)
            blurred = last["home/door/picture"]
            sink.write(come)
            wait_until(lambda: last["home/door/picture"] != blurred)
            jpeg = last["home/door/picture"].encode(errors="surrogateescape")
            face = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert max(face.shape) <= 101, "the face with its surroundings, and no more"
        with Mqtt(config, ["Ada"]), listening(port) as later:
            wait_until(lambda: later.get("home/door/availability") == "online")
            wait_until(lambda: last[entity] == "")
            assert "home/door/picture" not in later, "the broker keeps none"
    with pytest.raises(UsageError, match="no broker"):
        check_options(RunOptions(camera=("0",), mqtt_pictures=True))


@pytest.mark.server
def test_who_is_forgotten_is_gone_from_the_broker_too(tmp_path: Path) -> None:
    port = free_port()
    config = MqttConfig.from_url(f"mqtt://127.0.0.1:{port}/home/door")
    with mosquitto(tmp_path, port):
        with listening(port) as last, Mqtt(config, ["Ada", "Ben"]) as sink:
            wait_until(lambda: last.get("home/door/person/ben") == "OFF")
            sink.write(judged(ARRIVAL))
            wait_until(lambda: json.loads(last["home/door/state"])["people"] == ["Ada"])
            sink.know(["Ben", "Eva"])
            wait_until(lambda: last.get("home/door/person/ada") == "")
            wait_until(lambda: last.get("home/door/person/eva") == "OFF")
            wait_until(lambda: json.loads(last["home/door/state"])["people"] == [])
        with Mqtt(config, ["Eva"]), listening(port) as later:
            wait_until(lambda: later.get("home/door/availability") == "online")
            wait_until(lambda: later.get("home/door/person/ben", "") == "")
        with listening(port) as later:
            wait_until(lambda: later.get("home/door/person/eva") == "OFF")
            wait_until(lambda: "home/door/availability" in later)
            kept = "\n".join([*later, *later.values()]).lower()
        assert "person_eva" in kept and "person_unknown" in kept
        assert "ada" not in kept and "ben" not in kept


@pytest.mark.server
def test_the_last_will_speaks_for_a_program_that_was_killed(tmp_path: Path) -> None:
    port = free_port()
    code = (
        "import sys, time\nsys.path.insert(0, sys.argv[1])\n"
        "from edge.sinks.mqtt import Mqtt, MqttConfig\n"
        "with Mqtt(MqttConfig.from_url(sys.argv[2])):\n    time.sleep(60)"
    )
    url = f"mqtt://127.0.0.1:{port}/t"
    root = str(Path(__file__).resolve().parents[2])
    with (
        mosquitto(tmp_path, port),
        listening(port) as last,
        subprocess.Popen([sys.executable, "-c", code, root, url]) as process,
    ):
        try:
            wait_until(lambda: last.get("t/availability") == "online")
        finally:
            process.kill()
        wait_until(lambda: last.get("t/availability") == "offline")


@pytest.mark.server
def test_a_broker_that_comes_back_hears_the_state_of_now(tmp_path: Path) -> None:
    port = free_port()
    with Mqtt(MqttConfig.from_url(f"mqtt://127.0.0.1:{port}/t"), ["Ada"]) as sink:
        with pytest.raises(ToolkitError, match="cannot be reached"):
            sink.write(judged(ARRIVAL))
        with mosquitto(tmp_path, port), listening(port) as last:
            wait_until(lambda: last.get("t/person/ada") == "ON")
            assert last["t/availability"] == "online"


@pytest.mark.server
def test_a_real_broker_hears_who_is_at_which_of_several_cameras(tmp_path: Path) -> None:
    port = free_port()
    config = MqttConfig.from_url(f"mqtt://127.0.0.1:{port}/home")
    with mosquitto(tmp_path, port), listening(port) as last:
        with Mqtt(config, ["Ada"], ["/dev/door", "hall"]) as sink:
            wait_until(lambda: last.get("home/source/dev_door/person/ada") == "OFF")
            sink.write(replace(judged(ARRIVAL), label="hall"))
            wait_until(lambda: last.get("home/source/hall/person/ada") == "ON")
            wait_until(lambda: last.get("home/person/ada") == "ON")
            wait_until(lambda: json.loads(last["home/state"])["people"] == ["Ada"])
            state = json.loads(last["home/state"])
            assert state["sources"]["hall"] == {"people": ["Ada"], "unknown": False}
            assert state["sources"]["/dev/door"] == {"people": [], "unknown": False}
            assert last["home/source/dev_door/person/ada"] == "OFF"
            sink.write(replace(judged(LEFT), label="hall"))
            wait_until(lambda: last.get("home/person/ada") == "OFF")
            sink.know([])
            wait_until(lambda: last.get("home/source/hall/person/ada") == "")
        shown = json.loads(
            last["homeassistant/binary_sensor/edge_pi7_home/hall_person_unknown/config"]
        )
        assert shown["name"] == "Somebody unknown at hall"
        with Mqtt(config, ["Eva"]):
            wait_until(lambda: last.get("home/source/hall/person/unknown") == "")
