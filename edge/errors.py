"""The exception tree of the toolkit: everything that a user can cause is a `ToolkitError`.

    ToolkitError
    ├── UsageError
    ├── InputError
    │   ├── PictureError
    │   └── DataError
    ├── ModelError
    │   └── DetectorError
    ├── RuntimeMissing
    ├── SourceError
    ├── RefusedError
    │   └── TwoPeopleError
    ├── GateFailed
    ├── BundleError
    │   ├── BundleTruncated
    │   ├── BundleHashMismatch
    │   ├── BundleSchemaUnknown
    │   ├── BundlePathEscape
    │   ├── BundleOversized
    │   ├── BundleSignatureError
    │   ├── BundleMembersWrong
    │   └── BundleManifestInvalid
    ├── SinkError
    ├── PeopleError
    └── EncryptionError

`export` adds what only the way onto a device can meet: `ParityMissed`, a `GateFailed`, and
`RemoteError` with its kinds.

A message says what is wrong, where, and what to do next; commands print it as one line and leave
with `exit_code` (0 done, 1 refused or gate failed, 2 usage).
"""

from __future__ import annotations

from collections.abc import Sequence


class ToolkitError(Exception):
    """Root of the tree.

    `hint` is the next step for the user; it is appended to the message on one line.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(ToolkitError):
    """The command line cannot mean anything: wrong or contradicting options."""

    exit_code = 2


class InputError(ToolkitError):
    """What the user gave cannot be used: a missing path, an empty folder, a wrong format."""


class PictureError(InputError):
    """A file that should be a picture is none, or cannot be decoded."""


class DataError(InputError):
    """A data set is incomplete or contradicts itself."""


class ModelError(ToolkitError):
    """A model file is missing, is something else, or does not fit its description."""


class RuntimeMissing(ToolkitError):
    """No runtime on this machine can execute the model."""


class DetectorError(ModelError):
    """The face detector's model is missing or was refused."""


class SourceError(ToolkitError):
    """A camera, video or stream cannot be opened or has ended unexpectedly."""


class RefusedError(ToolkitError):
    """The toolkit could go on, but the result would not be honest, so it does not."""


class GateFailed(ToolkitError):
    """A check with a stated limit was missed."""


class BundleError(ToolkitError):
    """A bundle cannot be trusted or read."""


class BundleTruncated(BundleError):
    """The archive ends too early or is no archive."""


class BundleHashMismatch(BundleError):
    """A member's bytes differ from what the manifest promises."""


class BundleSchemaUnknown(BundleError):
    """The manifest has a schema that this version does not know."""


class BundlePathEscape(BundleError):
    """A member's name would leave the archive's folder."""


class BundleOversized(BundleError):
    """A member or the whole archive is larger than allowed or declared."""


class BundleSignatureError(BundleError):
    """The signature is missing although required, or does not verify."""


class BundleMembersWrong(BundleError):
    """A member is there twice, or is missing, or is there without being declared."""


class BundleManifestInvalid(BundleError):
    """The manifest is no JSON, lacks a field, or contradicts itself."""


class SinkError(ToolkitError):
    """A result cannot be handed on: nobody listens, or something in between failed."""


class PeopleError(ToolkitError):
    """What this device knows of people is damaged or does not fit."""


class EncryptionError(ToolkitError):
    """Something is encrypted, and the key is missing, wrong, or the file was changed."""


class TwoPeopleError(RefusedError):
    """An album shows two people. second: numbers of the pictures that show the one who is shown
    less, of `pictures`."""

    def __init__(self, second: Sequence[int], pictures: int) -> None:
        self.second = tuple(second)
        self.pictures = pictures
        few = ", ".join(str(number + 1) for number in self.second[:5])
        super().__init__(
            f"the pictures show two people: {len(self.second)} of {pictures} look like somebody "
            f"else (number {few}{' and so on' if len(self.second) > 5 else ''})",
            hint="give pictures of one person alone",
        )
