"""After training: the file for the device, its figures on unseen people, and the run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.console.progress import progress_bar
from edge.enrolment.degrade import degrade_every, with_ends
from edge.errors import DataError, ModelError
from edge.faces.canonical import canonical_of
from edge.files.atomic import atomic_file
from edge.models.embedder import Embedder, Perception
from edge.models.run_record import COHORT, MODEL_H5, MODEL_KERAS, MODEL_TFLITE, Run
from edge.models.spec import Network, NetworkInput
from trainer.base.data import BaseData
from trainer.base.figures import BaseFigures
from trainer.base.report import write_base_report
from trainer.base.settings import BaseSettings
from trainer.cohort.build import CohortPlan, build_cohort, limited, strangers, usable_crops
from trainer.console.quiet import quiet_native
from trainer.data.attribute_metrics import AttributeReport, measure_attributes
from trainer.data.attribute_thresholds import tune_thresholds
from trainer.data.pairs import sample_pairs
from trainer.data.table import TEST, TRAIN, VALIDATION, FaceTable
from trainer.evaluation.verification import (
    Verification,
    pair_scores,
    verification_words,
    verify,
)
from trainer.inference.external import Teacher
from trainer.inference.source import Deployed
from trainer.networks.compensation import quantize_compensated
from trainer.networks.face_network import with_features
from trainer.networks.mobilefacenet import ARCH as MOBILEFACENET
from trainer.networks.mobilefacenet import even_out_features
from trainer.networks.quantization import Agreement, agreement, agreement_words, describe
from trainer.run_folder import SPLIT_LIST, save_golden, save_representative
from trainer.training.batches import FaceArrays
from trainer.training.loop import Outcome

REPRESENTATIVES = 256
"""Crops for calibration, every second one degraded."""

FEWEST_TO_CALIBRATE = 20

COMPENSATING = 3000
"""Crops of the training part that tell what quantization does to the features."""

HELD_OUT = 256
"""Crops of the test part for the parity gate of exporters."""

STRANGERS, PICTURES_OF_EACH = 2000, 2
"""People of a base's own cohort at most, and pictures of each: 4 MB at 128 numbers."""

USEFUL_AUC = 0.6
"""Verification by chance has 0.5; a base without attributes must reach this on unseen people."""

LOOKS_ONCE = (MOBILEFACENET,)
"""Bodies that are made for faces: a second look costs as much again and gives little."""

_CHUNK = 256


def finish(
    settings: BaseSettings,
    command: str,
    data: BaseData,
    teacher: Teacher | None,
    outcome: Outcome,
    folder: Path,
) -> tuple[Run, tuple[str, ...], str]:
    """Write models, representative crops and run.json into `folder`.

    Returns what run.json holds, lines for people, and why the int8 file does not decide as the
    network does, "" where it does.
    """
    model = with_features(outcome.model)
    size = settings.input_size
    crops = representative(data, size, settings.seed)
    if settings.calibrate_on is not None:
        crops = _calibration(settings)
    if settings.arch == MOBILEFACENET:
        even_out_features(model, crops[..., ::-1])
    with atomic_file(folder / MODEL_KERAS) as temporary:
        model.save(temporary)
    if settings.save_format == "h5":
        _save_h5(model, folder)
    data.table.write_split(folder / SPLIT_LIST)
    held_out = _spread(data.part(TEST), HELD_OUT, size, settings.seed)
    save_representative(folder, crops, held_out)
    deployed = quantize_compensated(model, crops, _varied(data.part(TRAIN), size, settings.seed))
    with atomic_file(folder / MODEL_TFLITE) as temporary:
        temporary.write_bytes(deployed)
    width = int(model.output["embedding"].shape[-1])
    network = _network(settings, data, teacher, deployed, width)
    save_golden(folder, network.input)
    close, missed = _compared(model, network, deployed, held_out)
    watcher = _Watcher(network, deployed, settings.threads or 2, size, settings.quiet)
    network, attributes, at_half = _attribute_figures(data, watcher)
    lines = (
        [] if close is None else [f"int8 file against Keras: {agreement_words(close.to_json())}"]
    )
    learned = False
    if attributes is not None and at_half is not None:
        learned = attributes.learned_something
        lines.append(f"attributes on unseen people: {attributes.verdict()}")
        lines.append(f"with a threshold of 0.5 for all: {at_half.verdict()}")
    identity = _identity_figures(data, watcher, settings)
    if identity is not None:
        lines.append(f"verification of unseen people: {verification_words(identity.to_json())}")
        if attributes is None:
            learned = round(identity.auc, 4) >= USEFUL_AUC
    people = 0
    if not missed:
        people = _save_cohort(settings, data, Deployed(network, deployed), folder)
    if people:
        lines.append(f"cohort of {people} people who were not trained on: {COHORT}")
    figures = BaseFigures(
        int8_against_float=close,
        attributes=attributes,
        attributes_at_half=at_half,
        verification=identity,
        best_epoch=outcome.progress.best_epoch + 1,
        history=outcome.progress.history,
    )
    run = Run(
        kind="base",
        command=command,
        seed=settings.seed,
        network=network,
        data={**data.counts, "fractions": settings.fractions},
        figures=figures,
        warnings=(missed,) if missed else _warnings(learned, people, data),
        learned_something=learned,
    )
    run.save(folder)
    write_base_report(folder, run, figures, model)
    return run, tuple(lines), missed


def _compared(
    model: Any, network: Network, deployed: bytes, held_out: np.ndarray
) -> tuple[Agreement | None, str]:
    """How the int8 file compares with the network, or None and what is wrong with it."""
    try:
        return agreement(model, network, deployed, held_out), ""
    except ModelError as problem:
        return None, problem.message


def _save_h5(model: Any, folder: Path) -> None:
    """As HDF5 too, which Keras calls a thing of the past on standard output."""
    with quiet_native(), atomic_file(folder / MODEL_H5) as temporary:
        model.save(temporary)


def representative(data: BaseData, size_px: int, seed: int) -> np.ndarray:
    """Crops of the training part for calibration, uint8[N, size_px, size_px, 3] BGR.

    Spread over brightness, from as many people as there are; every second one degraded as by a
    poor camera; the last two all black and all white.
    """
    arrays = data.part(TRAIN)
    identity = data.table.identity[data.table.partition == TRAIN]
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(len(arrays))
    _, first = np.unique(identity[order], return_index=True)
    places = order[first] if len(first) >= REPRESENTATIVES // 2 else order
    candidates = arrays.windows(rng.permutation(places)[: 4 * REPRESENTATIVES], size_px)
    return _spread_over_light(candidates, rng)


def _spread_over_light(candidates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    light = np.argsort(candidates.mean(axis=(1, 2, 3)), kind="stable")
    chosen = light[np.linspace(0, len(light) - 1, min(REPRESENTATIVES, len(light))).astype(int)]
    crops = candidates[chosen]
    degrade_every(crops, 2, rng, first=1)
    return with_ends(crops)


def _calibration(settings: BaseSettings) -> np.ndarray:
    """Crops for calibration as `representative`, of the faces in `settings.calibrate_on`."""
    assert settings.calibrate_on is not None
    config = settings.data()
    plan = CohortPlan(
        seed=settings.seed,
        detector=settings.detector_model,
        cache_dir=settings.cache_dir,
        quiet=settings.quiet,
    )
    expects = NetworkInput(canonical_of(config.window), config.window, settings.input_size)
    table = limited(strangers([settings.calibrate_on], plan), plan, 4 * REPRESENTATIVES)
    _, crops, _ = usable_crops(table, expects, plan)
    if len(crops) < FEWEST_TO_CALIBRATE:
        raise DataError(
            f"{settings.calibrate_on} shows {len(crops)} usable faces, {FEWEST_TO_CALIBRATE} are "
            "needed to calibrate on",
            hint="give a folder with more faces",
        )
    return _spread_over_light(crops, np.random.default_rng([settings.seed, 1]))


def _varied(arrays: FaceArrays, size_px: int, seed: int) -> np.ndarray:
    """Crops for compensation, uint8[N, size_px, size_px, 3] BGR, every third one degraded."""
    rng = np.random.default_rng([seed, 3])
    places = np.sort(rng.permutation(len(arrays))[:COMPENSATING])
    crops = arrays.windows(places, size_px)
    degrade_every(crops, 3, rng)
    return crops


def _spread(arrays: FaceArrays, count: int, size_px: int, seed: int) -> np.ndarray:
    order = np.random.default_rng([seed, 2]).permutation(len(arrays))
    return arrays.windows(np.sort(order[:count]), size_px)


def _network(
    settings: BaseSettings, data: BaseData, teacher: Teacher | None, deployed: bytes, width: int
) -> Network:
    config = settings.data()
    start = settings.arch.removeprefix("file:")
    arch = settings.arch if start == settings.arch else f"file:{Path(start).name}"
    source = f"edge-train attributes, {arch}, on {len(data.table)} pictures"
    if teacher is not None:
        source += f", distilled from {teacher.network.source or 'a teacher'}"
    if not settings.embedding_size:
        source += ", its features in place of an embedding"
    return describe(
        deployed,
        window=config.window,
        size_px=settings.input_size,
        attributes=data.table.attributes,
        embedding_size=width,
        source=source,
        mirrored=settings.arch not in LOOKS_ONCE,
    )


class _Watcher:
    """The deployed file, looking at whole parts of the data."""

    def __init__(
        self, network: Network, data: bytes, threads: int, size_px: int, quiet: bool
    ) -> None:
        self.network = network
        self._size_px, self._quiet = size_px, quiet
        self._embedder = Embedder(network, data, threads=threads)

    def look(self, arrays: FaceArrays, label: str) -> Perception:
        parts = []
        with progress_bar(label, len(arrays), quiet=self._quiet) as bar:
            for first in range(0, len(arrays), _CHUNK):
                places = np.arange(first, min(first + _CHUNK, len(arrays)))
                parts.append(self._embedder.embed_once(arrays.windows(places, self._size_px)))
                bar.advance(len(places))
        return Perception(
            embeddings=_joined([p.embeddings for p in parts]),
            attributes=_joined([p.attributes for p in parts]),
        )


def _joined(parts: list[np.ndarray | None]) -> np.ndarray | None:
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays) if arrays else None


def _attribute_figures(
    data: BaseData, watcher: _Watcher
) -> tuple[Network, AttributeReport | None, AttributeReport | None]:
    """The network with thresholds tuned on the validation part, and figures of the test part,
    with these thresholds and with 0.5 for all.
    """
    network = watcher.network
    if not network.attributes:
        return network, None, None
    validation, test = (_labelled(data.part(number)) for number in (VALIDATION, TEST))
    if len(validation):
        logits = watcher.look(validation, "tuning thresholds").attributes
        assert logits is not None
        limits = tune_thresholds(logits, validation.labels, known=data.part(TRAIN).labels)
        network = replace(network, attribute_thresholds=limits)
    if not len(test):
        return network, None, None
    logits = watcher.look(test, "measuring attributes").attributes
    assert logits is not None
    report = measure_attributes(
        logits, test.labels, network.attributes, network.attribute_thresholds
    )
    return network, report, measure_attributes(logits, test.labels, network.attributes)


def _labelled(arrays: FaceArrays) -> FaceArrays:
    return arrays.select(np.flatnonzero((arrays.labels >= 0).any(axis=1)))


def _identity_figures(
    data: BaseData, watcher: _Watcher, settings: BaseSettings
) -> Verification | None:
    """Verification of people of the test part, None where there are no pairs or no embedding."""
    if not watcher.network.embedding_size:
        return None
    rows = data.table.partition == TEST
    table: FaceTable = data.table.select(rows)
    try:
        pairs = sample_pairs(table, seed=settings.seed)
        embeddings = watcher.look(data.part(TEST), "measuring identity").embeddings
        assert embeddings is not None
        return verify(pair_scores(embeddings, pairs), pairs, seed=settings.seed)
    except DataError:
        return None


def _save_cohort(settings: BaseSettings, data: BaseData, deployed: Deployed, folder: Path) -> int:
    """Write the cohort of people that were not trained on. Returns how many there are, 0 where
    they are too few for one."""
    known = data.table.select(data.table.partition != TRAIN).with_attributes(())
    plan = CohortPlan(
        per_person=PICTURES_OF_EACH,
        seed=settings.seed,
        source=", ".join(path.resolve().name for path in (*settings.folders, *settings.singles)),
        detector=settings.detector_model,
        cache_dir=settings.cache_dir,
        threads=settings.threads,
        quiet=settings.quiet,
    )
    try:
        cohort, counts = build_cohort(limited(known, plan, STRANGERS), deployed, plan)
    except DataError:
        return 0
    cohort.save(folder / COHORT)
    return counts.people


def _warnings(learned: bool, people: int, data: BaseData) -> tuple[str, ...]:
    warnings = [] if learned else ["this base has learned nothing useful"]
    if not people:
        warnings.append("no cohort: too few people were left that it was not trained on")
    if data.counts.get("split") == "random":
        warnings.append("pictures were split at random, so people may be in several parts")
    return tuple(warnings)
