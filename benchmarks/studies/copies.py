"""Copies of photos, as programs, phones and cameras make them, and how many are taken for their
photo; other photos of the same person, and how many are taken for copies.

python -m benchmarks.studies.copies ../shared
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cv2
import numpy as np

if TYPE_CHECKING:
    from edge.faces.detector import Detector
    from trainer.photos.grouping import Print

BEFORE_BITS = 48
"""Of 512: pictures whose hashes differed by at most this were one look, before marks were."""

Copier = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""A copy of a picture, uint8[H, W, 3] BGR."""


def _warped(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size_px = (image.shape[1], image.shape[0])
    return cv2.warpAffine(
        image, matrix, size_px, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _around_the_middle(image: np.ndarray, degrees: float, zoom: float) -> np.ndarray:
    middle = (image.shape[1] / 2, image.shape[0] / 2)
    return np.asarray(cv2.getRotationMatrix2D(middle, degrees, zoom))


def turned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By up to 30 degrees, the corners cut off."""
    return _warped(image, _around_the_middle(image, rng.uniform(-30, 30), 1.0))


def mirrored(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Left is right."""
    return np.ascontiguousarray(image[:, ::-1])


def zoomed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """0.7 to 1.4 times."""
    return _warped(image, _around_the_middle(image, 0.0, rng.uniform(0.7, 1.4)))


def cropped(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to 15 % off each side."""
    height, width = image.shape[:2]
    top, left, bottom, right = rng.uniform(0, 0.15, 4)
    rows = slice(int(top * height), height - int(bottom * height))
    return np.ascontiguousarray(image[rows, int(left * width) : width - int(right * width)])


def recolored(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Brighter or darker, more or less contrast and color, sometimes grey."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None].astype(np.float64)
    color = rng.choice([0.0, rng.uniform(0.4, 1.6)])
    tinted = (grey + color * (image - grey)) * rng.uniform(0.85, 1.15, 3)
    return np.clip(
        rng.uniform(0.7, 1.3) * (tinted - 128) + 128 + rng.uniform(-30, 30), 0, 255
    ).astype(np.uint8)


def jpeg_20(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Saved as JPEG of quality 20."""
    written = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR))


def screenshot(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At another size, with bars around it, and JPEG of quality 70."""
    scale = rng.uniform(0.6, 1.5)
    shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, bottom, left, right = (int(v) for v in rng.uniform(0.02, 0.3, 4) * shown.shape[0])
    framed = cv2.copyMakeBorder(
        shown, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(24, 24, 24)
    )
    written = cv2.imencode(".jpg", framed, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR))


def photo_of_a_screen(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In perspective, with the lines of a display, a reflection, blur, noise, and JPEG."""
    height, width = image.shape[:2]
    scale = max(1.0, 480 / max(height, width))
    shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    height, width = shown.shape[:2]
    lines = 1.0 + 0.06 * np.cos(np.arange(height) * rng.uniform(1.2, 2.4))[:, None, None]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-0.05, 0.05, (4, 2)) * [width, height] + 0.08 * width
    size_px = (int(1.16 * width), int(height + 0.16 * width))
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    seen = cv2.warpPerspective(shown * lines, matrix, size_px, borderValue=(30, 28, 26))
    slope = np.linspace(rng.uniform(0.7, 1), rng.uniform(0.7, 1), size_px[0])[None, :, None]
    seen = cv2.GaussianBlur(seen * slope + rng.uniform(5, 25), (0, 0), rng.uniform(0.6, 1.2))
    noisy = np.clip(seen + rng.normal(0, 5, seen.shape), 0, 255).astype(np.uint8)
    written = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR))


def augmented(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turned, shifted, zoomed and mirrored at once, as Keras' ImageDataGenerator does with a
    rotation_range of 30, shifts of 0.1, a zoom_range of 0.3 and horizontal_flip."""
    matrix = _around_the_middle(image, rng.uniform(-30, 30), rng.uniform(0.7, 1.3))
    matrix[:, 2] += rng.uniform(-0.1, 0.1, 2) * (image.shape[1], image.shape[0])
    return _warped(image[:, ::-1] if rng.random() < 0.5 else image, matrix)


KINDS: Mapping[str, Copier] = {
    "turned": turned,
    "mirrored": mirrored,
    "zoomed": zoomed,
    "cropped": cropped,
    "recolored": recolored,
    "JPEG 20": jpeg_20,
    "screenshot": screenshot,
    "photo of a screen": photo_of_a_screen,
    "augmented": augmented,
}


@dataclass
class Counts:
    """Copies and pairs of other photos, and how many of them share a group: with marks, and before,
    by hashes of whole pictures."""

    copies: dict[str, list[tuple[bool, bool]]] = field(default_factory=dict)
    pairs: list[tuple[bool, bool]] = field(default_factory=list)

    def rows(self, name: str) -> Iterator[str]:
        """Lines of the table."""
        everything = [one for found in self.copies.values() for one in found]
        for kind, found in {**self.copies, "all copies": everything}.items():
            yield _row(f"{name}: {kind}", found)
        yield _row(f"{name}: other photos of the person", self.pairs)


def _row(name: str, found: Sequence[tuple[bool, bool]]) -> str:
    now, before = (sum(one[n] for one in found) for n in (0, 1))
    return f"| {name} | {len(found)} | {now} | {before} |"


def _print_of(image: np.ndarray, file: str, detector: Detector) -> Print | None:
    """None where the picture shows no usable face, so that it is no look."""
    from edge.enrolment.copies import marks_of
    from edge.enrolment.samples import usable_face
    from edge.faces.quality import QualityGate
    from trainer.photos.grouping import Print, bits_of

    found = usable_face(image, detector, QualityGate())
    if isinstance(found, str):
        return None
    return Print(file, "", bits_of(image), marks=marks_of(image, found[0]))


def _count(counts: Counts, paths: Sequence[Path], detector: Detector, *, copies: int) -> None:
    """Count the photos of one person, and copies of the first so many of them."""
    from edge.files.image import read_picture
    from trainer.photos.grouping import group_numbers

    prints: list[Print] = []
    of: list[tuple[int, str]] = []
    photos: list[tuple[Path, np.ndarray]] = [(path, read_picture(path)) for path in paths]
    for number, (path, image) in enumerate(photos):
        one = _print_of(image, path.name, detector)
        if one is not None:
            prints.append(one)
            of.append((number, ""))
    alone = group_numbers(prints)
    hashed = group_numbers_by_hash(prints)
    for a in range(len(prints)):
        for b in range(a):
            counts.pairs.append((alone[a] == alone[b], hashed[a] == hashed[b]))
    used = [number for number, _ in of][:copies]
    for number in used:
        rng = np.random.default_rng(number)
        for kind, copier in KINDS.items():
            copy = _print_of(copier(photos[number][1], rng), f"{number} {kind}", detector)
            if copy is not None:
                prints.append(copy)
                of.append((number, kind))
    groups, hashed = group_numbers(prints), group_numbers_by_hash(prints)
    first = {number: row for row, (number, kind) in enumerate(of) if not kind}
    for row, (number, kind) in enumerate(of):
        if kind:
            own = first[number]
            joined = (groups[row] == groups[own], hashed[row] == hashed[own])
            counts.copies.setdefault(kind, []).append(joined)


def group_numbers_by_hash(prints: Sequence[Print]) -> np.ndarray:
    """int[N], as groups were before: by hashes of whole pictures."""
    from scipy.sparse.csgraph import connected_components

    bits = np.stack([one.bits for one in prints])
    near = (bits[:, None] != bits[None]).sum(axis=2) <= BEFORE_BITS
    return np.asarray(connected_components(near, directed=False)[1])


def albums(shared: Path, people: int, drawn: Path) -> Iterator[tuple[str, list[Path]]]:
    """Sets of photos of one person: in the wild, in one room, drawn."""
    from trainer.drawn import DrawnPerson
    from trainer.drawn.dataset import write_photos

    folders = [one for one in sorted((shared / "data" / "people").iterdir()) if one.is_dir()]
    for folder in folders[:: max(1, len(folders) // people)][:people]:
        yield "people", sorted(folder.glob("*.jpg"))
    for folder in sorted((shared / "data" / "cmu-faces").iterdir()):
        files = sorted(folder.glob("*.pgm"))
        yield "one room", [one for one in files if not one.stem.endswith(("_2", "_4"))]
    for number in range(3):
        folder = drawn / str(number)
        folder.mkdir()
        yield "drawn", write_photos(folder, DrawnPerson.draw(7 + number), shots=12, seed=3)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shared", type=click.Path(path_type=Path))
@click.option("--people", type=click.IntRange(1), default=40, help="Number of people.")
@click.option("--copied", type=click.IntRange(0), default=4, help="Photos of each that get copies.")
def main(shared: Path, people: int, copied: int) -> None:
    """Count copies and other photos that share a group, on the data in SHARED."""
    import tempfile

    from edge.faces.detector import Detector

    detector = Detector.open()
    counts: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory() as drawn:
        for name, paths in albums(shared, people, Path(drawn)):
            _count(counts.setdefault(name, Counts()), paths, detector, copies=copied)
    click.echo("| what | N | in one group | before, by hashes |\n|---|---|---|---|")
    for name, found in counts.items():
        for row in found.rows(name):
            click.echo(row)


if __name__ == "__main__":
    main()
