"""One TFLite file over many inputs, in an environment that has NumPy and tflite-runtime alone.

Run as a file: PYTHON tflite_runner.py MODEL.tflite TENSORS.npy OUT.npz. OUT holds each output by
its name and `median_ms` of one call on one thread.
"""

import sys
from time import perf_counter

import numpy as np


def main(model: str, tensors: str, out: str) -> None:
    """tensors: [N, S, S, 3] in the type of the file's input. Raises what the runtime raises."""
    from tflite_runtime.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    details = interpreter.get_output_details()
    said: dict[str, list[np.ndarray]] = {detail["name"]: [] for detail in details}
    times = []
    for tensor in np.load(tensors):
        interpreter.set_tensor(place, tensor[None])
        started = perf_counter()
        interpreter.invoke()
        times.append(perf_counter() - started)
        for detail in details:
            said[detail["name"]].append(interpreter.get_tensor(detail["index"])[0])
    arrays = {name: np.stack(rows) for name, rows in said.items()}
    arrays["median_ms"] = np.array(1000 * np.median(times))
    np.savez(out, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
