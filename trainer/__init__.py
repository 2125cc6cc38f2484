"""The workstation's floor: data, networks, training and their evaluation.

`enrol_person` and `train_attributes` are public; everything else may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.files.paths import PathLike, Paths
    from trainer.base.run import BaseResult
    from trainer.person.result import PersonResult
    from trainer.person.settings import CameraChoice

__all__ = ["enrol_person", "train_attributes"]


def enrol_person(
    photos: Paths,
    *,
    name: str,
    out: PathLike,
    base: str = "shipped",
    embedding: PathLike | None = None,
    cohort: PathLike | None = None,
    others: Paths = (),
    not_me: Paths = (),
    head: str = "auto",
    target_far: float | None = None,
    strict: bool = False,
    camera: CameraChoice = "auto",
    mode: str = "features",
    from_layer: int = 100,
    save_augmented: PathLike | None = None,
    overwrite: bool = False,
    privacy: bool = False,
    detector_model: PathLike | None = None,
    threads: int | None = None,
    seed: int = 0,
    quiet: bool = True,
    command: str = "trainer.enrol_person",
) -> PersonResult:
    """Enroll a person from about 20 photos and write a run folder: `edge-train person`.

    Args:
        photos: Images, videos or folders of the person.
        name: The person's name, as results give it.
        out: The run folder.
        base: "shipped", or the folder of a run of `train_attributes`.
        embedding: Another face embedding, `.tflite` or `.onnx`, in place of the base's.
        cohort: Strangers, a file of `edge-train cohort`; by default the base's.
        others: Faces of more strangers.
        not_me: Images of people who must not be accepted.
        head: "auto", "linear" or "dense-128".
        target_far: Wanted rate of strangers accepted, 0..1; None for what the cohort supports.
        strict: Refuse a target that the strangers cannot prove.
        camera: What took the photos: "auto", "one", "poor" or "several".
        mode: "features", or "finetune" to train a copy of the base, too.
        from_layer: With "finetune" the first layer that is trained.
        save_augmented: A folder for sheets of the augmented images.
        overwrite: Replace a run that exists.
        privacy: Leave images and names of files out of run and report.
        detector_model: YuNet's file; by default the shipped one.
        threads: Threads of the runtime; by default one per core.
        seed: Of everything that is drawn at random.
        quiet: Show no progress.
        command: The command line that the run records.

    Returns:
        The head, its figures, and what was dropped, each with a reason.

    Raises:
        ToolkitError: By its kind: nothing to read, too few usable faces, an unknown option.

    Example:
        >>> result = trainer.enrol_person("photos", name="ana", out="runs/ana")
        >>> result.head.name
        'ana'
    """
    from pathlib import Path

    from edge.files.paths import as_path, as_paths
    from trainer.person.enrol import train_person
    from trainer.person.settings import PersonSettings

    settings = PersonSettings(
        photos=as_paths(photos),
        name=name,
        out=Path(out),
        base=base,
        embedding=as_path(embedding),
        cohort=as_path(cohort),
        others=as_paths(others),
        not_me=as_paths(not_me),
        head=head,
        target_far=target_far,
        strict=strict,
        camera=camera,
        mode=mode,
        from_layer=from_layer,
        save_augmented=as_path(save_augmented),
        overwrite=overwrite,
        privacy=privacy,
        detector_model=as_path(detector_model),
        threads=threads,
        seed=seed,
        quiet=quiet,
    )
    return train_person(settings, command)


def train_attributes(
    data: Paths,
    *,
    out: PathLike,
    quiet: bool = True,
    command: str = "trainer.train_attributes",
    **options: Any,
) -> BaseResult:
    """Train a base on faces with attributes and write a run folder: `edge-train attributes`.

    Args:
        data: Faces: CelebA as it comes, or one folder per person.
        out: The run folder.
        quiet: Show no progress.
        command: The command line that the run records.
        options: Any other field of `trainer.base.settings.BaseSettings`, such as `epochs`,
            `arch`, `teacher` or `resume`, named and defaulted as the command's options are.

    Returns:
        The run folder and, where training went to its end, the run and its figures.

    Raises:
        ToolkitError: By its kind: the data is incomplete, `out` exists, an option cannot be meant.
        TypeError: An option has an unknown name.

    Example:
        >>> result = trainer.train_attributes("celeba", out="runs/base", epochs=1)  # doctest: +SKIP
    """
    from pathlib import Path

    from edge.files.paths import as_paths
    from trainer.base.run import train_base
    from trainer.base.settings import FREE_ON_RESUME, BaseSettings

    given = {"folders", *options}
    settings = BaseSettings(folders=as_paths(data), out=Path(out), quiet=quiet, **options)
    if settings.resume:
        settings = settings.continued(given - FREE_ON_RESUME, (given | {"quiet"}) & FREE_ON_RESUME)
    return train_base(settings, command)
