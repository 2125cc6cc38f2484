"""YuNet on whole frames, MobileFaceNet on every face, cosine to the mean: the loop that a good
engineer writes."""

from __future__ import annotations

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks.peers.runners.protocol import Task, run_embedder

# user's lines: begin
POINTS = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)
"""Where ArcFace's template of 112 px has eyes, nose and corners of the mouth."""


class Loop:
    """Detector and embedding."""

    def __init__(self, detector: str, embedding: str) -> None:
        self.detector = cv2.FaceDetectorYN.create(detector, "", (320, 320), 0.6, 0.3)
        self.model = Interpreter(model_path=embedding, num_threads=1)
        self.model.allocate_tensors()
        self.input = self.model.get_input_details()[0]
        self.output = self.model.get_output_details()[0]

    def look(self, image_bgr: np.ndarray) -> np.ndarray:
        """float32[N, 192] of the faces of a picture, of length 1."""
        height, width = image_bgr.shape[:2]
        self.detector.setInputSize((width, height))
        rows = self.detector.detect(image_bgr)[1]
        found = []
        for row in () if rows is None else rows:
            points = row[4:14].reshape(5, 2).astype(np.float32)
            matrix = cv2.estimateAffinePartial2D(points, POINTS, method=cv2.LMEDS)[0]
            if matrix is None:
                continue
            face = cv2.warpAffine(image_bgr, matrix, (112, 112))[..., ::-1]
            pixels = (face.astype(np.float32) - 127.5) / 128.0
            batch = np.repeat(pixels[None], self.input["shape"][0], axis=0)
            self.model.set_tensor(self.input["index"], batch)
            self.model.invoke()
            vector = self.model.get_tensor(self.output["index"])[0]
            found.append(vector / np.linalg.norm(vector))
        return np.array(found, np.float32).reshape(len(found), self.output["shape"][-1])


# user's lines: end

if __name__ == "__main__":
    TASK = Task.from_command_line()
    LOOP = Loop(TASK.options["detector"], TASK.options["embedding"])
    run_embedder(TASK, LOOP.look, nearest=False)
