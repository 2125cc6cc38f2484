"""A drawn person: everything about a face that stays the same from picture to picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FACE_SHAPES = ("oval", "round", "square", "heart", "long")
HAIR_COLOURS = ("black", "brown", "blond", "gray", "red")
HATS = ("beanie", "cap", "brim")


@dataclass(frozen=True)
class DrawnPerson:
    """Stable identity of a drawn face; lengths in eye distances (u), the rest in 0 to 1.

    The same seed draws the same person for ever. No field depends on a shot: what a person
    wears in one picture is decided by the shot from ``hat_habit`` and ``glasses_habit``.
    """

    seed: int
    male: bool
    age: float
    skin_tone: float
    undertone: float
    rosy: float
    freckles: float
    face_shape: str
    face_half_width: float
    crown_y: float
    chin_y: float
    jaw_power: float
    jaw_round: float
    cheekbone: float
    chubby: float
    chin_relief: float
    brow_ridge: float
    eye_half_width: float
    eye_height: float
    eye_tilt: float
    eye_depth: float
    iris_rgb: tuple[int, int, int]
    brow_y: float
    brow_thickness: float
    brow_arch: float
    brow_tilt: float
    bags: float
    nose_y: float
    nose_half_width: float
    nose_height: float
    nose_bridge: float
    nose_tip: float
    mouth_y: float
    mouth_half_width: float
    upper_lip: float
    lower_lip: float
    ear_size: float
    asymmetry: float
    hair_style: str
    hair_colour: str
    hair_shade: float
    hair_curl: str
    hair_volume: float
    hair_length_y: float
    hairline_y: float
    receding: float
    fringe: str
    part_side: float
    beard: str
    sideburns: bool
    makeup: str
    lipstick_rgb: tuple[int, int, int]
    glasses: str | None
    glasses_rgb: tuple[int, int, int]
    glasses_habit: float
    hat: str | None
    hat_rgb: tuple[int, int, int]
    hat_habit: float
    earrings: bool
    necklace: bool

    @classmethod
    def draw(cls, seed: int) -> DrawnPerson:
        """Draw a person from a seed (any non-negative integer)."""
        rng = np.random.default_rng([int(seed), 0xFACE])
        male = bool(rng.random() < 0.5)
        age = float(rng.beta(1.1, 1.5))
        fields: dict[str, object] = {"seed": int(seed), "male": male, "age": age}
        fields.update(_skin(rng))
        fields.update(_skull(rng, male))
        fields.update(_eyes(rng, male, age, float(fields["skin_tone"])))  # type: ignore[arg-type]
        fields.update(_nose_and_mouth(rng, male))
        fields.update(_hair(rng, male, age, float(fields["skin_tone"])))  # type: ignore[arg-type]
        fields.update(_adornment(rng, male))
        return cls(**fields)  # type: ignore[arg-type]

    @property
    def young(self) -> bool:
        """Whether the face is drawn without wrinkles (and gray hair is rare)."""
        return self.age < 0.6

    @property
    def has_beard(self) -> bool:
        """Whether any facial hair beyond stubble is drawn."""
        return self.beard not in ("none", "stubble")


def _pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    names = list(weights)
    p = np.array([weights[n] for n in names])
    return names[int(rng.choice(len(names), p=p / p.sum()))]


def _rgb(rng: np.random.Generator, choices: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    r, g, b = (np.array(choices[int(rng.integers(len(choices)))]) + rng.integers(-12, 13, 3)).clip(
        5, 250
    )
    return int(r), int(g), int(b)


def _spread(rng: np.random.Generator, low: float, high: float) -> float:
    """A value between low and high, denser in the middle (mean of two uniform draws)."""
    return float(low + (high - low) * (rng.random() + rng.random()) / 2.0)


def _marked(
    rng: np.random.Generator, share: float, high: tuple[float, float], low: tuple[float, float]
) -> float:
    """A trait that a share of people has clearly (``high`` range) and the others hardly."""
    return float(rng.uniform(*(high if rng.random() < share else low)))


def _skin(rng: np.random.Generator) -> dict[str, object]:
    tone = float(rng.random()) if rng.random() > 0.15 else float(rng.random() * 0.16)
    return {
        "skin_tone": tone,
        "undertone": float(rng.uniform(-1, 1)),
        "rosy": _marked(rng, 0.25, (0.65, 1.0), (0.0, 0.3)),
        "freckles": float(rng.uniform(0.4, 1.0)) if tone < 0.45 and rng.random() < 0.2 else 0.0,
    }


def _skull(rng: np.random.Generator, male: bool) -> dict[str, object]:
    shape = FACE_SHAPES[int(rng.choice(5, p=[0.34, 0.2, 0.18, 0.16, 0.12]))]
    # half width, chin, jaw power and roundness that make the shape
    width, chin, power, curve = {
        "oval": (1.09, 1.66, 2.25, 2.0),
        "round": (1.19, 1.56, 2.35, 2.15),
        "square": (1.13, 1.64, 3.2, 2.3),
        "heart": (1.13, 1.66, 1.75, 1.75),
        "long": (1.03, 1.80, 2.5, 2.1),
    }[shape]
    chubby = _marked(rng, 0.22, (0.6, 1.0), (0.0, 0.25))
    return {
        "face_shape": shape,
        "face_half_width": width + _spread(rng, -0.04, 0.04) + 0.05 * chubby + 0.02 * male,
        "crown_y": -1.6 + _spread(rng, -0.1, 0.1),
        "chin_y": chin + 0.07 + _spread(rng, -0.06, 0.06) + 0.04 * male,
        "jaw_power": power + _spread(rng, -0.25, 0.25) + 0.25 * male + 0.3 * chubby,
        "jaw_round": curve + _spread(rng, -0.1, 0.1),
        "cheekbone": _marked(rng, 0.35, (0.65, 1.0), (0.0, 0.35)),
        "chubby": chubby,
        "chin_relief": _spread(rng, 0.3, 1.0),
        "brow_ridge": _spread(rng, 0.0, 0.5) + 0.5 * male,
    }


def _eyes(rng: np.random.Generator, male: bool, age: float, tone: float) -> dict[str, object]:
    brown = [(78, 48, 26), (52, 32, 20), (98, 66, 34)]
    light = [(78, 118, 156), (96, 130, 140), (92, 122, 78), (112, 98, 52), (120, 140, 160)]
    narrow = rng.random() < 0.2
    bushy = rng.random() < (0.45 if male else 0.15)
    arched = rng.random() < (0.12 if male else 0.5)
    return {
        "eye_half_width": _spread(rng, 0.235, 0.305),
        "eye_height": _spread(rng, 0.075, 0.09) if narrow else _spread(rng, 0.12, 0.165),
        "eye_tilt": _spread(rng, -0.12, 0.28),
        "eye_depth": _spread(rng, 0.2, 1.0),
        "iris_rgb": _rgb(
            rng, brown if rng.random() < 0.35 + 0.65 * min(1.0, tone * 1.6) else light
        ),
        "brow_y": -0.39 + _spread(rng, -0.07, 0.06) - (0.03 if arched else 0.0),
        "brow_thickness": _spread(rng, 0.085, 0.115) if bushy else _spread(rng, 0.035, 0.06),
        "brow_arch": _spread(rng, 0.1, 0.15) if arched else _spread(rng, 0.0, 0.045),
        "brow_tilt": _spread(rng, -0.2, 0.08),
        "bags": _marked(rng, 0.12 + 0.35 * age, (0.6, 1.0), (0.0, 0.2)),
    }


def _nose_and_mouth(rng: np.random.Generator, male: bool) -> dict[str, object]:
    kind = _pick(rng, {"plain": 0.5, "big": 0.28, "pointy": 0.22})
    half_width = {"plain": 0.25, "big": 0.34, "pointy": 0.215}[kind]
    big_lips = rng.random() < 0.3
    return {
        "nose_y": 0.57 + _spread(rng, -0.08, 0.08) + (0.03 if kind == "big" else 0.0),
        "nose_half_width": half_width + _spread(rng, -0.02, 0.02) + 0.01 * male,
        "nose_height": {"plain": 0.34, "big": 0.46, "pointy": 0.46}[kind]
        + _spread(rng, -0.05, 0.05),
        "nose_bridge": _spread(rng, 0.2, 1.0),
        "nose_tip": {"plain": 0.135, "big": 0.18, "pointy": 0.1}[kind] + _spread(rng, -0.01, 0.01),
        "mouth_y": 1.0 + _spread(rng, -0.06, 0.06),
        "mouth_half_width": _spread(rng, 0.36, 0.47) + 0.015 * male,
        "upper_lip": (0.105 if big_lips else 0.058) + _spread(rng, -0.012, 0.012) - 0.006 * male,
        "lower_lip": (0.15 if big_lips else 0.09) + _spread(rng, -0.015, 0.015) - 0.006 * male,
        "ear_size": _spread(rng, 0.8, 1.25),
        "asymmetry": _spread(rng, -1.0, 1.0),
    }


def _hair(rng: np.random.Generator, male: bool, age: float, tone: float) -> dict[str, object]:
    if male:
        style = _pick(
            rng,
            {"bald": 0.2, "buzz": 0.1, "short": 0.34, "quiff": 0.16, "afro": 0.08, "medium": 0.12},
        )
        fringe = _pick(rng, {"none": 0.55, "bangs": 0.25, "swept": 0.2})
    else:
        style = _pick(
            rng, {"long": 0.46, "bob": 0.26, "bun": 0.13, "afro": 0.08, "short": 0.05, "bald": 0.02}
        )
        fringe = _pick(rng, {"none": 0.38, "bangs": 0.34, "swept": 0.28})
    if style in ("bald", "buzz", "quiff", "afro"):
        fringe = "none"
    curls = {
        "afro": {"curly": 1.0},
        "buzz": {"straight": 1.0},
        "bald": {"straight": 1.0},
    }.get(style, {"straight": 0.5, "wavy": 0.5})
    gray = 0.05 + 0.75 * max(0.0, age - 0.5) / 0.5
    fair = 0.33 * (1.0 - min(1.0, tone * 1.3))
    receding = 0.12 + 0.4 * age if male and style in ("short", "quiff", "buzz") else 0.02
    beard = "none"
    if male:
        beard = _pick(
            rng, {"none": 0.4, "stubble": 0.16, "mustache": 0.12, "goatee": 0.14, "full": 0.18}
        )
    return {
        "hair_style": style,
        "hair_colour": _pick(
            rng,
            {
                "black": 0.3 + 0.3 * tone,
                "brown": 0.34 * (1 - 0.6 * tone),
                "blond": fair,
                "red": fair * 0.3,
                "gray": gray,
            },
        ),
        "hair_shade": float(rng.uniform(-1, 1)),
        "hair_curl": _pick(rng, curls),
        "hair_volume": _spread(rng, 0.0, 1.0),
        "hair_length_y": _spread(rng, 1.2, 1.6)
        if style in ("bob", "medium")
        else _spread(rng, 2.1, 3.1),
        "hairline_y": -0.94 + _spread(rng, -0.1, 0.12),
        "receding": float(rng.uniform(0.65, 1.0)) if rng.random() < receding else 0.0,
        "fringe": fringe,
        "part_side": float(rng.choice([-1.0, 1.0])) * float(rng.uniform(0.25, 0.5)),
        "beard": beard,
        "sideburns": bool(
            male and style not in ("bald", "medium") and (beard == "full" or rng.random() < 0.25)
        ),
    }


def _adornment(rng: np.random.Generator, male: bool) -> dict[str, object]:
    makeup = "none" if male else _pick(rng, {"none": 0.35, "lipstick": 0.25, "heavy": 0.4})
    reds = [(176, 34, 52), (196, 62, 84), (150, 30, 60), (205, 84, 96), (140, 44, 48)]
    frames = [(24, 22, 24), (70, 44, 28), (120, 30, 36), (40, 52, 84), (150, 130, 90)]
    cloths = [
        (52, 74, 108),
        (150, 48, 48),
        (64, 100, 78),
        (196, 160, 92),
        (60, 58, 62),
        (190, 184, 172),
    ]
    glasses = rng.random() < 0.27
    hat = rng.random() < 0.2
    return {
        "makeup": makeup,
        "lipstick_rgb": _rgb(rng, reds),
        "glasses": _pick(rng, {"round": 0.4, "square": 0.6}) if glasses else None,
        "glasses_rgb": _rgb(rng, frames),
        "glasses_habit": float(rng.choice([0.6, 0.97])),
        "hat": HATS[int(rng.integers(3))] if hat else None,
        "hat_rgb": _rgb(rng, cloths),
        "hat_habit": float(rng.choice([0.55, 0.9])),
        "earrings": bool(rng.random() < (0.05 if male else 0.42)),
        "necklace": bool(rng.random() < (0.04 if male else 0.36)),
    }
