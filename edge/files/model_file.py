"""Model files as they arrive: is it the model, or something that only bears its name?"""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge.errors import ModelError
from edge.files.onnx_weights import with_weights

_LFS_START = b"version https://git-lfs"
_HTML_STARTS = (b"<!doctype", b"<html", b"<?xml")


def sha256_of(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def read_model_file(
    path: Path, *, sha256: str | None = None, error: type[ModelError] = ModelError
) -> bytes:
    """Read a model file and name what is wrong with it. Weights that an ONNX model has in a second
    file are read from beside it and are in what is returned.

    Raises `error` when it is missing, empty, a git-lfs pointer, a web page, or, where `sha256` is
    given, another file than expected.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise error(f"cannot read the model file {path}: {problem.strerror}") from None
    start = data[:64].lstrip().lower()
    if not data:
        raise error(f"{path} is empty", hint="fetch the model file again")
    if start.startswith(_LFS_START):
        raise error(
            f"{path} is a git-lfs pointer, not the model itself",
            hint="run 'git lfs pull' where it came from, or download the raw file",
        )
    if start.startswith(_HTML_STARTS):
        raise error(
            f"{path} is a web page, not a model", hint="download the raw file instead of its page"
        )
    if sha256 is not None and sha256_of(data) != sha256:
        raise error(
            f"{path} has sha256 {sha256_of(data)[:12]}…, expected {sha256[:12]}…",
            hint="the file was changed or is another version; fetch it again",
        )
    return with_weights(path, data) if path.suffix.lower() == ".onnx" else data
