"""Heads: what 1 to 10,000 of them cost a face, and how many strangers any of them accepts."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from edge.bundle.locate import shipped_bundle
from edge.heads.head import LINEAR, Head, linear_layers
from edge.heads.threshold import Rate
from edge.recognition.recognizer import Recognizer

COUNTS = (1, 10, 100, 1000, 10_000)
FACES = 20
COST_COLUMNS = ("heads", "decide, processor ms a face", "of a face in all, times one head's")


def cost_rows(counts: Sequence[int] = COUNTS, repeats: int = 5) -> list[tuple[str, ...]]:
    """Linear heads drawn at random, as enrolment makes them in size: the time of a decision, and of
    a face with crop and embedding beside that with one head.
    """
    with shipped_bundle() as bundle:
        network = bundle.embedder
        rng = np.random.default_rng(0)
        made = {count: _heads(network.sha256, network.embedding_size, count) for count in counts}
        recognizers = {
            count: Recognizer.open(bundle, threads=1, heads=heads, attributes=False)
            for count, heads in made.items()
        }
    size = network.input.size_px
    crops = rng.integers(0, 256, (FACES, size, size, 3), np.uint8)
    decide_s: dict[int, list[float]] = {count: [] for count in counts}
    whole_s: dict[int, list[float]] = {count: [] for count in counts}
    for number in range(repeats + 1):
        for count, recognizer in recognizers.items():
            for crop in crops:
                began = time.process_time()
                seen = recognizer.embedder.embed(crop[None])
                middle = time.process_time()
                recognizer.decide(seen)
                ended = time.process_time()
                if number:
                    decide_s[count].append(ended - middle)
                    whole_s[count].append(ended - began)
    one = float(np.mean(whole_s[counts[0]]))
    return [
        (
            f"{count:,}",
            f"{1000 * float(np.mean(decide_s[count])):.3f}",
            f"{float(np.mean(whole_s[count])) / one:.2f}",
        )
        for count in counts
    ]


def any_head(
    accepted: np.ndarray, whose: np.ndarray, owners: Sequence[str], count: int, draws: int = 20
) -> tuple[float, Rate]:
    """With `count` of the heads at a time, drawn so often: the mean share of strangers' pictures
    that any of them accepts, and, of the first draw, strangers of whom any picture was.

    accepted: bool[E, F]. whose: str[F], whose picture it is. owners: of the heads, E of them.
    """
    rng = np.random.default_rng(0)
    shares = []
    first = Rate(0, 0)
    for draw in range(draws):
        chosen = rng.permutation(len(accepted))[:count]
        strangers = ~np.isin(whose, [owners[k] for k in chosen])
        if not strangers.any():
            continue
        passed = accepted[chosen][:, strangers].any(axis=0)
        shares.append(float(passed.mean()))
        if draw == 0:
            shown = whose[strangers]
            first = Rate(len(np.unique(shown[passed])), len(np.unique(shown)))
    return float(np.mean(shares)) if shares else float("nan"), first


def _heads(sha256: str, size: int, count: int) -> list[Head]:
    rng = np.random.default_rng(1)
    found = []
    for number in range(count):
        weights = rng.normal(size=size)
        layers = linear_layers(5 * weights / np.linalg.norm(weights), -1.0)
        found.append(Head(f"p{number}", LINEAR, sha256, layers, threshold=4.0))
    return found
