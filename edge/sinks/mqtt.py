"""MQTT: who is there as retained topics, with discovery by Home Assistant."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import logging
import os
import re
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from edge import __version__
from edge.console.json_text import json_text
from edge.errors import SinkError, ToolkitError, UsageError
from edge.people.event_pictures import face_jpeg
from edge.recognition.annotate import plain_text
from edge.sinks.base import Judged, Sink
from edge.sinks.device_id import device_id
from edge.tracking.presence import UNKNOWN, Event

log = logging.getLogger(__name__)

PASSWORD_VARIABLE = "EDGE_MQTT_PASSWORD"
DISCOVERY = "homeassistant"
"""Prefix of Home Assistant's discovery (https://www.home-assistant.io/integrations/mqtt)."""

AUTHORITIES_VARIABLE = "EDGE_MQTT_CA"

CLOSING_S = 0.5


@dataclass(frozen=True)
class MqttConfig:
    """Where a broker is and what this device is called there.

    topic: everything is published below it. password: never shown. device: what this device is
    called, see `edge.sinks.device_id`. authorities: file of the certificates to trust, None for the
    machine's own.
    """

    host: str
    port: int
    user: str
    password: str
    encrypted: bool
    topic: str
    device: str = ""
    authorities: str | None = None

    @classmethod
    def from_url(cls, url: str) -> MqttConfig:
        """`mqtt[s]://[user[:password]@]host[:port][/topic]`; the password may stand in
        `EDGE_MQTT_PASSWORD` instead, and the certificate of a broker's own authority in the file
        that `EDGE_MQTT_CA` names. Without a topic it is `edge-recognize/<host>-<device id>`. Raises
        `UsageError`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise UsageError(
                "--mqtt names no broker", hint="give mqtt://HOST or mqtts://USER@HOST:PORT/TOPIC"
            )
        encrypted = parts.scheme == "mqtts"
        device = device_id()
        own = f"edge-recognize/{slug(socket.gethostname())}-{device}"
        topic = unquote(parts.path).strip("/") or own
        authorities = os.environ.get(AUTHORITIES_VARIABLE) or None
        if authorities is not None and not Path(authorities).is_file():
            raise UsageError(
                f"{AUTHORITIES_VARIABLE} names {authorities}, and there is no such file",
                hint="give the file with the certificate of the broker's authority",
            )
        if set(topic) & set("+#\0") or set(url) & set("?#"):
            raise UsageError(f"--mqtt: {topic} is no topic", hint="leave +, # and ? out of it")
        return cls(
            host=parts.hostname,
            port=port or (8883 if encrypted else 1883),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or "") or os.environ.get(PASSWORD_VARIABLE, ""),
            encrypted=encrypted,
            topic=topic,
            device=device,
            authorities=authorities,
        )

    @property
    def client_id(self) -> str:
        """The same at every start, as brokers and their rules expect; another for another topic."""
        digits = hashlib.sha256(self.topic.encode()).hexdigest()[:4]
        return f"edge-{self.device[:12]}-{digits}"

    @property
    def node(self) -> str:
        """The device in identifiers of Home Assistant."""
        return f"edge_{slug(self.device)}_{slug(self.topic)}"


class Mqtt(Sink):
    """Publishes below the topic, all but `event` retained:

    `availability` (`online`, `offline`, also by last will), `state` (JSON), `person/<slug>`
    (`ON`, `OFF`) for everybody in `people` and whoever appears, `event` (JSON, as a webhook gets
    it), `bounds` (JSON, what strangers' visits prove), `status` (JSON, which software and bundle
    run, see `edge.service.about`); with `pictures` also `picture` (JPEG of the face that has
    arrived last, with its surroundings, which the broker does not keep). With several sources also
    `source/<slug>/person/<slug>`, and who is where in `state`. sources: their labels. A broker that
    is away is looked for in the background; what could not be said is counted, and the state is
    made good when it is back. What the broker still keeps of people who are known no longer is
    cleared.
    """

    name = "mqtt"
    only_events = True

    def __init__(
        self,
        config: MqttConfig,
        people: Sequence[str] = (),
        sources: Sequence[str] = (),
        *,
        pictures: bool = False,
    ) -> None:
        self.wants_images = pictures
        self.name = f"mqtt {config.host}:{config.port}"
        self._config = config
        self._there: dict[str, set[str]] = {name: set() for name in (*people, UNKNOWN)}
        self._sources = _slugs_of(sources)
        self._slugs: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._at = self._reason = ""
        self._lock = threading.RLock()
        self._client: Any = None

    def __enter__(self) -> Mqtt:
        """Raises `ToolkitError` where paho-mqtt is missing."""
        try:
            paho = importlib.import_module("paho.mqtt.client")
            versions = importlib.import_module("paho.mqtt.enums").CallbackAPIVersion
        except ModuleNotFoundError:
            raise ToolkitError(
                "--mqtt needs paho-mqtt 2", hint="pip install 'paho-mqtt>=2,<3'"
            ) from None
        config = self._config
        client = paho.Client(versions.VERSION2, client_id=config.client_id)
        client.on_connect = self._connected
        client.on_connect_fail = self._not_connected
        client.on_disconnect = self._disconnected
        client.on_message = self._heard
        client.will_set(self._topic("availability"), "offline", qos=1, retain=True)
        client.reconnect_delay_set(1, 30)
        client.connect_timeout = 3.0
        if config.user:
            client.username_pw_set(config.user, config.password or None)
        if config.encrypted:
            client.tls_set(ca_certs=config.authorities)
        client.connect_async(config.host, config.port, keepalive=30)
        self._client = client  # before the thread starts, whose callbacks use it
        client.loop_start()
        return self

    def write(self, judged: Judged) -> None:
        with self._lock:
            for event in judged.events:
                name = event.person or UNKNOWN
                if name not in self._there:
                    self._there[name] = set()
                    self._discover_person(name)
                if event.kind == "arrived":
                    self._there[name].add(judged.label)
                else:
                    self._there[name].discard(judged.label)
                self._at = event.at
                self._say(event)
                self._show(event, judged)
            self._say_state()
        if not self._client.is_connected():
            raise SinkError(f"the broker cannot be reached{self._reason}")

    def tell(self, topic: str, facts: Any) -> None:
        """Publish facts as JSON under a topic of ours; the broker keeps them."""
        with self._lock:
            self._told[topic] = json_text(facts)
            self._publish(self._topic(topic), self._told[topic])

    def know(self, people: Sequence[str]) -> None:
        with self._lock:
            before, kept = self._there, (*people, UNKNOWN)
            self._there = {name: before.get(name, set()) for name in kept}
            for name in before:
                if name not in self._there:
                    for key, topic, _ in self._entities(name):
                        self._clear(topic)
                        self._clear(self._config_topic("binary_sensor", key))
                    del self._slugs[name]
            for name in kept:
                if name not in before:
                    self._discover_person(name)
                    self._say_person(name)
            self._say_state()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected():
            said = client.publish(self._topic("availability"), "offline", qos=1, retain=True)
            with contextlib.suppress(RuntimeError, ValueError):
                said.wait_for_publish(CLOSING_S)
        client.disconnect()  # ends paho's thread, which is a daemon: not waited for

    def _topic(self, name: str) -> str:
        return f"{self._config.topic}/{name}"

    def _slug(self, name: str) -> str:
        """The person's part of topics; of two that would be the same, the later gets a number."""
        if name not in self._slugs:
            plain = slug(name)
            taken = plain in self._slugs.values()
            self._slugs[name] = _numbered(plain, name) if taken else plain
        return self._slugs[name]

    def _show(self, event: Event, judged: Judged) -> None:
        """The face that has arrived, as it may be shown."""
        image = judged.shown_bgr
        if not self.wants_images or event.kind != "arrived" or image is None:
            return
        for face in judged.result.faces:
            if (face.track, face.decision.person) == (event.track, event.person):
                self._publish(self._topic("picture"), face_jpeg(face, image), retain=False)
                return

    def _publish(self, topic: str, text: str | bytes, *, retain: bool = True) -> None:
        client = self._client
        if client is not None and client.is_connected():
            client.publish(topic, text, qos=1, retain=retain)

    def _say(self, event: Event) -> None:
        self._publish(self._topic("event"), json_text(event.to_json()), retain=False)
        self._say_person(event.person or UNKNOWN)

    def _say_person(self, name: str) -> None:
        for _, topic, there in self._entities(name):
            self._publish(topic, _on_off(there))

    def _entities(self, name: str) -> Iterator[tuple[str, str, bool]]:
        """Key, topic and state of a person: anywhere, and at each of several sources."""
        person, where = self._slug(name), self._there.get(name, set())
        yield f"person_{person}", self._topic(f"person/{person}"), bool(where)
        for label, source in self._sources.items():
            topic = self._topic(f"source/{source}/person/{person}")
            yield f"{source}_person_{person}", topic, label in where

    def _say_state(self) -> None:
        state = {**self._who(None), "at": self._at or None}
        if self._sources:
            state["sources"] = {label: self._who(label) for label in self._sources}
        self._publish(self._topic("state"), json_text(state))

    def _who(self, label: str | None) -> dict[str, Any]:
        """Who is at a source, anywhere for None."""
        there = {
            name for name, at in self._there.items() if (bool(at) if label is None else label in at)
        }
        return {"people": sorted(there - {UNKNOWN}), "unknown": UNKNOWN in there}

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._reason = f": it refuses the connection ({reason})"
            log.error("%s refuses the connection: %s", self.name, reason)
            return
        self._reason = ""
        log.info("connected to %s", self.name)
        with self._lock:
            self._discover()
            self._publish(self._topic("availability"), "online")
            for name in self._there:
                self._say_person(name)
            self._say_state()
            for topic, text in self._told.items():
                self._publish(self._topic(topic), text)
        configs = self._config_topic("binary_sensor", "+")
        image = self._config_topic("image", "picture")
        places = [self._topic("person/+"), self._topic("source/+/person/+")]
        client.subscribe([(topic, 0) for topic in (*places, configs, image)])

    def _not_connected(self, client: Any, data: Any) -> None:
        """paho calls this while it handles what went wrong, and passes nothing on."""
        problem = sys.exc_info()[1]
        words = _words_of(problem) if isinstance(problem, Exception) else "no connection"
        if words != self._reason:
            self._reason = words
            log.warning("%s cannot be reached%s", self.name, words)

    def _heard(self, client: Any, data: Any, message: Any) -> None:
        """What the broker keeps of earlier runs: cleared where it is of nobody known."""
        if not message.retain or not message.payload:
            return
        parts = message.topic.split("/")
        with self._lock:
            known = [one for name in list(self._there) for one in self._entities(name)]
            topics = {topic for _, topic, _ in known}
            topics |= {self._config_topic("binary_sensor", key) for key, _, _ in known}
            if self.wants_images:
                topics.add(self._config_topic("image", "picture"))
            if "/".join(parts) not in topics:
                self._clear(message.topic)

    def _clear(self, topic: str) -> None:
        """Let the broker keep nothing under a topic (MQTT 3.1.1, 3.3.1.3)."""
        self._publish(topic, "")

    def _disconnected(
        self, client: Any, data: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if self._client is not None:
            log.warning("%s is gone: %s", self.name, reason)

    def _discover(self) -> None:
        self._announce(
            "sensor",
            "people",
            {
                "name": "People",
                "icon": "mdi:account-eye",
                "state_topic": self._topic("state"),
                "value_template": "{{ value_json.people | join(', ') or 'nobody' }}",
                "json_attributes_topic": self._topic("state"),
            },
        )
        if self.wants_images:
            fields = {"name": "Last arrival", "content_type": "image/jpeg"}
            self._announce("image", "picture", {**fields, "image_topic": self._topic("picture")})
        for name in list(self._there):
            self._discover_person(name)

    def _discover_person(self, name: str) -> None:
        shown = "Somebody unknown" if name == UNKNOWN else name
        places = ["", *(f" at {label}" for label in self._sources)]
        for (key, topic, _), place in zip(self._entities(name), places, strict=True):
            fields = {"name": shown + place, "device_class": "occupancy", "state_topic": topic}
            self._announce("binary_sensor", key, fields)

    def _announce(self, component: str, key: str, fields: dict[str, Any]) -> None:
        node = self._config.node
        device = {
            "identifiers": [node],
            "name": self._config.topic.rpartition("/")[2],
            "model": "edge-recognize",
            "sw_version": __version__,
        }
        availability = self._topic("availability")
        about = {"unique_id": f"{node}_{key}", "availability_topic": availability, "device": device}
        self._publish(self._config_topic(component, key), json_text({**fields, **about}))

    def _config_topic(self, component: str, key: str) -> str:
        return f"{DISCOVERY}/{component}/{self._config.node}/{key}/config"


def slug(name: str) -> str:
    """A name as a part of topics; one that loses letters gets a few digits of its hash."""
    text = plain_text(name)
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return _numbered(plain, name) if not plain or text.count("?") > name.count("?") else plain


def _slugs_of(labels: Sequence[str]) -> dict[str, str]:
    """Each label's part of topics, no two alike."""
    slugs: dict[str, str] = {}
    for label in labels:
        plain = slug(label)
        slugs[label] = _numbered(plain, label) if plain in slugs.values() else plain
    return slugs


def _numbered(plain: str, name: str) -> str:
    return f"{plain or 'person'}_{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def _words_of(problem: Exception) -> str:
    """Why there is no connection, and what helps."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        said = problem.verify_message or "it cannot be verified"
        return (
            f": its certificate is not trusted ({said}); name its authority's certificate with "
            f"{AUTHORITIES_VARIABLE}=FILE"
        )
    if isinstance(problem, ssl.SSLError):
        return f": it does not speak TLS here ({problem.reason or problem}); check the port"
    if isinstance(problem, socket.gaierror):
        return f": its name is not known ({problem.strerror}); check the address"
    reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
    return f": {reason or type(problem).__name__}; check that it runs, its address and its port"


def _on_off(there: bool) -> str:
    return "ON" if there else "OFF"
