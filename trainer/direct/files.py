"""Files of a direct run: SavedModel and TFLite in three precisions, each with the answer inside and
compared with Keras on the run's own pictures. Loads TensorFlow.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.console.native_output import stderr_hidden
from edge.models.run_record import MODEL_TFLITE
from trainer.console.quiet import quiet_native
from trainer.direct.figures import WrittenFile
from trainer.networks.quantization import quantize

SAVED_MODEL, FLOAT_TFLITE, DYNAMIC_TFLITE = (
    "saved_model",
    "model.float32.tflite",
    "model.dynamic.tflite",
)


def write_files(
    folder: Path,
    model: keras.Model,
    calibration_bgr: np.ndarray,
    crops_bgr: np.ndarray,
    answer: np.ndarray,
    said: np.ndarray,
) -> tuple[bytes, tuple[WrittenFile, ...]]:
    """Write all files of a model and compare them on crops uint8[N, S, S, 3] BGR with answers
    bool[N], of which Keras said bool[N]. Returns the int8 file, and what was written.
    """
    import tensorflow as tf

    with quiet_native(), stderr_hidden():
        model.export(str(folder / SAVED_MODEL), verbose=False)
        for name, optimizations in (
            (FLOAT_TFLITE, []),
            (DYNAMIC_TFLITE, [tf.lite.Optimize.DEFAULT]),
        ):
            converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / SAVED_MODEL))
            converter.optimizations = optimizations
            (folder / name).write_bytes(converter.convert())
    int8 = quantize(model, calibration_bgr)
    (folder / MODEL_TFLITE).write_bytes(int8)
    saved = tf.saved_model.load(str(folder / SAVED_MODEL)).signatures["serving_default"]
    pixels = np.ascontiguousarray(crops_bgr[..., ::-1])
    chunks = [pixels[k : k + 64].astype(np.float32) for k in range(0, len(pixels), 64)]
    answers = {
        SAVED_MODEL: np.concatenate([_only(saved(tf.constant(c))).numpy()[:, 0] for c in chunks]),
        FLOAT_TFLITE: _tflite(folder / FLOAT_TFLITE, pixels),
        DYNAMIC_TFLITE: _tflite(folder / DYNAMIC_TFLITE, pixels),
        MODEL_TFLITE: _tflite(folder / MODEL_TFLITE, pixels),
    }
    kinds = {
        SAVED_MODEL: "SavedModel",
        FLOAT_TFLITE: "TFLite, float32",
        DYNAMIC_TFLITE: "TFLite, int8 weights",
        MODEL_TFLITE: "TFLite, int8 throughout",
    }
    written = tuple(
        WrittenFile(
            name,
            kinds[name],
            _size(folder / name),
            float(((logits > 0) == said).mean()),
            float(((logits > 0) == answer).mean()),
        )
        for name, logits in answers.items()
    )
    return int8, written


def _tflite(path: Path, pixels: np.ndarray) -> np.ndarray:
    """What a file answers, float64[N], picture by picture, of uint8[N, S, S, 3] RGB."""
    from ai_edge_litert.interpreter import Interpreter

    with stderr_hidden():
        interpreter = Interpreter(model_path=str(path), num_threads=os.cpu_count() or 1)
        interpreter.allocate_tensors()
    expects, gives = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = np.empty(len(pixels))
    for row, picture in enumerate(pixels):
        interpreter.set_tensor(expects["index"], picture[None].astype(expects["dtype"]))
        interpreter.invoke()
        found[row] = interpreter.get_tensor(gives["index"]).reshape(-1)[0]
    return found


def _only(outputs: dict[str, Any]) -> Any:
    return next(iter(outputs.values()))


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.stat().st_size for p in files)
