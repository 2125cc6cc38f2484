"""Formats: which of them are tried for a run, and how each file is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.console.native_output import output_into
from edge.enrolment.degrade import degrade_every
from edge.errors import InputError, UsageError
from edge.models.spec import FORMATS, Network
from export.convert.operators import minimal_runtimes
from export.gate.candidate import DEPLOYED, Candidate, Judge, reference_answers
from export.gate.parity import Answers, answers_of_file
from export.inputs.crops import FEWEST_CROPS, shipped_float_model
from export.inputs.run_folder import RunFolder
from export.options import ALL, AUTO

if TYPE_CHECKING:
    from edge.heads.head import Head
    from export.convert.float_model import FloatModel
    from export.options import PackOptions

KERAS, SAVED_MODEL = "keras", "savedmodel"
OTHERS = (KERAS, SAVED_MODEL)
"""Formats for other programs, which `edge` cannot run."""


@dataclass(frozen=True)
class Made:
    """The candidates, in the order of `FORMATS`.

    required: formats that must pass. choosable: formats that may become the base where nothing is
    bound to a file. travelling: formats that go into the bundle beside the chosen one where they
    pass. model: the float model, None where neither the run nor this version has it. held_out:
    crops uint8[N, S, S, 3] BGR that they were measured on.
    """

    candidates: tuple[Candidate, ...]
    required: tuple[str, ...]
    choosable: tuple[str, ...]
    travelling: tuple[str, ...]
    model: FloatModel | None
    held_out: np.ndarray


def wanted(
    formats: tuple[str, ...], *, has_float_model: bool, deployed: str = DEPLOYED
) -> tuple[str, ...]:
    """Formats to try. deployed: the format of the run's own file.

    Raises `UsageError` for unknown ones, `InputError` for impossible ones.
    """
    known = (AUTO, ALL, *FORMATS, *OTHERS)
    for name in formats:
        if name not in known:
            raise UsageError(f"unknown format '{name}'", hint=f"known are {', '.join(known)}")
    named = {name for name in formats if name not in (AUTO, ALL)}
    if not has_float_model:
        if named - {deployed}:
            raise InputError(
                f"the run has no model.keras, so {', '.join(sorted(named - {deployed}))} cannot "
                "be made from it",
                hint="pack the base's own run, with --head RUN for the person",
            )
        return (deployed,)
    if AUTO in formats or ALL in formats:
        return FORMATS
    return tuple(name for name in FORMATS if name in {*named, deployed})


def make_candidates(
    run: RunFolder,
    heads: tuple[Head, ...],
    options: PackOptions,
    log: Path,
    report: Callable[[str], None],
) -> Made:
    """Convert, run and judge every format that is wanted."""
    own = run.network.format
    formats = wanted(options.formats, has_float_model=run.keras is not None, deployed=own)
    data = run.deployed_data()
    deployed = with_runtimes(run.network, data)
    crops = run.representative()
    model: FloatModel | None = None
    reference: Answers | None = None
    held_out = crops[1] if crops is not None and len(crops[1]) else stand_in(run)
    few = run.keras is None
    if not few and (crops is None or len(crops[1]) < FEWEST_CROPS):
        raise InputError(
            f"{run.path} has fewer than {FEWEST_CROPS} held-out crops to compare formats on",
            hint="train again with this version's edge-train",
        )
    path = run.keras or _borrowed_model(run)
    if path is not None:
        held_out = held_out if not few else varied_crops(held_out)
        report("loading the float model")
        with output_into(log):
            from export.convert.float_model import FloatModel

            model = FloatModel(path)
            model.check_input(run.network.input)
            reference = reference_answers(model, held_out)
    fed = heads if run.external is None else ()
    judge = Judge(
        held_out,
        reference,
        fed,
        options.recipe,
        enrolled=_enrolled(run, data, held_out) if fed else None,
        identity=not few and run.kind == "base",
        few=few,
    )
    candidates: list[Candidate] = []
    for name, make in _makers(formats, run, None if few else model, crops, candidates):
        report(f"{'measuring' if make is None else 'converting'} {name}")
        with output_into(log):
            if make is None:
                candidates.append(judge.judge(deployed, data))
            else:
                candidates.append(judge.converted(run.network, name, make))
    candidates.sort(key=lambda candidate: FORMATS.index(candidate.format))
    report("timing")
    timed = judge.timed(candidates)
    explicit = tuple(name for name in options.formats if name in FORMATS)
    choosable = formats if {AUTO, ALL} & set(options.formats) or not explicit else explicit
    travelling = formats if ALL in options.formats else explicit
    return Made(timed, explicit, choosable, travelling, model, held_out)


def other_files(
    names: tuple[str, ...], run: RunFolder, model: FloatModel, folder: Path
) -> dict[str, tuple[str, bytes]]:
    """Files for other programs: member to (kind, bytes). folder: empty, for what is written."""
    files: dict[str, tuple[str, bytes]] = {}
    if KERAS in names and run.keras is not None:
        files["models/base.keras"] = (KERAS, run.keras.read_bytes())
    if SAVED_MODEL in names:
        import tensorflow as tf

        target = folder / "saved_model"
        module: Any = tf.Module()
        module.model = model.keras
        infer = model.function()
        tf.saved_model.save(module, str(target), signatures={"serving_default": infer})
        for path in sorted(path for path in target.rglob("*") if path.is_file()):
            member = f"models/saved_model/{path.relative_to(target).as_posix()}"
            files[member] = (SAVED_MODEL, path.read_bytes())
    return files


def properties(run: RunFolder) -> dict[str, str]:
    """The metadata of an ONNX file."""
    network = run.network
    return {
        "name": run.name,
        "input": "RGB pixels 0..255, float32, NHWC",
        "frame": network.input.frame.name,
        "window": network.input.window.name,
        "attributes": ",".join(network.attributes),
        "source": network.source,
        "licence": network.licence,
    }


def _makers(
    formats: tuple[str, ...],
    run: RunFolder,
    model: FloatModel | None,
    crops: tuple[np.ndarray, np.ndarray] | None,
    candidates: list[Candidate],
) -> list[tuple[str, Callable[[], bytes] | None]]:
    """For each format what makes its file, None for the one that is there."""
    if model is None or crops is None:
        return [(run.network.format, None)]
    from export.convert import onnx_models as onnxfile
    from export.convert import tflite

    def float_onnx() -> bytes:
        for candidate in candidates:
            if candidate.format == "onnx-float32" and candidate.data:
                return candidate.data
        return onnxfile.convert(model, properties(run))

    makers: dict[str, Callable[[], bytes] | None] = {
        kind: partial(tflite.convert, model, kind) for kind in tflite.KINDS
    }
    makers["onnx-float32"] = float_onnx
    makers["onnx-int8"] = lambda: onnxfile.quantize(float_onnx(), crops[0], properties(run))
    makers[run.network.format] = None
    return [(name, makers[name]) for name in formats]


def varied_crops(crops_bgr: np.ndarray) -> np.ndarray:
    """Crops uint8[N, S, S, 3] BGR and enough degraded copies that there are
    `FEWEST_CROPS`, uint8[M, S, S, 3]."""
    rng = np.random.default_rng(0)
    rounds = [crops_bgr]
    while sum(map(len, rounds)) < FEWEST_CROPS:
        worse = crops_bgr.copy()
        degrade_every(worse, 1, rng)
        rounds.append(worse)
    return np.concatenate(rounds)


def _borrowed_model(run: RunFolder) -> Path | None:
    """The float model of this version's shipped base, for a run that stands on that and can be
    measured on its golden crops; None without these or without Keras."""
    golden = run.golden_crops()
    if golden is None or not len(golden) or importlib.util.find_spec("keras") is None:
        return None
    return shipped_float_model(run.network)


def _enrolled(run: RunFolder, data: bytes, crops_bgr: np.ndarray) -> Answers | None:
    """What the file that heads stand on says, None where it cannot be run: then the gate says so
    of the file itself."""
    answers = answers_of_file(run.network, data, crops_bgr)
    return None if answers.problem else answers


def with_runtimes(network: Network, data: bytes) -> Network:
    """The description of a file `data`, with the runtimes that can run it."""
    return replace(network, minimal_runtimes=minimal_runtimes(data, network.format))


def stand_in(run: RunFolder) -> np.ndarray:
    """Crops to run a person's file on: the golden ones, or a single one of noise."""
    golden = run.golden_crops()
    if golden is not None and len(golden):
        return golden
    size = run.network.input.size_px
    return np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
