"""YuNet (Wu et al., 2023) by two runtimes: the same network, and the same rows of faces.

OpenCV reads the ONNX file and does the rest itself. LiteRT reads a TFLite file that
`export.convert.yunet` made of it, for half the processor time; what OpenCV's `FaceDetectorYN` does
around the network (its face_detect.cpp) is done here then.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np

from edge.errors import DetectorError, ToolkitError
from edge.files.interpreter import TFLITE_MODULES, open_interpreter
from edge.files.model_file import read_model_file, sha256_of

log = logging.getLogger(__name__)

YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
"""face_detection_yunet_2023mar.onnx of the OpenCV model zoo (MIT)."""

YUNET_NAME = "face_detection_yunet_2023mar.onnx"

SHIPPED_DETECTOR = Path(__file__).parents[1] / "shipped" / YUNET_NAME
"""The copy that comes with the distribution, beside its licence."""

TWIN = SHIPPED_DETECTOR.with_suffix(".tflite")
"""The same network for LiteRT, float32."""

TWIN_SHA256 = "13c9b994d939340a96bdad7fbb7f03243fe2f9300d72727fa85441be4e0b8045"

STRIDES_PX = (8, 16, 32)
"""Of the grids of cells that answer for faces, small ones first."""

MULTIPLE_PX = 32
"""Pictures are filled up with black to multiples of this, at the right and the bottom."""

KEPT_SIZES = 3
"""Interpreters for so many sizes of pictures are kept; each has its own memory."""

MOST_ROWS = 5000

Runtime = Literal["best", "litert", "opencv"]
"""best: LiteRT for the shipped network where it runs, else OpenCV."""


class Eye(Protocol):
    """A detector without pre- and postprocessing of its own. Not thread-safe.

    runtime: in words.
    """

    runtime: str

    def rows(self, image_bgr: np.ndarray) -> np.ndarray:
        """The faces of a picture, uint8[H, W, 3] BGR: float32[N, 15] with x, y, width, height, five
        points and score."""


class OpenCVEye:
    """YuNet through OpenCV's `FaceDetectorYN`."""

    def __init__(self, model: bytes, score_threshold: float, nms_iou: float) -> None:
        """Raises `DetectorError` when OpenCV cannot load `model`."""
        self.runtime = f"opencv {cv2.__version__}"
        if not hasattr(cv2, "FaceDetectorYN"):
            raise DetectorError(
                f"OpenCV {cv2.__version__} has no FaceDetectorYN",
                hint="install opencv-python-headless 4.10 or newer",
            )
        try:
            self._yunet = cv2.FaceDetectorYN.create(
                "onnx",
                np.frombuffer(model, np.uint8),
                np.empty(0, np.uint8),
                (320, 320),
                score_threshold,
                nms_iou,
                MOST_ROWS,
            )
        except cv2.error as problem:
            raise DetectorError(
                f"OpenCV {cv2.__version__} cannot load the face detector: {problem.err}",
                hint=f"use {YUNET_NAME} with OpenCV 4.10 or newer",
            ) from None

    def rows(self, image_bgr: np.ndarray) -> np.ndarray:
        """See `Eye.rows`."""
        self._yunet.setInputSize((image_bgr.shape[1], image_bgr.shape[0]))
        rows = self._yunet.detect(np.ascontiguousarray(image_bgr))[1]
        return np.empty((0, 15), np.float32) if rows is None else rows


class LiteRTEye:
    """YuNet's twin through LiteRT or tflite-runtime."""

    def __init__(
        self, twin: bytes, score_threshold: float, nms_iou: float, threads: int, distribution: str
    ) -> None:
        """Raises whatever the runtime raises where it cannot run."""
        self.runtime = distribution
        self._twin, self._threads = twin, threads
        self._module = TFLITE_MODULES[distribution]
        self._score_threshold, self._nms_iou = score_threshold, nms_iou
        self._interpreters: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._maps(np.zeros((MULTIPLE_PX, MULTIPLE_PX, 3), np.uint8))  # proves that it runs
        self._interpreters.clear()

    def rows(self, image_bgr: np.ndarray) -> np.ndarray:
        """See `Eye.rows`."""
        maps = self._maps(image_bgr)
        found = np.concatenate(
            [
                decoded(cells, stride_px, self._score_threshold)
                for cells, stride_px in zip(maps, STRIDES_PX, strict=True)
            ]
        )
        if len(found) < 2:
            return found
        boxes = np.trunc(found[:, :4]).tolist()  # OpenCV compares boxes of whole pixels
        kept = cv2.dnn.NMSBoxes(
            boxes, found[:, 14].tolist(), self._score_threshold, self._nms_iou, 1.0, MOST_ROWS
        )
        return found[np.asarray(kept, int).reshape(-1)]

    def _maps(self, image_bgr: np.ndarray) -> list[np.ndarray]:
        """The cells of each stride, float32[rows, columns, 16]."""
        height, width = image_bgr.shape[:2]
        size_px = (-(-height // MULTIPLE_PX) * MULTIPLE_PX, -(-width // MULTIPLE_PX) * MULTIPLE_PX)
        interpreter = self._interpreter(size_px)
        pixels = interpreter.tensor(interpreter.get_input_details()[0]["index"])
        pixels()[0, 1 : height + 1, 1 : width + 1] = image_bgr
        if (height, width) != size_px:
            pixels()[0, height + 1 :] = 0
            pixels()[0, :, width + 1 :] = 0
        interpreter.invoke()
        outputs = (interpreter.get_tensor(o["index"])[0] for o in interpreter.get_output_details())
        return sorted(outputs, key=len, reverse=True)

    def _interpreter(self, size_px: tuple[int, int]) -> Any:
        """For pictures of this height and width. The input has a black row above and a black column
        at the left, which is how YuNet's first convolution fills up."""
        found = self._interpreters.pop(size_px, None)
        if found is None:
            shape = (1, size_px[0] + 1, size_px[1] + 1, 3)
            found = open_interpreter(self._module, self._twin, self._threads, shape)
            found.tensor(found.get_input_details()[0]["index"])()[:] = 0
        self._interpreters[size_px] = found
        while len(self._interpreters) > KEPT_SIZES:
            self._interpreters.popitem(last=False)
        return found


def decoded(cells: np.ndarray, stride_px: int, score_threshold: float) -> np.ndarray:
    """The faces that the cells of one stride answer for, float32[N, 15] as `Eye.rows`, also such as
    overlap. cells: float32[rows, columns, 16], of each cell the logits of face and object, then
    box and five points in strides, from the cell's corner."""
    square = min(score_threshold**2, 1 - 1e-7)
    least = float(np.log(square / (1 - square))) if square > 0 else -np.inf
    row, column = np.nonzero(cells[..., :2].min(axis=2) >= least - 1e-3)
    chosen = cells[row, column]
    either = 1 / (1 + np.exp(-chosen[:, :2]))
    scores = np.sqrt(either[:, 0] * either[:, 1])
    sure = scores >= score_threshold
    row, column, chosen = row[sure], column[sure], chosen[sure]
    corner = np.stack([column, row], axis=1).astype(np.float32)
    found = np.empty((len(chosen), 15), np.float32)
    found[:, 2:4] = np.exp(chosen[:, 4:6]) * stride_px
    found[:, :2] = (corner + chosen[:, 2:4]) * stride_px - found[:, 2:4] / 2
    found[:, 4:14] = (np.tile(corner, 5) + chosen[:, 6:]) * stride_px
    found[:, 14] = scores[sure]
    return found


def open_eye(
    model: bytes, score_threshold: float, nms_iou: float, *, runtime: Runtime, threads: int
) -> Eye:
    """What runs a detector's file. Raises `DetectorError`, of "litert" also where it is another
    network than the shipped one or no such runtime can run it."""
    is_shipped = sha256_of(model) == YUNET_SHA256
    if runtime == "opencv" or (runtime == "best" and not is_shipped):
        return OpenCVEye(model, score_threshold, nms_iou)
    if not is_shipped:
        raise DetectorError(
            "LiteRT runs the shipped face detector alone", hint="leave the choice to edge-recognize"
        )
    problem: Exception | None = None
    for distribution in TFLITE_MODULES:
        try:
            twin = read_model_file(TWIN, sha256=TWIN_SHA256, error=DetectorError)
            return LiteRTEye(twin, score_threshold, nms_iou, threads, distribution)
        except (ModuleNotFoundError, ToolkitError) as found:
            problem = problem or found
        except Exception as found:  # runtimes raise anything, also SystemError on ABI mismatch
            problem = found
    log.debug("no TFLite runtime runs the face detector: %s", problem)
    if runtime == "litert":
        raise DetectorError(f"no TFLite runtime runs the face detector: {problem}")
    return OpenCVEye(model, score_threshold, nms_iou)
