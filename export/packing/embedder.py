"""A quantized embedder: smaller files of a run's external one, measured against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.bundle.golden import resized
from edge.console.json_text import json_text
from edge.console.native_output import output_into
from edge.errors import InputError, ModelError, RefusedError, UsageError
from edge.files.atomic import atomic_file
from edge.files.model_file import read_model_file, sha256_of
from edge.models.spec import Network
from export.console.noise import default_log, start_log
from export.gate.candidate import Candidate, Judge, ParityMissed, choose, reason, table
from export.gate.limits import Recipe
from export.gate.parity import answers_of_file, constant_outputs, measure
from export.inputs.crops import (
    ENOUGH_PEOPLE,
    FEWEST_CROPS,
    Faces,
    enough_faces,
    halved,
    representative,
)
from export.inputs.run_folder import RunFolder
from export.options import AUTO, PackOptions
from export.packing.formats import stand_in, with_runtimes

if TYPE_CHECKING:
    from edge.heads.head import Head

CALIBRATED_ON = "calibrated_on"
"""Where a description keeps the SHA-256 of the pictures that a file was calibrated on."""

MADE_OF = {
    "tflite-float32": ("tflite-float16", "tflite-dynamic", "tflite-int8"),
    "onnx-float32": ("onnx-int8",),
}
"""Format of an embedder to those that can be made of it."""

_COMPARED, _SAME = 20, 0.99999
"""Crops, and the mean cosine from which a file says the same as another."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class QuantizeOptions:
    """run: with an external embedder. out: the file; its description goes beside it. pictures:
    files or folders, faces of any people. format: "auto" or one of `edge.models.spec.FORMATS`.
    """

    run: Path
    out: Path
    pictures: tuple[Path, ...]
    format: str = AUTO
    recipe: Recipe = field(default_factory=Recipe)
    detector: Path | None = None
    log: Path | None = None


@dataclass(frozen=True)
class Quantized:
    """All that was measured, the float file first, and the one that was written."""

    path: Path
    description: Path
    candidates: tuple[Candidate, ...]
    chosen: Candidate

    def lines(self) -> list[str]:
        """For people."""
        why = reason(self.candidates[1:], self.chosen, bound=False)
        return [
            *table(self.candidates, self.chosen),
            *([why] if why else []),
            f"{self.path}: {len(self.chosen.data) / 1e6:.2f} MB, described in {self.description}",
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "description": str(self.description),
            "chosen": self.chosen.format,
            "candidates": [candidate.to_json() for candidate in self.candidates],
        }


def quantize(options: QuantizeOptions, report: Report = lambda line: None) -> Quantized:
    """Make, measure and write a smaller file of the run's external embedder.

    It takes one crop a call, and its PReLUs have few operators. Half of the faces calibrates, the
    other half, of other people where there are enough, is what
    the files' embeddings and the decisions of the run's heads are compared on. Raises `InputError`
    for a run without external embedder and for too few faces, `RefusedError` for one that is
    quantized already, `UsageError` for a format that cannot be made of it, and `ParityMissed`.
    """
    run = RunFolder.open(options.run)
    log = start_log(options.log or default_log())
    with output_into(log):
        network, data, formats = _source(run, options)
    report("looking for faces")
    found = enough_faces(options.pictures, network, options.detector)
    calibrates = halved(found.person)
    crops = representative(found.crops[calibrates])
    kept = Faces(found.crops[~calibrates], found.person[~calibrates])
    report(f"measuring {network.format}")
    judge = _judge(network, data, kept, run.heads(), options.recipe)
    candidates = [judge.judge(with_runtimes(network, data), data)]
    for kind in formats:
        report(f"converting to {kind}")
        with output_into(log):
            slim, ready = _slim(network, data, kind, kept.crops[:_COMPARED])
            make = partial(_made, ready, kind, slim, crops)
            candidates.append(judge.converted(slim, kind, make, _described))
    report("timing")
    timed = judge.timed(candidates)
    good = [candidate for candidate in timed[1:] if candidate.passed]
    if not good:
        raise ParityMissed(timed, timed[1], "nothing was written")
    chosen = choose(good)
    hashes = [one for one, used in zip(found.sha256, calibrates, strict=True) if used]
    description = _write(options.out, chosen, network, hashes)
    return Quantized(options.out, description, timed, chosen)


def with_embedder(run: RunFolder, path: Path) -> RunFolder:
    """The run on another file of its external embedder, described as `quantize` does.

    Raises `InputError` where the run has no external embedder or the file no description, and
    `ModelError` where it looks at faces in another way than the run's own.
    """
    own, data = _external(run), read_model_file(path)
    network = Network.from_json({**_description(path), "sha256": sha256_of(data)})
    looks = [(n.input.frame, n.input.window, n.input.size_px) for n in (own, network)]
    if looks[0] != looks[1] or "embedding" not in network.outputs:
        raise ModelError(
            f"{path} looks at other crops than the embedder of {run.path}",
            hint="give a file that 'edge-export quantize' made of this run",
        )
    return replace(run, record=replace(run.record, embedder=network), given_embedder=Path(path))


def judged(
    run: RunFolder,
    own: RunFolder,
    heads: Sequence[Head],
    options: PackOptions,
) -> Candidate | None:
    """The external embedder that is packed, None where there is none.

    One in place of the run's own (that of `own`) is compared with it, with the decisions of
    `heads`, on the faces in the pictures that it was not calibrated on; the run's own is only asked
    whether its answers are finite and differ between faces. Raises `ParityMissed`, and `InputError`
    for too few faces.
    """
    if run.external is None:
        return None
    network, data = run.external, run.embedder_data()
    if run.given_embedder is None:
        judge = Judge(_drawn(run, network), None, (), options.recipe)
    else:
        if not options.pictures:
            raise InputError(
                f"there are no faces to compare {run.given_embedder} with the embedder of "
                f"{run.path} on",
                hint=f"give --pictures with at least {FEWEST_CROPS} faces",
            )
        found = enough_faces(
            options.pictures,
            network,
            options.detector,
            fewest=FEWEST_CROPS,
            without=_description(run.given_embedder).get(CALIBRATED_ON) or (),
        )
        judge = _judge(_external(own), own.embedder_data(), found, heads, options.recipe)
    candidate = judge.judge(with_runtimes(network, data), data)
    if not candidate.passed:
        raise ParityMissed((candidate,), candidate, "nothing was packed, of the embedder")
    return candidate


def _external(run: RunFolder) -> Network:
    if run.external is None:
        raise InputError(
            f"{run.path} has no external embedder: its base gives the embedding",
            hint="the base's formats are made by 'edge-export pack --format'",
        )
    return run.external


def _source(run: RunFolder, options: QuantizeOptions) -> tuple[Network, bytes, tuple[str, ...]]:
    """The embedder, its file, and the formats to try."""
    from export.convert import onnx_models as onnxfile
    from export.convert import tflite_file as tflitefile

    network, data = _external(run), run.embedder_data()
    is_onnx = network.format.startswith("onnx")
    formats = MADE_OF.get(network.format, ())
    if not formats or not (onnxfile if is_onnx else tflitefile).is_float(data):
        raise RefusedError(
            f"the embedder of {run.path} is quantized already: only float32 can be",
            hint=f"pack it as it is: edge-export pack {run.path} -o NAME.edge",
        )
    if options.format not in (AUTO, *formats):
        raise UsageError(
            f"{network.format} cannot become {options.format}", hint=f"give {', '.join(formats)}"
        )
    suffix = ".onnx" if is_onnx else ".tflite"
    if options.out.suffix != suffix or options.out.is_dir():
        raise UsageError(f"{options.out} is no name for it", hint=f"give -o NAME{suffix}")
    return network, data, formats if options.format == AUTO else (options.format,)


def _judge(
    network: Network, data: bytes, held_out: Faces, heads: Sequence[Head], recipe: Recipe
) -> Judge:
    """Against the float file; by verification of the people, where these are many. Raises
    `ModelError` where that itself is no use."""
    answers = answers_of_file(network, data, held_out.crops)
    same = () if answers.problem else constant_outputs(answers.plain)
    if answers.problem or same:
        raise ModelError(
            answers.problem or "the embedder itself gives the same embedding for every face",
            hint="look whether it is the right file, and described as it wants its faces",
        )
    many = len(np.unique(held_out.person)) >= ENOUGH_PEOPLE
    return Judge(
        held_out.crops, answers, heads, recipe, compared_with=network.format,
        person=held_out.person if many else None,
    )  # fmt: skip


def _drawn(run: RunFolder, network: Network) -> np.ndarray:
    """The golden crops, or a single one of noise, in the network's size."""
    return resized(stand_in(run), network.input.size_px)


def _slim(network: Network, data: bytes, kind: str, crops: np.ndarray) -> tuple[Network, bytes]:
    """The float file for one crop a call and with PReLUs of few operators, where it says the same
    of the crops; else as it is."""
    from export.convert.tflite_slim import slimmed

    if not network.format.startswith("tflite"):
        return network, data
    made = slimmed(data, integer=kind == "tflite-int8")
    one = replace(network, input=replace(network.input, batch=1), sha256=sha256_of(made))
    before, after = (answers_of_file(n, d, crops) for n, d in ((network, data), (one, made)))
    cosine = measure(before, after, ()).cosine_mean
    return (one, made) if cosine is not None and cosine > _SAME else (network, data)


def _made(data: bytes, kind: str, network: Network, crops: np.ndarray) -> bytes:
    from export.convert import onnx_models as onnxfile
    from export.convert import tflite_file as tflitefile

    if kind.startswith("onnx"):
        return onnxfile.quantize_any(data, network.input, crops)
    return tflitefile.quantize(data, kind, network.input, crops)


def _described(network: Network, format: str, data: bytes) -> Network:
    """Describe the smaller file as the float file with its changes; the license stays."""
    by = "onnxruntime" if format.startswith("onnx") else "ai-edge-quantizer"
    source = f"{network.source or 'not stated'}, made {format} by {by} {version(by)}"
    made = replace(network, format=format, sha256=sha256_of(data), source=source)
    return with_runtimes(made, data)


def _write(out: Path, chosen: Candidate, own: Network, calibrated_on: Sequence[str]) -> Path:
    """The file and, beside it, its description, as `edge-train` reads it too."""
    assert chosen.network is not None
    facts = chosen.network.to_json() | {
        "made_of": own.sha256,
        "parity": chosen.parity.to_json(),
        CALIBRATED_ON: sorted(set(calibrated_on)),
    }
    description = out.with_suffix(".json")
    with atomic_file(description) as temporary:
        temporary.write_text(json_text(facts, indent=1) + "\n", "utf-8")
    with atomic_file(out) as temporary:
        temporary.write_bytes(chosen.data)
    return description


def _description(path: Path) -> dict[str, Any]:
    beside = Path(path).with_suffix(".json")
    try:
        facts = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(
            f"nothing says how {path} wants its faces: cannot read {beside}: {problem}",
            hint="give a file that 'edge-export quantize' made, with the .json beside it",
        ) from None
    if not isinstance(facts, dict):
        raise InputError(f"{beside} is no JSON object", hint="make it with 'edge-export quantize'")
    return facts
