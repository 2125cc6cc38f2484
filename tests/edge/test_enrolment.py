"""Enrolment on made-up embeddings: who gets in, what is refused, what several heads do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from embedding_factory import EMBEDDER, World

from edge.errors import InputError, ModelError, RefusedError, TwoPeopleError
from edge.heads import calibration
from edge.heads.calibration import highest_scores, recalibrate
from edge.heads.calibration_record import PersonCalibration, Unstated, calibration_from_json
from edge.heads.camera_shift import estimate_shift, no_shift, shift_by_looks
from edge.heads.enrol import enrol
from edge.heads.fitting import most_different
from edge.heads.head import Head
from edge.heads.threshold import ONE, SEVERAL

WORLD = World(1)
COHORT = WORLD.cohort()
ME = WORLD.person()
MINE = WORLD.pictures(ME, 20)


def enrolled(pictures: np.ndarray = MINE, **options: Any) -> Head:
    options.setdefault("groups", np.arange(len(pictures)))
    groups = options.pop("groups")
    return enrol("me", pictures, groups, options.pop("cohort", COHORT), **options)


HEAD = enrolled()


def test_i_am_accepted_and_strangers_are_not() -> None:
    assert HEAD.accepts(WORLD.pictures(ME, 300)).mean() > 0.95
    strangers = np.concatenate([WORLD.pictures(WORLD.person(), 5) for _ in range(300)])
    assert HEAD.accepts(strangers).mean() < 0.003


def test_strangers_before_my_camera_are_not_accepted_either() -> None:
    camera = WORLD.camera(1.2, 0.8)
    head = enrolled(WORLD.pictures(ME, 20, camera=camera))
    here = np.concatenate([WORLD.pictures(WORLD.person(), 5, camera=camera) for _ in range(300)])
    assert head.accepts(here).mean() < 0.003
    assert head.accepts(WORLD.pictures(ME, 300, camera=camera)).mean() > 0.95
    # what a threshold from strangers elsewhere alone would have done
    press = COHORT.of_variants(("plain",))
    unaware = enrolled(WORLD.pictures(ME, 20, camera=camera), camera=SEVERAL, cohort=press)
    assert (unaware.score(here) >= unaware.facts.stranger_bound).mean() > 0.02


def test_same_inputs_same_bytes() -> None:
    again = enrolled()
    assert again.to_bytes() == HEAD.to_bytes()
    assert enrolled(seed=1).to_bytes() != HEAD.to_bytes()


def test_variations_are_held_out_with_their_picture() -> None:
    # variations equal to the picture: leaking one into training would lift the held-out scores
    varied, owner = np.repeat(MINE, 3, axis=0), np.repeat(np.arange(20), 3)
    plain, more = HEAD.facts, enrolled(varied=varied, varied_of=owner).facts
    assert np.mean(more.own_scores) < np.mean(plain.own_scores) + 0.3
    assert max(more.own_scores) < more.likeness + 1


def test_held_out_scores_predict_new_pictures() -> None:
    own = np.array(HEAD.facts.own_scores)
    new = HEAD.score(WORLD.pictures(ME, 400))
    assert abs(np.median(own) - np.median(new)) < 0.6


@pytest.mark.parametrize("looks", [1, 4])
def test_too_few_looks_are_refused(looks: int) -> None:
    groups = np.arange(20) % looks
    with pytest.raises(RefusedError, match=f"{looks} independent looks are too few"):
        enrolled(groups=groups)


def test_few_looks_are_a_warning() -> None:
    assert any("only 6 independent looks" in w for w in enrolled(MINE[:6]).facts.warnings)
    assert not any("independent looks" in w for w in HEAD.facts.warnings)


def test_one_sitting_is_said() -> None:
    warnings = enrolled(one_sitting=True).facts.warnings
    assert any("one sitting" in w for w in warnings)


def test_somebody_elses_picture_is_left_out() -> None:
    wrong = WORLD.pictures(WORLD.person(), 1)
    head = enrolled(np.concatenate([MINE, wrong]))
    assert head.facts.left_out == (20,)
    assert not head.accepts(wrong)[0]
    assert any("look like somebody else" in w for w in head.facts.warnings)


def test_an_album_of_two_people_is_refused() -> None:
    with pytest.raises(TwoPeopleError, match="8 of 16 look like somebody else") as caught:
        enrolled(np.concatenate([MINE[:8], WORLD.pictures(WORLD.person(), 8)]))
    assert caught.value.second in (tuple(range(8)), tuple(range(8, 16)))


def test_a_crowd_is_refused() -> None:
    crowd = np.concatenate([WORLD.pictures(WORLD.person(), 1) for _ in range(10)])
    with pytest.raises(RefusedError, match=r"show two people|do not show the person"):
        enrolled(np.concatenate([MINE[:6], crowd]))


def test_not_me_is_kept_out_at_little_cost() -> None:
    world = World(5)
    cohort, me = world.cohort(), world.person()
    twin = me + 0.75 * world.person()
    twin /= np.linalg.norm(twin)
    mine, new, theirs = (world.pictures(p, n) for p, n in ((me, 20), (me, 400), (twin, 400)))
    before = enrolled(mine, cohort=cohort)
    after = enrolled(mine, cohort=cohort, not_me=world.pictures(twin, 5))
    assert before.accepts(theirs).mean() > 0.3
    assert after.accepts(theirs).mean() < 0.05
    assert after.accepts(new).mean() > before.accepts(new).mean() - 0.03


def test_targets_are_kept_or_refused() -> None:
    hold = COHORT.halves()[1].people
    with pytest.raises(RefusedError, match="cannot be seen"):
        enrolled(target_far=0.5 / hold)
    estimated = enrolled(target_far=1.5 / hold)
    assert any("estimated, not proven" in w for w in estimated.facts.warnings)
    with pytest.raises(RefusedError, match="cannot be proven"):
        enrolled(target_far=1.5 / hold, strict=True)
    assert enrolled(target_far=0.05, strict=True).facts.far_upper_95 <= 0.05


def test_strangers_who_are_like_me_are_kept_out_by_their_own_tail() -> None:
    world = World(7)
    kind = 0.6 * world.person()  # what a group of people has in common
    press = world.cohort(400)
    alike = [world.pictures(world.person() + kind, 1) for _ in range(240)]
    kin = replace(
        press.select(np.arange(240)),
        embeddings=np.concatenate(alike).astype(np.float16),
        groups=("alike",),
    )
    grouped = press.joined(kin)
    mine = world.pictures(world.person() + kind, 20)
    before = enrolled(mine, cohort=press, camera=SEVERAL)
    after = enrolled(mine, cohort=grouped, camera=SEVERAL)
    assert before.facts.nearest_group == "strangers"
    assert after.facts.nearest_group == "alike"
    others = np.concatenate([world.pictures(world.person() + kind, 1) for _ in range(4000)])
    assert before.accepts(others).mean() > 0.01
    assert after.accepts(others).mean() < 0.004


def test_thresholds_are_set_again_without_scoring_strangers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = enrolled(WORLD.pictures(WORLD.person(), 20))
    expected = recalibrate([HEAD, other], COHORT)
    monkeypatch.setattr(calibration, "highest_scores", None)
    again = recalibrate([HEAD, other], COHORT)
    assert [h.to_bytes() for h in again] == [h.to_bytes() for h in expected]


def test_facts_are_what_counting_gives() -> None:
    facts = HEAD.facts
    highest = highest_scores(HEAD, COHORT)
    assert facts.far.trials == len(highest) == COHORT.halves()[1].people
    assert facts.far.events == (highest >= HEAD.threshold).sum()
    rejected = np.sum(np.array(facts.own_scores) < HEAD.threshold)
    assert facts.frr.events == rejected
    assert facts.frr.trials == 20


def test_more_heads_raise_thresholds_and_leaving_lowers_them_again() -> None:
    heads = [HEAD]
    for _ in range(3):
        heads.append(enrolled(WORLD.pictures(WORLD.person(), 20)))
    together = recalibrate(heads, COHORT)
    for alone, one in zip(heads, together, strict=True):
        assert one.threshold >= alone.threshold
        assert one.facts.heads == 4
        assert one.layers[0].weights is alone.layers[0].weights
    assert together[0].threshold > HEAD.threshold
    back = recalibrate(together[:1], COHORT)[0]
    assert back.to_bytes() == HEAD.to_bytes()
    accepted = np.stack([highest_scores(h, COHORT) >= h.threshold for h in together])
    assert together[0].facts.far.events == accepted.any(axis=0).sum()


def test_no_heads_are_no_problem() -> None:
    assert recalibrate([], COHORT) == ()


def test_heads_that_cannot_be_recalibrated() -> None:
    with pytest.raises(RefusedError, match="how it was calibrated"):
        recalibrate([replace(HEAD, calibration=Unstated())], COHORT)
    with pytest.raises(ModelError, match="another embedder"):
        recalibrate([replace(HEAD, embedder_sha256="ef" * 32)], COHORT)
    contradicting = calibration_from_json({**HEAD.facts.to_json(), "own_groups": [0]})
    with pytest.raises(InputError, match="contradicts itself"):
        recalibrate([replace(HEAD, calibration=contradicting)], COHORT)


def test_facts_survive_a_file_whatever_else_it_says() -> None:
    said = {**HEAD.facts.to_json(), "of_tomorrow": [1]}
    again = calibration_from_json(json.loads(json.dumps(said)))
    assert isinstance(again, PersonCalibration)
    assert again == replace(HEAD.facts, other={"of_tomorrow": [1]})
    assert again.to_json() == said
    before = {name: said[name] for name in said if name not in ("scored", "nearest_group")}
    older = calibration_from_json(before)
    assert older.to_json() == before
    alone = recalibrate([replace(HEAD, calibration=older)], COHORT)[0]
    assert alone.facts.scored == HEAD.facts.scored


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"camera": "phone"}, "is none of several, one, poor"),
        ({"looks": 3}, "items"),
        ({"groups_rejected": 99}, "more events"),
        ({"own_groups": [0]}, "in 1 groups"),
    ],
)
def test_facts_that_cannot_be_are_kept_and_not_used(change: dict[str, Any], problem: str) -> None:
    said = {**HEAD.facts.to_json(), **change}
    found = calibration_from_json(said)
    assert isinstance(found, Unstated)
    assert problem in found.problem
    assert found.to_json() == said


def test_what_cannot_be_enrolled() -> None:
    with pytest.raises(ModelError, match="another embedder"):
        enrol("me", MINE[:, :8], np.arange(20), COHORT)
    with pytest.raises(InputError):
        enrol("me", MINE, np.arange(3), COHORT)
    with pytest.raises(InputError, match="camera"):
        enrolled(camera="phone")
    with pytest.raises(InputError):
        enrolled(np.full_like(MINE, np.nan))


def test_head_belongs_to_the_embedder() -> None:
    assert HEAD.embedder_sha256 == EMBEDDER
    assert HEAD.facts.camera == ONE


def test_the_camera_is_recognized() -> None:
    camera = WORLD.camera(1.0, 0.0)
    # of many people, so that only the camera is common to them
    crowd = np.concatenate([WORLD.pictures(WORLD.person(), 1, camera=camera) for _ in range(300)])
    shift = estimate_shift(crowd, COHORT)
    assert shift.looks["grey"] > 0.6
    assert shift.looks["dark"] < 0.3
    again = shift_by_looks(shift.looks, COHORT)
    assert np.allclose(again.offset, shift.offset)
    moved = shift.moved(MINE)
    assert np.allclose(np.linalg.norm(moved, axis=1), 1)
    assert np.abs(shift.removed(moved) @ shift.direction).max() < 1e-9


def test_one_look_tells_of_no_camera() -> None:
    shift = estimate_shift(MINE, COHORT.of_variants(("plain",)))
    assert not shift.offset.any()
    assert np.allclose(no_shift(64).moved(MINE), MINE, atol=1e-6)


def test_the_most_different_pictures_are_kept() -> None:
    copies = np.repeat(MINE[:4], 50, axis=0)
    rows = most_different(copies, 4)
    assert len({tuple(copies[r].round(3)) for r in rows}) == 4
    assert most_different(MINE, 50).tolist() == list(range(20))
