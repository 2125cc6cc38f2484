"""Candidates: the base in one format, measured and judged; and the choice between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import GateFailed, ModelError
from edge.models.embedder import mirror_images
from edge.models.spec import FORMATS, Network
from export.convert.description import described
from export.gate.limits import Recipe, advice
from export.gate.parity import (
    Answers,
    Parity,
    agreement_of,
    answers_of_file,
    constant_outputs,
    measure,
)
from export.gate.timing import speeds

if TYPE_CHECKING:
    from edge.heads.head import Head
    from export.convert.float_model import FloatModel

DEPLOYED = "tflite-int8"
"""The format that the trainer made and heads are enrolled on."""

REFERENCE = "tflite-float32"
"""The format that speeds are compared with."""

ALIKE = 1.1
"""Up to this times the fastest one's time, formats count as equally fast."""


@dataclass(frozen=True)
class Candidate:
    """The base in one format.

    network, data: None and b"" where there is no file, because the conversion failed. speed_ms:
    median of one crop on one thread of this machine, None where it was not timed. speed_ratio: the
    same to float32 (TFLite), None where that did not pass. violations: limits that were missed,
    empty for one that may be packed. advice: what to try.
    """

    format: str
    network: Network | None
    parity: Parity
    data: bytes = field(default=b"", repr=False)
    speed_ms: float | None = None
    violations: tuple[str, ...] = ()
    advice: str = ""
    speed_ratio: float | None = None

    @property
    def passed(self) -> bool:
        return not self.violations

    def to_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "sha256": self.network.sha256 if self.network else None,
            "size_bytes": len(self.data),
            "speed_ms": None if self.speed_ms is None else round(self.speed_ms, 3),
            "speed_ratio": None if self.speed_ratio is None else round(self.speed_ratio, 3),
            "minimal_runtimes": self.network.minimal_runtimes if self.network else {},
            "parity": self.parity.to_json(),
            "passed": self.passed,
            "violations": list(self.violations),
            "advice": self.advice,
        }


class ParityMissed(GateFailed):
    """A file that had to travel is outside its limits. candidates: all that were measured."""

    def __init__(
        self,
        candidates: tuple[Candidate, ...],
        worst: Candidate,
        done: str = "nothing was packed",
    ) -> None:
        super().__init__(
            f"{done}, {worst.format} missed the gate: {', '.join(worst.violations)}",
            hint=worst.advice or None,
        )
        self.candidates = candidates


class Judge:
    """Measures files against the float model on held-out crops, uint8[N, S, S, 3] BGR.

    reference: the float model's answers, None where there is no float model (a person's run
    without Keras); then only the decisions of heads, and answers that are the same for every face,
    or not finite, are found.
    """

    def __init__(
        self,
        held_out_bgr: np.ndarray,
        reference: Answers | None,
        heads: Sequence[Head],
        recipe: Recipe,
        *,
        compared_with: str = REFERENCE,
        enrolled: Answers | None = None,
        identity: bool = True,
        few: bool = False,
        person: np.ndarray | None = None,
    ) -> None:
        """compared_with: the format that speeds are compared with. enrolled: answers of the file
        that heads stand on, None where that is the float model. identity: whether rates of pairs
        and cosines are to be kept. few: the crops are so few that decisions alone are judged.
        person: int[N], whose the crops are, where that is known.
        """
        self.person = person
        self.enrolled, self.identity, self.few = enrolled, identity, few
        self.compared_with = compared_with
        self.held_out = held_out_bgr
        self.reference = reference
        self.heads = tuple(heads)
        self.recipe = recipe

    def judge(self, network: Network, data: bytes) -> Candidate:
        """Run the file in its own runtime. Never raises for what is wrong with it."""
        answers = answers_of_file(network, data, self.held_out)
        limits = self.recipe.limits[network.format]
        parity = self._parity(network, answers)
        violations = limits.violations(parity, decisions_alone=self.few, identity=self.identity)
        made = Candidate(network.format, network, parity, data, violations=violations)
        return replace(made, advice=advice(network.format, parity)) if violations else made

    def converted(
        self,
        network: Network,
        format: str,
        convert: Callable[[], bytes],
        describe: Callable[[Network, str, bytes], Network] = described,
    ) -> Candidate:
        """Convert, describe, and judge; a refused conversion is a violation."""
        try:
            data = convert()
            made = describe(network, format, data)
        except ModelError as problem:
            parity = Parity(0, problem=problem.message)
            return Candidate(
                format, None, parity, violations=(problem.message,), advice=advice(format, parity)
            )
        return self.judge(made, data)

    def timed(self, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """The same with the speeds of those that passed, taken in turns, float32 first."""
        first = self.compared_with
        passing = sorted((c for c in candidates if c.passed), key=lambda c: c.format != first)
        files = [(c.network, c.data) for c in passing if c.network is not None]
        found = speeds(files, self.held_out[0], self.recipe.timing_s)
        known = bool(passing) and passing[0].format == first
        by_format = {
            c.format: replace(
                c, speed_ms=speed.median_ms, speed_ratio=speed.ratio if known else None
            )
            for c, speed in zip(passing, found, strict=True)
        }
        return tuple(by_format.get(c.format, c) for c in candidates)

    def _parity(self, network: Network, answers: Answers) -> Parity:
        if self.reference is not None:
            return measure(
                self.reference,
                answers,
                network.attribute_thresholds,
                self.heads,
                mirrored=network.mirrored,
                enrolled=self.enrolled,
                identity=self.identity,
                person=self.person,
            )
        crops = len(self.held_out)
        if answers.problem:
            return Parity(crops, problem=answers.problem)
        constant = constant_outputs(answers.plain) if crops > 1 else ()
        if self.enrolled is None:
            return Parity(crops, constant=constant)
        known = agreement_of(self.enrolled, answers, self.heads, network.mirrored)
        return Parity(crops, agreement=known[0], near=known[1], constant=constant)


def reference_answers(model: FloatModel, crops_bgr: np.ndarray) -> Answers:
    """The float model's answers. Raises `ModelError` when it has learned nothing that differs
    between faces, or answers with numbers that are not finite.
    """
    plain, mirror = model.perceive(crops_bgr), model.perceive(mirror_images(crops_bgr))
    for values in (plain.embeddings, plain.attributes, mirror.embeddings):
        if values is not None and not np.isfinite(values).all():
            raise ModelError(
                "model.keras itself answers with numbers that are not finite",
                hint="train again with a smaller --learning-rate",
            )
    same = constant_outputs(plain)
    if same:
        raise ModelError(
            f"model.keras itself gives the same {' and '.join(same)} for every face",
            hint="train longer, or look at the run's report for what it learned",
        )
    return Answers(plain, mirror)


def passed(
    candidates: tuple[Candidate, ...],
    required: tuple[str, ...],
    choosable: tuple[str, ...] = FORMATS,
    *,
    bound: str | None,
) -> Candidate:
    """The chosen candidate. Raises `ParityMissed` when one that must travel is not good.

    required, choosable: see `export.packing.formats.Made`. bound: the format of the file that heads
    or a cohort are bound to, None where nothing is.
    """
    must = {*required, *([] if bound is None else [bound])}
    failed = [c for c in candidates if not c.passed and c.format in must]
    good = [c for c in candidates if c.passed and (bound or c.format in choosable)]
    if failed or not good:
        raise ParityMissed(candidates, (failed or list(candidates))[0])
    return choose(good, fixed=bound)


def choose(candidates: Sequence[Candidate], *, fixed: str | None = None) -> Candidate:
    """The candidate that becomes the bundle's base; all of them have passed.

    fixed: the format of the file that heads or a cohort are bound to, where there are any: it is
    that one, as a second network beside it would have to run as well. Else the fastest here; of
    those about as fast (`ALIKE`) the smallest.
    """
    if fixed is not None:
        return next(c for c in candidates if c.format == fixed)
    fastest = min(c.speed_ms or 0.0 for c in candidates)
    near = [c for c in candidates if (c.speed_ms or 0.0) <= ALIKE * fastest]
    return min(near, key=lambda c: (len(c.data), FORMATS.index(c.format)))


def reason(candidates: Sequence[Candidate], chosen: Candidate, *, bound: bool) -> str:
    """Why it is this one, for people; "" where there was no other."""
    others = [c for c in candidates if c.passed and c is not chosen]
    if not others:
        return ""
    words = f"{chosen.format} was chosen: "
    if not bound:
        return words + "fast here, and of those about as fast the smallest"
    words += "heads and strangers stand on this file"
    best = min(others, key=lambda c: c.speed_ms or float("inf"))
    if best.speed_ms and chosen.speed_ms and chosen.speed_ms > ALIKE * best.speed_ms:
        words += f"; {best.format} takes {best.speed_ms / chosen.speed_ms:.2f} of its time here"
    return words


def table(candidates: Sequence[Candidate], chosen: Candidate | None) -> list[str]:
    """Lines to read: size, speed and parity of each, and what is wrong with those refused. Columns
    of what was measured of none are left out."""
    columns = [
        (title, width, form, [of(c) for c in candidates])
        for title, width, form, of in _COLUMNS
        if any(of(c) is not None for c in candidates)
    ]
    lines = [f"{'format':<15}{'MB':>7}" + "".join(f"{t:>{width}}" for t, width, *_ in columns)]
    for row, c in enumerate(candidates):
        mark = "*" if c is chosen else " "
        cells = "".join(f"{_cell(of[row], form):>{width}}" for _, width, form, of in columns)
        lines.append(f"{mark}{c.format:<14}{len(c.data) / 1e6:>7.2f}{cells}")
        lines += [f"    refused: {words}" for words in c.violations]
    return lines


_COLUMNS: tuple[tuple[str, int, str, Callable[[Candidate], float | None]], ...] = (
    ("ms", 8, "{:.2f}", lambda c: c.speed_ms),
    ("ratio", 7, "{:.2f}", lambda c: c.speed_ratio),
    ("cosine", 9, "{:.4f}", lambda c: c.parity.cosine_mean),
    ("worst 1%", 10, "{:.4f}", lambda c: c.parity.cosine_worst),
    ("flips", 8, "{:.2%}", lambda c: c.parity.flips),
    ("agree", 9, "{:.2%}", lambda c: c.parity.agreement_worst),
    ("dFAR", 8, "{:+.2%}", lambda c: c.parity.far_drift),
    ("dFRR", 8, "{:+.2%}", lambda c: c.parity.frr_drift),
    ("TAR", 9, "{:.2%}", lambda c: c.parity.tar),
)
"""Title, width, form and where from; TAR is of pairs of known people, at FAR 1 %."""


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
