"""One camera, a poor one or several: told from what pictures show beside the faces."""

from __future__ import annotations

import numpy as np
import pytest

from edge.enrolment.conditions import Scene, origin_of
from edge.errors import InputError
from edge.heads.threshold import ONE, POOR, SEVERAL


def scenes(
    *, light: float = 3.0, colour: float = 0.2, saturation: float = 90.0, eyes_px: float = 60.0
) -> list[Scene]:
    """Twenty pictures whose backgrounds spread by so much."""
    rng = np.random.default_rng(0)
    return [
        Scene(
            120 + light * rng.normal(),
            128 + colour * rng.normal(),
            128 + colour * rng.normal(),
            saturation,
            eyes_px,
        )
        for _ in range(20)
    ]


@pytest.mark.parametrize(
    ("given", "camera"),
    [
        (scenes(), ONE),
        (scenes(light=50, colour=8), SEVERAL),
        (scenes(light=50, colour=0.2), ONE),  # somebody moved before a window
        (scenes(colour=8), ONE),
        (scenes(eyes_px=15), POOR),
        (scenes(saturation=3), POOR),
        (scenes(saturation=3, light=50), POOR),  # without colour light alone shows no other place
        (scenes(eyes_px=15, light=50, colour=8), SEVERAL),
    ],
)
def test_which_camera(given: list[Scene], camera: str) -> None:
    found = origin_of(given)
    assert found.camera == camera
    assert found.to_json()["camera"] == camera
    assert found.describe()


def test_sets_that_differ() -> None:
    one = origin_of(scenes())
    assert not one.differs(origin_of(scenes(light=4)))
    assert one.differs(origin_of(scenes(saturation=3)))


def test_nothing_has_no_origin() -> None:
    with pytest.raises(InputError, match="no usable image"):
        origin_of([])
