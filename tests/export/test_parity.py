"""Parity and its gate: small differences pass, each kind of large one is refused by its words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import embedding_factory
import numpy as np
import pytest

from edge.errors import GateFailed
from edge.heads.enrol import enrol
from edge.heads.head import Head
from edge.models.embedder import Perception, l2_normalized
from edge.models.spec import FORMATS
from export.gate.candidate import DEPLOYED, Candidate, ParityMissed, choose, passed, reason, table
from export.gate.limits import EXACT, Limits, Recipe, advice
from export.gate.parity import Answers, Parity, constant_outputs, measure

RNG = np.random.default_rng(0)
COUNT, SIZE = 300, embedding_factory.SIZE


def embeddings() -> np.ndarray:
    return l2_normalized(RNG.normal(size=(COUNT, SIZE)).astype(np.float32))


def reference() -> Answers:
    """Random embeddings; mirror images are alike."""
    plain = embeddings()
    mirror = l2_normalized(plain + 0.05 * RNG.normal(size=plain.shape).astype(np.float32))
    logits = RNG.normal(size=(COUNT, 5)).astype(np.float32)
    return Answers(Perception(plain, logits), Perception(mirror, logits))


def noisy(answers: Answers, amount: float) -> Answers:
    def spoil(perception: Perception) -> Perception:
        assert perception.embeddings is not None
        assert perception.attributes is not None
        noise = RNG.normal(size=perception.embeddings.shape).astype(np.float32) / np.sqrt(SIZE)
        logits = perception.attributes + amount * RNG.normal(size=perception.attributes.shape)
        return Perception(l2_normalized(perception.embeddings + amount * noise), logits)

    return Answers(spoil(answers.plain), spoil(answers.mirrored))


@pytest.fixture(scope="module")
def anna() -> Head:
    """Somebody enrolled against made-up strangers."""
    world = embedding_factory.World(3)
    own = world.pictures(world.person(), 20)
    return enrol("Anna", own, np.arange(20), world.cohort(200))


def test_heads_that_see_both_sides_are_compared_on_their_mean(anna: Head) -> None:
    """A file that is wrong by as much on one side as on the other decides as it should."""
    should = reference()
    plain, mirror = should.plain.embeddings, should.mirrored.embeddings
    assert plain is not None
    assert mirror is not None
    push = 0.2 * RNG.normal(size=plain.shape).astype(np.float32)
    wrong = Answers(replace(should.plain, embeddings=plain + push), replace(
        should.mirrored, embeddings=mirror - push
    ))  # fmt: skip
    head = replace(anna, threshold=float(np.median(anna.score(plain))), margin=0.0)
    assert measure(should, wrong, (), [head]).agreement["Anna"] < 0.95
    assert measure(should, wrong, (), [head], mirrored=True).agreement["Anna"] == 1.0


def test_equal_answers_have_no_difference(anna: Head) -> None:
    should = reference()
    parity = measure(should, should, (), [anna])
    assert parity.cosine_mean == pytest.approx(1, abs=1e-6)
    assert parity.cosine_worst == pytest.approx(1, abs=1e-6)
    assert (parity.flips, parity.far_drift, parity.frr_drift) == (0, 0, 0)
    assert parity.agreement == {"Anna": 1.0}
    assert EXACT.violations(parity) == ()


def test_figures_are_what_they_are_called() -> None:
    should = reference()
    found = noisy(should, 0.1)
    parity = measure(should, found, ())
    one, other = should.plain.embeddings, found.plain.embeddings
    assert one is not None
    assert other is not None
    cosines = np.sum(one * other, axis=1)
    assert parity.crops == COUNT
    assert parity.cosine_mean == pytest.approx(cosines.mean(), abs=1e-6)
    assert parity.cosine_worst == pytest.approx(np.sort(cosines)[2:4].mean(), abs=2e-3)
    assert should.plain.attributes is not None
    assert found.plain.attributes is not None
    flips = np.mean((should.plain.attributes > 0) != (found.plain.attributes > 0))
    assert parity.flips == pytest.approx(flips)
    assert Limits().violations(measure(should, noisy(should, 0.02), ())) == ()


def test_attribute_thresholds_decide_what_a_flip_is() -> None:
    logits = np.array([[1.0], [1.2]], np.float32)
    should = Answers(Perception(None, logits), Perception(None, logits))
    found = Answers(Perception(None, logits + 1), Perception(None, logits + 1))
    assert measure(should, found, (0.5,)).flips == 0
    assert measure(should, found, (0.85,)).flips == 1  # its logit is 1.73


def test_far_and_frr_drift_have_a_sign() -> None:
    should = reference()
    assert should.plain.embeddings is not None
    centre = should.plain.embeddings.mean(axis=0) + 0.5 / np.sqrt(SIZE)
    alike = l2_normalized(should.plain.embeddings + centre)
    closer = Answers(Perception(alike, None), Perception(alike, None))
    parity = measure(should, closer, ())
    assert parity.far_drift is not None
    assert parity.far_drift > 0.03
    apart = Answers(should.plain, Perception(embeddings(), None))
    parity = measure(should, apart, ())
    assert parity.frr_drift is not None
    assert parity.frr_drift > 0.9
    assert parity.far_drift == 0


def test_every_kind_of_violation_has_words() -> None:
    good = Parity(
        100, cosine_mean=0.995, cosine_worst=0.97, flips=0.01, agreement={"A": 1.0, "B": 0.996},
        far_drift=0.002, frr_drift=-0.01,
    )  # fmt: skip
    assert Limits().violations(good) == ()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"cosine_mean": 0.98}, "mean cosine"),
        ({"cosine_mean": float("nan")}, "mean cosine"),
        ({"cosine_worst": 0.5}, "worst 1 %"),
        ({"flips": 0.2}, "attribute flips"),
        ({"agreement": {"A": 1.0, "B": 0.9}}, "B: 90.00% of the decisions"),
        ({"far_drift": -0.05}, "drift of FAR -5.00%"),
        ({"frr_drift": 0.05}, "drift of FRR"),
        ({"constant": ("embedding",)}, "embedding is the same for every face"),
        ({"problem": "it returns numbers that are not finite"}, "not finite"),
    ]
    for change, words in cases:
        violations = Limits().violations(replace(good, **change))
        assert len(violations) == 1
        assert words in violations[0]
        assert advice("tflite-int8", replace(good, **change))


def test_one_crop_of_few_is_no_drift() -> None:
    assert Limits().violations(Parity(25, frr_drift=1 / 25)) == ()
    assert Limits().violations(Parity(25, frr_drift=2 / 25))
    assert Limits().violations(Parity(100, frr_drift=4 / 100))


def test_files_are_judged_by_how_they_tell_known_people_apart() -> None:
    """A file that turns the whole space has a cosine of nothing, and the same verification."""
    world = embedding_factory.World(5, noise=0.5)
    faces = np.concatenate([world.pictures(world.person(), 6) for _ in range(20)])
    person = np.repeat(np.arange(20), 6)
    turn = np.linalg.qr(RNG.normal(size=(SIZE, SIZE)))[0].astype(np.float32)
    should, turned = said(faces), said(faces @ turn)
    parity = measure(should, turned, (), person=person)
    assert parity.cosine_mean is not None
    assert parity.cosine_mean < 0.5
    assert parity.pairs == (20 * 15, 120 * 119 // 2 - 20 * 15)
    assert parity.tar == pytest.approx(parity.tar_before)
    assert Limits().violations(parity) == ()
    blurred = l2_normalized(faces + l2_normalized(RNG.normal(size=faces.shape)))
    worse = measure(should, said(blurred), (), person=person)
    assert [w for w in Limits().violations(worse) if "of 300 pairs of one person" in w]
    few = measure(should, turned, (), person=np.arange(120))
    assert few.tar is None
    assert [w for w in Limits().violations(few) if "mean cosine" in w]


def said(embeddings: np.ndarray) -> Answers:
    return Answers(Perception(embeddings, None), Perception(embeddings, None))


def test_what_need_not_tell_people_apart_is_judged_by_its_decisions() -> None:
    drifted = Parity(100, cosine_mean=0.9, frr_drift=0.0312, far_drift=0.02, agreement={"A": 1.0})
    assert Limits().violations(drifted, identity=False) == ()
    assert len(Limits().violations(drifted)) == 3
    flipped = replace(drifted, flips=0.2)
    assert "attribute flips" in Limits().violations(flipped, identity=False)[0]


def test_what_does_not_exist_violates_nothing() -> None:
    assert Limits().violations(Parity(100, flips=0.0)) == ()


def test_constant_and_collapsed_outputs_are_found() -> None:
    should = reference()
    assert should.plain.embeddings is not None
    assert should.plain.attributes is not None
    same = np.repeat(should.plain.embeddings[:1], COUNT, axis=0)
    constant = Answers(Perception(same, should.plain.attributes), should.mirrored)
    assert measure(should, constant, ()).constant == ("embedding",)
    nearly = l2_normalized(same + 0.01 * should.plain.embeddings)
    collapsed = Answers(Perception(nearly, should.plain.attributes * 0.01), should.mirrored)
    assert measure(should, collapsed, ()).constant == ("embedding", "attributes")
    assert constant_outputs(Perception(same, None)) == ("embedding",)
    assert constant_outputs(should.plain) == ()


def candidate(format: str, size: int = 10, ms: float = 1.0, wrong: str = "") -> Candidate:
    return Candidate(
        format, None, Parity(50), bytes(size), ms, (wrong,) if wrong else (), "try" if wrong else ""
    )


def test_the_fastest_is_chosen_and_of_those_alike_the_smallest() -> None:
    found = [candidate("tflite-float32", 40, 1.0), candidate("tflite-int8", 10, 1.08),
             candidate("onnx-int8", 5, 1.5)]  # fmt: skip
    assert choose(found).format == "tflite-int8"
    assert choose([*found, candidate("tflite-float16", 20, 0.5)]).format == ("tflite-float16")
    slow = [candidate("tflite-float32", 40, 0.1), candidate("tflite-int8", 10, 9)]
    assert choose(slow, fixed=DEPLOYED).format == DEPLOYED


def test_what_must_travel_must_pass() -> None:
    bad, good = candidate(DEPLOYED, wrong="too far"), candidate("tflite-float32")
    with pytest.raises(GateFailed, match="tflite-int8 missed the gate: too far; try"):
        passed((bad, good), (), bound=DEPLOYED)
    assert passed((bad, good), (), bound=None) is good
    with pytest.raises(GateFailed):
        passed((bad,), (), bound=None)
    broken = candidate("onnx-int8", wrong="too far")
    ok = candidate(DEPLOYED)
    assert passed((ok, broken), (), bound=DEPLOYED) is ok
    with pytest.raises(ParityMissed, match="onnx-int8") as caught:
        passed((ok, broken), ("onnx-int8",), bound=DEPLOYED)
    assert caught.value.candidates == (ok, broken)


def test_only_formats_that_were_asked_for_are_chosen() -> None:
    small, asked = candidate(DEPLOYED, 5, 0.5), candidate("tflite-float16", 10, 1.0)
    assert passed((small, asked), ("tflite-float16",), ("tflite-float16",), bound=None) is asked
    assert passed((small, asked), ("tflite-float16",), bound=None) is small
    assert passed((small, asked), ("tflite-float16",), ("tflite-float16",), bound=DEPLOYED) is small


def test_the_choice_is_explained() -> None:
    fixed, fast = candidate(DEPLOYED, 5, 1.0), candidate("tflite-float16", 10, 0.5)
    assert "takes 0.50 of its time" in reason((fixed, fast), fixed, bound=True)
    assert "of its time" not in reason((fixed, candidate("onnx-int8")), fixed, bound=True)
    assert "smallest" in reason((fixed, fast), fast, bound=False)
    assert reason((fixed, candidate("onnx-int8", wrong="too far")), fixed, bound=True) == ""


def test_the_table_names_every_format_and_every_reason() -> None:
    ok = candidate(DEPLOYED)
    lines = table([ok, candidate("onnx-int8", wrong="too far")], ok)
    assert lines[0].split() == ["format", "MB", "ms"]  # no column of dashes
    assert lines[1].startswith(f"*{DEPLOYED}")
    assert "    refused: too far" in lines


def test_there_are_limits_for_every_format() -> None:
    recipe = Recipe()
    assert set(recipe.limits) == set(FORMATS)
    for name in ("tflite-int8", "onnx-int8", "tflite-dynamic"):
        assert recipe.limits[name].agreement >= 0.995
        assert recipe.limits[name].cosine_mean >= 0.99
