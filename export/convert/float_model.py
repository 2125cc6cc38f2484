"""The float model: RUN/model.keras, its answers, and its graph with the weights as constants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from edge.models.embedder import Perception, l2_normalized
from edge.models.spec import NetworkInput
from export.convert.layers import own_layers

INPUT_NAME = "pixels"
"""Name of the input of every file that is converted: RGB pixels 0..255, float32[1, S, S, 3]."""


class FloatModel:
    """A Keras model with the outputs `attributes` (logits) and `embedding`, or one of them.

    Its input is float32[N, S, S, 3], RGB pixels 0..255.
    """

    def __init__(self, path: Path) -> None:
        """Raises `ModelError` when Keras cannot load the file or it is no base."""
        import keras

        try:
            self.keras: Any = keras.models.load_model(
                path, custom_objects=own_layers(), compile=False
            )
        except Exception as problem:  # Keras raises anything
            first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            raise ModelError(
                f"Keras {keras.__version__} cannot load {path}: {first}",
                hint="train again with this version's edge-train",
            ) from None
        outputs = self.keras.output
        if not isinstance(outputs, dict) or not set(outputs) <= {"attributes", "embedding"}:
            raise ModelError(
                f"{path} is no base: it has no outputs named 'attributes' and 'embedding'",
                hint="use a model.keras that this version's edge-train wrote",
            )
        self.widths = {role: int(outputs[role].shape[-1]) for role in sorted(outputs)}
        self.size_px = int(self.keras.input_shape[1])

    @property
    def roles(self) -> tuple[str, ...]:
        """Outputs in the order of the frozen function's: alphabetical."""
        return tuple(self.widths)

    def perceive(self, crops_bgr: np.ndarray) -> Perception:
        """The outputs of Keras for crops uint8[N, S, S, 3] BGR; no check for numbers not finite."""
        pixels = np.ascontiguousarray(crops_bgr[..., ::-1]).astype(np.float32)
        said = {role: np.asarray(v) for role, v in self.keras.predict(pixels, verbose=0).items()}
        embeddings = said.get("embedding")
        return Perception(
            embeddings=None if embeddings is None else l2_normalized(embeddings),
            attributes=said.get("attributes"),
        )

    def check_input(self, expects: NetworkInput) -> None:
        """Raises `ModelError` when run.json describes crops of another size."""
        if self.size_px != expects.size_px:
            raise ModelError(
                f"model.keras takes crops of {self.size_px} px, run.json says {expects.size_px}",
                hint="the run folder was mixed from two runs; train again",
            )

    def function(self) -> Any:
        """A `tf.function` from `pixels` float32[1, S, S, 3] to a dict of the roles."""
        import tensorflow as tf

        spec = tf.TensorSpec([1, self.size_px, self.size_px, 3], tf.float32, name=INPUT_NAME)

        @tf.function(autograph=False, input_signature=[spec])
        def infer(pixels: Any) -> Any:
            said = self.keras(pixels, training=False)
            return {role: said[role] for role in self.roles}

        return infer

    def frozen(self, last: Any = None, *, mirrored: bool = False) -> Any:
        """The concrete function with its weights as constants, for the TFLite converter.

        `from_concrete_functions([f], model)` on a Keras 3 model "succeeds" with a file that holds
        no weights and returns NaN; `convert_variables_to_constants_v2` first gives the same file
        as the other routes, three to four times faster. last: what becomes of the dict of outputs,
        by default the list of them in the order of `roles`. mirrored: these are the means of what
        is said of the pixels and of their mirror image, as in `edge.models.embedder`.
        """
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        infer = self.function()

        @tf.function(autograph=False, input_signature=infer.input_signature)
        def listed(pixels: Any) -> Any:
            said = infer(pixels)
            if mirrored:
                said = _mean(said, infer(tf.reverse(pixels, axis=[2])))
            return [said[role] for role in self.roles] if last is None else last(said)

        return convert_variables_to_constants_v2(listed.get_concrete_function())


def _mean(said: dict[str, Any], of_mirror: dict[str, Any]) -> dict[str, Any]:
    """Of two dicts of outputs; the embedding has length 1 again."""
    import tensorflow as tf

    mean = {role: 0.5 * (said[role] + of_mirror[role]) for role in said}
    if "embedding" in mean:
        mean["embedding"] = tf.math.l2_normalize(mean["embedding"], axis=-1)
    return mean
