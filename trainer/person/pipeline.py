"""Eyes: what a run's pictures are looked at with, and the files of it that a run folder holds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from edge.faces.detector import Detector
from edge.models.embedder import Embedder
from edge.models.run_record import MODEL_KERAS, MODEL_TFLITE, REPRESENTATIVE, embedder_name
from edge.models.spec import Network
from trainer.finetune.base import TunedBase
from trainer.inference.source import Deployed, ModelSource, open_file, open_subject
from trainer.person.settings import PersonSettings
from trainer.run_folder import save_golden


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What pictures are looked at with: detector and embedder, and what these stand on."""

    subject: ModelSource
    deployed: Deployed
    embedder: Embedder
    detector: Detector

    @classmethod
    def open(cls, settings: PersonSettings) -> Pipeline:
        subject = open_subject(settings.base)
        deployed = open_file(settings.embedding) if settings.embedding else subject.embedder
        embedder = Embedder(deployed.network, deployed.data, threads=settings.threads or 2)
        return cls(subject, deployed, embedder, Detector.open(settings.detector_model))

    def on(self, subject: ModelSource, threads: int | None) -> Pipeline:
        """The same detector before another base."""
        deployed = subject.embedder
        embedder = Embedder(deployed.network, deployed.data, threads=threads or 2)
        return Pipeline(subject, deployed, embedder, self.detector)

    @property
    def external(self) -> Network | None:
        """The embedder's network where it is not the base itself."""
        same = self.deployed.network.sha256 == self.subject.base.network.sha256
        return None if same else self.deployed.network

    @property
    def learned_something(self) -> bool:
        """Whether the run of the base says so; an embedder from elsewhere, or a base without a run,
        is taken on trust."""
        run = self.subject.run
        return run is None or self.external is not None or run.learned_something


def write_models(
    folder: Path, eyes: Pipeline, settings: PersonSettings, tuned: TunedBase | None = None
) -> None:
    """The base's files of a run: those of the base it stands on, or of a tuned one."""
    save_golden(folder, eyes.subject.base.network.input)
    if tuned is not None:
        tuned.save(folder)
        return
    (folder / MODEL_TFLITE).write_bytes(eyes.subject.base.data)
    if eyes.external is not None:
        (folder / embedder_name(eyes.external)).write_bytes(eyes.deployed.data)
    base = Path(settings.base)
    for name in (REPRESENTATIVE, MODEL_KERAS):
        if (base / name).is_file():
            shutil.copy2(base / name, folder / name)
