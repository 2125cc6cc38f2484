"""Which bundle is used when none is named, and where bundles live on a device."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.entry import DetectorEntry, MemberEntry, ModelEntry
from edge.bundle.manifest import Manifest
from edge.bundle.reader import SUFFIX, Bundle
from edge.bundle.signature import PublicKey
from edge.errors import BundleError, BundleMembersWrong, ModelError, ToolkitError
from edge.files.model_file import sha256_of
from edge.models.spec import Network

BUNDLE_VARIABLE = "EDGE_BUNDLE"
APPLICATION = "edge-recognize"
BUNDLES, CURRENT, PREVIOUS = "bundles", "current", "previous"
HASH_DIGITS = 12

SHIPPED = Path(__file__).parents[1] / "shipped"
"""The base that comes with the distribution."""

SHIPPED_MODEL, SHIPPED_NETWORK = "base.int8.tflite", "base.json"
_SHIPPED_COHORT, _SHIPPED_CARD = "cohort.npz", "README.md"
YUNET_LICENCE = "yunet-licence.txt"
"""The detector's licence, beside its file in `SHIPPED`."""


@dataclass(frozen=True)
class Located:
    """A bundle that was found. path: None for the shipped base. line: why this one, for people."""

    path: Path | None
    line: str

    def open(self, public_key: PublicKey | Path | str | None = None) -> Bundle:
        """Raises as `Bundle.open` and `shipped_bundle` do."""
        return shipped_bundle() if self.path is None else Bundle.open(self.path, public_key)


def data_folder() -> Path:
    """`$XDG_DATA_HOME/edge-recognize`, by default `~/.local/share/edge-recognize`.

    A relative `XDG_DATA_HOME` is ignored, as the XDG base directory specification asks.
    """
    base = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / APPLICATION


def bundles_folder() -> Path:
    """Where bundles are kept, each under its `installed_name`."""
    return data_folder() / BUNDLES


def current_link() -> Path:
    """The symbolic link to the bundle that was flashed last."""
    return data_folder() / CURRENT


def before(located: Located) -> Located | None:
    """The flashed bundle before this one; None where this is not the flashed one, or the first."""
    current, previous = current_link(), data_folder() / PREVIOUS
    if located.path is None or not current.is_file() or not previous.is_file():
        return None
    path = previous.resolve()
    if current.resolve() != located.path or path == located.path:
        return None
    return Located(path, f"bundle {path.name} (flashed before)")


def installed_name(name: str, sha256: str) -> str:
    """`NAME-HASH.edge`: name of the bundle (see `file_stem`) and start of its file's SHA-256."""
    from edge.bundle.writer import file_stem

    return f"{file_stem(name)}-{sha256[:HASH_DIGITS]}{SUFFIX}"


def locate(bundle: Path | None = None) -> Located:
    """The bundle to use: the named one, `EDGE_BUNDLE`, the flashed one, the newest of the user,
    the shipped base alone; in this order.

    Raises `BundleError` when the one whose turn it is does not exist (the next one would recognize
    other people than was asked for), `ToolkitError` when there is none at all.
    """
    if bundle is not None:
        return _existing(Path(bundle), "")
    named = os.environ.get(BUNDLE_VARIABLE, "").strip()
    if named:
        return _existing(Path(named).expanduser(), f" ({BUNDLE_VARIABLE})")
    if os.path.lexists(current_link()):
        return _flashed()
    newest = _newest()
    if newest is not None:
        return _existing(newest, f" (the newest in {bundles_folder()})")
    if shipped_exists():
        line = "no bundle found: using the base that is shipped, which knows nobody"
        return Located(None, line)
    raise ToolkitError(
        "no bundle found, and this installation ships no base",
        hint=f"give --bundle NAME.edge, set {BUNDLE_VARIABLE}, or flash one with 'edge-flash'",
    )


def open_bundle(
    bundle: Path | None = None, public_key: PublicKey | Path | str | None = None
) -> tuple[Bundle, Located]:
    """`locate` and open in one step."""
    located = locate(bundle)
    return located.open(public_key), located


def shipped_exists() -> bool:
    """Whether this installation ships a base."""
    return (SHIPPED / SHIPPED_NETWORK).is_file() and (SHIPPED / SHIPPED_MODEL).is_file()


def shipped_bundle() -> Bundle:
    """The shipped base and detector as a bundle without heads; it has no signature to check.

    Raises `ToolkitError` when this installation ships none, `ModelError` when it is damaged.
    """
    if not shipped_exists():
        raise ToolkitError(
            "this installation ships no base", hint="give --bundle NAME.edge, or reinstall"
        )
    try:
        fields = json.loads((SHIPPED / SHIPPED_NETWORK).read_bytes())
    except ValueError as problem:
        raise ModelError(f"the shipped base is damaged: {problem}", hint="reinstall") from None
    from edge.faces.detector import DetectorConfig
    from edge.faces.yunet import SHIPPED_DETECTOR, YUNET_SHA256

    folder = Folder(SHIPPED)
    detector = SHIPPED_DETECTOR.name
    optional = [
        name
        for name in (_SHIPPED_COHORT, _SHIPPED_CARD, YUNET_LICENCE, detector)
        if name in folder.names
    ]
    members = {name: sha256_of(folder.read(name)) for name in optional}
    network = Network.from_json(fields)
    members[SHIPPED_MODEL] = network.sha256
    entry = ModelEntry(SHIPPED_MODEL, network)
    manifest = Manifest(
        name="shipped-base",
        base=entry,
        embedder=entry,
        cohort=_SHIPPED_COHORT if _SHIPPED_COHORT in members else "",
        card=_SHIPPED_CARD if _SHIPPED_CARD in members else "",
        detector=DetectorEntry(detector, YUNET_SHA256, DetectorConfig().score_threshold)
        if detector in members
        else None,
        licences=(YUNET_LICENCE,) if YUNET_LICENCE in members else (),
        members={
            name: MemberEntry(sha256, folder.size_bytes(name)) for name, sha256 in members.items()
        },
    )
    return Bundle(folder, manifest)


class Folder:
    """The files of a folder as a bundle's members."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self.path.iterdir() if path.is_file()))

    def size_bytes(self, name: str) -> int:
        return (self.path / name).stat().st_size

    def read(self, name: str) -> bytes:
        if name not in self.names:
            raise BundleMembersWrong(f"{self.path} has no {name}")
        return (self.path / name).read_bytes()

    def close(self) -> None:
        """Nothing is held open."""


def _existing(path: Path, why: str) -> Located:
    if not path.is_file():
        raise BundleError(f"no bundle {path}{why}", hint="check the path")
    return Located(path, f"bundle {path}{why}")


def _flashed() -> Located:
    link = current_link()
    if not link.is_file():
        raise BundleError(
            f"{link} points to a bundle that is not there", hint="flash again, or remove the link"
        )
    return Located(link.resolve(), f"bundle {link.resolve().name} (flashed)")


def _newest() -> Path | None:
    """The user's bundle that was written last; by name where times are equal."""
    folder = bundles_folder()
    if not folder.is_dir():
        return None
    found = [path for path in folder.glob(f"*{SUFFIX}") if path.is_file() and path.name[0] != "."]
    return max(found, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)
