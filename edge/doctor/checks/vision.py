"""Seeing: OpenCV, the face detector and the model, each by really using it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import edge
from edge.doctor.report import OK, PROBLEM, SKIPPED, WARNING, Finding, Patient
from edge.errors import RuntimeMissing, ToolkitError

DRAWN_FACE = Path(edge.__file__ or "").parent / "shipped" / "drawn-face.jpg"
"""A face that is nobody's, drawn by this project."""

REINSTALL = "pip install --force-reinstall opencv-python-headless"


def check_opencv(patient: Patient) -> Iterator[Finding]:
    """Whether OpenCV can be loaded, decodes pictures and opens cameras and streams."""
    import cv2

    from edge.files.image import read_picture
    from edge.sinks.window import has_windows

    read_picture(DRAWN_FACE)
    backends = {cv2.videoio_registry.getBackendName(b) for b in cv2.videoio_registry.getBackends()}
    missing = {"FFMPEG", "V4L2"} - backends
    if missing:
        text = f"{cv2.__version__} is built without {' and '.join(sorted(missing))}"
        yield Finding("OpenCV", PROBLEM, text, REINSTALL)
        return
    windows = "with windows" if has_windows() else "headless (--serve instead of --window)"
    yield Finding("OpenCV", OK, f"{cv2.__version__}, {windows}")


def check_detector(patient: Patient) -> Iterator[Finding]:
    """Whether the face detector finds a face."""
    from edge.faces.detector import Detector
    from edge.files.image import read_picture

    try:
        detector = _detector(patient)
    except ToolkitError as problem:
        yield Finding("face detector", PROBLEM, problem.message, problem.hint)
        return
    assert isinstance(detector, Detector)
    started_s = perf_counter()
    faces = detector.detect(read_picture(DRAWN_FACE))
    took_ms = 1000 * (perf_counter() - started_s)
    if len(faces) == 1:
        found = f"finds a face with {faces[0].detector_score:.2f} in {took_ms:.0f} ms"
        yield Finding("face detector", OK, f"{found} ({detector.runtime})")
    else:
        text = f"finds {len(faces)} faces in a picture with one"
        yield Finding("face detector", PROBLEM, text, REINSTALL)


def check_inference(patient: Patient) -> Iterator[Finding]:
    """Whether the model runs, and gives what it gave when the bundle was packed."""
    from edge.bundle.locate import locate
    from edge.models.embedder import Embedder

    try:
        with locate(patient.bundle).open() as bundle:
            embedder = Embedder(bundle.embedder, bundle.embedder_data)
            golden = bundle.golden
    except RuntimeMissing as problem:
        yield Finding("runtime", PROBLEM, problem.message, problem.hint)
        return
    except ToolkitError as problem:
        yield Finding("runtime", SKIPPED, f"there is no model to try: {problem.message}")
        return
    yield from _infer(embedder, golden)


def _infer(embedder: object, golden: object) -> Iterator[Finding]:
    import numpy as np

    from edge.bundle.golden import Golden, resized
    from edge.models.embedder import Embedder

    assert isinstance(embedder, Embedder)
    size_px = embedder.network.input.size_px
    crops = np.zeros((1, size_px, size_px, 3), np.uint8)
    if isinstance(golden, Golden) and len(golden.crops):
        crops = resized(golden.crops, size_px)
    embedder.embed(crops[:1])
    started_s = perf_counter()
    perception = embedder.embed(crops)
    took_ms = 1000 * (perf_counter() - started_s) / len(crops)
    text = f"{embedder.model.runtime} takes {took_ms:.1f} ms for a face"
    if not isinstance(golden, Golden) or perception.embeddings is None or not len(golden.crops):
        yield Finding("runtime", OK, text)
        return
    alike = float(np.min(np.sum(perception.embeddings * golden.embeddings, axis=1)))
    if alike < 0.98:
        text = f"{text}, but other results than when the bundle was packed (cosine {alike:.3f})"
        yield Finding("runtime", WARNING, text, "pip install -U ai-edge-litert")
    else:
        yield Finding("runtime", OK, f"{text}, as when the bundle was packed (cosine {alike:.4f})")


def _detector(patient: Patient) -> object:
    """The detector that `edge-recognize` would use."""
    from edge.bundle.locate import locate
    from edge.faces.detector import Detector, DetectorError

    if patient.detector_model is not None:
        return Detector.open(patient.detector_model)
    try:
        with locate(patient.bundle).open() as bundle:
            data = bundle.detector_data
    except DetectorError:
        raise
    except ToolkitError:
        data = None
    return Detector.open() if data is None else Detector(data)
