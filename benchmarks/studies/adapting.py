"""Months before one camera: what counting strangers' visits does to errors. Table for RESULTS.md.

    python -m benchmarks.studies.adapting ../shared

Cameras are the one-camera sets, the webcam clips, the gray room, and the held-out people of many
cameras seen through three degradations, each one camera. Heads are made as on a device. Half of
the strangers come, in random order and among the person's own visits. With `on` the device raises
by itself; with the owner's word it reports, and after 20 strangers' visits the owner, who has
named the visits in which the person was missed, follows where it advises to lower. Then everybody
comes, those too whom the device has never seen. Visits are decided by the vote that decides live;
what is counted, raised and advised is the product's own camera book.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import numpy as np

if TYPE_CHECKING:
    from benchmarks.studies.person_data import Bench, Trial
    from edge.heads.cohort import Cohort
    from edge.heads.head import Head
    from edge.visits.camera_book import CameraBook
    from edge.visits.visit import Visit

FEWEST_OWN = 3
"""Own looks that were not enrolled with, from which own visits can be made."""

LOOKS = 8
"""Of a visit; of a person with fewer pictures some come again."""

OWN_SHARE = 0.4
WORD_AFTER = 20
MONTHS_VISITS = 120
LATER_OWN = 12
LATER_EACH = 2
ORDERS = 1
ATTACKS = 1000
RESAMPLED = 2000
RULES = ("fixed", "on", "word")


@dataclass(frozen=True, eq=False)
class Scene:
    """One enrolment before one camera. expected: mean and spread of the cohort's highest scores.
    own: embeddings of the person's looks that did not enroll. strangers: those of everybody else,
    by person."""

    camera: str
    person: str
    head: Head
    expected: tuple[float, float]
    own: np.ndarray
    strangers: dict[str, np.ndarray]


def gray(image: np.ndarray) -> np.ndarray:
    """Without color, as by infrared light."""
    import cv2

    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def dusk(image: np.ndarray) -> np.ndarray:
    """Little light, bluish, with grain."""
    values = image.astype(np.float32) * np.array([0.55, 0.45, 0.4], np.float32)
    grain = np.random.default_rng(0).normal(0.0, 5.0, image.shape)
    return np.clip(values + grain, 0, 255).astype(np.uint8)


def cheap(image: np.ndarray) -> np.ndarray:
    """Half of the pixels, blurred, JPEG of quality 35."""
    import cv2

    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    large = cv2.GaussianBlur(cv2.resize(small, (width, height)), (0, 0), 1.0)
    encoded = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 35])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


DEGRADED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gray lens": gray,
    "dusk": dusk,
    "cheap lens": cheap,
}


def gathered(bench: Bench, shared: Path, cohort: Cohort) -> Iterator[Scene]:
    """All scenes; enrolments that are refused are named and left out."""
    from benchmarks.shipped_base.hold_out import held_out_people
    from benchmarks.studies.camera_effect import SETS, one_camera
    from benchmarks.studies.person_data import cmu_faces, photo_trials, webcam

    for name in SETS:
        yield from scenes(name, one_camera(bench, shared, name), bench, cohort)
    yield from scenes("webcam", list(webcam(bench, shared)), bench, cohort)
    yield from scenes("gray room", list(cmu_faces(bench, shared)), bench, cohort)
    held_out = sorted(held_out_people(shared)["people"])
    for name, lens in DEGRADED.items():
        with TemporaryDirectory() as folder:
            _through(lens, shared / "data" / "people", held_out, Path(folder))
            yield from scenes(name, list(photo_trials(bench, Path(folder))), bench, cohort)


def _through(
    lens: Callable[[np.ndarray], np.ndarray], people: Path, wanted: Sequence[str], target: Path
) -> None:
    """Pictures as a camera would have shown them. The names end as `photo_trials` expects."""
    import cv2

    for name in wanted:
        (target / name).mkdir()
        for path in sorted((people / name).glob("*.jpg")):
            image = cv2.imread(str(path))
            if image is not None:
                done = [cv2.IMWRITE_JPEG_QUALITY, 98]
                cv2.imwrite(str(target / name / path.name), lens(image), done)


def scenes(camera: str, trials: Sequence[Trial], bench: Bench, cohort: Cohort) -> Iterator[Scene]:
    """The enrolments of trials before a camera, as on a device, where each look counts."""
    from benchmarks.studies.camera_effect import head_before_a_camera, person_of
    from edge.heads.calibration import highest_scores

    for trial in trials:
        told = f"{camera}, {trial.name}"
        head = head_before_a_camera(trial.name, trial, bench, cohort, told=told)
        if head is None:
            continue
        judged, me = trial.judged, person_of(trial.name)
        whose = np.array([person_of(name) for name in judged.person])[judged.frame]
        own = trial.own[judged.frame] & (whose == me)
        highest = highest_scores(head, cohort)
        others = {w: judged.embeddings[whose == w] for w in sorted(set(whose) - {me})}
        expected = (float(highest.mean()), float(highest.std()))
        yield Scene(camera, me, head, expected, judged.embeddings[own], others)


@dataclass(frozen=True)
class Outcome:
    """One scene in one order. lowered, raised: by how much the threshold that holds at the end lies
    below or above the fixed one, by rule. own, strange, unseen: decisions of later visits, by rule:
    the person's own, of strangers, and of those strangers who had not come before. during: of
    strangers in the months. fall_alarms, own_visits: of the book's own comparison."""

    camera: str
    person: str
    moved: dict[str, float]
    own: dict[str, list[bool]]
    strange: dict[str, list[bool]]
    unseen: dict[str, list[bool]]
    during: dict[str, list[bool]]
    fall_alarms: int
    own_visits: int


def visit_of(scene: Scene, embeddings: np.ndarray, rng: np.random.Generator) -> Visit:
    """Somebody's visit: some of their looks, scored by the scene's head."""
    from edge.visits.visit import Looks, Visit, level_of

    rows = rng.choice(len(embeddings), LOOKS, replace=len(embeddings) < LOOKS)
    scores = np.asarray(scene.head.score(embeddings[rows]), np.float32)
    nothing = np.zeros((0, 0), np.float32)
    looks = Looks(0.4 * np.arange(LOOKS), (scene.head.key,), scores[:, None], nothing)
    level = {scene.head.key: level_of(scores.tolist(), 3, 5)}
    return Visit(
        0, scene.camera, "2026-05-02T10:00:00+00:00", 3.0, "unknown", None, None, None, level, looks
    )


def judged(visit: Visit, head: Head) -> Visit:
    """The visit as the device would have decided it."""
    from edge.visits.replay import decided

    found = decided(visit, [head])
    assert found is not None
    return replace(
        visit,
        state=found.state,
        person=found.person,
        score=found.score,
        threshold=found.threshold,
    )


def accepts(visit: Visit, head: Head) -> bool:
    """Whether it is a match; of a visit below the threshold that is known without the vote."""
    if visit.levels[head.key] < head.threshold:
        return False
    return judged(visit, head).person is not None


def months(scene: Scene, rng: np.random.Generator) -> Outcome:
    """One random order of visits before one camera."""
    from edge.visits.bound import Expected
    from edge.visits.camera_book import CameraBook, HeadPage

    names = [name for name, rows in scene.strangers.items() if len(rows)]
    order = rng.permutation(len(names))
    coming = [names[k] for k in order[: max(1, len(names) // 2)]]
    page = HeadPage(Expected(*scene.expected))
    books = {rule: CameraBook({scene.head.key: page}) for rule in RULES}
    has_own, during = len(scene.own) >= FEWEST_OWN, {rule: list[bool]() for rule in RULES}
    seen = own_visits = alarms = 0
    for _ in range(MONTHS_VISITS):
        own = has_own and rng.random() < OWN_SHARE
        who = scene.own if own else scene.strangers[coming[rng.integers(len(coming))]]
        visit = visit_of(scene, who, rng)
        own_visits += own
        for rule, book in books.items():
            (held,) = book.applied([scene.head])
            done = judged(visit, held)
            if own and rule == "word":  # the owner names visits in which the person was missed
                done = replace(done, named=scene.head.name)
            if not own:
                during[rule].append(done.person is not None)
            book = book.counted(done, [scene.head])
            books[rule] = book.raised([scene.head])[0] if rule == "on" else book
        alarms += own and any(b.fall is not None for b in books["fixed"].bounds(scene.head))
        seen += not own
        if seen == WORD_AFTER and not own:
            books["word"] = with_word(books["word"], scene.head)
    heads = {rule: book.applied([scene.head])[0] for rule, book in books.items()}
    own_later = [visit_of(scene, scene.own, rng) for _ in range(LATER_OWN * has_own)]
    later = {
        n: [visit_of(scene, scene.strangers[n], rng) for _ in range(LATER_EACH)] for n in names
    }

    def said(visits: Sequence[Visit]) -> dict[str, list[bool]]:
        return {rule: [accepts(visit, head) for visit in visits] for rule, head in heads.items()}

    return Outcome(
        scene.camera,
        scene.person,
        {rule: head.threshold - scene.head.threshold for rule, head in heads.items()},
        said(own_later),
        said([visit for visits in later.values() for visit in visits]),
        said([visit for name in names if name not in coming for visit in later[name]]),
        during,
        alarms,
        own_visits,
    )


def with_word(book: CameraBook, head: Head) -> CameraBook:
    """After the owner has followed the advice to lower it, as `edge-recognize adapt` does."""
    found = [b for b in book.bounds(head) if b.needed is not None]
    if not found or any(bound.advice != "lower" for bound in found):
        return book
    return book.with_word(head, max(bound.needed or 0.0 for bound in found))


def lowest_after_attacks(scene: Scene, rng: np.random.Generator) -> float:
    """By how much a threshold lies below the fixed one after `ATTACKS` visits of an attacker who
    scores as low, or as high, as he likes; and never with the owner's word."""
    from edge.visits.bound import Expected
    from edge.visits.camera_book import CameraBook, HeadPage

    book = CameraBook({scene.head.key: HeadPage(Expected(*scene.expected))})
    visit = visit_of(scene, next(iter(scene.strangers.values())), rng)
    lowest = 0.0
    for level in rng.uniform(-6.0, scene.head.threshold, ATTACKS):
        tried = replace(visit, state="unknown", levels={scene.head.key: float(level)})
        book, _ = book.counted(tried, [scene.head]).raised([scene.head])
        lowest = max(lowest, scene.head.threshold - book.applied([scene.head])[0].threshold)
    return lowest


def changes_found(
    scenes_of: Sequence[Scene], rng: np.random.Generator
) -> dict[tuple[str, str], tuple[list[int], int, float]]:
    """Of each pair of lenses: after how many own visits through the other a fall was told, how many
    were not within 30, and by how much scores fall in the mean."""
    from edge.visits.bound import OwnVisits

    found: dict[tuple[str, str], tuple[list[int], int, float]] = {}
    by_lens = {(s.camera, s.person): s for s in scenes_of if s.camera in DEGRADED}
    for before in DEGRADED:
        for after in DEGRADED:
            told, missed, falls = [], 0, []
            for (lens, person), scene in by_lens.items():
                other = by_lens.get((after, person))
                if lens != before or other is None or before == after:
                    continue
                if min(len(scene.own), len(other.own)) < FEWEST_OWN:
                    continue
                fall = float(
                    scene.head.score(scene.own).mean() - scene.head.score(other.own).mean()
                )
                falls.append(fall)
                if fall < 1.0:
                    continue
                own = OwnVisits()
                for _ in range(40):
                    own = own.with_score(_mean_score(scene, scene.own, rng), "2026-05-02")
                for number in range(1, 31):
                    own = own.with_score(_mean_score(scene, other.own, rng), "2026-11-02")
                    if own.fall is not None:
                        told.append(number)
                        break
                else:
                    missed += 1
            if falls:
                found[before, after] = (told, missed, float(np.mean(falls)))
    return found


def _mean_score(scene: Scene, embeddings: np.ndarray, rng: np.random.Generator) -> float:
    rows = rng.choice(len(embeddings), 5, replace=len(embeddings) < 5)
    return float(scene.head.score(embeddings[rows]).mean())


def rows_of(outcomes: Sequence[Outcome], rng: np.random.Generator) -> Iterator[str]:
    """A line for each camera, and one for all."""
    from edge.heads.threshold import Rate

    cameras = [*dict.fromkeys(one.camera for one in outcomes), ""]
    for camera in cameras:
        those = [one for one in outcomes if camera in ("", one.camera)]
        people = sorted({one.person for one in those})
        cells = []
        for rule in RULES:
            strange = [y for one in those for y in (*one.strange[rule], *one.during[rule])]
            letting = Rate(
                len({o.person for o in those if any((*o.strange[rule], *o.during[rule]))}),
                len(people),
            )
            unseen = [y for one in those for y in one.unseen[rule]]
            own = [y for one in those for y in one.own[rule]]
            tar = f"{np.mean(own):.3f}" if own else "–"
            moved = np.mean([one.moved[rule] for one in those])
            cells.append(
                f"{sum(strange)} of {len(strange)}; {sum(unseen)} of {len(unseen)}; "
                f"{letting}; {tar}; {moved:+.2f}"
            )
        gain = _gain([one for one in those if one.own["fixed"]], rng)
        yield f"| {camera or 'all'} ({len(people)} people) | {' | '.join(cells)} | {gain} |"


def _gain(those: Sequence[Outcome], rng: np.random.Generator) -> str:
    """Own visits accepted with the word minus those by the fixed rule, 95 % over people."""
    people = sorted({one.person for one in those})
    if not people:
        return "–"
    by_person = []
    for person in people:
        mine = [one for one in those if one.person == person]
        word = np.concatenate([one.own["word"] for one in mine]).mean()
        fixed = np.concatenate([one.own["fixed"] for one in mine]).mean()
        by_person.append(word - fixed)
    values = np.array(by_person)
    drawn = [rng.choice(values, len(values)).mean() for _ in range(RESAMPLED)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{100 * values.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shared", type=click.Path(path_type=Path))
def main(shared: Path) -> None:
    """Simulate months before each camera."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from benchmarks.studies.person_figures import opened

    bench, cohort = opened(shared, "shipped", None)
    report(list(gathered(bench, shared, cohort)))


def report(found: Sequence[Scene]) -> None:
    """Simulate, and print the tables."""
    rng = np.random.default_rng(0)
    usable = [scene for scene in found if scene.strangers]
    outcomes = [months(scene, rng) for scene in usable for _ in range(ORDERS)]
    click.echo(
        "| camera | fixed: strangers' visits accepted; of strangers never seen before; people "
        "whose head accepts any; own visits accepted; threshold moved | adapt on | owner's word "
        "| own visits, word minus fixed, points (95 % over people) |"
    )
    click.echo("|---|---|---|---|---|")
    for line in rows_of(outcomes, rng):
        click.echo(line)
    alarms, visits = (sum(getattr(o, n) for o in outcomes) for n in ("fall_alarms", "own_visits"))
    click.echo(f"\nfalse alarms of a change: {alarms} in {visits} own visits")
    lowest = max(lowest_after_attacks(scene, rng) for scene in usable[:: max(1, len(usable) // 20)])
    click.echo(f"lowered by {ATTACKS} tries: {lowest:.3f}")
    for (before, after), (told, missed, fall) in changes_found(usable, rng).items():
        within = sum(number <= 10 for number in told)
        click.echo(
            f"{before} -> {after}: mean fall {fall:.2f}; of those that fall by 1 or more "
            f"{within} of {len(told) + missed} told within 10 visits"
        )


if __name__ == "__main__":
    main()
