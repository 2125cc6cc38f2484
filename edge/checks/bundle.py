"""The bundle: which one is used, whether it is whole, who signed it."""

from __future__ import annotations

from collections.abc import Iterator

from edge.doctor import OK, PROBLEM, WARNING, Finding, Patient
from edge.errors import BundleSignatureError, ToolkitError


def check_bundle(patient: Patient) -> Iterator[Finding]:
    """Every member of the bundle against its hash, and the signature."""
    from edge.locate import locate

    try:
        located = locate(patient.bundle)
        with located.open() as bundle:
            bundle.verify()
            names = [head.name for head in bundle.heads]
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
    if located.path is not None:
        yield _signature(signer, signed)


def _signature(signer: str, signed: bool) -> Finding:
    if signer:
        return Finding("signature", OK, f"verified with key {signer}")
    if signed:
        text = "the bundle is signed, but no key is configured to verify it with"
        return Finding("signature", WARNING, text, "set EDGE_PUBLIC_KEY to the signer's public key")
    return Finding("signature", OK, "the bundle is not signed, and none is asked for")
