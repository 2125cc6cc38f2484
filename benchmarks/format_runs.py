"""One file in one runtime: what it says of crops, and how long it takes."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from edge.embedder import l2_normalized
from edge.errors import ModelError, ToolkitError
from edge.network import Network
from edge.runtime import Model, OnnxModel, OpenCVModel, TFLiteModel
from export.timing import times_in_turns

LITERT, OLD, ONNX, OPENCV = "ai-edge-litert", "tflite-runtime 2.14", "onnxruntime", "OpenCV DNN"

RUNNER = Path(__file__).with_name("tflite_runner.py")

_OLD_TIMEOUT_S = 600


@dataclass(frozen=True, eq=False)
class Said:
    """embeddings: float32[N, D] of length 1. logits: float32[N, A]. ms: median of one crop on one
    thread. problem: why there is nothing, then the arrays are empty.
    """

    embeddings: np.ndarray
    logits: np.ndarray
    ms: float = float("nan")
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
            outputs, ms = _in_old_runtime(data, tensors, old_python)
        else:
            outputs, ms = _here(_opened(data, runtime), tensors)
    except ToolkitError as problem:
        return Said(np.empty((0, 0)), np.empty((0, 0)), problem=problem.message)
    except Exception as problem:  # runtimes raise anything for a file that they do not know
        lines = str(problem).strip().splitlines() or [type(problem).__name__]
        return Said(np.empty((0, 0)), np.empty((0, 0)), problem=lines[0])
    said = {role: outputs[name].reshape(len(tensors), -1) for role, name in network.outputs.items()}
    return Said(l2_normalized(said["embedding"]), said["attributes"], ms)


def latency_ratio(
    network: Network,
    data: bytes,
    runtime: str,
    reference: tuple[Network, bytes],
    crop_bgr: np.ndarray,
    runs: int = 150,
) -> float:
    """Time of the file in a runtime of this process, by that of `reference` in LiteRT.

    Both in turns, so that other load falls on both alike; the quotient of their lower quartiles,
    NaN where the file cannot be run. crop_bgr: uint8[S, S, 3].
    """
    try:
        models = (_opened(data, runtime), _opened(reference[1], LITERT))
        tensors = [one.input.tensor(crop_bgr[None]) for one in (network, reference[0])]
        calls = [partial(m.run, tensor) for m, tensor in zip(models, tensors, strict=True)]
        times_s = times_in_turns(calls, runs)
    except Exception:  # as in `run`, which says why
        return float("nan")
    return float(np.divide(*np.percentile(times_s, 25, axis=0)))


def _opened(data: bytes, runtime: str) -> Model:
    if runtime == LITERT:
        return TFLiteModel(data, LITERT, 1)
    return OnnxModel(data, 1) if runtime == ONNX else OpenCVModel(data)


def _here(model: Model, tensors: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
    parts: dict[str, list[np.ndarray]] = {}
    times = []
    for tensor in tensors:
        started = perf_counter()
        outputs = model.run(tensor[None])
        times.append(perf_counter() - started)
        for name, values in outputs.items():
            parts.setdefault(name, []).append(values)
    return {name: np.stack(rows) for name, rows in parts.items()}, 1000 * float(np.median(times))


def _in_old_runtime(
    data: bytes, tensors: np.ndarray, python: Path
) -> tuple[dict[str, np.ndarray], float]:
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as name:
        model, given, out = (Path(name) / file for file in ("m.tflite", "in.npy", "out.npz"))
        model.write_bytes(data)
        np.save(given, tensors)
        done = subprocess.run(
            [python, RUNNER, model, given, out],
            capture_output=True, text=True, timeout=_OLD_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
            reason = next((line for line in lines if "Didn't find op" in line), lines[-1])
            raise ModelError(reason)
        with np.load(out) as file:
            outputs = {key: file[key] for key in file.files}
    return outputs, float(outputs.pop("median_ms"))
