"""From folders of strangers to a cohort: their embeddings, also degraded as if by poorer cameras.

Nobody in a cohort can be named from it: identities are shuffled numbers and the rows are shuffled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import DataError, ModelError
from edge.files.model_file import sha256_of
from edge.heads.cohort import EVERYBODY, Cohort
from edge.models.spec import NetworkInput
from trainer.data.celeba import read_faces
from trainer.data.crops import crop_array
from trainer.data.degrade import check_variants
from trainer.data.landmarks import find_landmarks
from trainer.data.table import UNKNOWN, FaceTable, concat
from trainer.inference.run import deployed_perceiver, perceive_all
from trainer.inference.source import Deployed

DEFAULT_VARIANTS = ("plain", "grey", "low-resolution", "dark")

FEWEST_PEOPLE = 2


@dataclass(frozen=True)
class CohortPlan:
    """What a cohort is made of.

    variants: degradations, each of every picture. looks: in how many of them somebody is shown, the
    first and others by lot; None for all. per_person: pictures of one person at most, None for all.
    groups: names of groups and the folder of each; without, all are of one group. source, licence:
    for people, kept in the file.
    """

    variants: tuple[str, ...] = DEFAULT_VARIANTS
    looks: int | None = None
    per_person: int | None = None
    groups: tuple[tuple[str, Path], ...] = ()
    seed: int = 0
    source: str = ""
    licence: str = ""
    allow_missing: bool = False
    detector: Path | None = None
    cache_dir: Path | None = None
    threads: int | None = None
    quiet: bool = False


@dataclass(frozen=True)
class CohortCounts:
    """What became of the pictures. merged: identities that turned out to be another one, by equal
    crops. repeated: crops left out because they were there already.
    """

    pictures: int
    people: int
    detected: int
    aligned: int
    unusable: int
    repeated: int
    merged: int

    def to_json(self) -> dict[str, int]:
        return dict(vars(self))


def strangers(folders: Sequence[Path], plan: CohortPlan) -> FaceTable:
    """The faces of all folders, people told apart. Raises as `read_faces` does."""
    tables = [
        read_faces(
            folder,
            allow_missing=plan.allow_missing,
            without_labels=True,
            cache_dir=plan.cache_dir,
            quiet=plan.quiet,
        )
        for folder in folders
    ]
    table = concat([one.with_attributes(()) for one in tables])
    return limited(table, plan)


def limited(table: FaceTable, plan: CohortPlan, people: int | None = None) -> FaceTable:
    """At most `per_person` pictures of anybody, and of `people` at most, drawn by the seed."""
    if plan.per_person is None and people is None:
        return table
    rng = np.random.default_rng(plan.seed)
    single = table.people()
    kept = np.unique(single)
    if people is not None and len(kept) > people:
        kept = np.sort(rng.permutation(kept)[:people])
    rows: list[int] = []
    for person in kept:
        own = np.flatnonzero(single == person)
        rows += rng.permutation(own)[: plan.per_person].tolist()
    return table.select(np.sort(np.array(rows, dtype=np.int64)))


def build_cohort(
    table: FaceTable, embedder: Deployed, plan: CohortPlan
) -> tuple[Cohort, CohortCounts]:
    """Embed every usable face of `table` in every variant with the deployed file.

    A picture of unknown identity counts as a person of its own. Raises `UsageError` for an unknown
    variant, `ModelError` for a model without embedding, `DataError` with fewer than two people.
    """
    check_variants(plan.variants)
    network = embedder.network
    if "embedding" not in network.outputs:
        raise ModelError("the model has no embedding", hint="choose another with --embedding")
    table, crops, counts = usable_crops(table, network.input, plan)
    keep, person, merged = distinct_people(crops, table.identity)
    people = len(np.unique(person))
    if people < FEWEST_PEOPLE:
        raise DataError(
            f"a cohort needs faces of at least {FEWEST_PEOPLE} people, here are {people}",
            hint="give a folder with more strangers",
        )
    cohort = _cohort(crops, keep, person, group_numbers(table.paths, plan)[keep], embedder, plan)
    return cohort, CohortCounts(
        pictures=len(keep),
        people=people,
        **counts,
        repeated=len(table) - len(keep),
        merged=merged,
    )


def usable_crops(
    table: FaceTable, expects: NetworkInput, plan: CohortPlan
) -> tuple[FaceTable, np.ndarray, dict[str, int]]:
    """The rows with a usable face, their crops uint8[N, S, S, 3] BGR, and how many faces were
    found, missed and unreadable."""
    landmarks = find_landmarks(
        table, cache_dir=plan.cache_dir, detector=plan.detector, quiet=plan.quiet
    )
    counts = landmarks.counts()
    table, landmarks = table.select(landmarks.usable), landmarks.select(landmarks.usable)
    crops = crop_array(
        table,
        landmarks,
        expects.frame,
        expects.window,
        expects.size_px,
        cache_dir=plan.cache_dir,
        quiet=plan.quiet,
    )
    return table, crops, counts


def distinct_people(crops: np.ndarray, identity: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Drop repeated crops, and make one person of identities that share one.

    crops: uint8[N, S, S, 3]; identity: int64[N], -1 unknown. Returns rows to keep, int64[K], the
    person of each, int64[K], numbered from 0, and how many identities were merged into others.
    """
    keep: list[int] = []
    keys: list[int] = []
    owner: dict[str, int] = {}
    same: dict[int, int] = {}

    def root(key: int) -> int:
        while same.get(key, key) != key:
            key = same[key]
        return key

    merged = 0
    for row, number in enumerate(identity.tolist()):
        key = number if number != UNKNOWN else -2 - row
        digest = sha256_of(np.ascontiguousarray(crops[row]).tobytes())
        if digest not in owner:
            owner[digest] = key
            keep.append(row)
            keys.append(key)
            continue
        a, b = root(key), root(owner[digest])
        if a != b:
            same[a] = b
            merged += number != UNKNOWN
    roots = np.array([root(key) for key in keys], dtype=np.int64)
    person = np.unique(roots, return_inverse=True)[1].reshape(-1)
    return np.array(keep, dtype=np.int64), person.astype(np.int64), merged


def group_names(plan: CohortPlan) -> tuple[str, ...]:
    """Of the plan's groups, each once."""
    return tuple(dict.fromkeys(name for name, _ in plan.groups)) or (EVERYBODY,)


def group_numbers(paths: Sequence[Path], plan: CohortPlan) -> np.ndarray:
    """The group of each picture, uint8[N]: that of the first folder of `plan.groups` it lies in."""
    names = group_names(plan)
    places = [(names.index(name), folder) for name, folder in plan.groups]
    numbers = [next((n for n, f in places if path.is_relative_to(f)), 0) for path in paths]
    return np.array(numbers, np.uint8)


def shown_as(people: int, plan: CohortPlan, rng: np.random.Generator) -> np.ndarray:
    """Who is shown in which variant, bool[people, variants]: everybody in the first, and in
    `plan.looks` altogether."""
    others = len(plan.variants) - 1
    count = others if plan.looks is None else min(plan.looks - 1, others)
    by_lot = rng.random((people, others)).argsort(axis=1) < count
    return np.concatenate([np.ones((people, 1), bool), by_lot], axis=1)


def _cohort(
    crops: np.ndarray,
    keep: np.ndarray,
    person: np.ndarray,
    group: np.ndarray,
    embedder: Deployed,
    plan: CohortPlan,
) -> Cohort:
    rng = np.random.default_rng(plan.seed)
    order = rng.permutation(len(keep))
    shuffled = rng.permutation(int(person.max()) + 1)[person[order]]
    shown = shown_as(int(person.max()) + 1, plan, rng)[shuffled]
    perceiver = deployed_perceiver(embedder, threads=plan.threads)
    parts = []
    for number, variant in enumerate(plan.variants):
        said = perceive_all(
            perceiver,
            crops,
            rows=keep[order][shown[:, number]],
            variant=variant,
            seed=plan.seed,
            label=f"embedding, {variant}",
            quiet=plan.quiet,
        )
        assert said.embeddings is not None
        parts.append(said.embeddings.astype(np.float16))
    variant_of, row_of = np.nonzero(shown.T)
    return Cohort(
        embeddings=np.concatenate(parts),
        identity=shuffled[row_of].astype(np.int32),
        variant=variant_of.astype(np.uint8),
        variants=plan.variants,
        embedder_sha256=embedder.network.sha256,
        source=plan.source,
        licence=plan.licence,
        group=group[order][row_of],
        groups=group_names(plan),
    )
