"""Spreads: what repeated measurements say together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Of `count` numbers, in their unit; p50 is the median, p95 is what 95 % do not exceed."""

    count: int
    minimum: float
    p50: float
    p95: float
    maximum: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None of nothing."""
        array = np.asarray(list(values), np.float64)
        if array.size == 0:
            return None
        p50, p95 = np.percentile(array, (50, 95))
        return cls(array.size, float(array.min()), float(p50), float(p95), float(array.max()))

    def to_json(self) -> dict[str, Any]:
        made = asdict(self)
        return {key: round(value, 4) for key, value in made.items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Spread:
        """Raises KeyError, TypeError or ValueError when a field is missing or no number."""
        return cls(
            int(data["count"]), *(float(data[k]) for k in ("minimum", "p50", "p95", "maximum"))
        )

    def text(self, digits: int = 2) -> str:
        """`min / median / max`."""
        numbers = (self.minimum, self.p50, self.maximum)
        return " / ".join(f"{number:.{digits}f}" for number in numbers)
