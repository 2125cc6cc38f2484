"""TensorFlow without its chatter."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator

_SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR"}


@contextlib.contextmanager
def quiet_native() -> Iterator[None]:
    """Drop what native libraries write to standard error, and Python's warnings.

    Errors arrive as exceptions, as ever.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # a process without standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def start_tensorflow(threads: int | None = None, strategy: str = "none") -> None:
    """Load TensorFlow quietly, with so many threads, by default one per core, and a strategy.

    A strategy over several machines can only be made before anything else is computed. Has no
    effect on the threads where TensorFlow is running already. Raises as `make_strategy` does.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    with quiet_native():
        import tensorflow as tf

        if threads is not None:
            with contextlib.suppress(RuntimeError):
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(threads)
        from trainer.networks.strategy import make_strategy

        make_strategy(strategy)
        tf.zeros(1)
