"""The trial: a bundle's parts run once in a process of their own, since a damaged file can end it.

A model file whose structure is damaged passes every check of hashes and ends its runtime with
SIGSEGV or SIGFPE. `try_bundle` lets that happen to a child, and says which part it was.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import DetectorError, ModelError, ToolkitError

if TYPE_CHECKING:
    from edge.bundle.reader import Bundle
    from edge.bundle.signature import PublicKey
    from edge.faces.face import Face
    from edge.models.spec import Network

LIMIT_S = 60.0
"""A child that has not ended by then hangs; on a Raspberry Pi Zero 2 it takes about ten seconds."""

_AGAIN = "make the bundle again from its run, or copy it again from where it was made"
_LOOK_S = 0.25


def try_bundle(
    path: Path,
    public_key: PublicKey | None = None,
    *,
    everything: bool = False,
    on_wait: Callable[[], None] = lambda: None,
    limit_s: float = LIMIT_S,
) -> None:
    """Run detector, alignment, embedder, base and heads of a bundle in a child process.

    They look at a drawn face and at the bundle's golden crops. public_key: as in `Bundle.open`.
    everything: the alternative formats too; one that has no runtime here passes. on_wait: called at
    the start and a few times a second, for whoever feeds a watchdog.
    Raises `ModelError` with the part and the reason: the child ended by a signal, hung for
    `limit_s`, or a part refused.
    """
    words = [str(Path(path).absolute()), "" if public_key is None else public_key.raw.hex()]
    root = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge.recognition.trial", *words, *(["all"] * everything)],
            cwd=root, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            code = _ended(process, on_wait, limit_s)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        said = [_line(line) for line in output.read().decode("utf-8", "replace").splitlines()]
    lines = [line for line in said if line]
    part = next((line["part"] for line in reversed(lines) if "part" in line), "start")
    problem = next((line for line in lines if "problem" in line), None)
    if problem is not None:
        hint = problem.get("hint") or _AGAIN
        raise ModelError(f"{path}, {part}: {problem['problem']}", hint=hint)
    if code is None:
        raise ModelError(f"{path}, {part}: did not end within {limit_s:g} s", hint=_AGAIN)
    if code or {"done": True} not in lines:
        raise ModelError(f"{path}, {part}: ended its process {_by(code)}", hint=_AGAIN)


def run_parts(
    bundle: Bundle, say: Callable[[str], None] = lambda part: None, *, everything: bool = False
) -> None:
    """Run all parts of an open bundle once, in this process. say: told each before it runs.

    Raises `ToolkitError` for a part that refuses, whatever its runtime raises otherwise.
    """
    from edge.bundle.locate import SHIPPED
    from edge.files.image import read_picture

    image = read_picture(SHIPPED / "drawn-face.jpg")
    say("detector")
    face = _face_in(bundle, image)
    _look(bundle, "embedder", bundle.embedder, bundle.embedder_data, image, face, say)
    if bundle.base.sha256 != bundle.embedder.sha256:
        _look(bundle, "base", bundle.base, bundle.base_data, image, face, say)
    for entry in bundle.manifest.alternatives if everything else ():
        role = f"base as {entry.network.format}"
        with contextlib.suppress(ToolkitError):
            _look(bundle, role, entry.network, bundle.read(entry.member), image, face, say)


def _face_in(bundle: Bundle, image_bgr: Any) -> Face:
    """The drawn face by the bundle's own detector; by hand where it brings none."""
    from edge.faces.detector import APART_PX, Detector, DetectorConfig, furthest_px
    from edge.faces.face import Face

    entry = bundle.manifest.detector
    if entry is None:
        height, width = image_bgr.shape[:2]
        points = ((0.35, 0.4), (0.65, 0.4), (0.5, 0.55), (0.38, 0.72), (0.62, 0.72))
        landmarks = tuple((x * width, y * height) for x, y in points)
        return Face((0.2 * width, 0.15 * height, 0.6 * width, 0.7 * height), landmarks, 1.0)
    config = DetectorConfig(score_threshold=entry.score_threshold)
    detector = Detector(bundle.read(entry.member), config)
    faces = detector.detect(image_bgr)
    if not detector.runtime.startswith("opencv"):
        other = Detector(bundle.read(entry.member), config, runtime="opencv")
        if furthest_px(faces, other.detect(image_bgr)) > APART_PX:
            raise DetectorError(
                f"{detector.runtime} finds another face than {other.runtime}",
                hint="pip install -U ai-edge-litert",
            )
    if not faces:
        raise DetectorError(
            f"it finds no face in a drawn one, from a score of {entry.score_threshold:g} on",
            hint="use YuNet 2023mar, or a lower threshold",
        )
    return faces[0]


def _look(
    bundle: Bundle,
    role: str,
    network: Network,
    data: bytes,
    image_bgr: Any,
    face: Face,
    say: Callable[[str], None],
) -> None:
    """One network at the drawn face and at the golden crops, and the heads on what it says."""
    import numpy as np

    from edge.bundle.golden import resized
    from edge.models.embedder import Embedder

    say(role)
    looker = Embedder(network, data)
    say("alignment")
    crops = looker.crop(image_bgr, face)[None]
    say(role)
    golden = bundle.golden
    if golden is not None and len(golden.crops):
        crops = np.concatenate([crops, resized(golden.crops, network.input.size_px)])
    said = looker.embed(crops)
    if network is bundle.embedder and said.embeddings is not None:
        for head in bundle.heads:
            say(f"head {head.name}")
            if not np.isfinite(head.score(said.embeddings)).all():
                raise ModelError("its scores are not finite")


def _ended(
    process: subprocess.Popen[bytes], on_wait: Callable[[], None], limit_s: float
) -> int | None:
    """The exit code, None where it did not end in time."""
    started_s = time.monotonic()
    while time.monotonic() - started_s < limit_s:
        on_wait()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_S)
    return None


def _by(code: int) -> str:
    if code >= 0:
        return f"with code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def _line(text: str) -> dict[str, Any]:
    """A line of the child; {} for what a library prints."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def main(words: list[str]) -> None:
    """The child: BUNDLE, KEY (64 hexadecimal digits or empty), and `all` for everything."""
    import resource

    from edge.bundle.reader import Bundle

    def say(**line: Any) -> None:
        print(json.dumps(line), flush=True)

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path, key, *more = words
    try:
        say(part="bundle")
        with Bundle.open(Path(path), key or None) as bundle:
            run_parts(bundle, lambda part: say(part=part), everything=bool(more))
    except ToolkitError as problem:
        say(problem=problem.message, hint=problem.hint)
    except Exception as problem:  # runtimes raise anything
        say(problem=" ".join(f"{type(problem).__name__}: {problem}".split()))
    else:
        say(done=True)


if __name__ == "__main__":
    main(sys.argv[1:])
