"""Which drawn person the demo enrolls: the one whom the shipped base tells apart best.

    python -m benchmarks.studies.demo_person

Drawings lie close together in an embedding of real faces. For each candidate this prints the 20th
percentile of the similarity of one photo to the mean of the others, less the 99th percentile of
the similarity of other people's photos to the candidate's mean.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from edge.bundle.locate import shipped_bundle
from edge.console.commands import command, emit_json, json_option
from edge.faces.detector import Detector
from edge.files.image import read_picture
from edge.models.embedder import Embedder

CANDIDATES = range(7, 60)
OTHERS = (*range(2000, 2050), *range(901, 909))
"""Seeds of the first people of the demo's cohort and of the strangers in its video."""

PHOTOS, OTHERS_PHOTOS = 6, 2


@command("demo-person", examples="python -m benchmarks.studies.demo_person --json")
@json_option()
def main(as_json: bool) -> None:
    """Print by how much the shipped base tells each drawn candidate from others."""
    bundle, detector = shipped_bundle(), Detector.open()
    embedder = Embedder(bundle.embedder, bundle.embedder_data)
    others = np.concatenate([_embedded(seed, OTHERS_PHOTOS, detector, embedder) for seed in OTHERS])
    gaps = {seed: _gap(_embedded(seed, PHOTOS, detector, embedder), others) for seed in CANDIDATES}
    best = max(gaps, key=lambda seed: gaps[seed])
    if as_json:
        emit_json({"best": best, "gaps": gaps})
        return
    for seed, gap in sorted(gaps.items(), key=lambda item: -item[1]):
        click.echo(f"person {seed}: gap {gap:.3f}")
    click.echo(f"The base tells person {best} apart best.")


def _embedded(seed: int, photos: int, detector: Detector, embedder: Embedder) -> np.ndarray:
    """Embeddings float32[n, d] of the photos of one drawn person in which a face is found."""
    from trainer.drawn import DrawnPerson
    from trainer.drawn.dataset import write_photos

    rows = [np.zeros((0, embedder.network.embedding_size), np.float32)]
    with TemporaryDirectory() as folder:
        for path in write_photos(Path(folder), DrawnPerson.draw(seed), shots=photos, seed=1):
            image = read_picture(path)
            faces = detector.detect(image)
            if faces:
                outputs = embedder.embed(embedder.crop(image, faces[0])[None])
                if outputs.embeddings is not None:
                    rows.append(outputs.embeddings)
    return np.concatenate(rows)


def _gap(own: np.ndarray, others: np.ndarray) -> float:
    """The gap between own and others' similarities, see the module; -1 with too few faces."""
    if len(own) < PHOTOS // 2:
        return -1.0
    total = own.sum(axis=0)
    rest = total - own
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    similarities = (own * rest).sum(axis=1)
    center = total / np.linalg.norm(total)
    return float(np.percentile(similarities, 20) - np.percentile(others @ center, 99))


if __name__ == "__main__":
    main()
