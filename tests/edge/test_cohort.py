"""Cohorts: fair halves, joining, and what is refused when one is read."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedding_factory import LOOKS, World

from edge.errors import InputError, ModelError
from edge.heads.cohort import Cohort, trains

COHORT = World(3).cohort(200)


def test_round_trip(tmp_path: Path) -> None:
    COHORT.save(tmp_path / "cohort.npz")
    again = Cohort.load(tmp_path / "cohort.npz")
    assert again.to_bytes() == COHORT.to_bytes()
    assert (again.people, len(again), again.variants) == (200, 600, LOOKS)
    assert np.allclose(np.linalg.norm(again.vectors(), axis=1), 1, atol=1e-6)


def test_nobody_is_in_both_halves() -> None:
    train, hold = COHORT.halves()
    assert not set(train.identity) & set(hold.identity)
    assert len(train) + len(hold) == len(COHORT)
    assert 70 < train.people < 130


def test_halves_of_a_part_are_parts_of_the_halves() -> None:
    part = COHORT.select(np.arange(len(COHORT)) % 3 == 0)
    assert set(part.halves()[0].identity) <= set(COHORT.halves()[0].identity)
    assert set(part.halves()[1].identity) <= set(COHORT.halves()[1].identity)


def test_halves_are_the_same_everywhere() -> None:
    # pinned: a head's threshold must never be set on strangers that trained it
    for kind in (np.int32, np.int64, np.uint8):
        halves = trains(np.arange(24, dtype=kind))
        assert "".join("01"[int(b)] for b in halves) == "000111010011001010101100"
    assert (trains(np.arange(24)) != trains(np.arange(24), seed=1)).any()
    assert abs(trains(np.arange(20000)).mean() - 0.5) < 0.01


def test_joining_keeps_people_apart_and_matches_looks() -> None:
    other = World(4).cohort(50, looks=("dark", "plain"))
    both = COHORT.joined(other)
    assert both.people == 250
    assert both.variants == LOOKS
    dark = both.of_variants(("dark",))
    assert dark.people == 250
    with pytest.raises(ModelError, match="different embedders"):
        COHORT.joined(replace(other, embedder_sha256="cd" * 32))


def test_groups_are_kept_joined_and_counted() -> None:
    old = World(4).cohort(50, looks=("plain",))
    numbers = (old.identity % 2).astype(np.uint8)
    grouped = replace(old, group=numbers, groups=("press", "portraits"))
    assert COHORT.people_of_groups == {"strangers": 200}
    assert grouped.people_of_groups == {"press": 25, "portraits": 25}
    assert grouped.group_of_people().tolist() == [n % 2 for n in range(50)]
    assert Cohort.from_bytes(grouped.to_bytes()).to_bytes() == grouped.to_bytes()
    assert grouped.fingerprint != old.fingerprint
    both = COHORT.joined(grouped).joined(grouped)
    assert both.people_of_groups == {"strangers": 200, "press": 50, "portraits": 50}
    assert both.select(both.group == 2).people_of_groups == {"portraits": 50}


def test_a_file_without_groups_is_of_one() -> None:
    with np.load(BytesIO(COHORT.to_bytes())) as file:
        arrays = {name: file[name] for name in file.files if name != "group"}
    meta = json.loads(arrays["meta"].tobytes())
    del meta["groups"]
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    buffer = BytesIO()
    np.savez(buffer, **arrays)
    assert Cohort.from_bytes(buffer.getvalue()).to_bytes() == COHORT.to_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"embeddings": COHORT.embeddings.astype(np.float32)},
        {"embeddings": COHORT.embeddings[:0]},
        {"embeddings": np.full_like(COHORT.embeddings, np.nan)},
        {"identity": COHORT.identity[:-1]},
        {"identity": COHORT.identity - 1},
        {"variant": COHORT.variant.astype(np.int32)},
        {"variants": LOOKS[:1]},
        {"group": COHORT.group[:-1]},
        {"group": COHORT.group + np.uint8(1)},
        {"group": COHORT.group.astype(np.int64)},
    ],
)
def test_impossible_cohorts(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        replace(COHORT, **changes)


def test_nothing_left_is_refused() -> None:
    with pytest.raises(InputError):
        COHORT.select(np.zeros(len(COHORT), bool))


def test_what_is_no_cohort(tmp_path: Path) -> None:
    path = tmp_path / "cohort.npz"
    good = COHORT.to_bytes()
    with np.load(BytesIO(good)) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(arrays["meta"].tobytes())
    newer = np.frombuffer(json.dumps({**meta, "schema": 9}).encode(), np.uint8)
    buffer = BytesIO()
    np.savez(buffer, **{**arrays, "meta": newer})
    for damaged in (b"", good[:300], buffer.getvalue()):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read"):
            Cohort.load(path)
    with pytest.raises(InputError, match="cannot read"):
        Cohort.load(tmp_path / "none.npz")
