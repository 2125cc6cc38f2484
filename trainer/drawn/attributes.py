"""True CelebA attribute labels of drawn people and shots.

The names and their order are those of ``list_attr_celeba.txt`` (Liu et al., "Deep Learning Face
Attributes in the Wild", ICCV 2015). "Attractive" is not ours to draw: it is always false.
"""

from __future__ import annotations

from trainer.drawn.person import DrawnPerson
from trainer.drawn.shot import BLURRY_SIGMA, Expression, Shot
from trainer.drawn.torso import necktie

CELEBA_ATTRIBUTES: tuple[str, ...] = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)

NOT_DRAWN: frozenset[str] = frozenset({"Attractive"})
"""Attributes that are never drawn and always labelled false."""

PALE_TONE = 0.13
SMILING = 0.45
MOUTH_OPEN = 0.3


def wears_hat(person: DrawnPerson, shot: Shot) -> bool:
    """Whether the person's hat is on in this shot."""
    return person.hat is not None and shot.hat_roll < person.hat_habit


def wears_glasses(person: DrawnPerson, shot: Shot) -> bool:
    """Whether the person's glasses are on in this shot."""
    return person.glasses is not None and shot.glasses_roll < person.glasses_habit


def person_attributes(person: DrawnPerson) -> dict[str, bool]:
    """Return the labels of the person's usual look: calm face, sharp picture, habitual wear."""
    return shot_attributes(person, Shot(expression=Expression(smile=0.0)))


def shot_attributes(person: DrawnPerson, shot: Shot) -> dict[str, bool]:
    """Return all 40 CelebA labels, true as drawn, in CelebA's order."""
    p = person
    hat = wears_hat(p, shot)
    bald = p.hair_style == "bald"
    shown = not bald and not (hat and p.hair_style == "buzz")
    curl_shown = shown and p.hair_style not in ("buzz", "afro", "bun")
    truth = {
        "5_o_Clock_Shadow": p.beard == "stubble",
        "Arched_Eyebrows": p.brow_arch > 0.07,
        "Bags_Under_Eyes": p.bags > 0.4,
        "Bald": bald and not hat,
        "Bangs": p.fringe == "bangs",
        "Big_Lips": p.lower_lip > 0.12,
        "Big_Nose": p.nose_tip > 0.155,
        "Black_Hair": shown and p.hair_colour == "black",
        "Blond_Hair": shown and p.hair_colour == "blond",
        "Blurry": shot.blur > BLURRY_SIGMA,
        "Brown_Hair": shown and p.hair_colour == "brown",
        "Bushy_Eyebrows": p.brow_thickness > 0.07,
        "Chubby": p.chubby > 0.4,
        "Double_Chin": p.chubby > 0.72,
        "Eyeglasses": wears_glasses(p, shot),
        "Goatee": p.beard == "goatee",
        "Gray_Hair": shown and p.hair_colour == "gray",
        "Heavy_Makeup": p.makeup == "heavy",
        "High_Cheekbones": p.cheekbone > 0.5,
        "Male": p.male,
        "Mouth_Slightly_Open": shot.expression.mouth_open > MOUTH_OPEN,
        "Mustache": p.beard in ("mustache", "full"),
        "Narrow_Eyes": p.eye_height < 0.1,
        "No_Beard": not p.has_beard,
        "Oval_Face": p.face_shape == "oval",
        "Pale_Skin": p.skin_tone < PALE_TONE,
        "Pointy_Nose": p.nose_tip < 0.115,
        "Receding_Hairline": p.receding > 0.5 and not hat,
        "Rosy_Cheeks": p.rosy > 0.5,
        "Sideburns": p.sideburns,
        "Smiling": shot.expression.smile > SMILING,
        "Straight_Hair": curl_shown and p.hair_curl == "straight",
        "Wavy_Hair": curl_shown and p.hair_curl == "wavy",
        "Wearing_Earrings": p.earrings,
        "Wearing_Hat": hat,
        "Wearing_Lipstick": p.makeup != "none",
        "Wearing_Necklace": p.necklace,
        "Wearing_Necktie": necktie(p, shot.outfit),
        "Young": p.young,
    }
    return {name: bool(truth.get(name, False)) for name in CELEBA_ATTRIBUTES}
