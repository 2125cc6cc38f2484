"""A tuned base: a copy of a base, fine-tuned on one question: a file with a hash of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.enrolment.degrade import degrade_every, with_ends
from edge.errors import InputError, RefusedError
from edge.models.run_record import MODEL_KERAS, MODEL_TFLITE
from edge.models.spec import Network
from trainer.cohort.build import CohortPlan, usable_crops
from trainer.data.table import FaceTable
from trainer.inference.source import Deployed, ModelSource
from trainer.run_folder import save_representative

FEWEST_PEOPLE = 50
"""Strangers that fine-tuning needs: half of them train, the other half only sets thresholds."""

REPRESENTATIVES = 256

TUNED_ON_THESE = (
    "the base was fine-tuned on these very pictures, so that figures on them flatter, out of fold "
    "too: measure with 'edge-train evaluate-person' on fresh ones"
)


@dataclass(frozen=True, eq=False)
class TunedBase:
    """model: Keras. deployed: its int8 file. crops, held_out: uint8[N, S, S, 3] BGR for calibration
    and for exporters' parity gate. facts: what fine-tuning says of itself.
    """

    model: Any
    deployed: Deployed
    crops: np.ndarray
    held_out: np.ndarray
    facts: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write what a base's run folder holds of it."""
        self.model.save(folder / MODEL_KERAS)
        (folder / MODEL_TFLITE).write_bytes(self.deployed.data)
        save_representative(folder, self.crops, self.held_out)

    def subject(self, name: str) -> ModelSource:
        """As a base to stand on."""
        return ModelSource(name, self.deployed, self.deployed)


def tune_base(
    subject: ModelSource,
    crops: np.ndarray,
    answer: np.ndarray,
    group: np.ndarray,
    *,
    from_layer: int,
    seed: int,
) -> TunedBase:
    """Fine-tune the base on crops uint8[N, S, S, 3] BGR with answers bool[N], in groups int[N].

    Raises `InputError` for a base without Keras model or embedding, `ModelError` where the int8
    file does not decide as the network. Loads TensorFlow.
    """
    from trainer.networks.start import start_tensorflow

    start_tensorflow(None)
    from trainer.finetune.loop import FineTuning, Question, finetune, held_out_groups
    from trainer.networks.compensation import quantize_compensated
    from trainer.networks.face_network import load_base
    from trainer.networks.quantization import agreement, describe

    if subject.keras is None:
        raise InputError(
            f"{subject.name} has no Keras model to fine-tune",
            hint="use --base shipped, or a run by edge-train attributes",
        )
    held = held_out_groups(answer, group, seed=seed)
    question = Question(crops=crops, answer=answer, group=group, held_out=held)
    done = finetune(
        load_base(subject.keras), question, FineTuning(from_layer=from_layer, seed=seed)
    )
    known = subject.base.network
    calibration = _representative(crops[~held], seed)
    data = quantize_compensated(done.model, calibration, crops[~held])
    network: Network = describe(
        data,
        window=known.input.window,
        size_px=known.input.size_px,
        attributes=known.attributes,
        embedding_size=known.embedding_size,
        thresholds=known.attribute_thresholds,
        source=f"{known.source or subject.name}, fine-tuned",
        licence=known.licence,
    )
    close = agreement(done.model, network, data, crops[held][:REPRESENTATIVES])
    facts = {**done.to_json(), "int8_against_float": close.to_json()}
    return TunedBase(
        done.model, Deployed(network, data), calibration, crops[held][:REPRESENTATIVES], facts
    )


def stranger_crops(
    table: FaceTable, subject: ModelSource, plan: CohortPlan
) -> tuple[np.ndarray, np.ndarray, FaceTable]:
    """Crops uint8[N, S, S, 3] BGR and identities int[N] of the half of the strangers that trains,
    and the table of the other half, whom fine-tuning never sees.

    Raises `RefusedError` with fewer than `FEWEST_PEOPLE`.
    """
    single = table.people()
    people = np.unique(single)
    if len(people) < FEWEST_PEOPLE:
        raise RefusedError(
            f"fine-tuning needs pictures of at least {FEWEST_PEOPLE} strangers, "
            f"here are {len(people)}",
            hint="give a folder with more people by --others, or use --mode features",
        )
    order = np.random.default_rng([plan.seed, 7]).permutation(people)
    training = np.isin(single, order[: len(order) // 2])
    rows, crops, _ = usable_crops(table.select(training), subject.base.network.input, plan)
    return crops, rows.people(), table.select(~training)


def _representative(crops: np.ndarray, seed: int) -> np.ndarray:
    """Crops for calibration, every second one degraded, the last two black and white."""
    rng = np.random.default_rng([seed, 1])
    chosen = crops[rng.permutation(len(crops))[:REPRESENTATIVES]]
    degrade_every(chosen, 2, rng, first=1)
    return with_ends(chosen)
