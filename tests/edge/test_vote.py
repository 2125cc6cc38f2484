"""The vote: what looks settle on, how evidence counts, and what never settles."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from look_factory import a_look, a_rejection

from edge.errors import UsageError
from edge.heads.decision import NO_HEADS
from edge.recognition.observation import Observation
from edge.tracking.vote import DISAGREEING, TOO_FEW, Vote, VoteConfig

YES, NO, BAND = 1.0, -1.0, 0.05


def voted(*excesses: float, config: VoteConfig | None = None) -> Vote:
    vote = Vote(config)
    for number, excess in enumerate(excesses):
        vote.add(a_look(excess), number / 10)
    return vote


def states(*excesses: float) -> list[str]:
    return [voted(*excesses[: n + 1]).decision().state for n in range(len(excesses))]


def test_three_looks_that_agree_settle_it() -> None:
    assert states(YES, YES, YES) == ["uncertain", "uncertain", "match"]
    assert states(NO, NO, NO) == ["uncertain", "uncertain", "unknown"]
    first, match = voted(YES).decision(), voted(YES, YES, YES).decision()
    assert first.reason == TOO_FEW
    assert (first.person, first.score) == (None, 5.0)
    assert (match.person, match.score, match.threshold, match.reason) == ("Ada", 5.0, 4.0, None)


def test_one_odd_look_neither_opens_nor_closes() -> None:
    assert set(states(NO, NO, NO, YES, NO, NO, NO, YES, NO)[2:]) == {"unknown"}
    assert set(states(YES, YES, YES, NO, YES, YES, YES, NO, YES)[2:]) == {"match"}
    assert states(YES, NO, YES, NO)[-1] == "uncertain"
    assert voted(YES, NO, YES, NO).decision().reason == DISAGREEING


def test_what_is_settled_stays_until_as_many_say_otherwise() -> None:
    turned = states(YES, YES, YES, YES, YES, NO, NO, NO)
    assert turned == ["uncertain"] * 2 + ["match"] * 5 + ["unknown"]


def test_looks_in_the_band_abstain() -> None:
    assert states(YES, YES, BAND, BAND, YES)[-1] == "match"
    assert set(states(*[BAND] * 8)) == {"uncertain"}
    assert "close to the threshold of Ada" in str(voted(BAND).decision().reason)


def test_a_long_seen_stranger_is_not_let_in_by_a_short_streak() -> None:
    streak = voted(*[NO] * 15, *[YES] * 5)
    assert streak.decision().state == "uncertain"
    assert voted(*[NO] * 15, *[YES] * 10).decision().state == "match", "evidence has turned"
    assert voted(*[NO] * 2, *[YES] * 3).decision().state == "match"


def test_one_terrible_look_does_not_outweigh_the_others() -> None:
    assert voted(-9.0, YES, YES, YES).decision().state == "match"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([YES, NO, BAND]), min_size=1, max_size=40))
def test_a_match_always_has_its_votes(excesses: list[float]) -> None:
    vote = Vote()
    for number, excess in enumerate(excesses):
        before = vote.choice
        vote.add(a_look(excess), number / 10)
        if vote.choice == "Ada" and before != "Ada":
            recent = excesses[: number + 1][-5:]
            assert recent.count(YES) >= 3
            assert sum(e for e in excesses[: number + 1][-20:]) >= 0


def test_rejected_looks_do_not_vote() -> None:
    vote = Vote()
    for number in range(30):
        vote.add(a_rejection("blurred"), number / 10)
        assert (vote.decision().state, vote.decision().reason) == ("rejected", "blurred")
    assert not vote.settled


def test_no_face_stays_rejected_whatever_other_looks_say() -> None:
    vote = Vote()
    for number in range(60):
        look = a_rejection("not a face") if number % 2 == 0 else a_look(YES)
        vote.add(look, number / 10)
        assert vote.decision().state != "match"
    assert (vote.decision().state, vote.decision().reason) == ("rejected", "not a face")
    assert not vote.settled


def test_one_look_that_found_no_face_is_forgiven() -> None:
    vote = voted(YES, YES, YES)
    vote.add(a_rejection("not a face"), 0.3)
    assert vote.decision().state == "match"


def test_who_has_turned_away_is_forgotten_in_time() -> None:
    vote = voted(YES, YES, YES)
    for number in range(3, 40):
        vote.add(a_rejection("turned too far to the side"), number / 10)
        expected = "match" if number / 10 - 0.2 <= vote.config.hold_s + 1e-9 else "rejected"
        assert vote.decision().state == expected
    vote.add(a_look(YES), 4.0)
    assert vote.decision().state == "uncertain", "and has to be recognized again"


def test_without_heads_nobody_is_known() -> None:
    vote = Vote()
    for number in range(3):
        vote.add(Observation(a_look(0).face), number / 10)
    assert vote.decision() == NO_HEADS


def test_the_best_of_several_heads_wins() -> None:
    vote = Vote()
    for number in range(3):
        vote.add(a_look(-1.0, Ben=1.5), number / 10)
    assert (vote.decision().person, vote.decision().score) == ("Ben", 5.5)
    unsure = Vote()
    for number in range(3):
        unsure.add(a_look(1.0, Ben=1.2), number / 10)
    assert unsure.decision().state == "uncertain"
    assert unsure.decision().reason == "between Ben and Ada"


def test_attributes_are_means() -> None:
    vote = Vote()
    for number, value in enumerate((0.2, 0.6)):
        look = a_look(YES)
        look.attributes["Smiling"] = value
        vote.add(look, number / 10)
    vote.add(a_rejection("blurred"), 0.2)
    assert vote.attributes == pytest.approx({"Smiling": 0.4})


@pytest.mark.parametrize(("votes", "of"), [(1, 1), (2, 4), (4, 3), (0, 5), (40, 60)])
def test_votes_that_cannot_settle_are_refused(votes: int, of: int) -> None:
    with pytest.raises(UsageError, match=f"{votes} of {of} votes cannot settle"):
        VoteConfig(votes, of)


def test_more_votes_take_longer() -> None:
    config = VoteConfig(5, 7)
    assert voted(*[YES] * 4, config=config).decision().state == "uncertain"
    assert voted(*[YES] * 5, config=config).decision().state == "match"
