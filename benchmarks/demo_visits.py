"""What the demo shows: visits of drawn people counted against the truth, and one picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.heads.threshold import Rate

if TYPE_CHECKING:
    from trainer.drawn.video import VideoTruth, Visit

SHOWN_ATTRIBUTES = 7
"""How many attributes of a face the picture lists, the most certain ones first."""

_SCALE = 1.5
"""By how much the frame in the picture is enlarged."""

_PANEL_PX = 330


@dataclass(frozen=True)
class Visitor:
    """What became of one person's visit.

    person: seed of the drawn person. me: whether that is who enrolled. faces: frames in which the
    detector found them. matches: those in which they were taken for "me". first_s: seconds from the
    first face to the first match, None without a match.
    """

    person: int
    me: bool
    faces: int
    matches: int
    first_s: float | None


def visitors(
    results: Sequence[Mapping[str, Any]], truth: VideoTruth, visits: Sequence[Visit], me: int
) -> list[Visitor]:
    """One record for each person of each visit, in order of time.

    results: the JSON lines of `edge-recognize`, one per frame. A face belongs to whoever stands
    there by the drawing's own landmarks.
    """
    found = []
    end_s = 0.0
    for visit in visits:
        start_s, end_s = end_s, end_s + visit.seconds
        for person in visit.people:
            times_s, matched_s = [], []
            for number, (result, seen) in enumerate(zip(results, truth.frames, strict=True)):
                time_s = number / truth.fps
                if not start_s <= time_s < end_s:
                    continue
                for face, seed in _owned(result["faces"], seen):
                    if seed == person.seed:
                        times_s.append(time_s)
                        if face["decision"] == "match":
                            matched_s.append(time_s)
            first_s = matched_s[0] - times_s[0] if matched_s else None
            found.append(
                Visitor(person.seed, person.seed == me, len(times_s), len(matched_s), first_s)
            )
    return found


def sentence(found: Sequence[Visitor]) -> str:
    """The result in one line, by visits."""
    own = [visitor for visitor in found if visitor.me]
    strangers = [visitor for visitor in found if not visitor.me]
    waits_s = [visitor.first_s for visitor in own if visitor.first_s is not None]
    after = f", first after {float(np.median(waits_s)):.1f} s" if waits_s else ""
    wrong = Rate(sum(visitor.matches > 0 for visitor in strangers), len(strangers))
    return (
        f"me: {len(waits_s)} of {len(own)} visits recognized{after}; "
        f"strangers: {wrong.events} of {wrong.trials} (95 % bound {100 * wrong.upper:.0f} %)"
    )


def _owned(
    faces: Sequence[Mapping[str, Any]], seen: Sequence[Any]
) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Faces of one frame with the seed of the person whose landmarks lie in their box."""
    for face in faces:
        x, y, width, height = face["box_px"]
        for sighting in seen:
            cx, cy = np.mean(sighting.landmarks_px, axis=0)
            if x <= cx <= x + width and y <= cy <= y + height:
                yield face, sighting.person


def frame_to_show(results: Sequence[Mapping[str, Any]], truth: VideoTruth, me: int) -> int | None:
    """The frame that shows "me" recognized beside a stranger who is not, both whole.

    Of several the one whose boxes the detector found, not the tracker, and in which the two stand
    furthest apart; None without any.
    """
    best: tuple[bool, float, int] | None = None
    for number, (result, seen) in enumerate(zip(results, truth.frames, strict=True)):
        whole = {sighting.person for sighting in seen if sighting.whole}
        owned = [(face, seed) for face, seed in _owned(result["faces"], seen) if seed in whole]
        mine = [face for face, seed in owned if seed == me and face["decision"] == "match"]
        others = [face for face, seed in owned if seed != me and face["decision"] == "unknown"]
        if mine and others and mine[0]["attributes"] and others[0]["attributes"]:
            apart = abs(mine[0]["box_px"][0] - others[0]["box_px"][0])
            found = not (mine[0]["predicted"] or others[0]["predicted"])
            if best is None or (found, apart) > best[:2]:
                best = (found, apart, number)
    return None if best is None else best[2]


def write_showpiece(annotated: Path, result: Mapping[str, Any], number: int, target: Path) -> bool:
    """Write frame `number` of the annotated video with its faces' attributes in a panel beside it.

    Returns whether the video has that frame.
    """
    from edge.files.image import write_picture
    from edge.sources.files import file_source

    with file_source(annotated) as source:
        while (grab := source.take(1.0)) is not None:
            if grab.image_bgr is not None and grab.number == number:
                write_picture(target, _with_panel(grab.image_bgr, result["faces"]))
                return True
    return False


def _with_panel(image_bgr: np.ndarray, faces: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """The frame, enlarged, with the most certain attributes of each face at its right."""
    import cv2

    from edge.recognition.annotate import COLOURS_BGR, FONT, INK_BGR, PAPER_BGR

    frame = cv2.resize(image_bgr, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC)
    height = frame.shape[0]
    panel = np.full((height, _PANEL_PX, 3), INK_BGR, np.uint8)
    room = height // max(2, len(faces))
    for place, face in enumerate(sorted(faces, key=lambda face: face["box_px"][0])):
        y = place * room + 44
        title = str(face["person"] or face["decision"])
        color = COLOURS_BGR[face["decision"]]
        cv2.putText(panel, title, (22, y), FONT, 0.9, color, 1, cv2.LINE_AA)
        certain = sorted(face["attributes"].items(), key=lambda item: -item[1])
        for name, probability in certain[:SHOWN_ATTRIBUTES]:
            if probability < 0.5:
                break
            y += 36
            words = str(name).replace("_", " ").lower()
            cv2.putText(panel, words, (22, y), FONT, 0.6, PAPER_BGR, 1, cv2.LINE_AA)
            share = f"{100 * probability:.0f} %"
            cv2.putText(panel, share, (_PANEL_PX - 80, y), FONT, 0.6, PAPER_BGR, 1, cv2.LINE_AA)
    return np.hstack([frame, panel])
