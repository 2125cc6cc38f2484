"""The manifest: its bytes, its schema, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from bundle_factory import a_network, a_writer, with_alternative

from edge.bundle.entry import FileEntry, HeadEntry, MemberEntry, ModelEntry, SignatureEntry
from edge.bundle.manifest import SCHEMA_FILE, Manifest
from edge.bundle.reader import Bundle
from edge.errors import BundleError, BundleManifestInvalid, BundlePathEscape

VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8")))


def a_manifest() -> Manifest:
    """With one of everything."""
    data = b"a model"
    network = a_network(data)
    head = HeadEntry("heads/anna.npz", "Anna", 0.5, "1" * 64, network.sha256)
    return Manifest(
        name="anna",
        base=ModelEntry("models/base.int8.tflite", network),
        embedder=ModelEntry("models/base.int8.tflite", network),
        files=(FileEntry("models/base.keras", "keras"),),
        heads=(head,),
        cohort="cohort.npz",
        licences=("licences/MIT.txt",),
        signature=SignatureEntry("0123456789abcdef"),
        members={
            "models/base.int8.tflite": MemberEntry(network.sha256, len(data)),
            "models/base.keras": MemberEntry("2" * 64, 1),
            "heads/anna.npz": MemberEntry("1" * 64, 2),
            "cohort.npz": MemberEntry("3" * 64, 3),
            "licences/MIT.txt": MemberEntry("4" * 64, 4),
        },
    )


def test_it_comes_back_from_its_bytes() -> None:
    manifest = a_manifest()
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest
    assert Manifest.from_bytes(manifest.to_bytes()).to_bytes() == manifest.to_bytes()


def test_what_is_written_conforms_to_the_schema(tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(VALIDATOR.schema)
    VALIDATOR.validate(a_manifest().to_json())
    with_alternative(a_writer()).write(tmp_path / "x.edge")
    with Bundle.open(tmp_path / "x.edge") as bundle:
        VALIDATOR.validate(json.loads(bundle._store.read("manifest.json")))


def test_the_schema_knows_every_field() -> None:
    """A field that is written and not described would be missed by programs that rely on it."""

    def missing(schema: dict[str, Any], value: Any, where: str) -> list[str]:
        while "$ref" in schema or "allOf" in schema or "anyOf" in schema:
            if "$ref" in schema:
                schema = VALIDATOR.schema["$defs"][schema["$ref"].rpartition("/")[2]]
            else:
                schema = next(part for part in schema.get("allOf", schema.get("anyOf"))[::1]
                              if part != {"type": "null"} and part != {"const": ""})  # fmt: skip
        if isinstance(value, list):
            return [m for item in value for m in missing(schema["items"], item, f"{where}[]")]
        if not isinstance(value, dict) or "properties" not in schema:
            return []
        known = schema["properties"]
        unknown = [f"{where}.{name}" for name in value if name not in known]
        for name in set(value) & set(known):
            unknown += missing(known[name], value[name], f"{where}.{name}")
        return unknown

    assert missing(VALIDATOR.schema, a_manifest().to_json(), "") == []


def _variants() -> list[dict[str, Any]]:
    """The manifest with one field removed, or of another kind, everywhere in turn.

    Not inside of networks: `Network.from_json` turns what it finds into the kind that it needs.
    """

    def places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if isinstance(value, dict):
            inner = value.items()
        elif isinstance(value, list):
            inner = enumerate(value)  # type: ignore[assignment]
        else:
            return [where]
        return [where, *(p for key, item in inner for p in places(item, (*where, key)))]

    made = []
    plain = a_manifest().to_json()
    for place in places(plain)[1:]:
        if "network" in place[:-1]:
            continue
        for wrong in (None, 7, "../x", [], {}, "gone"):
            fields = json.loads(json.dumps(plain))
            holder = fields
            for key in place[:-1]:
                holder = holder[key]
            if wrong == "gone" and isinstance(holder, dict):
                del holder[place[-1]]
            else:
                holder[place[-1]] = wrong
            made.append(fields)
    return made


def test_reader_and_schema_agree() -> None:
    """Everything the schema refuses is refused by the reader too, by a named error."""
    accepted_wrongly = []
    count = 0
    for fields in _variants():
        conforms = VALIDATOR.is_valid(fields)
        try:
            Manifest.from_bytes(json.dumps(fields).encode())
        except BundleError:
            count += 1
        else:
            if not conforms:
                accepted_wrongly.append([e.message[:100] for e in VALIDATOR.iter_errors(fields)])
    assert count > 200
    assert accepted_wrongly == []


def test_fields_of_later_versions_are_ignored() -> None:
    fields = a_manifest().to_json()
    fields["mood"] = "sunny"
    fields["heads"][0]["colour"] = "red"
    assert Manifest.from_bytes(json.dumps(fields).encode()) == a_manifest()


def test_a_head_of_another_embedder_is_refused_with_the_reason() -> None:
    manifest = a_manifest()
    stranger = replace(manifest.heads[0], embedder_sha256="9" * 64)
    with pytest.raises(BundleManifestInvalid, match="Anna was enrolled on another embedder"):
        replace(manifest, heads=(stranger,))


def test_two_heads_of_one_name_are_refused() -> None:
    manifest = a_manifest()
    with pytest.raises(BundleManifestInvalid, match="same name"):
        replace(manifest, heads=manifest.heads * 2)


def test_a_member_outside_is_refused_by_name() -> None:
    fields = a_manifest().to_json()
    fields["members"]["../../x"] = fields["members"].pop("cohort.npz")
    with pytest.raises(BundlePathEscape):
        Manifest.from_bytes(json.dumps(fields).encode())
