"""The ground floor: everything a Raspberry Pi needs to find, align and recognize faces.

Stands on NumPy, OpenCV, click, rich and a TFLite runtime; never imports TensorFlow, Keras, the
trainer or the exporter. The names of `__all__` are public; everything else may change. They are
loaded when they are first used, so that `import edge` costs nothing.

Example:
    >>> for result in edge.watch(source="ana.jpg", bundle="ana.edge"):
    ...     print([face.decision.person for face in result.faces])
    ['ana']
"""

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.bundle.reader import Bundle
    from edge.errors import ToolkitError
    from edge.faces.detector import Detector
    from edge.faces.face import Face
    from edge.heads.cohort import Cohort
    from edge.heads.decision import Decision, TaskAnswer
    from edge.heads.enrol import enrol
    from edge.heads.head import Head
    from edge.models.embedder import Embedder
    from edge.recognition.recognizer import Recognizer
    from edge.recognition.result import FaceResult, FrameResult
    from edge.service.watch import watch
    from edge.sources.opener import open_source
    from edge.sources.v4l2 import Camera

__all__ = [
    "Bundle",
    "Camera",
    "Cohort",
    "Decision",
    "Detector",
    "Embedder",
    "Face",
    "FaceResult",
    "FrameResult",
    "Head",
    "Recognizer",
    "TaskAnswer",
    "ToolkitError",
    "enrol",
    "open_source",
    "watch",
]

_MODULES = {
    "Bundle": "edge.bundle.reader",
    "Camera": "edge.sources.v4l2",
    "Cohort": "edge.heads.cohort",
    "Decision": "edge.heads.decision",
    "Detector": "edge.faces.detector",
    "Embedder": "edge.models.embedder",
    "Face": "edge.faces.face",
    "FaceResult": "edge.recognition.result",
    "FrameResult": "edge.recognition.result",
    "Head": "edge.heads.head",
    "TaskAnswer": "edge.heads.decision",
    "Recognizer": "edge.recognition.recognizer",
    "ToolkitError": "edge.errors",
    "enrol": "edge.heads.enrol",
    "open_source": "edge.sources.opener",
    "watch": "edge.service.watch",
}


def __getattr__(name: str) -> object:
    """A public name, loaded now. Raises `AttributeError` for any other."""
    if name not in _MODULES:
        raise AttributeError(f"module 'edge' has no attribute '{name}'")
    from importlib import import_module

    from edge.service.libraries import set_library_settings

    set_library_settings()
    value: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
