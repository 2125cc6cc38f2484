"""One file in one runtime: what it says of crops, and how long it takes beside another."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edge.errors import ModelError, ToolkitError
from edge.models.embedder import l2_normalized
from edge.models.runtime import Model, OnnxModel, OpenCVModel, TFLiteModel
from edge.models.spec import Network
from export.gate.timing import times_in_turns

LITERT, OLD, ONNX, OPENCV = "ai-edge-litert", "tflite-runtime 2.14", "onnxruntime", "OpenCV DNN"

RUNNER = Path(__file__).with_name("tflite_runner.py")

_OLD_TIMEOUT_S = 600
_WARM_UP = 3


@dataclass(frozen=True, eq=False)
class Said:
    """embeddings: float32[N, D] of length 1. logits: float32[N, A]. problem: why there is nothing,
    then the arrays are empty.
    """

    embeddings: np.ndarray
    logits: np.ndarray
    problem: str = ""


def runtimes(format: str, old_python: Path | None) -> tuple[str, ...]:
    """Runtimes to try a file of `format` in."""
    if format.startswith("onnx"):
        return (ONNX, OPENCV)
    return (LITERT,) if old_python is None else (LITERT, OLD)


def run(
    network: Network, data: bytes, runtime: str, crops_bgr: np.ndarray, old_python: Path | None
) -> Said:
    """The file's answers to crops uint8[N, S, S, 3] BGR, in one of `runtimes`. Never raises for
    what is wrong with the file.
    """
    tensors = network.input.tensor(crops_bgr)
    try:
        if runtime == OLD and old_python is not None:
            outputs = _in_old_runtime("answers", old_python, (data, tensors))
        else:
            outputs = _here(_opened(data, runtime), tensors)
        said = {
            role: outputs[name].reshape(len(tensors), -1) for role, name in network.outputs.items()
        }
        if not all(np.isfinite(values).all() for values in said.values()):
            raise ModelError("returns numbers that are not finite")
    except ToolkitError as problem:
        return Said(np.empty((0, 0)), np.empty((0, 0)), problem=problem.message)
    except Exception as problem:  # runtimes raise anything for a file that they do not know
        lines = str(problem).strip().splitlines() or [type(problem).__name__]
        return Said(np.empty((0, 0)), np.empty((0, 0)), problem=lines[0])
    return Said(l2_normalized(said["embedding"]), said["attributes"])


def latency_ratio(
    network: Network,
    data: bytes,
    runtime: str,
    reference: tuple[Network, bytes],
    crop_bgr: np.ndarray,
    old_python: Path | None = None,
    rounds: int = 150,
) -> float:
    """Time of the file in a runtime by that of `reference`, in LiteRT, or where the runtime is the
    old one in that, on one thread each; NaN where the file cannot be run.

    Both in turns, so that other load falls on both alike; the median over rounds of the quotient.
    crop_bgr: uint8[S, S, 3].
    """
    tensors = [one.input.tensor(crop_bgr[None]) for one in (network, reference[0])]
    try:
        if runtime == OLD and old_python is not None:
            both = ((data, tensors[0]), (reference[1], tensors[1]))
            times_s = _in_old_runtime("times", old_python, *both, rounds=rounds)["times_s"]
        else:
            models = (_opened(data, runtime), _opened(reference[1], LITERT))
            calls = [partial(m.run, tensor) for m, tensor in zip(models, tensors, strict=True)]
            times_in_turns(calls, _WARM_UP)
            times_s = times_in_turns(calls, rounds)
    except Exception:  # as in `run`, which says why
        return float("nan")
    return float(np.median(times_s[:, 0] / times_s[:, 1]))


def _opened(data: bytes, runtime: str) -> Model:
    if runtime == LITERT:
        return TFLiteModel(data, LITERT, 1)
    return OnnxModel(data, 1) if runtime == ONNX else OpenCVModel(data)


def _here(model: Model, tensors: np.ndarray) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {}
    for tensor in tensors:
        for name, values in model.run(tensor[None]).items():
            parts.setdefault(name, []).append(values)
    return {name: np.stack(rows) for name, rows in parts.items()}


def _in_old_runtime(
    what: str, python: Path, *files: tuple[bytes, np.ndarray], rounds: int | None = None
) -> dict[str, np.ndarray]:
    """What `tflite_runner` finds of model files with their tensors. Raises `ModelError`."""
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as name:
        out = Path(name) / "out.npz"
        words: list[Path | str] = []
        for number, (data, tensors) in enumerate(files):
            model, given = (Path(name) / f"{number}.{suffix}" for suffix in ("tflite", "npy"))
            model.write_bytes(data)
            np.save(given, tensors)
            words += [model, given, *([] if number else [out])]
        done = subprocess.run(
            [python, RUNNER, what, *words, *([] if rounds is None else [str(rounds)])],
            capture_output=True, text=True, timeout=_OLD_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
            reason = next((line for line in lines if "Didn't find op" in line), lines[-1])
            raise ModelError(reason)
        with np.load(out) as file:
            return {key: file[key] for key in file.files}
