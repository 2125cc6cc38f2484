"""Which peers there are: what each needs, how its documentation says to use it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Language = Literal["python", "node"]

RUNNERS = Path(__file__).parent / "runners"


@dataclass(frozen=True)
class PeerKind:
    """One peer.

    packages: what pip or npm installs into its environment. alone: of these, without their
    dependencies (a package that asks for one that must be compiled). threshold: the score from
    which it accepts by default, and source: where that stands. needs: weights that must be at hand,
    option to file name. language: what its users write.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    threshold: float
    source: str
    alone: tuple[str, ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
    language: Language = "python"

    @property
    def runner(self) -> Path:
        """The script that is run in its environment."""
        return RUNNERS / f"{self.name}_peer.{'py' if self.language == 'python' else 'js'}"

    @property
    def lines(self) -> int:
        """That a user writes: those between the marks of the runner, without blank ones."""
        text = self.runner.read_text("utf-8")
        mark = "#" if self.language == "python" else "//"
        inside = text.split(f"{mark} user's lines: begin\n")[1].split(f"{mark} user's lines: end")[
            0
        ]
        return sum(bool(line.strip()) for line in inside.splitlines())


PEERS = (
    PeerKind(
        "face_recognition",
        "face_recognition 1.3 (dlib)",
        ("dlib-bin", "face_recognition_models", "setuptools<80", "numpy", "pillow", "click",
         "opencv-python-headless<5"),
        -0.6,
        "tolerance 0.6 of compare_faces",
        alone=("face_recognition",),
    ),
    PeerKind(
        "yunet_mobilefacenet",
        "YuNet + MobileFaceNet, a loop",
        ("numpy", "opencv-python-headless>=4.10,<5", "ai-edge-litert"),
        0.443,
        "cosine at which 0.1 % of LFW's pairs of strangers pass",
        needs=(
            ("detector", "face_detection_yunet_2023mar.onnx"),
            ("embedding", "MobileFaceNet.tflite"),
        ),
    ),
    PeerKind(
        "haar_lbph",
        "Haar + LBPH, the tutorials' way",
        ("numpy", "opencv-contrib-python-headless>=4.10,<5"),
        -100.0,
        "distance 100 of the tutorials",
    ),
    PeerKind(
        "human",
        "human 3.3 under node",
        ("@vladmandic/human@3.3", "@tensorflow/tfjs@4", "@tensorflow/tfjs-core@4",
         "@tensorflow/tfjs-converter@4", "@tensorflow/tfjs-backend-wasm@4"),
        0.5,
        "similarity 0.5 of match.similarity",
        language="node",
    ),
    PeerKind(
        "face_api",
        "face-api 1.7 under node",
        ("@vladmandic/face-api@1.7", "@tensorflow/tfjs@4", "@tensorflow/tfjs-backend-wasm@4"),
        -0.6,
        "distance 0.6 of FaceMatcher",
        language="node",
    ),
)  # fmt: skip

OURS = "ours"
EVERY_FRAME = "edge-recognize, each frame alone"
AS_DEVICE = "edge-recognize, as the device runs"
