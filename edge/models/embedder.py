"""The embedder: from aligned crops to embeddings and attribute logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.errors import ModelError
from edge.faces.alignment import align
from edge.faces.face import Face
from edge.models.runtime import open_model
from edge.models.spec import Network


@dataclass(frozen=True)
class Perception:
    """The outputs of a network for N crops.

    embeddings: float32[N, D], each of length 1, or None where the network has none.
    attributes: float32[N, A] logits, or None where the network has none.
    """

    embeddings: np.ndarray | None
    attributes: np.ndarray | None


class Embedder:
    """A network that is ready to embed faces. Not thread-safe: one per thread.

    Example:
        >>> with edge.Bundle.open("ana.edge") as bundle:
        ...     embedder = edge.Embedder(bundle.embedder, bundle.embedder_data)
        >>> face = edge.Detector.open().detect(image)[0]
        >>> crop = embedder.crop(image, face)
        >>> embedder.embed(crop[None]).embeddings.shape
        (1, 128)
    """

    def __init__(self, network: Network, data: bytes, *, threads: int = 1) -> None:
        """Raises `ModelError` or `RuntimeMissing`, see `edge.models.runtime.open_model`."""
        self.network = network
        self.model = open_model(data, network.format, threads=threads)

    def crop(self, image_bgr: np.ndarray, face: Face) -> np.ndarray:
        """The crop that the network sees, uint8[S, S, 3] BGR, from a picture uint8[H, W, 3] BGR."""
        expects = self.network.input
        return align(image_bgr, face, expects.frame, expects.window, expects.size_px)

    def embed(self, crops_bgr: np.ndarray) -> Perception:
        """Run the network on crops, uint8[N, S, S, 3] BGR: its outputs for each, or with
        `Network.mirrored` the mean of that and of what it says of the mirror image. Raises as
        `embed_once`.
        """
        if not self.network.mirrored:
            return self.embed_once(crops_bgr)
        beside = np.stack([crops_bgr, mirror_images(crops_bgr)], axis=1)
        both = self.embed_once(beside.reshape(-1, *crops_bgr.shape[1:]))
        embeddings, logits = _by_pairs(both.embeddings), _by_pairs(both.attributes)
        return Perception(
            embeddings=None if embeddings is None else l2_normalized(embeddings),
            attributes=logits,
        )

    def embed_once(self, crops_bgr: np.ndarray) -> Perception:
        """Run the network on unchanged crops, uint8[N, S, S, 3] BGR.

        Raises `ModelError` when the file lacks a promised output or returns numbers that are not
        finite.
        """
        size = self.network.input.size_px
        if crops_bgr.ndim != 4 or crops_bgr.shape[1:] != (size, size, 3):
            raise ModelError(f"the network takes crops of {size} px, got {crops_bgr.shape[1:]}")
        tensor = self.network.input.tensor(crops_bgr)
        parts: dict[str, list[np.ndarray]] = {role: [] for role in self.network.outputs}
        for first in range(0, len(tensor), self.network.input.batch):
            for role, values in self._batch(
                tensor[first : first + self.network.input.batch]
            ).items():
                parts[role].append(values)
        embeddings = self._joined(parts, "embedding", self.network.embedding_size)
        return Perception(
            embeddings=None if embeddings is None else l2_normalized(embeddings),
            attributes=self._joined(parts, "attributes", len(self.network.attributes)),
        )

    def _batch(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        """One call of the model; a batch that is not full is filled with its last crop."""
        count, batch = len(tensor), self.network.input.batch
        if count < batch:
            tensor = np.concatenate([tensor, np.repeat(tensor[-1:], batch - count, axis=0)])
        outputs = self.model.run(tensor)
        result = {}
        for role, name in self.network.outputs.items():
            if name not in outputs:
                raise ModelError(
                    f"the model has no output '{name}' for its {role}",
                    hint=f"its outputs are {', '.join(sorted(outputs))}",
                )
            values = outputs[name].reshape(batch, -1)[:count]
            if not np.isfinite(values).all():
                raise ModelError(f"the model's {role} holds numbers that are not finite")
            result[role] = values
        return result

    def _joined(
        self, parts: dict[str, list[np.ndarray]], role: str, width: int
    ) -> np.ndarray | None:
        if role not in parts:
            return None
        if not parts[role]:
            return np.zeros((0, width), np.float32)
        return np.concatenate(parts[role])


def mirror_images(crops_bgr: np.ndarray) -> np.ndarray:
    """Crops uint8[N, S, S, 3] with left and right exchanged."""
    return np.ascontiguousarray(crops_bgr[:, :, ::-1])


def _by_pairs(values: np.ndarray | None) -> np.ndarray | None:
    """The means of adjacent rows: float32[2 N, W] to float32[N, W]."""
    return None if values is None else values.reshape(-1, 2, values.shape[1]).mean(axis=1)


def l2_normalized(vectors: np.ndarray) -> np.ndarray:
    """Rows of float[N, D] scaled to length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
