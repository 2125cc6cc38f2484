"""Haar cascade and LBPH, as tutorials for the Raspberry Pi have it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from benchmarks.peers.runners.protocol import Task


# user's lines: begin
def faces_of(cascade: cv2.CascadeClassifier, image_bgr: np.ndarray) -> list[np.ndarray]:
    """The gray faces of a picture, uint8[h, w]."""
    gray = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    least = (gray.shape[1] // 10, gray.shape[0] // 10)
    boxes = cascade.detectMultiScale(gray, 1.2, 5, minSize=least)
    return [gray[y : y + h, x : x + w] for x, y, w, h in boxes]


def trained(faces: Sequence[np.ndarray]) -> Any:
    """What knows these faces."""
    recognizer = cv2.face.LBPHFaceRecognizer_create()  # type: ignore[attr-defined, unused-ignore]
    recognizer.train(faces, np.zeros(len(faces), np.int32))
    return recognizer


def distance(recognizer: Any, faces: Sequence[np.ndarray]) -> float:
    """Of the nearest face."""
    return min(float(recognizer.predict(face)[1]) for face in faces)


# user's lines: end


def main() -> None:
    """Ask one recognizer for each enrolment. The time of a frame is of the cascade and of one
    recognizer's answer, as where one person is enrolled."""
    task = Task.from_command_line()
    folder = cv2.data.haarcascades  # type: ignore[attr-defined, unused-ignore]
    cascade = cv2.CascadeClassifier(folder + "haarcascade_frontalface_default.xml")
    rows, media = [], []
    for place, image in task.frames():
        rows.append(faces_of(cascade, image))
        media.append(place)
    of = np.array(media, np.int32)
    scores = np.full((len(task.enrolments), len(rows)), np.nan, np.float32)
    asked, spent_s = 0, 0.0
    for number, enrolled in enumerate(task.enrolments):
        own = [rows[k][0] for k in np.flatnonzero(np.isin(of, enrolled)) if rows[k]]
        if not own:
            continue
        recognizer = trained(own)
        began = time.process_time()
        for frame, faces in enumerate(rows):
            if faces:
                scores[number, frame] = -distance(recognizer, faces)
                asked += 1
        spent_s += time.process_time() - began
    task.clock.judge_s += task.clock.frames * spent_s / max(1, asked)
    task.write(scores, of)


if __name__ == "__main__":
    main()
