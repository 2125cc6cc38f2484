"""The budget: a share of the processor that is not exceeded for long.

A bucket fills with processor time at the allowed rate, and everything that this process does
empties it, sinks and capture included. What can wait is put off until the bucket affords it; when
it is overdrawn all the same, the program pauses.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

BURST_S = 2.0
"""The bucket holds what the share gives in so many seconds."""

LONGEST_PAUSE_S = 0.25
"""The longest pause at once: signals are looked at between pauses."""

NO_DEBT_S = 1e-4
"""A debt so small is not slept off: a clock may not even see so short a pause."""

SMOOTHING = 0.2
"""Weight of the newest cost in the running mean."""


class Budget:
    """share: processor seconds per second, 0.5 is half of one core. `clock` and `used` tell the
    time and the processor time of this process in seconds."""

    def __init__(
        self,
        share: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.process_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.share = share
        self._clock, self._used, self._sleep = clock, used, sleep
        self._most_s = share * BURST_S
        self._left_s = self._most_s
        self._at_s, self._used_s = clock(), used()
        self._cost_s: dict[str, float] = {}

    def left_s(self) -> float:
        """Processor seconds in the bucket; negative where it is overdrawn."""
        now_s, used_s = self._clock(), self._used()
        self._left_s += self.share * (now_s - self._at_s) - (used_s - self._used_s)
        self._left_s = min(self._left_s, self._most_s)
        self._at_s, self._used_s = now_s, used_s
        return self._left_s

    def spent(self, what: str, cost_s: float) -> None:
        """Learn what something costs."""
        before = self._cost_s.get(what, cost_s)
        self._cost_s[what] = before + SMOOTHING * (cost_s - before)

    def interval_s(self, what: str) -> float:
        """Least seconds from one to the next that the share allows; 0 while its cost is unknown."""
        return self._cost_s.get(what, 0.0) / self.share

    @contextlib.contextmanager
    def learning(self, what: str) -> Iterator[None]:
        """Learn what something costs that is done while this is entered, on whatever threads."""
        before_s = self._used()
        yield
        self.spent(what, self._used() - before_s)

    def affords(self, what: str) -> bool:
        """Whether the bucket holds what it costs; where that is more than it can hold, a full one
        will do."""
        return self.left_s() >= min(self._cost_s.get(what, 0.0), 0.9 * self._most_s)

    def now_s(self) -> float:
        """The time on the budget's clock."""
        return self._clock()

    def pause(self) -> float:
        """Sleep off what is overdrawn, or a part of it; how long, in seconds."""
        debt_s = -self.left_s()
        if debt_s <= NO_DEBT_S:
            return 0.0
        pause_s = min(debt_s / self.share, LONGEST_PAUSE_S)
        self._sleep(pause_s)
        return pause_s


WAITS_S = 1.0
"""Who has not asked again for so long does not wait any more."""


class BudgetTurn:
    """One of several users of a budget, as the streams of a run: who waited longest comes first.

    others: all users of the budget, this one among them.
    """

    def __init__(self, budget: Budget, others: list[BudgetTurn]) -> None:
        self._budget = budget
        self._others = others
        self._since_s: float | None = None
        self._asked_s = 0.0
        others.append(self)

    @property
    def share(self) -> float:
        return self._budget.share

    def interval_s(self, what: str) -> float:
        """As the budget's, where all users take the same."""
        return self._budget.interval_s(what) * len(self._others)

    def learning(self, what: str) -> contextlib.AbstractContextManager[None]:
        return self._budget.learning(what)

    def affords(self, what: str) -> bool:
        """As the budget's, and no other user has waited longer."""
        now_s = self._asked_s = self._budget.now_s()
        since_s = now_s if self._since_s is None else self._since_s
        ahead = any(
            one._since_s is not None and one._since_s < since_s and now_s - one._asked_s < WAITS_S
            for one in self._others
            if one is not self
        )
        granted = not ahead and self._budget.affords(what)
        self._since_s = None if granted else since_s
        return granted
