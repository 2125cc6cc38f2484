"""Haar cascade and LBPH, as tutorials for the Raspberry Pi have it."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.peers.runners.protocol import Task

SIDE_PX = 200


# user's lines: begin
def faces_of(cascade: cv2.CascadeClassifier, image_bgr: np.ndarray) -> list[np.ndarray]:
    """The gray faces of a picture, uint8[200, 200]."""
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    boxes = cascade.detectMultiScale(grey, 1.3, 5)
    return [cv2.resize(grey[y : y + h, x : x + w], (SIDE_PX, SIDE_PX)) for x, y, w, h in boxes]


# user's lines: end


def main() -> None:
    """One recognizer for each enrolment. The time of a frame is of the cascade alone and of one
    recognizer's answer, as where one person is enrolled."""
    import time

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
        recognizer = cv2.face.LBPHFaceRecognizer_create()  # type: ignore[attr-defined, unused-ignore]
        recognizer.train(own, np.zeros(len(own), np.int32))
        began = time.process_time()
        for frame, faces in enumerate(rows):
            if faces:
                scores[number, frame] = -min(recognizer.predict(face)[1] for face in faces)
                asked += 1
        spent_s += time.process_time() - began
    task.clock.judge_s += task.clock.frames * spent_s / max(1, asked)
    task.write(scores, of)


if __name__ == "__main__":
    main()
