"""Inspection: everything that a bundle declares, without running it and without an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.bundle.manifest import SCHEMA, Manifest
from edge.bundle.reader import Bundle
from edge.heads.crowd import Crowd, crowd_of
from edge.heads.group_rates import GroupRates, measured_for, rates_of_all
from edge.models.spec import Network


@dataclass(frozen=True)
class Inspection:
    """A bundle's manifest with sizes, and what was found in its heads and cohort."""

    path: Path
    size_bytes: int
    verified_by: str
    manifest: Manifest
    heads: tuple[dict[str, Any], ...]
    crowd: Crowd
    groups: tuple[tuple[str, GroupRates], ...] = ()
    measured: dict[str, str] | None = None
    cohort: dict[str, Any] | None = None
    golden: dict[str, Any] | None = None
    card: str = field(default="", repr=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "verified_by": self.verified_by,
            "manifest": self.manifest.to_json(),
            "heads": list(self.heads),
            "crowd": self.crowd.to_json(),
            "groups": [{"who": who, **rates.to_json()} for who, rates in self.groups],
            "measured": self.measured,
            "cohort": self.cohort,
            "golden": self.golden,
        }

    def lines(self) -> list[str]:
        """For people."""
        m = self.manifest
        found = [
            f"{m.name}: {self.path}, {self.size_bytes / 1e6:.2f} MB, schema {SCHEMA}",
            self._signature(),
            f"base      {_described(m.base.network)}",
        ]
        if m.embedder.member == m.base.member:
            found.append(f"embedder  the base itself, {m.base.network.embedding_size} numbers")
        else:
            found.append(f"embedder  {_described(m.embedder.network)}")
        if m.detector is not None:
            found.append(
                f"detector  {Path(m.detector.member).name}, faces from {m.detector.score_threshold}"
            )
        found += [f"also      {_described(entry.network)}" for entry in m.alternatives]
        found += [f"file      {entry.member} ({entry.kind})" for entry in m.files]
        found += [_person(head) for head in self.heads] or ["person    none is enrolled"]
        found += [f"crowd     {self.crowd}"] if self.crowd.heads > 1 else []
        found += [f"groups    {who}: {rates}" for who, rates in self.groups]
        found += [self._cohort(), self._golden()]
        if self.measured is not None and self.groups:
            found.append(f"measured  for {self.measured['for']}")
            found.append(f"          nobody has for: {self.measured['not_for']}")
        if m.base.network.attributes:
            found.append(f"attributes {', '.join(m.base.network.attributes)}")
        for name, entry in m.members.items():
            found.append(f"{entry.size_bytes:>10}  {entry.sha256[:12]}  {name}")
        found += [f"version   {name} {text}" for name, text in m.versions.items()]
        found += [f"warning   {text}" for text in m.facts.get("warnings") or []]
        return found

    def _signature(self) -> str:
        signature = self.manifest.signature
        if signature is None:
            return "signature none"
        state = "verified" if self.verified_by else "not verified: no public key is configured"
        return f"signature {signature.algorithm}, key {signature.key_id}, {state}"

    def _cohort(self) -> str:
        if self.cohort is None:
            return "cohort    none: nobody can be enrolled on the device"
        c = self.cohort
        parts = [f"{name} {people}" for name, people in c["groups"].items()]
        groups = f" (groups: {', '.join(parts)})" if len(parts) > 1 else ""
        said = f"{c['embeddings']} embeddings of {c['people']} strangers"
        return f"cohort    {said}, {c['source']}{groups}"

    def _golden(self) -> str:
        if self.golden is None:
            return "golden    none"
        return f"golden    {self.golden['crops']} crops, recorded in {self.golden['runtime']}"


def inspect(path: Path, public_key: Path | None = None) -> Inspection:
    """Raises a `BundleError` by its kind for what is wrong with the file."""
    with Bundle.open(path, public_key) as bundle:
        cohort, golden = bundle.cohort(), bundle.golden
        return Inspection(
            path=Path(path),
            size_bytes=Path(path).stat().st_size,
            verified_by=bundle.verified_by,
            manifest=bundle.manifest,
            heads=tuple(_head(head) for head in bundle.heads),
            crowd=crowd_of(bundle.heads),
            groups=() if cohort is None else rates_of_all(bundle.heads, cohort),
            measured=None
            if cohort is None
            else dict(zip(("for", "not_for"), measured_for(cohort), strict=True)),
            cohort=None
            if cohort is None
            else {
                "embeddings": len(cohort),
                "people": cohort.people,
                "variants": list(cohort.variants),
                "groups": cohort.people_of_groups,
                "source": cohort.source,
                "licence": cohort.licence,
            },
            golden=None
            if golden is None
            else {"crops": len(golden.crops), "runtime": golden.runtime},
            card=bundle.text(bundle.manifest.card),
        )


def _head(head: Any) -> dict[str, Any]:
    return {
        "name": head.name,
        "kind": head.kind,
        "task": head.is_task,
        "threshold": head.threshold,
        "margin": head.margin,
        "normalization": head.normalization.kind,
        "calibration": _values(head.calibration.to_json()),
    }


def _values(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if not isinstance(value, (bytes, bytearray))}


def _described(network: Network) -> str:
    runtimes = " or ".join(f"{n} {v}" for n, v in network.minimal_runtimes.items()) or "unknown"
    expects = network.input
    return (
        f"{network.format}, {expects.size_px} px {expects.colour_order} {expects.dtype}, window "
        f"{expects.window.name} of {expects.frame.name}, gives {' and '.join(network.outputs)}, "
        f"needs {runtimes}"
    )


def _person(head: Mapping[str, Any]) -> str:
    nearest = head["calibration"].get("nearest_group")
    group = f", most like strangers of: {nearest}" if nearest else ""
    return (
        f"{'task' if head['task'] else 'person':<10}{head['name']}: {head['kind']}, "
        f"threshold {head['threshold']:.4g} "
        f"± {head['margin']:.2g}, normalization {head['normalization']}{group}"
    )
