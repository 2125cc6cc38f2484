"""Runtimes: whatever is installed that can execute a model file, proved by one inference."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import cv2
import numpy as np

from edge.errors import ModelError, RuntimeMissing
from edge.files.interpreter import TFLITE_MODULES, open_interpreter
from edge.files.onnx_weights import refuse_external
from edge.models.onnx_runtime import onnx_runtime

log = logging.getLogger(__name__)


class Model(Protocol):
    """A model file that is ready to run. Not thread-safe: one per thread.

    runtime: distribution and version that executes it. input_shape: with 0 for free dimensions.
    """

    runtime: str
    input_shape: tuple[int, ...]

    def run(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        """One inference: output name to float32 array. Copies, so that results may be kept."""


class TFLiteModel:
    """A TFLite file under LiteRT or tflite-runtime."""

    def __init__(self, data: bytes, distribution: str, threads: int) -> None:
        self.runtime = f"{distribution} {_version(distribution)}"
        self._interpreter = open_interpreter(TFLITE_MODULES[distribution], data, threads)
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()
        self.input_shape = tuple(int(n) for n in self._input["shape"])

    def run(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        """See `Model.run`. Raises `ModelError` when the tensor does not fit the file."""
        try:
            self._interpreter.set_tensor(self._input["index"], _quantized(tensor, self._input))
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as problem:
            raise ModelError(f"{self.runtime} cannot run the model: {problem}") from None
        return {
            str(detail["name"]): _dequantized(self._interpreter.get_tensor(detail["index"]), detail)
            for detail in self._outputs
        }


class OnnxModel:
    """An ONNX file under ONNX Runtime."""

    def __init__(self, data: bytes, threads: int) -> None:
        runtime = onnx_runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.runtime = f"onnxruntime {runtime.__version__}"
        self._session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0]
        self._names = [output.name for output in self._session.get_outputs()]
        self.input_shape = tuple(n if isinstance(n, int) else 0 for n in self._input.shape)

    def run(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        """See `Model.run`. Raises `ModelError` when the tensor does not fit the file."""
        try:
            values = self._session.run(self._names, {self._input.name: tensor})
        except Exception as problem:  # onnxruntime has no public root exception
            raise ModelError(f"{self.runtime} cannot run the model: {problem}") from None
        return {
            name: np.asarray(value, np.float32)
            for name, value in zip(self._names, values, strict=True)
        }


class OpenCVModel:
    """A float32 ONNX file under OpenCV's DNN module: the fallback where nothing else is there."""

    def __init__(self, data: bytes) -> None:
        self.runtime = f"opencv {cv2.__version__}"
        self._net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
        self._names = list(self._net.getUnconnectedOutLayersNames())
        self.input_shape: tuple[int, ...] = ()

    def run(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        """See `Model.run`. Raises `ModelError` when the tensor does not fit the file."""
        try:
            self._net.setInput(tensor)
            values = self._net.forward(self._names)
        except cv2.error as problem:
            raise ModelError(f"{self.runtime} cannot run the model: {problem.err}") from None
        return dict(zip(self._names, (np.array(v, np.float32) for v in values), strict=True))


def open_model(data: bytes, format: str, *, threads: int = 1) -> Model:
    """Load a model file of one of `edge.models.spec.FORMATS` into the first runtime that can run
    it.

    Being importable proves nothing (tflite-runtime imports beside NumPy 2 and only its interpreter
    fails), so a runtime counts only after one inference on zeros. Raises `RuntimeMissing` when no
    runtime is installed and `ModelError` when those that are there all refuse the file.
    """
    if format.startswith("onnx"):
        refuse_external(data)
    failures: dict[str, str] = {}
    for name in _candidates(format):
        try:
            model = _create(data, name, threads)
            _prove(model, data)
            log.debug("%s runs a %s model, %d threads", model.runtime, format, threads)
            return model
        except ModuleNotFoundError:
            log.debug("%s is not installed and is skipped", name)
            continue
        except Exception as problem:  # runtimes raise anything, also SystemError on ABI mismatch
            failures[name] = f"{type(problem).__name__}: {problem}".splitlines()[0]
            log.debug("%s cannot run a %s model: %s", name, format, failures[name])
    if failures:
        said = "; ".join(f"{name}: {text}" for name, text in failures.items())
        raise ModelError(
            f"no installed runtime can run this {format} model ({said})",
            hint="run 'edge-recognize doctor' to see which packages do not fit together",
        )
    wanted = " or ".join(_candidates(format))
    raise RuntimeMissing(
        f"nothing installed can run {format} models", hint=f"pip install {wanted.split(' or ')[0]}"
    )


def available_runtimes() -> dict[str, str]:
    """Installed distributions that could run models, with versions; not yet proved."""
    names = (*TFLITE_MODULES, "onnxruntime", "opencv-python-headless", "opencv-python")
    found = {name: _version(name) for name in names}
    return {name: text for name, text in found.items() if text}


def _candidates(format: str) -> tuple[str, ...]:
    if format.startswith("tflite"):
        return tuple(TFLITE_MODULES)
    return ("onnxruntime", "opencv") if format == "onnx-float32" else ("onnxruntime",)


def _create(data: bytes, name: str, threads: int) -> Model:
    if name in TFLITE_MODULES:
        return TFLiteModel(data, name, threads)
    if name == "onnxruntime":
        return OnnxModel(data, threads)
    return OpenCVModel(data)


def _prove(model: Model, data: bytes) -> None:
    """One inference on zeros. OpenCV does not tell its input's shape, so it is proved in use."""
    if not model.input_shape:
        return
    shape = tuple(n or 1 for n in model.input_shape)
    dtype: Any = np.float32
    if isinstance(model, TFLiteModel):
        dtype = model._input["dtype"]
    elif isinstance(model, OnnxModel) and "uint8" in model._input.type:
        dtype = np.uint8
    if not model.run(np.zeros(shape, dtype)):
        raise ModelError("the model has no outputs")


def _quantized(tensor: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """A float tensor in the integer type of the file's input, where it has one."""
    wanted = np.dtype(detail["dtype"])
    if tensor.dtype == wanted:
        return tensor
    scale, zero = detail["quantization"]
    if scale and np.issubdtype(wanted, np.integer):
        limits = np.iinfo(wanted)
        return np.clip(np.rint(tensor / scale + zero), limits.min, limits.max).astype(wanted)
    return tensor.astype(wanted)


def _dequantized(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    if np.issubdtype(values.dtype, np.integer) and scale:
        return (values.astype(np.float32) - np.float32(zero)) * np.float32(scale)
    return np.array(values, np.float32)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
