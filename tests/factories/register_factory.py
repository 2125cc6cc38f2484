"""Bundles of made-up embeddings, with a cohort, on which people can be enrolled on a device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from bundle_factory import a_network
from embedding_factory import SIZE, World

from edge.bundle.reader import Bundle
from edge.bundle.writer import BundleWriter
from edge.heads.cohort import Cohort
from edge.heads.enrol import Album, enrol
from edge.heads.head import Head
from edge.people.encryption import Encryption

BASE = b"the base that everybody stands on"


def a_cohort(world: World, base: bytes = BASE, people: int = 300) -> Cohort:
    return replace(world.cohort(people), embedder_sha256=a_network(base).sha256)


def write_bundle(
    path: Path,
    cohort: Cohort | None,
    heads: tuple[Head, ...] = (),
    *,
    base: bytes = BASE,
    name: str = "family",
    card: str = "# family\n",
) -> Path:
    """A bundle whose base is no model, with these heads."""
    network = replace(a_network(base), embedding_size=SIZE)
    BundleWriter(
        name=name,
        base=(network, base),
        heads=heads,
        cohort=b"" if cohort is None else cohort.to_bytes(),
        card=card,
    ).write(path)
    return path


def album_of(pictures: np.ndarray) -> Album:
    return Album(pictures, np.arange(len(pictures)))


def head_of(name: str, pictures: np.ndarray, cohort: Cohort) -> Head:
    """A head as the workstation makes it."""
    return enrol(name, pictures, np.arange(len(pictures)), cohort)


def open_bundle(path: Path) -> Bundle:
    return Bundle.open(path)


def a_vault(number: int = 1) -> Encryption:
    return Encryption(bytes([number]) * 32)


def bytes_below(folder: Path) -> bytes:
    """Everything that lies in a folder: names and contents."""
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(str(path.relative_to(folder)).encode())
        if path.is_file():
            parts.append(path.read_bytes())
    return b"\n".join(parts)
