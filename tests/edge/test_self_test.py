"""The self-test of a bundle: on the shipped base, with a head that enrolment made."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from device_factory import answer, bare_home, call, write_two_people
from sshd_fixture import make_bundle

from edge.bundle.golden import Golden
from edge.bundle.locate import SHIPPED, current_link, shipped_bundle
from edge.bundle.signature import PrivateKey
from edge.bundle.writer import BundleWriter
from edge.errors import GateFailed, ModelError, RefusedError
from edge.files.image import read_picture
from edge.models.embedder import Embedder
from edge.people.registry import open_register
from edge.recognition.self_test import UNDECIDED, refuse_older, self_test


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> BundleWriter:
    """A bundle of the shipped base with somebody's head and golden crops, ready to be written."""
    folder = tmp_path_factory.mktemp("self-test")
    with pytest.MonkeyPatch.context() as patch:
        bare_home(folder / "home", patch)
        photos = write_two_people(folder)
        answer("enrol", "--name", "ana", "--photos", photos / "ana")
        with open_register(None, None) as register:
            heads = register.heads
    with shipped_bundle() as bundle:
        network, data = bundle.base, bundle.base_data
    size_px = network.input.size_px
    face = cv2.resize(read_picture(SHIPPED / "drawn-face.jpg"), (size_px, size_px))
    crops = np.stack([face, face[:, ::-1], face // 2])
    embedder = Embedder(network, data)
    golden = Golden.record(crops, embedder, embedder, heads)
    return BundleWriter("ana", (network, data), heads=heads, golden=golden.to_bytes())


def golden_of(writer: BundleWriter) -> Golden:
    return Golden.from_bytes(writer.golden)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return bare_home(tmp_path / "home", monkeypatch)


def test_a_whole_bundle_passes(writer: BundleWriter, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "ana.edge"
    writer.write(path)
    said = answer("self-test", path)
    assert (said["golden"]["crops"], said["golden"]["decisions"]) == (3, 0)
    assert "all decisions as recorded" in call("self-test", path).stdout


def test_other_decisions_are_refused(writer: BundleWriter, home: Path, tmp_path: Path) -> None:
    golden = golden_of(writer)
    recorded = dataclasses.replace(
        golden, accepted=~golden.accepted, scores=golden.scores + 2 * UNDECIDED
    )
    path = tmp_path / "other.edge"
    dataclasses.replace(writer, golden=recorded.to_bytes()).write(path)
    with pytest.raises(GateFailed, match="3 decisions differ"):
        self_test(path)
    assert call("self-test", path).exit_code == 1


def test_a_score_at_the_threshold_may_tip(writer: BundleWriter, home: Path, tmp_path: Path) -> None:
    """Video decoders and landmarks differ by a rounding between processors."""
    golden = golden_of(writer)
    recorded = dataclasses.replace(
        golden, accepted=~golden.accepted, scores=golden.scores + UNDECIDED / 2
    )
    path = tmp_path / "tipped.edge"
    dataclasses.replace(writer, golden=recorded.to_bytes()).write(path)
    assert self_test(path).difference is not None


def test_a_base_that_does_not_run_is_refused(home: Path, tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "broken.edge")
    with pytest.raises(ModelError):
        self_test(path)
    done = call("self-test", path)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")


def test_an_older_signed_bundle_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = PrivateKey.generate()
    monkeypatch.setenv("EDGE_PUBLIC_KEY", key.public.raw.hex())
    old, new = tmp_path / "old.edge", tmp_path / "new.edge"
    for path, serial in ((old, 7), (new, 8)):
        BundleWriter.of(shipped_bundle(), name=path.stem).write(path, key=key, serial=serial)
    refuse_older(new, old)
    refuse_older(new, new)
    with pytest.raises(RefusedError, match=r"serial 7, and 8 is in use"):
        refuse_older(old, new)
    current_link().parent.mkdir(parents=True)
    current_link().symlink_to(new)
    done = call("self-test", old)
    assert done.exit_code == 1
    assert "use --allow-older" in done.stderr
    assert call("self-test", old, "--allow-older").exit_code == 0
