"""The gate: limits that a file must keep to be packed, and what to try where it does not."""

from __future__ import annotations

from dataclasses import dataclass, field

from export.gate.parity import Parity

_ROUNDING = 1e-9
"""So that a share such as 1/29, got by a subtraction, is not above itself."""


@dataclass(frozen=True)
class Limits:
    """What a file may do at most. Shares are 0..1; see `Parity` for what they are of.

    The defaults are those for 8 bit. A base of CelebA quantized well had a mean cosine of 0.991,
    0.975 at the worst 1 % and 1.2 % of the attributes flipped; a small one, hardly trained, 0.991,
    0.967 and 3.3 %; the limits were tuned on these two. Wrong normalization, noise as
    representative crops and the like are far off.

    FRR is a share of the crops, so that with few of them one crop is more than the limit: one is
    always allowed, or the gate would judge by chance. tar_loss: where it was measured whether the
    file tells known people apart, that counts and cosines, which say it less well, do not: plain
    int8 of MobileFaceNet has a mean cosine of 0.945 and loses 0.006 of TAR on LFW.
    """

    agreement: float = 0.995
    cosine_mean: float = 0.99
    cosine_worst: float = 0.95
    flips: float = 0.05
    far_drift: float = 0.01
    frr_drift: float = 0.03
    tar_loss: float = 0.02

    def violations(
        self, parity: Parity, *, decisions_alone: bool = False, identity: bool = True
    ) -> tuple[str, ...]:
        """What is wrong, as words with the figure and its limit; empty where the file passes.

        decisions_alone: leave out cosines, flips and rates, of crops too few to judge these by.
        identity: whether the file has to tell people apart as the float model does; else its
        embedding is judged by the decisions of heads alone.
        """
        if parity.problem:
            return (parity.problem,)
        wrong = [f"{role} is the same for every face" for role in parity.constant]
        wrong += [
            f"{name}: {share:.2%} of the decisions agree, at least {self.agreement:.2%} must"
            for name, share in parity.agreement.items()
            if share < self.agreement
        ]
        wrong += [
            f"{name}: near the threshold {share:.2%} of the decisions agree, at least "
            f"{self.agreement:.2%} must"
            for name, share in parity.near.items()
            if share < self.agreement
        ]
        if decisions_alone:
            return tuple(wrong)
        rates = [("attribute flips", parity.flips, self.flips)]
        if identity and parity.tar is not None and parity.tar_before is not None:
            lost = parity.tar_before - parity.tar
            limit = max(self.tar_loss, 1 / parity.pairs[0])
            if not lost <= limit + _ROUNDING:
                wrong.append(
                    f"at FAR 1 % {parity.tar:.2%} of {parity.pairs[0]} pairs of one person are "
                    f"accepted, {parity.tar_before:.2%} before: at most {limit:.2%} may be lost"
                )
        elif identity:
            wrong += self._cosines(parity)
            frr_limit = max(self.frr_drift, 1 / max(parity.crops, 1))
            rates += [
                ("drift of FAR", parity.far_drift, self.far_drift),
                ("drift of FRR", parity.frr_drift, frr_limit),
            ]
        wrong += [
            f"{what} {value:+.2%}, at most {limit:.2%} is allowed"
            for what, value, limit in rates
            if value is not None and not abs(value) <= limit + _ROUNDING
        ]
        return tuple(wrong)

    def _cosines(self, parity: Parity) -> list[str]:
        kinds = (
            ("mean cosine", parity.cosine_mean, self.cosine_mean),
            ("cosine at the worst 1 %", parity.cosine_worst, self.cosine_worst),
        )
        return [
            f"{what} {value:.4f}, at least {limit} is required"
            for what, value, limit in kinds
            if value is not None and not value >= limit
        ]


EXACT = Limits(cosine_mean=0.9999, cosine_worst=0.999, flips=0.002, far_drift=0.002, frr_drift=0.01)
HALF = Limits(cosine_mean=0.999, cosine_worst=0.99, flips=0.01, far_drift=0.005, frr_drift=0.02)


@dataclass(frozen=True)
class Recipe:
    """How packing judges. limits: format to its limits. timing_s: seconds to time each file."""

    limits: dict[str, Limits] = field(
        default_factory=lambda: {
            "tflite-float32": EXACT,
            "tflite-float16": HALF,
            "tflite-dynamic": Limits(),
            "tflite-int8": Limits(),
            "onnx-float32": EXACT,
            "onnx-int8": Limits(),
        }
    )
    timing_s: float = 0.4


def advice(format: str, parity: Parity) -> str:
    """What to try for a file that missed its limits."""
    if "not finite" in parity.problem:
        return "the conversion lost weights or overflowed: convert again, or choose another format"
    if parity.problem:
        return "choose another format, or install the runtime that it needs"
    if parity.constant:
        return (
            "the quantization collapsed: calibrate on real crops (not on noise or one color), and "
            "check that pixels 0..255 are normalized once"
        )
    if parity.cosine_mean is not None and parity.cosine_mean < 0.7:
        return (
            "file and float model see different pixels: check normalization (RGB, 0..255) and "
            "that the representative crops are faces"
        )
    if format.endswith("int8"):
        return (
            "calibrate on more and more varied crops, train longer, or pack a float format "
            "(--format tflite-float16)"
        )
    return "choose another format"
