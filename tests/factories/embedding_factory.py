"""Made-up embeddings: people as directions, pictures around them, cameras as offsets."""

from __future__ import annotations

import numpy as np

from edge.heads.cohort import Cohort

SIZE = 64
EMBEDDER = "ab" * 32

LOOKS = ("plain", "grey", "dark")


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / length).astype(np.float32)


class World:
    """People, cameras and pictures of them, all from one seed.

    Every person is a direction; pictures scatter around it by `noise` (relative to length 1). A
    camera adds the same offset to everybody.
    """

    def __init__(self, seed: int = 0, *, noise: float = 0.6, size: int = SIZE) -> None:
        self.rng = np.random.default_rng(seed)
        self.noise = noise
        self.size = size
        # embeddings fill few directions well and many badly, as real ones do
        self.scale = 1.0 / np.sqrt(1.0 + np.arange(size) / 8.0)
        looks = self.rng.standard_normal((len(LOOKS) - 1, size))
        self.looks = np.concatenate([np.zeros((1, size)), 0.35 * unit(looks)])

    def person(self) -> np.ndarray:
        """A new person, float64[D]."""
        return unit(self.rng.standard_normal(self.size) * self.scale).astype(np.float64)

    def pictures(
        self, person: np.ndarray, count: int, *, camera: np.ndarray | None = None
    ) -> np.ndarray:
        """float32[count, D] of length 1."""
        scatter = unit(self.rng.standard_normal((count, self.size)) * self.scale)
        offset = 0.0 if camera is None else camera
        return unit(person + self.noise * scatter + offset)

    def camera(self, *shares: float) -> np.ndarray:
        """A camera that shows everybody in so much of each look but the plain one."""
        return np.asarray(shares) @ self.looks[1:]

    def cohort(self, people: int = 400, looks: tuple[str, ...] = LOOKS) -> Cohort:
        """One picture of each of `people` strangers, in each look."""
        plain = np.concatenate([self.pictures(self.person(), 1) for _ in range(people)])
        rows = [unit(plain + self.looks[LOOKS.index(name)]) for name in looks]
        return Cohort(
            embeddings=np.concatenate(rows).astype(np.float16),
            identity=np.tile(np.arange(people, dtype=np.int32), len(looks)),
            variant=np.repeat(np.arange(len(looks)), people).astype(np.uint8),
            variants=looks,
            embedder_sha256=EMBEDDER,
            source="made up",
        )
