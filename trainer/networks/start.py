"""TensorFlow started: quietly, with a number of threads and a strategy."""

from __future__ import annotations

import contextlib
import os

from trainer.console.quiet import quiet_native

_SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR"}


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
