"""face_recognition (dlib's ResNet) with its defaults, as its README uses it."""

from __future__ import annotations

import face_recognition
import numpy as np

from benchmarks.peers.runners.protocol import Task, run_embedder


# user's lines: begin
def look(image_bgr: np.ndarray) -> np.ndarray:
    """float32[N, 128] of the faces of a picture."""
    image = np.ascontiguousarray(image_bgr[..., ::-1])
    places = face_recognition.face_locations(image)
    found = face_recognition.face_encodings(image, places)
    return np.array(found, np.float32).reshape(len(found), 128)


# user's lines: end

if __name__ == "__main__":
    run_embedder(Task.from_command_line(), look, nearest=True)
