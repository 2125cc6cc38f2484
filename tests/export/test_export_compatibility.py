"""A bundle of schema 1, packed once and kept: later versions open it and decide as it did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.bundle.reader import Bundle
from edge.bundle.signature import PublicKey
from edge.bundle.writer import BundleWriter
from edge.errors import BundleSignatureError, ModelError
from edge.recognition.self_test import LEAST_COSINE, rerun
from export.verify.contents import inspect
from export.verify.golden import verify

KEPT = Path(__file__).resolve().parents[1] / "data" / "schema-1.edge"
KEY = PublicKey(bytes.fromhex("8151b826459578e7445faeea68b4ea5fd1f5ba87b4b7c0e5da4e91b262ae30b3"))


def test_it_opens_and_is_whole() -> None:
    with Bundle.open(KEPT, KEY) as bundle:
        bundle.verify()
        assert bundle.name == "kept"
        assert bundle.base.attributes == ("Eyeglasses", "Male", "Smiling", "Wearing_Hat")
        assert bundle.base.attribute_thresholds == (0.5, 0.45, 0.5, 0.6)
        assert bundle.embedder.embedding_size == 16
        assert [(head.name, head.threshold) for head in bundle.heads] == [("Anna", 2.8)]
        assert bundle.detector_data == b"stands for a detector"
        cohort = bundle.cohort()
        assert cohort is not None
        assert (len(cohort), cohort.people) == (40, 40)
        assert bundle.text(bundle.manifest.card).startswith("# kept")


def test_it_decides_as_it_did() -> None:
    with Bundle.open(KEPT) as bundle:
        golden = bundle.golden
        assert golden is not None
        difference = golden.compare(rerun(bundle, golden))
        assert (difference.crops, difference.decisions) == (6, 0)
        assert difference.cosine_worst >= LEAST_COSINE
        np.testing.assert_array_equal(golden.accepted[:, 0], [False] * 5 + [True])


def test_its_stand_in_for_a_detector_is_reported() -> None:
    """The kept bundle was made with bytes in place of YuNet, which nothing ran at that time."""
    with pytest.raises(ModelError, match="detector"):
        verify(KEPT)


def test_it_can_be_written_again(tmp_path: Path) -> None:
    with Bundle.open(KEPT) as bundle:
        BundleWriter.of(bundle).write(tmp_path / "again.edge")
        with Bundle.open(tmp_path / "again.edge") as again:
            again.verify()
            assert again.manifest.members.keys() == bundle.manifest.members.keys()
            assert again.embedder == bundle.embedder


def test_it_is_signed() -> None:
    assert inspect(KEPT).manifest.signature is not None
    with pytest.raises(BundleSignatureError):
        Bundle.open(KEPT, PublicKey(bytes(31) + b"\1"))
