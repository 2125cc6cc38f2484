"""The bundle: which one is used, whether it is whole, who signed it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.doctor.report import OK, PROBLEM, WARNING, Finding, Patient
from edge.errors import BundleSignatureError, ToolkitError

if TYPE_CHECKING:
    from edge.bundle.reader import Bundle


def check_bundle(patient: Patient) -> Iterator[Finding]:
    """Every member of the bundle against its hash, and the signature."""
    from edge.bundle.locate import locate

    try:
        located = locate(patient.bundle)
        with located.open() as bundle:
            bundle.verify()
            people = _enrolled(bundle)
            names = [*(head.name for head in bundle.heads), *people.names]
            signer = bundle.verified_by
            signed = bundle.manifest.signature is not None
    except BundleSignatureError as problem:
        yield Finding("signature", PROBLEM, problem.message, problem.hint)
        return
    except ToolkitError as problem:
        yield Finding("bundle", PROBLEM, problem.message, problem.hint)
        return
    if names:
        yield Finding("bundle", OK, f"{located.line}, knows {', '.join(names)}")
    else:
        remedy = "edge-recognize enrol, or flash a bundle with edge-flash"
        yield Finding("bundle", WARNING, f"{located.line}, knows nobody", remedy)
    if people.finding is not None:
        yield people.finding
    if located.path is not None:
        yield _signature(signer, signed)


@dataclass(frozen=True)
class _Enrolled:
    """names: who is known by this device alone. finding: how they are kept, None without any."""

    names: tuple[str, ...] = ()
    finding: Finding | None = None


def _enrolled(bundle: Bundle) -> _Enrolled:
    """Who is enrolled on this device, with the key that the environment names."""
    from edge.people import KEY_FILE_VARIABLE
    from edge.people.encryption import Encryption
    from edge.people.registry import DEVICE, Registry
    from edge.people.store import is_sealed, people_folder

    key_file = os.environ.get(KEY_FILE_VARIABLE)
    try:
        sealed = is_sealed(people_folder())
        if sealed is None:
            return _Enrolled()
        known = Registry(bundle, Encryption.open(Path(key_file) if key_file else None)).known()
    except ToolkitError as problem:
        return _Enrolled((), Finding("people", PROBLEM, problem.message, problem.hint))
    names = tuple(each.head.name for each in known if each.origin == DEVICE)
    if sealed:
        return _Enrolled(names, Finding("people", OK, "enrolled here, encrypted"))
    text, remedy = "enrolled here without encryption", "edge-recognize keygen -o FILE"
    return _Enrolled(names, Finding("people", WARNING, text, remedy))


def _signature(signer: str, signed: bool) -> Finding:
    if signer:
        return Finding("signature", OK, f"verified with key {signer}")
    if signed:
        text = "the bundle is signed, but no key is configured to verify it with"
        return Finding("signature", WARNING, text, "set EDGE_PUBLIC_KEY to the signer's public key")
    return Finding("signature", OK, "the bundle is not signed, and none is asked for")
