"""TFLite files in an environment that has NumPy and tflite-runtime alone. Run as a file:

    PYTHON tflite_runner.py answers MODEL.tflite TENSORS.npy OUT.npz
    PYTHON tflite_runner.py times MODEL.tflite TENSORS.npy OUT.npz REFERENCE.tflite ITS.npy ROUNDS

Of `answers`, OUT holds each output by its name, for all tensors; of `times`, `times_s`: the
seconds of one call of the model and of the reference in turns, float64[ROUNDS, 2], on one thread.
"""

import sys
from time import perf_counter
from typing import Any

import numpy as np

_WARM_UP = 3


def answers(model: str, tensors: str, out: str) -> None:
    """tensors: [N, S, S, 3] in the type of the file's input. Raises what the runtime raises."""
    interpreter, place = _opened(model)
    details = interpreter.get_output_details()
    said: dict[str, list[np.ndarray]] = {detail["name"]: [] for detail in details}
    for tensor in np.load(tensors):
        interpreter.set_tensor(place, tensor[None])
        interpreter.invoke()
        for detail in details:
            values = interpreter.get_tensor(detail["index"])
            said[detail["name"]].append(values[0])
    np.savez(out, **{name: np.stack(rows) for name, rows in said.items()})  # type: ignore[arg-type]


def times(
    model: str, tensors: str, out: str, reference: str, its_tensors: str, rounds: str
) -> None:
    """The first of the tensors of each. Raises what the runtime raises."""
    both = [_opened(model), _opened(reference)]
    for (interpreter, place), path in zip(both, (tensors, its_tensors)):  # noqa: B905
        interpreter.set_tensor(place, np.load(path)[:1])
    times_s = np.zeros((int(rounds) + _WARM_UP, 2))
    for row in times_s:
        for column, (interpreter, _) in enumerate(both):
            started = perf_counter()
            interpreter.invoke()
            row[column] = perf_counter() - started
    np.savez(out, times_s=times_s[_WARM_UP:])


def _opened(model: str) -> tuple[Any, int]:
    """The interpreter and the number of its input."""
    from tflite_runtime.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter, int(interpreter.get_input_details()[0]["index"])


if __name__ == "__main__":
    if sys.argv[1] == "answers":
        answers(*sys.argv[2:])
    else:
        times(*sys.argv[2:])
