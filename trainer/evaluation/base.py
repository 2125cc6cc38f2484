"""The figures of a base: the deployed file, beside it its Keras model and a reference embedding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.errors import DataError, UsageError
from edge.models.embedder import Perception
from edge.models.spec import Network
from trainer.data.attribute_metrics import AttributeReport, measure_attributes
from trainer.data.table import FaceTable
from trainer.evaluation.faces import Photos, Settings
from trainer.evaluation.verification import pair_scores, verify
from trainer.inference.run import (
    Perceiver,
    deployed_perceiver,
    file_perceiver,
    keras_perceiver,
    perceive_all,
)
from trainer.inference.source import ModelSource


def evaluate(
    subject: ModelSource,
    data: Photos | None,
    paired: Photos | None,
    settings: Settings,
    reference: ModelSource | None = None,
) -> dict[str, Any]:
    """All figures as JSON: "attributes" and "verification" of the deployed file, and the same
    under "keras", "variants" and "reference" where asked for and at hand.

    All of these are of one look at a face. Where the device judges a face by the mean of its crop
    and of the crop's mirror image, figures of that are under "mirrored".

    data: for the attributes, and for verification where `paired` is None.
    Raises `DataError` when nothing of this can be measured.
    """
    faces = paired if paired is not None else data
    if faces is None or (data is None and faces.pairs is None):
        raise UsageError("nothing to evaluate on", hint="give --data DIR or --pairs CSV")
    plain = _deployed_figures(subject, data, faces, settings, "plain")
    if plain.attributes is None and plain.verification is None:
        raise DataError(
            "the data have neither labels that the model knows nor people to verify",
            hint="give a CelebA folder, folders by identity, or --pairs CSV",
        )
    result: dict[str, Any] = {
        "model": _model_facts(subject),
        "data": None if data is None else data.facts(),
        **plain.to_json(),
    }
    if subject.base.network.mirrored or subject.embedder.network.mirrored:
        both = _deployed_figures(subject, data, faces, settings, "plain", deployed_perceiver)
        result["mirrored"] = both.to_json()
    if subject.keras is not None:
        result["keras"] = _keras_figures(subject, data, faces, settings, plain)
    if settings.variants:
        result["variants"] = {
            name: _deployed_figures(subject, data, faces, settings, name).to_json()
            for name in settings.variants
        }
    if reference is not None:
        perceiver = file_perceiver(reference.embedder, threads=settings.threads)
        said = _perceive(perceiver, reference.embedder.network, faces, settings, "plain").embeddings
        result["reference"] = {
            "model": reference.name,
            "verification": _verification(said, faces, settings),
        }
    return result


@dataclass(frozen=True)
class _Outcome:
    """Figures, and what they were computed from."""

    attributes: dict[str, Any] | None
    verification: dict[str, Any] | None
    labelled: Perception | None
    embeddings: np.ndarray | None

    def to_json(self) -> dict[str, Any]:
        return {"attributes": self.attributes, "verification": self.verification}


def _deployed_figures(
    subject: ModelSource,
    data: Photos | None,
    faces: Photos,
    settings: Settings,
    variant: str,
    opened: Callable[..., Perceiver] = file_perceiver,
) -> _Outcome:
    """opened: from a deployed file to what looks at crops."""
    labelled = None
    if data is not None and _known_attributes(subject.base.network, data.table):
        perceiver = opened(subject.base, threads=settings.threads)
        labelled = _perceive(perceiver, subject.base.network, data, settings, variant)
    shared = subject.base is subject.embedder and faces is data and labelled is not None
    embeddings = None
    if shared and labelled is not None:
        embeddings = labelled.embeddings
    elif faces.pairs is not None and "embedding" in subject.embedder.network.outputs:
        perceiver = opened(subject.embedder, threads=settings.threads)
        network = subject.embedder.network
        embeddings = _perceive(perceiver, network, faces, settings, variant).embeddings
    return _Outcome(
        attributes=_attributes(labelled, data, subject.base.network),
        verification=_verification(embeddings, faces, settings),
        labelled=labelled,
        embeddings=embeddings,
    )


def _keras_figures(
    subject: ModelSource, data: Photos | None, faces: Photos, settings: Settings, plain: _Outcome
) -> dict[str, Any]:
    """Figures of the float model, and how far the deployed file agrees with it."""
    assert subject.keras is not None
    perceiver = keras_perceiver(subject.keras)
    network = subject.base.network
    labelled = embeddings = None
    if data is not None and plain.labelled is not None:
        labelled = _perceive(perceiver, network, data, settings, "plain")
    own = subject.base is subject.embedder
    if own and labelled is not None and faces is data:
        embeddings = labelled.embeddings
    elif own and faces.pairs is not None and plain.embeddings is not None:
        embeddings = _perceive(perceiver, network, faces, settings, "plain").embeddings
    agreement: dict[str, Any] = {}
    if embeddings is not None and plain.embeddings is not None:
        cosine = np.einsum("nd,nd->n", embeddings, plain.embeddings)
        agreement["embedding_cosine_mean"] = round(float(cosine.mean()), 4)
        agreement["embedding_cosine_worst_1pct"] = round(float(np.quantile(cosine, 0.01)), 4)
    if labelled is not None and plain.labelled is not None:
        ours, theirs = labelled.attributes, plain.labelled.attributes
        if ours is not None and theirs is not None:
            flips = float(((ours >= 0) != (theirs >= 0)).mean())
            agreement["attribute_flips"] = round(flips, 4)
    return {
        "attributes": _attributes(labelled, data, network),
        "verification": _verification(embeddings, faces, settings),
        "agreement_with_deployed": agreement,
    }


def attribute_report(
    logits: np.ndarray, network: Network, photos: Photos, *, tuned: bool
) -> AttributeReport:
    """Figures over the attributes that network and data both know, on the faces that were found.

    logits: float[N, A], in the network's order. tuned: at the network's own thresholds, not 0.5.
    """
    names = _known_attributes(network, photos.table)
    columns = [network.attributes.index(name) for name in names]
    rows = photos.landmarks.usable
    thresholds = [network.attribute_thresholds[c] for c in columns] if tuned else None
    labels = photos.table.with_attributes(names).labels
    return measure_attributes(logits[rows][:, columns], labels[rows], names, thresholds)


def _attributes(
    said: Perception | None, photos: Photos | None, network: Network
) -> dict[str, Any] | None:
    """Means at 0.5 on top, at the network's thresholds under "tuned", single ones below."""
    if said is None or photos is None or said.attributes is None:
        return None
    report = attribute_report(said.attributes, network, photos, tuned=False)
    result = report.to_json()
    result["undetected"] = int((~photos.landmarks.found).sum())
    result["verdict"] = report.verdict()
    result["tuned"] = None
    if network.attribute_thresholds:
        tuned = attribute_report(said.attributes, network, photos, tuned=True)
        result["tuned"] = tuned.to_json()
    return result


def _verification(
    embeddings: np.ndarray | None, faces: Photos, settings: Settings
) -> dict[str, Any] | None:
    """A face that cannot be found matches nobody: its pairs score the least there is."""
    pairs = faces.pairs
    if embeddings is None or pairs is None:
        return None
    scores = pair_scores(embeddings, pairs)
    usable = faces.landmarks.usable
    scores[~(usable[pairs.first] & usable[pairs.second])] = -1.0
    used = np.unique(np.concatenate([pairs.first, pairs.second]))
    undetected = int((~faces.landmarks.found[used]).sum())
    return verify(scores, pairs, seed=settings.seed, undetected=undetected).to_json()


def _perceive(
    perceiver: Perceiver, network: Network, photos: Photos, settings: Settings, variant: str
) -> Perception:
    crops = photos.crops(network.input, settings)
    return perceive_all(perceiver, crops, variant=variant, seed=settings.seed, quiet=settings.quiet)


def _known_attributes(network: Network, table: FaceTable) -> tuple[str, ...]:
    if "attributes" not in network.outputs:
        return ()
    return tuple(name for name in network.attributes if name in table.attributes)


def _model_facts(subject: ModelSource) -> dict[str, Any]:
    base = subject.base
    return {
        "name": subject.name,
        "format": base.network.format,
        "sha256": base.network.sha256,
        "size_bytes": len(base.data),
        "external_embedder": None if base is subject.embedder else subject.embedder.network.sha256,
    }
