"""Groups: unknown visitors who look the same, so that who comes each evening can be named once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge.visits.visit import UNKNOWN, Looks, Visit

JOINED = 0.70
"""Mean cosine from which two groups are one. Measured with the shipped base on visits of 3 or 4
photos (docs/device.md): no two of 39 people by many cameras were joined in 10,811 pairs of visits
(below 0.03 %), none of 36 people before three colour cameras in 1,395 pairs, and 7 of 3,097 pairs
of 13 people before a grey one."""

MOST_GROUPED = 500


@dataclass(frozen=True, eq=False)
class Group:
    """Visits of one unknown person, as far as can be told; the earliest first."""

    visits: tuple[Visit, ...]

    def to_json(self) -> dict[str, Any]:
        last = self.visits[-1]
        face = next((v.number for v in reversed(self.visits) if v.face_jpeg), None)
        numbers = [visit.number for visit in self.visits]
        return {"visits": numbers, "last": last.at, "source": last.source, "face": face}


def grouped(visits: Sequence[Visit], joined: float = JOINED) -> tuple[Group, ...]:
    """The unknown ones of visits in groups, the one seen last first. Agglomerative, by the mean
    cosine of all pairs (average linkage); the embeddings of one visit are averaged. Visits of which
    no embeddings are kept stand for themselves; at most the last `MOST_GROUPED` are grouped."""
    unknown = [visit for visit in visits if visit.who is None and visit.state == UNKNOWN]
    by_base: dict[str, list[Visit]] = {}
    groups = []
    for visit in unknown[-MOST_GROUPED:]:
        if visit.looks.has_embeddings:
            by_base.setdefault(visit.looks.embedder_sha256, []).append(visit)
        else:
            groups.append([visit])
    for members in by_base.values():
        groups += [[members[k] for k in sorted(found)] for found in _clusters(members, joined)]
    groups.sort(key=lambda group: -group[-1].number)
    return tuple(Group(tuple(group)) for group in groups)


def without_faces(visit: Visit) -> Visit:
    """A visit without picture and embeddings."""
    looks = visit.looks
    nothing = np.zeros((0, 0), np.float32)
    return replace(
        visit, face_jpeg=b"", looks=Looks(looks.time_s, looks.heads, looks.scores, nothing)
    )


def _clusters(visits: Sequence[Visit], joined: float) -> list[list[int]]:
    means = np.stack([visit.looks.embeddings.astype(np.float64).mean(axis=0) for visit in visits])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    alike = means @ means.T
    np.fill_diagonal(alike, -np.inf)
    members: list[list[int]] = [[k] for k in range(len(visits))]
    while len(visits) > 1:
        one, other = divmod(int(alike.argmax()), len(visits))
        if alike[one, other] < joined:
            break
        sizes = len(members[one]), len(members[other])
        row = (sizes[0] * alike[one] + sizes[1] * alike[other]) / sum(sizes)
        alike[one], alike[:, one] = row, row
        alike[one, one] = -np.inf
        alike[other], alike[:, other] = -np.inf, -np.inf
        members[one] += members[other]
        members[other] = []
    return [group for group in members if group]
