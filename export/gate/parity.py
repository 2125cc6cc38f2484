"""Parity: how far a file's answers in its own runtime are from those of the float model.

FAR and FRR are those of pairs of crops: two crops of different pictures count as strangers, a crop
and its mirror image as the same person. The threshold is the float model's at FAR 1 %. This needs
no identities, and what quantization does to it is what it does to heads. Where it is known whose
the crops are, verification says how well each file tells people apart at a threshold of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import ModelError
from edge.models.embedder import Embedder, Perception, l2_normalized, mirror_images
from edge.models.spec import Network
from export.inputs.near import differs, near_agreement

if TYPE_CHECKING:
    from edge.heads.head import Head

FAR_OF_PAIRS = 0.01

FEWEST_PAIRS = 100
"""Pairs of one person below which a rate of them says little."""

_CONSTANT = 1e-4
_COLLAPSED = 0.05


@dataclass(frozen=True)
class Answers:
    """The outputs of a model for N crops and their mirror images.

    problem: why there are none: the file cannot be run, or returns numbers that are not finite.
    """

    plain: Perception
    mirrored: Perception
    problem: str = ""


@dataclass(frozen=True)
class Parity:
    """A file against the float model. None where the output, or heads, are not there.

    crops: number of held-out crops. cosine_mean, cosine_worst: between the embeddings of a crop,
    over all crops and at the 1st percentile. flips: share of attribute decisions that differ.
    agreement: name of a head to the share of crops on which it decides as with the file that it
    stands on (`export.inputs.near.differs`). near: the same near its threshold and on own samples.
    far_drift, frr_drift: change of the rates of pairs. tar, tar_before: of the file and of the
    float model, the share of pairs of one person that are accepted, each at its own threshold of
    FAR 1 %; pairs: how many of one person, and of two, there are. constant: outputs that are
    (nearly) the same for every crop.
    problem: as of `Answers`; then nothing else is known.
    """

    crops: int
    cosine_mean: float | None = None
    cosine_worst: float | None = None
    flips: float | None = None
    agreement: dict[str, float] = field(default_factory=dict)
    near: dict[str, float] = field(default_factory=dict)
    far_drift: float | None = None
    frr_drift: float | None = None
    tar: float | None = None
    tar_before: float | None = None
    pairs: tuple[int, int] = (0, 0)
    constant: tuple[str, ...] = ()
    problem: str = ""

    @property
    def agreement_worst(self) -> float | None:
        return min((*self.agreement.values(), *self.near.values()), default=None)

    def to_json(self) -> dict[str, Any]:
        return {
            "crops": self.crops,
            "cosine_mean": _rounded(self.cosine_mean),
            "cosine_worst": _rounded(self.cosine_worst),
            "attribute_flips": _rounded(self.flips),
            "agreement": {name: round(share, 5) for name, share in self.agreement.items()},
            "near": {name: round(share, 5) for name, share in self.near.items()},
            "far_drift": _rounded(self.far_drift),
            "frr_drift": _rounded(self.frr_drift),
            "tar_at_far_1pct": _rounded(self.tar),
            "tar_at_far_1pct_before": _rounded(self.tar_before),
            "pairs": {"same": self.pairs[0], "different": self.pairs[1]},
            "constant": list(self.constant),
            "problem": self.problem,
        }


def answers_of_file(network: Network, data: bytes, crops_bgr: np.ndarray) -> Answers:
    """Run a file in the runtime that it is meant for; crops uint8[N, S, S, 3] BGR."""
    nothing = Perception(None, None)
    try:
        embedder = Embedder(network, data)
        plain = embedder.embed_once(crops_bgr)
        return Answers(plain, embedder.embed_once(mirror_images(crops_bgr)))
    except ModelError as problem:
        return Answers(nothing, nothing, problem.message)


def constant_outputs(perception: Perception) -> tuple[str, ...]:
    """Outputs that do not depend on the crop."""
    spreads = {role: _spread(values) for role, values in _outputs(perception).items()}
    return tuple(role for role, spread in spreads.items() if spread < _CONSTANT)


def measure(
    reference: Answers,
    answers: Answers,
    thresholds: Sequence[float],
    heads: Sequence[Head] = (),
    *,
    mirrored: bool = False,
    enrolled: Answers | None = None,
    identity: bool = True,
    person: np.ndarray | None = None,
) -> Parity:
    """Compare a file with the float model.

    thresholds: probability from which each attribute counts as present, empty for 0.5 each. heads:
    those that are fed with this embedding. mirrored: fed with the mean of both sides. enrolled:
    what the file that the heads stand on says, by default the float model. identity: whether the
    crops are of so many people that the rates of pairs mean something. person: int[N], whose the
    crops are, None where nobody knows.
    """
    crops = max((len(values) for values in _outputs(reference.plain).values()), default=0)
    if answers.problem:
        return Parity(crops, problem=answers.problem)
    cosines = _cosines(reference.plain.embeddings, answers.plain.embeddings)
    far_drift, frr_drift = _drift(reference, answers) if identity else (None, None)
    agreement, near = agreement_of(enrolled or reference, answers, heads, mirrored)
    tars, pairs = _verification((reference, answers), person, mirrored)
    return Parity(
        crops=crops,
        cosine_mean=None if cosines is None else float(cosines.mean()),
        cosine_worst=None if cosines is None else float(np.percentile(cosines, 1)),
        flips=_flips(reference.plain.attributes, answers.plain.attributes, thresholds),
        agreement=agreement,
        near={} if enrolled is None else near,
        far_drift=far_drift,
        frr_drift=frr_drift,
        tar=None if tars is None else tars[1],
        tar_before=None if tars is None else tars[0],
        pairs=pairs,
        constant=_constant(reference.plain, answers.plain),
    )


def _outputs(perception: Perception) -> dict[str, np.ndarray]:
    both = {"embedding": perception.embeddings, "attributes": perception.attributes}
    return {role: values for role, values in both.items() if values is not None}


def _spread(values: np.ndarray) -> float:
    """Root mean square distance of the rows from their mean."""
    return float(np.sqrt(np.mean(np.sum((values - values.mean(axis=0)) ** 2, axis=1))))


def _constant(reference: Perception, answers: Perception) -> tuple[str, ...]:
    """Outputs whose spread is nothing, or next to nothing of what it should be."""
    said = _outputs(answers)
    found = []
    for role, values in _outputs(reference).items():
        if role in said and _spread(said[role]) < max(_CONSTANT, _COLLAPSED * _spread(values)):
            found.append(role)
    return tuple(found)


def _cosines(reference: np.ndarray | None, found: np.ndarray | None) -> np.ndarray | None:
    if reference is None or found is None:
        return None
    return np.asarray(np.sum(reference.astype(np.float64) * found, axis=1))


def _flips(
    reference: np.ndarray | None, found: np.ndarray | None, thresholds: Sequence[float]
) -> float | None:
    if reference is None or found is None:
        return None
    probability = np.asarray(thresholds or [0.5] * reference.shape[1], np.float64)
    probability = np.clip(probability, 1e-6, 1 - 1e-6)
    logits = np.log(probability / (1 - probability))
    return float(np.mean((reference >= logits) != (found >= logits)))


def agreement_of(
    should: Answers, answers: Answers, heads: Sequence[Head], mirrored: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """Share of equal decisions of each head on crops, and near its threshold: of the mean of both
    sides where heads are fed with that, else over crops and mirror images."""
    known, found = fed(should, mirrored), fed(answers, mirrored)
    if known is None or found is None:
        return {}, {}
    on_crops = {
        head.name: 1.0 - float(np.mean(differs(head, head.score(known), head.score(found))))
        for head in heads
    }
    near = {head.name: near_agreement(head, known, found) for head in heads}
    return on_crops, {name: share for name, share in near.items() if share is not None}


def fed(answers: Answers, mirrored: bool) -> np.ndarray | None:
    """The embeddings that heads see, float32[·, D] of length 1."""
    plain, mirror = answers.plain.embeddings, answers.mirrored.embeddings
    if plain is None or mirror is None:
        return None
    return l2_normalized(plain + mirror) if mirrored else np.concatenate([plain, mirror])


def _verification(
    both: tuple[Answers, Answers], person: np.ndarray | None, mirrored: bool
) -> tuple[tuple[float, float] | None, tuple[int, int]]:
    """TAR at FAR 1 % of each, None where there are too few pairs; and the numbers of pairs."""
    if person is None:
        return None, (0, 0)
    first, second = np.triu_indices(len(person), 1)
    same = person[first] == person[second]
    pairs = int(same.sum()), int((~same).sum())
    if min(pairs) < FEWEST_PAIRS:
        return None, pairs
    found = []
    for answers in both:
        seen = fed(answers, mirrored)
        if seen is None:
            return None, pairs
        seen = seen[: len(person)]
        cosines = np.sum(seen[first] * seen[second], axis=1)
        threshold = np.quantile(cosines[~same], 1 - FAR_OF_PAIRS)
        found.append(float(np.mean(cosines[same] >= threshold)))
    return (found[0], found[1]), pairs


def _drift(reference: Answers, answers: Answers) -> tuple[float | None, float | None]:
    """Change of FAR and FRR of pairs at the float model's threshold."""
    should, found = _pair_scores(reference), _pair_scores(answers)
    if should is None or found is None:
        return None, None
    threshold = float(np.quantile(should[0], 1 - FAR_OF_PAIRS))
    far = [float(np.mean(strangers >= threshold)) for strangers, _ in (should, found)]
    frr = [float(np.mean(same < threshold)) for _, same in (should, found)]
    return far[1] - far[0], frr[1] - frr[0]


def _pair_scores(answers: Answers) -> tuple[np.ndarray, np.ndarray] | None:
    """Cosines of all pairs of different crops, and of each crop with its mirror image."""
    plain, mirror = answers.plain.embeddings, answers.mirrored.embeddings
    if plain is None or mirror is None or len(plain) < 2:
        return None
    cosines = plain @ plain.T
    return cosines[np.triu_indices(len(plain), 1)], np.sum(plain * mirror, axis=1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
