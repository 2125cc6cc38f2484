"""One run of `edge-train direct`, from two folders to the run folder."""

from __future__ import annotations

import numpy as np

from edge.console.overwriting import refuse_existing
from edge.console.progress import progress_bar
from edge.enrolment.degrade import degrade_every, with_ends
from edge.errors import UsageError
from edge.faces.canonical import CELEBA, CROP_REGIONS
from edge.faces.detector import Detector, DetectorConfig, detector_bytes
from edge.files.atomic import atomic_folder
from edge.models.run_record import MODEL_KERAS, Run
from edge.models.spec import NetworkInput
from trainer.data.attribute_metrics import USEFUL_MARGIN
from trainer.direct.curves import mean_curves
from trainer.direct.pictures import AnsweredPictures, fold_of, read_answered
from trainer.direct.result import DirectResult
from trainer.direct.settings import DirectSettings
from trainer.networks.start import start_tensorflow
from trainer.run_folder import save_golden, save_representative

REPRESENTATIVES = 256

UNSURE_FACE = 0.3
"""Score of the detector from which a face is cut out; the device asks for twice as much."""


def train_direct(settings: DirectSettings, command: str) -> DirectResult:
    """Read, measure by folds, train on everything, and write the run folder `settings.out`.

    Raises `InputError` where the folder exists, `UsageError` for a body without layers to freeze,
    and whatever reading and training raise.
    """
    refuse_existing(settings.out, overwrite=settings.overwrite)
    window = CROP_REGIONS[settings.window]
    expects = NetworkInput(frame=CELEBA, window=window, size_px=settings.input_size)
    pictures = read_answered(settings, expects, _detector(settings))
    start_tensorflow(settings.threads)
    from trainer.direct.files import write_files
    from trainer.direct.network import logits_of, train_network
    from trainer.direct.report import write_direct_report
    from trainer.networks.quantization import describe

    trainable = _trainable(settings)
    fold = fold_of(pictures.answer, pictures.group, settings.folds, settings.seed)
    logits, curves = np.empty(len(pictures)), []
    epochs = settings.epochs + settings.finetune_epochs
    steps = sum(-(-int((fold != k).sum()) // settings.batch_size) for k in range(settings.folds))
    steps += -(-len(pictures) // settings.batch_size)
    with progress_bar("training", epochs * steps, quiet=settings.quiet) as bar:
        for number in range(settings.folds):
            watched = fold == number
            model, curve = train_network(
                settings, pictures.crops, pictures.answer, watched, lambda: bar.advance()
            )
            logits[watched] = logits_of(model, pictures.crops[watched])
            curves.append(curve)
        nobody = np.zeros(len(pictures), bool)
        model, _ = train_network(
            settings, pictures.crops, pictures.answer, nobody, lambda: bar.advance()
        )
    calibration = _representative(pictures, settings.seed)
    with atomic_folder(settings.out, replace=settings.overwrite) as folder:
        said = logits_of(model, pictures.crops) > 0
        int8, files = write_files(folder, model, calibration, pictures.crops, pictures.answer, said)
        model.save(folder / MODEL_KERAS)
        result = DirectResult(
            settings.out, settings.name, pictures, logits, settings.folds, mean_curves(curves),
            files, trainable,
        )  # fmt: skip
        network = describe(
            int8,
            window=window,
            size_px=settings.input_size,
            attributes=(settings.name,),
            embedding_size=0,
            thresholds=(0.5,),
            source=f"edge-train direct, {settings.arch}, on {len(pictures)} pictures",
        )
        figures = result.figures
        useful = figures.accuracy >= figures.majority_accuracy + USEFUL_MARGIN
        run = Run(
            kind="base",
            command=command,
            seed=settings.seed,
            network=network,
            data={"direct": True, "pictures": len(pictures), "people": list(pictures.people)},
            figures=figures,
            warnings=result.warnings,
            learned_something=useful,
        )
        run.save(folder)
        save_representative(folder, calibration, pictures.crops[:REPRESENTATIVES])
        save_golden(folder, network.input)
        write_direct_report(folder, result, run)
    return result


def _detector(settings: DirectSettings) -> Detector:
    """One that also says where a face may be: a picture of which nothing is known is worse."""
    config = DetectorConfig(score_threshold=UNSURE_FACE)
    return Detector(detector_bytes(settings.detector_model), config)


def _trainable(settings: DirectSettings) -> dict[str, int]:
    """Trainable parameters in each phase. Raises `UsageError` for a body that cannot be frozen."""
    from trainer.direct.network import backbone_of, make_network, unfreeze

    model = make_network(settings)
    if not any(hasattr(layer, "layers") for layer in model.layers):
        raise UsageError(f"{settings.arch} has no layers to freeze", hint="choose another --arch")
    counts = {}
    for name, layer in (
        ("frozen backbone", len(backbone_of(model).layers)),
        ("fine-tuning", settings.from_layer),
    ):
        unfreeze(model, layer)
        counts[name] = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    return counts


def _representative(pictures: AnsweredPictures, seed: int) -> np.ndarray:
    """Crops for calibration, every second one degraded, the last two black and white."""
    rng = np.random.default_rng([seed, 1])
    chosen = pictures.crops[rng.permutation(len(pictures))[:REPRESENTATIVES]]
    degrade_every(chosen, 2, rng, first=1)
    return with_ends(chosen)
