"""Enrolment: from a person's embeddings and a cohort of strangers to a head with its threshold.

Half of the strangers, divided by identity, train the head; the other half says how high strangers
score. The person's own scores are counted out of fold, so that no look is judged by a head that
was fitted on it. The threshold lies halfway between the *stranger bound* and the median of the own
scores: strangers of a cohort say little about strangers before another camera, so it keeps as far
from both sides as they allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge.cohort import Cohort
from edge.errors import InputError, RefusedError
from edge.head import LINEAR, Head, linear_layers
from edge.logistic import balanced_weights, fit_logistic
from edge.normalization import z_normalization
from edge.threshold import (
    check_target,
    false_accepts,
    false_rejects,
    highest_per_person,
    stranger_bound,
)

STRATEGY = "halfway"

FEWEST_GROUPS = 5
"""Independent looks without which nothing can be said of somebody's own scores."""

FOLDS = 5


@dataclass(frozen=True)
class EnrolmentConfig:
    """How heads are made.

    target_far: of a stranger at the whole bundle, None for what the cohort supports. strict: refuse
    a target that cannot be proven. l2: candidates of the regularization, of which the groups'
    cross-validation chooses. halfway: where the threshold lies between the stranger bound (0) and
    the median of the own scores (1). band: half width of the uncertain band, as a share of the
    distance from the bound to the threshold. not_me_share: weight of the hard negatives among all
    negatives.
    """

    target_far: float | None = None
    strict: bool = False
    l2: tuple[float, ...] = (0.001, 0.003, 0.01)
    halfway: float = 0.5
    band: float = 0.1
    not_me_share: float = 0.3
    seed: int = 0


@dataclass(frozen=True, eq=False)
class _Samples:
    """own: float32[N, D] with groups int[N]; strangers: those that train; not_me: float32[M, D]."""

    own: np.ndarray
    groups: np.ndarray
    strangers: np.ndarray
    not_me: np.ndarray


def enrol(
    name: str,
    embeddings: np.ndarray,
    groups: np.ndarray,
    cohort: Cohort,
    *,
    not_me: np.ndarray | None = None,
    config: EnrolmentConfig | None = None,
) -> Head:
    """A head for the person of `embeddings`, float32[N, D] of length 1.

    groups: int[N], looks that are not independent of each other share a number. not_me:
    float32[M, D], looks of others that must not be accepted. The same input gives the same head.

    Raises `RefusedError` for fewer than `FEWEST_GROUPS` groups, for a target that the cohort cannot
    support, and where the person cannot be told from strangers; `InputError` for arrays that do not
    fit.
    """
    config = config or EnrolmentConfig()
    embeddings, groups = _checked(embeddings, groups, cohort)
    fitting, judging = cohort.halves(config.seed)
    proof = None
    if config.target_far is not None:
        proof = check_target(config.target_far, judging.people, strict=config.strict)
    nobody = np.zeros((0, cohort.size), np.float32)
    samples = _Samples(
        embeddings, groups, fitting.vectors(), nobody if not_me is None else np.asarray(not_me)
    )
    l2, own = _chosen(samples, judging, config)
    head = _fitted(name, samples, judging, cohort.embedder_sha256, l2, config)
    strangers = head.score(judging.vectors())
    facts: dict[str, Any] = {
        "strategy": STRATEGY,
        "halfway": config.halfway,
        "band": config.band,
        "target_far": config.target_far,
        "proof": proof,
        "l2": l2,
        "own_looks": len(embeddings),
        "own_groups": len(np.unique(groups)),
        "own_median": float(np.median(own)),
        "own_scores": [round(float(value), 4) for value in own],
        "strangers": judging.people,
        "seed": config.seed,
    }
    if len(samples.not_me):
        facts["not_me_highest"] = float(head.score(samples.not_me).max())
    head = _with_threshold(
        replace(head, calibration=facts), highest_per_person(strangers, judging.identity), 1
    )
    facts = dict(head.calibration)
    facts["far"] = false_accepts(strangers, judging.identity, head.threshold).to_json()
    facts["frr"] = false_rejects(own, groups, head.threshold).to_json()
    return replace(head, calibration=facts)


def recalibrate(heads: Sequence[Head], cohort: Cohort) -> tuple[Head, ...]:
    """Set the thresholds of all heads of a bundle again, whenever one joins or leaves.

    The stated FAR is that of a stranger at the whole bundle, so each of K heads gets a K-th of the
    target. Heads without calibration facts stay as they are. Raises `InputError` when the cohort
    is of another embedder.
    """
    result = []
    for head in heads:
        if head.embedder_sha256 != cohort.embedder_sha256:
            raise InputError(
                f"the head of {head.name} and the cohort are of different embedders",
                hint="enrol again, or make the cohort again",
            )
        if head.calibration.get("strategy") != STRATEGY:
            result.append(head)
            continue
        _, judging = cohort.halves(int(head.calibration.get("seed", 0)))
        strangers = head.score(judging.vectors())
        highest = highest_per_person(strangers, judging.identity)
        changed = _with_threshold(head, highest, len(heads))
        facts = dict(changed.calibration)
        facts["far"] = false_accepts(strangers, judging.identity, changed.threshold).to_json()
        facts["heads"] = len(heads)
        own = np.asarray(facts["own_scores"])
        facts["own_accepted"] = float(np.mean(own >= changed.threshold)) if len(own) else None
        result.append(replace(changed, calibration=facts))
    return tuple(result)


def bundle_far(heads: Sequence[Head], cohort: Cohort) -> Any:
    """False accepts of strangers at all heads together, a `Rate` over people."""
    scores = []
    identity = None
    for head in heads:
        _, judging = cohort.halves(int(head.calibration.get("seed", 0)))
        identity = judging.identity
        scores.append(head.score(judging.vectors()) - head.threshold)
    if identity is None:
        raise InputError("there is no head whose false accepts could be counted")
    return false_accepts(np.max(scores, axis=0), identity, 0.0)


def _checked(
    embeddings: np.ndarray, groups: np.ndarray, cohort: Cohort
) -> tuple[np.ndarray, np.ndarray]:
    embeddings = np.ascontiguousarray(embeddings, np.float32)
    groups = np.asarray(groups)
    if embeddings.ndim != 2 or embeddings.shape[1] != cohort.size or groups.shape != (
        len(embeddings),
    ):
        raise InputError(
            f"embeddings of shape {embeddings.shape} with {groups.shape} groups do not fit a cohort "
            f"of {cohort.size} dimensions",
            hint="make the cohort with the embedder that the photos are seen by",
        )
    count = len(np.unique(groups))
    if count < FEWEST_GROUPS:
        raise RefusedError(
            f"{count} independent looks are too few to enrol anybody",
            hint=f"give at least {FEWEST_GROUPS}, better 15 or more, from different moments",
        )
    return embeddings, groups


def _chosen(
    samples: _Samples, judging: Cohort, config: EnrolmentConfig
) -> tuple[float, np.ndarray]:
    """The regularization that separates best out of fold, and the own scores with it."""
    best: tuple[float, float, np.ndarray] | None = None
    strangers = judging.vectors()
    for l2 in config.l2:
        own = np.empty(len(samples.own))
        gaps = []
        for fold in _folds(samples.groups, config.seed):
            part = replace(samples, own=samples.own[~fold], groups=samples.groups[~fold])
            head = _fitted("fold", part, judging, "", l2, config)
            own[fold] = head.score(samples.own[fold])
            gaps.append(np.median(own[fold]) - np.quantile(head.score(strangers), 0.999))
        gap = float(np.mean(gaps))
        if best is None or gap > best[0]:
            best = (gap, l2, own)
    assert best is not None
    return best[1], best[2]


def _folds(groups: np.ndarray, seed: int) -> list[np.ndarray]:
    """bool[N] masks: the groups spread over at most `FOLDS` folds."""
    numbers = np.unique(groups)
    order = np.random.default_rng(seed).permutation(numbers)
    return [np.isin(groups, part) for part in np.array_split(order, min(FOLDS, len(numbers)))]


def _fitted(
    name: str,
    samples: _Samples,
    judging: Cohort,
    embedder_sha256: str,
    l2: float,
    config: EnrolmentConfig,
) -> Head:
    """A linear head whose scores are z-normalized by the strangers that did not train it."""
    x = np.concatenate([samples.own, samples.strangers, samples.not_me])
    positive = np.zeros(len(x), bool)
    positive[: len(samples.own)] = True
    weight = np.ones(len(x))
    _, index, sizes = np.unique(samples.groups, return_inverse=True, return_counts=True)
    weight[: len(samples.own)] = 1.0 / sizes[index.reshape(-1)]
    if len(samples.not_me):
        share = config.not_me_share / (1.0 - config.not_me_share)
        weight[-len(samples.not_me) :] = share * len(samples.strangers) / len(samples.not_me)
    model = fit_logistic(x, positive, l2=l2, weight=balanced_weights(positive, weight))
    layers = linear_layers(model.weights, model.bias)
    plain = Head(name, LINEAR, embedder_sha256, layers, threshold=0.0)
    return replace(plain, normalization=z_normalization(plain.raw(judging.vectors())))


def _with_threshold(head: Head, highest: np.ndarray, heads: int) -> Head:
    """The threshold from the strangers' highest scores, float64[P], and the head's own facts."""
    facts = dict(head.calibration)
    target = facts["target_far"]
    bound = stranger_bound(highest, None if target is None else target / heads)
    bound = max(bound, float(facts.get("not_me_highest", bound)))
    median = float(facts["own_median"])
    if median <= bound:
        raise RefusedError(
            f"{head.name} cannot be told from strangers: half of the own looks score below "
            f"{median:.2f}, and a stranger reaches {bound:.2f}",
            hint="give more and better photos of one person alone, or another --embedding",
        )
    threshold = bound + float(facts["halfway"]) * (median - bound)
    facts |= {"stranger_bound": bound}
    return replace(
        head,
        threshold=threshold,
        margin=float(facts["band"]) * (threshold - bound),
        calibration=facts,
    )
