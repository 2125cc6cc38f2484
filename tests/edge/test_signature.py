"""Signed bundles: who signed, what was changed, and when a signature is required."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from bundle_factory import a_writer, members_of, with_manifest, zip_of

from edge.bundle.reader import Bundle
from edge.bundle.signature import KEY_VARIABLE, PrivateKey, PublicKey, configured_key
from edge.errors import BundleSignatureError, InputError, RuntimeMissing


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture
def signed(tmp_path: Path, key: PrivateKey) -> Path:
    path = tmp_path / "signed.edge"
    a_writer().write(path, key=key)
    return path


@pytest.fixture
def unsigned(tmp_path: Path) -> Path:
    path = tmp_path / "unsigned.edge"
    a_writer().write(path)
    return path


def test_a_signed_bundle_opens_with_its_key_and_without(signed: Path, key: PrivateKey) -> None:
    with Bundle.open(signed, key.public) as bundle:
        bundle.verify()
        assert bundle.verified_by == key.public.key_id
        assert bundle.manifest.signature is not None
        assert bundle.manifest.signature.key_id == key.public.key_id
    with Bundle.open(signed) as bundle:
        assert bundle.verified_by == ""


def test_signing_is_deterministic(signed: Path, tmp_path: Path, key: PrivateKey) -> None:
    a_writer().write(tmp_path / "again.edge", key=key)
    assert (tmp_path / "again.edge").read_bytes() == signed.read_bytes()


def test_unsigned_when_required(unsigned: Path, key: PrivateKey) -> None:
    with pytest.raises(BundleSignatureError, match="is not signed, and this machine requires it"):
        Bundle.open(unsigned, key.public)


def test_signed_by_somebody_else(signed: Path) -> None:
    with pytest.raises(BundleSignatureError, match="does not verify"):
        Bundle.open(signed, PrivateKey.generate().public)


def test_changed_after_signing(signed: Path, key: PrivateKey) -> None:
    with_manifest(signed, lambda fields: fields.update(name="mallory"))
    with pytest.raises(BundleSignatureError, match="does not verify"):
        Bundle.open(signed, key.public)


def test_a_signature_of_another_bundle(signed: Path, unsigned: Path, key: PrivateKey) -> None:
    stolen = members_of(signed)["manifest.sig"]
    with_manifest(unsigned, lambda fields: fields.update(
        signature={"algorithm": "ed25519", "key_id": key.public.key_id}))  # fmt: skip
    unsigned.write_bytes(zip_of({**members_of(unsigned), "manifest.sig": stolen}))
    with pytest.raises(BundleSignatureError, match="does not verify"):
        Bundle.open(unsigned, key.public)


@pytest.mark.parametrize("signature", [b"", b"x" * 63, bytes(64)])
def test_a_signature_that_is_none(signed: Path, key: PrivateKey, signature: bytes) -> None:
    signed.write_bytes(zip_of({**members_of(signed), "manifest.sig": signature}))
    with pytest.raises(BundleSignatureError):
        Bundle.open(signed, key.public)


def test_a_signature_that_was_removed(signed: Path) -> None:
    members = members_of(signed)
    del members["manifest.sig"]
    signed.write_bytes(zip_of(members))
    with pytest.raises(BundleSignatureError, match="signature was removed"):
        Bundle.open(signed)


def test_members_are_covered_by_the_signature(signed: Path, key: PrivateKey) -> None:
    """A member's hash stands in the manifest, so that whoever changes one must change both."""
    members = members_of(signed)
    fields = json.loads(members["manifest.json"])
    assert set(fields["members"]) == set(members) - {"manifest.json", "manifest.sig"}


def test_the_key_is_found_in_the_environment(
    signed: Path, unsigned: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(key.public.to_pem())
    for given in (key.public.raw.hex(), str(file)):
        monkeypatch.setenv(KEY_VARIABLE, given)
        assert configured_key() == key.public
        Bundle.open(signed).close()
        with pytest.raises(BundleSignatureError, match="not signed"):
            Bundle.open(unsigned)


def test_the_key_is_found_in_the_configuration(
    unsigned: Path, key: PrivateKey, tmp_path: Path
) -> None:
    assert configured_key() is None
    folder = tmp_path / "config" / "edge-recognize"
    folder.mkdir(parents=True)
    (folder / "public.pem").write_bytes(key.public.to_pem())
    with pytest.raises(BundleSignatureError, match="not signed"):
        Bundle.open(unsigned)
    (folder / "public.pem").unlink()
    (folder / "public.pem").symlink_to("nowhere")
    with pytest.raises(BundleSignatureError, match="cannot read the key file"):
        Bundle.open(unsigned)


@pytest.mark.parametrize("given", ["/nowhere/key.pem", "0123", "z" * 64])
def test_a_wrong_configuration_does_not_turn_the_check_off(
    unsigned: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, given)
    with pytest.raises(BundleSignatureError):
        Bundle.open(unsigned)


def test_without_cryptography_nothing_is_taken_for_signed(
    signed: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = key.public
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(RuntimeMissing, match="pip install 'cryptography"):
        Bundle.open(signed, public)


def test_a_bundle_that_could_not_be_opened_here_is_not_written(
    tmp_path: Path, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, key.public.raw.hex())
    with pytest.raises(BundleSignatureError, match="--sign KEY"):
        a_writer().write(tmp_path / "x.edge")
    with pytest.raises(BundleSignatureError):
        a_writer().write(tmp_path / "x.edge", key=PrivateKey.generate())
    a_writer().write(tmp_path / "x.edge", key=key)


def test_keys_are_kept_from_others_and_never_overwritten(tmp_path: Path, key: PrivateKey) -> None:
    file = tmp_path / "private.pem"
    key.save(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PrivateKey.load(file).public == key.public
    with pytest.raises(InputError, match="exists"):
        PrivateKey.generate().save(file)
    assert PrivateKey.load(file).public == key.public
    assert key.public.key_id in repr(key)
    assert len(repr(key)) < 40


def test_a_private_key_is_no_public_key_and_the_other_way_round(
    tmp_path: Path, key: PrivateKey
) -> None:
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    key.save(private)
    public.write_bytes(key.public.to_pem())
    assert PublicKey.load(public) == key.public
    with pytest.raises(BundleSignatureError, match="no Ed25519 public key"):
        PublicKey.load(private)
    with pytest.raises(BundleSignatureError, match="no Ed25519 private key"):
        PrivateKey.load(public)
