"""The budget with a clock of its own: the share is kept whatever things cost."""

from __future__ import annotations

import pytest
from look_factory import BLANK

from edge.tracking.budget import BURST_S, LONGEST_PAUSE_S, Budget
from edge.tracking.schedule import Schedule


class Machine:
    """A clock and a processor that only move when told."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.used_s = 7.0
        self.slept_s: list[float] = []

    def budget(self, share: float) -> Budget:
        return Budget(share, clock=lambda: self.now_s, used=lambda: self.used_s, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds

    def work(self, cost_s: float) -> None:
        self.now_s += cost_s
        self.used_s += cost_s


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("cost_s", [0.005, 0.06])
def test_pauses_keep_the_share(share: float, cost_s: float) -> None:
    machine = Machine()
    budget = machine.budget(share)
    while machine.now_s < 160:
        machine.work(cost_s)
        while budget.pause():
            pass
    spent_s = machine.used_s - 7.0
    most_s = share * (machine.now_s - 100 + BURST_S) + cost_s
    assert 0.9 * share * 60 <= spent_s <= most_s
    assert max(machine.slept_s) <= LONGEST_PAUSE_S


def test_putting_off_keeps_the_share_without_pauses() -> None:
    machine = Machine()
    budget = machine.budget(0.3)
    done = 0
    while machine.now_s < 130:
        machine.work(0.002)
        if budget.affords("detect"):
            machine.work(0.05)
            budget.spent("detect", 0.05)
            done += 1
        budget.pause()
        machine.now_s += 1 / 30
    assert machine.used_s - 7.0 <= 0.3 * (30 + BURST_S) + 0.06
    assert machine.used_s - 7.0 >= 0.3 * 28
    assert done > 100
    assert machine.slept_s == []


def test_nothing_is_paid_where_little_is_used() -> None:
    machine = Machine()
    budget = machine.budget(0.5)
    for _ in range(100):
        machine.now_s += 0.1
        machine.work(0.01)
        assert budget.pause() == 0.0
        assert budget.affords("detect")


def test_idleness_is_not_saved_up_for_ever() -> None:
    machine = Machine()
    budget = machine.budget(0.5)
    machine.now_s += 3600
    assert budget.left_s() == pytest.approx(0.5 * BURST_S)


def test_what_costs_more_than_the_bucket_holds_comes_when_it_is_full() -> None:
    machine = Machine()
    budget = machine.budget(0.01)
    budget.spent("detect", 0.5)
    assert budget.affords("detect")
    machine.work(0.5)
    assert not budget.affords("detect")
    machine.now_s += 60
    assert budget.affords("detect")


@pytest.mark.parametrize(("share", "said"), [(0.02, 1), (0.5, 0)])
def test_too_little_to_recognize_anybody_is_said_once(
    share: float, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine()
    budget = machine.budget(share)
    schedule = Schedule(budget=budget)
    for time_s in (0.0, 30.0, 60.0):
        with schedule.paying():
            machine.work(0.12)
        schedule.detected(BLANK, time_s, missed=False)
    assert budget.interval_s("detect") == pytest.approx(0.12 / share)
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == said
    assert all("search for faces every 6 s" in w and "at least 12 %" in w for w in warnings)
