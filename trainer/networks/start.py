"""Starts: TensorFlow, quietly, with threads and a strategy; a network, from a saved one."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import InputError, ModelError
from trainer.console.quiet import quiet_native

if TYPE_CHECKING:
    import keras

_SETTINGS = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR"}


def start_tensorflow(threads: int | None = None, strategy: str = "none") -> None:
    """Load TensorFlow quietly, with `threads` threads (by default one per core) and a strategy.

    A strategy over several machines can only be made before anything else is computed. Has no
    effect on the threads where TensorFlow is running already. Raises as `make_strategy` does.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with quiet_native():
        import tensorflow as tf

        if threads is not None:
            with contextlib.suppress(RuntimeError):
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(threads)
        from trainer.networks.strategy import make_strategy

        make_strategy(strategy)
        tf.zeros(1)


def start_from_saved(model: keras.Model, path: Path) -> None:
    """Give a network all weights of a saved one, `.keras` or `.h5`, that has the same layers.

    Raises `InputError` where there is no such file and `ModelError` where it cannot be loaded or
    its weights are of other shapes.
    """
    from trainer.networks.legacy import load_saved

    if not path.is_file():
        raise InputError(f"there is no saved network {path}", hint="check --start-from")
    saved = load_saved(path, "network")
    ours, theirs = ([tuple(w.shape) for w in one.weights] for one in (model, saved))
    if ours != theirs:
        raise ModelError(
            f"the network {path} has other layers: {len(theirs)} weights, here are {len(ours)}"
            if len(ours) != len(theirs)
            else f"the network {path} has layers of other sizes",
            hint="give the options that it was trained with, or take its convolutions alone "
            "with --arch file:PATH",
        )
    model.set_weights(saved.get_weights())
