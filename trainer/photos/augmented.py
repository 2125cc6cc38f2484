"""The mark that augmented pictures bear, so that none of them passes for a photo later.

It is a comment of the JPEG file (segment COM, ITU T.81, B.2.4.5), right behind its beginning.
"""

from __future__ import annotations

from pathlib import Path

AUGMENTED_COPY = "an augmented copy of another photo, made by --export-augmented"
"""Why such a file is not used."""

_MARK = b"edge-recognize: augmented from sha256 "
_START, _COMMENT = b"\xff\xd8", b"\xff\xfe"
_HEX = 64


def marked(jpeg: bytes, source_sha256: str) -> bytes:
    """The same JPEG with the mark. source_sha256: of the photo's file, 64 hexadecimal digits."""
    text = _MARK + source_sha256.encode("ascii")
    length = (len(text) + 2).to_bytes(2, "big")
    return _START + _COMMENT + length + text + jpeg[len(_START) :]


def source_of(path: Path) -> str | None:
    """SHA-256 of the photo that a file is an augmented copy of; None of any other file."""
    head = _START + _COMMENT + (len(_MARK) + _HEX + 2).to_bytes(2, "big") + _MARK
    try:
        with Path(path).open("rb") as stream:
            begin = stream.read(len(head) + _HEX)
    except OSError:
        return None
    return begin[len(head) :].decode("ascii", "replace") if begin.startswith(head) else None
