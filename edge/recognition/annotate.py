"""Annotation: boxes, names and figures drawn into a copy of a picture."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import cv2
import numpy as np

from edge.heads.decision import NO_HEADS, Decision, tasks_in_words
from edge.recognition.result import FaceResult, FrameResult

Colour = tuple[int, int, int]

COLOURS_BGR: dict[str, Colour] = {
    "match": (112, 201, 72),
    "unknown": (66, 153, 250),
    "uncertain": (60, 214, 247),
    "rejected": (168, 162, 158),
}
"""Colour of each state of `edge.heads.decision.STATES`."""

INK_BGR: Colour = (30, 26, 23)
PAPER_BGR: Colour = (250, 248, 245)
FONT = cv2.FONT_HERSHEY_DUPLEX

_SPELT = {
    "ß": "ss",
    "æ": "ae",
    "Æ": "Ae",
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "–": "-",
}
"""Letters that do not fall apart into a Latin letter and an accent."""


@dataclass(frozen=True)
class Style:
    """line_px: width of lines. text: scale of the font. gap_px: space around words."""

    line_px: int
    text: float
    gap_px: int

    @classmethod
    def of(cls, image_bgr: np.ndarray) -> Style:
        """One that suits the picture's size, uint8[H, W, 3]."""
        side_px = min(image_bgr.shape[:2])
        scale = max(0.4, min(2.5, side_px / 720))
        return cls(max(1, round(2.4 * scale)), max(0.36, 0.62 * scale), max(2, round(7 * scale)))


def annotate(image_bgr: np.ndarray, result: FrameResult) -> np.ndarray:
    """A copy of uint8[H, W, 3] BGR with all faces marked and the figures in the lower left."""
    canvas = np.ascontiguousarray(image_bgr).copy()
    style = Style.of(canvas)
    for face in sorted(result.faces, key=lambda face: face.decision.state == "match"):
        _draw_face(canvas, face, style)
    _draw_plate(canvas, footer(result), (0, canvas.shape[0]), style, INK_BGR, PAPER_BGR)
    return canvas


def label(decision: Decision) -> str:
    """A few words for a decision: the name with the score, or the state with its reason."""
    if decision.state == "match":
        return f"{decision.person} {decision.score:.2f}" if decision.score else str(decision.person)
    if decision.state == "rejected" and decision.reason:
        return decision.reason
    if decision.state == "unknown" and decision.score is not None:
        return f"unknown {decision.score:.2f}"
    return decision.state


def spoken(attribute: str) -> str:
    """CelebA's name of an attribute in words: `Wearing_Hat` is "wearing hat"."""
    return attribute.replace("_", " ").lower()


def footer(result: FrameResult) -> str:
    """The line under a picture: its time, the number of faces and the time they took,
    where a network ran."""
    count = len(result.faces)
    words = [f"{count} face{'' if count == 1 else 's'}"]
    if not result.latency.only_followed:
        words.append(f"{result.latency.total_ms:.0f} ms")
    if result.time_s > 0:
        words.insert(0, clock(result.time_s))
    return "   ".join(words)


def clock(time_s: float) -> str:
    """`mm:ss.t`, with hours where there are any."""
    tenths = round(time_s * 10)
    hours, minutes, seconds = tenths // 36000, tenths // 600 % 60, tenths % 600 / 10
    short = f"{minutes:02d}:{seconds:04.1f}"
    return f"{hours}:{short}" if hours else short


def plain_text(text: str) -> str:
    """Latin letters for what OpenCV's fonts, which know ASCII alone, can show; else `?`."""
    spelt = "".join(_SPELT.get(letter, letter) for letter in text)
    parts = unicodedata.normalize("NFKD", spelt)
    kept = (part for part in parts if not unicodedata.combining(part))
    return "".join(part if " " <= part <= "~" else "?" for part in kept)


def _draw_face(canvas: np.ndarray, face: FaceResult, style: Style) -> None:
    colour = COLOURS_BGR[face.decision.state]
    x, y, width, height = (round(value) for value in face.face.box_px)
    _draw_corners(canvas, (x, y, x + width, y + height), style, colour)
    number = "" if face.track is None else f"#{face.track} "
    words = label(face.decision) + tasks_in_words(face.tasks, all_of_them=False)
    words += "".join(f", {spoken(name)}" for name in face.shown)
    if face.decision == NO_HEADS and face.tasks:
        words = words.removeprefix(face.decision.state)
    _draw_plate(canvas, number + words, (x, y), style, colour, INK_BGR)


def _draw_corners(
    canvas: np.ndarray, box: tuple[int, int, int, int], style: Style, colour: Colour
) -> None:
    """A thin box with strong corners, dark underneath so that it shows on any ground."""
    left, top, right, bottom = box
    arm = max(4, min(right - left, bottom - top) // 4)
    for ink, width in ((INK_BGR, style.line_px + 2), (colour, style.line_px)):
        cv2.rectangle(canvas, (left, top), (right, bottom), ink, max(1, width // 2), cv2.LINE_AA)
        for x, towards_x in ((left, 1), (right, -1)):
            for y, towards_y in ((top, 1), (bottom, -1)):
                corner = [(x + towards_x * arm, y), (x, y), (x, y + towards_y * arm)]
                points = np.array(corner, np.int32)
                cv2.polylines(canvas, [points], False, ink, width + style.line_px, cv2.LINE_AA)


def _draw_plate(
    canvas: np.ndarray,
    text: str,
    corner: tuple[int, int],
    style: Style,
    ground: Colour,
    ink: Colour,
) -> None:
    """Write words on a plate at `corner` (its lower left), moved so that it lies in the image."""
    text = plain_text(text)
    (wide, high), below = cv2.getTextSize(text, FONT, style.text, 1)
    size = (wide + 2 * style.gap_px, high + below + style.gap_px)
    frame_high, frame_wide = canvas.shape[:2]
    left = max(0, min(corner[0], frame_wide - size[0]))
    bottom = min(frame_high, max(corner[1], size[1]))
    area = canvas[bottom - size[1] : bottom, left : left + size[0]]
    area[:] = cv2.addWeighted(area, 0.2, np.full_like(area, ground), 0.8, 0)
    where = (left + style.gap_px, bottom - below - style.gap_px // 2 + 1)
    cv2.putText(canvas, text, where, FONT, style.text, ink, 1, cv2.LINE_AA)
