"""Small bundles with random bytes for models, and archives with something wrong in them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.golden import Golden
from edge.bundle.locate import shipped_bundle
from edge.bundle.writer import BundleWriter
from edge.faces.canonical import CELEBA, WIDE
from edge.files.model_file import sha256_of
from edge.heads.cohort import Cohort
from edge.models.spec import Network, NetworkInput

EMBEDDING_SIZE = 8


def a_network(data: bytes, *, format: str = "tflite-int8") -> Network:
    """A description of `data` as a base with two attributes and an embedding."""
    return Network(
        format=format,
        sha256=sha256_of(data),
        input=NetworkInput(CELEBA, WIDE, 32),
        outputs={"embedding": "e", "attributes": "a"},
        embedding_size=EMBEDDING_SIZE,
        attributes=("Eyeglasses", "Smiling"),
        attribute_thresholds=(0.5, 0.4),
        licence="CC0-1.0",
    )


def some_golden(heads: tuple[str, ...] = ()) -> Golden:
    """Three crops with made-up results."""
    rng = np.random.default_rng(1)
    return Golden(
        crops=rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8),
        embeddings=np.eye(3, EMBEDDING_SIZE, dtype=np.float32),
        attributes=np.zeros((3, 2), np.float32),
        scores=np.zeros((3, len(heads)), np.float32),
        accepted=np.ones((3, len(heads)), bool),
        heads=heads,
        runtime="test 1.0",
    )


def a_writer(size_bytes: int = 3000, seed: int = 0) -> BundleWriter:
    """A bundle without heads whose base has `size_bytes`."""
    data = np.random.default_rng(seed).bytes(size_bytes)
    return BundleWriter(
        name="anna",
        base=(a_network(data), data),
        detector=("yunet.onnx", b"detector", 0.6),
        golden=some_golden().to_bytes(),
        card="# anna\n",
        labels="Eyeglasses\nSmiling\n",
        licences={"CC0-1.0.txt": "CC0"},
        versions={"edge-recognize": "0.1.0"},
        facts={"accuracy": 0.9},
    )


def members_of(path: Path) -> dict[str, bytes]:
    """Name to bytes of every member, read by the standard library."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def zip_of(members: Mapping[str, bytes] | list[tuple[str, bytes]], **how: Any) -> bytes:
    """A zip file as any program would write it; `how` goes to `writestr`."""
    pairs = members.items() if isinstance(members, Mapping) else members
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in pairs:
            file.writestr(zipfile.ZipInfo(name), data, **how)
    return buffer.getvalue()


def with_manifest(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest of a bundle in place, and nothing else."""
    members = members_of(path)
    fields = json.loads(members["manifest.json"])
    change(fields)
    members["manifest.json"] = json.dumps(fields).encode()
    path.write_bytes(zip_of(members))


def with_alternative(writer: BundleWriter) -> BundleWriter:
    """The same with the base in a second format."""
    data = b"another format of the same base"
    return replace(writer, alternatives=((a_network(data, format="onnx-float32"), data),))


def other_base(
    path: Path,
    *,
    people: int | None = None,
    of_cohort: Callable[[Cohort], Cohort] = lambda cohort: cohort,
) -> Path:
    """The shipped bundle with a base that is another file: a TFLite file may have bytes after its
    end. people: that many strangers of its cohort alone. of_cohort: what becomes of these."""
    with shipped_bundle() as bundle:
        data = bundle.base_data + bytes(64)
        cohort = bundle.cohort()
        assert cohort is not None
        cohort = replace(of_cohort(fewer(cohort, people)), embedder_sha256=sha256_of(data))
        writer = BundleWriter.of(bundle, name="new", cohort=cohort)
    network = replace(writer.base[0], sha256=sha256_of(data))
    replace(writer, base=(network, data)).write(path)
    return path


def fewer(cohort: Cohort, people: int | None) -> Cohort:
    """The first so many strangers of a cohort, all where it is None."""
    return cohort if people is None else cohort.select(cohort.identity < people)
