"""What a network expects travels through JSON unchanged, and what cannot be is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edge.errors import ModelError
from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE, CELEBA, MIDDLE
from edge.models.spec import Network, NetworkInput

INPUT = NetworkInput(CELEBA, MIDDLE, 96)
NETWORK = Network(
    format="tflite-int8",
    sha256="0" * 64,
    input=INPUT,
    outputs={"embedding": "e", "attributes": "a"},
    embedding_size=128,
    attributes=("Smiling", "Young"),
    attribute_thresholds=(0.5, 0.25),
    source="here",
    licence="Apache-2.0",
    minimal_runtimes={"tflite-runtime": "2.14"},
)


def test_json_round_trip() -> None:
    assert Network.from_json(json.loads(json.dumps(NETWORK.to_json()))) == NETWORK


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", "pickle"),
        ("outputs", {"logits": "x"}),
        ("outputs", {}),
        ("outputs", None),
        ("attribute_thresholds", [0.5]),
        ("input", {"frame": "celeba-178x218"}),
        ("embedding_size", "many"),
        ("embedding_size", "128"),
        ("embedding_size", 128.0),
        ("embedding_size", True),
        ("format", ["tflite-int8"]),
        ("sha256", 0),
        ("outputs", {"embedding": 3}),
        ("attributes", "Smiling"),
        ("attributes", ["Smiling", None]),
        ("attribute_thresholds", ["0.5", 0.25]),
        ("attribute_thresholds", {"0.5": 1, "0.25": 2}),
        ("source", None),
        ("licence", 5),
        ("minimal_runtimes", {"tflite-runtime": 2.14}),
        ("minimal_runtimes", []),
    ],
)
def test_a_wrong_description_is_refused(key: str, value: object) -> None:
    data = NETWORK.to_json() | {key: value}
    with pytest.raises(ModelError):
        Network.from_json(data)


@pytest.mark.parametrize(
    "change",
    [
        {"colour_order": "rbg"},
        {"dtype": "int4"},
        {"layout": "chwn"},
        {"size_px": 4},
        {"batch": 0},
        {"size_px": "96"},
        {"size_px": 96.5},
        {"batch": True},
        {"mean": "000"},
        {"std": [1, 1]},
        {"std": ["1", 1, 1]},
        {"frame": 1},
        {"window": {"name": "middle", "x_px": "19", "y_px": 46, "side_px": 140}},
        {"window": {"name": 3, "x_px": 19, "y_px": 46, "side_px": 140}},
        {"window": [19, 46, 140]},
        {"mean": [10**400, 0, 0]},
    ],
)
def test_an_impossible_input_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        NetworkInput.from_json(INPUT.to_json() | change)


def test_the_tensor_has_the_networks_colours_scale_and_layout() -> None:
    crops = np.zeros((2, 112, 112, 3), np.uint8)
    crops[..., 0], crops[..., 2] = 10, 200  # blue, red
    as_is = NetworkInput(CELEBA, MIDDLE, 112).tensor(crops)
    assert as_is.dtype == np.uint8
    assert as_is[0, 0, 0].tolist() == [200, 0, 10]
    scaled = NetworkInput(
        ARCFACE, ARCFACE_WHOLE, 112, "bgr", "float32", (10.0, 0, 0), (1.0, 1.0, 2.0), "nchw", 2
    ).tensor(crops)
    assert scaled.shape == (2, 3, 112, 112)
    assert scaled[1, :, 5, 5].tolist() == [0.0, 0.0, 100.0]
