"""Curves of a training, and a grid of images with their answers, as PNG bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.report.score_plot import LINE, ME, STRANGERS, new_figure, png_of

RIGHT, WRONG = "#2e7d32", LINE


@dataclass(frozen=True)
class Curve:
    """One panel: training and unseen people by epoch, float64[E]; NaN is not drawn."""

    title: str
    train: np.ndarray
    unseen: np.ndarray


def curves_png(curves: Sequence[Curve], starts_after: int = 0) -> bytes:
    """Panels side by side. starts_after: the epoch after which fine-tuning starts, 0 for none."""
    figure, axis = new_figure(3.4)
    figure.delaxes(axis)
    for place, curve in enumerate(curves):
        panel = figure.add_subplot(1, len(curves), place + 1)
        epochs = np.arange(1, len(curve.train) + 1)
        panel.plot(epochs, curve.train, color=STRANGERS, marker=".", label="training")
        if np.isfinite(curve.unseen).any():
            panel.plot(epochs, curve.unseen, color=ME, marker=".", label="unseen people")
        if 0 < starts_after < len(epochs):
            label = "start of fine-tuning"
            panel.axvline(starts_after + 0.5, color=LINE, ls="--", lw=1.2, label=label)
        panel.set(title=curve.title, xlabel="epoch")
        panel.grid(color="#dddddd", lw=0.8)
        panel.set_axisbelow(True)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", frameon=False, fontsize=9, ncols=3)
    return png_of(figure)


def predictions_png(
    crops_bgr: np.ndarray, captions: Sequence[str], right: Sequence[bool], side: int = 3
) -> bytes:
    """A grid of side x side crops uint8[N, S, S, 3] BGR, each under its answer, in green
    where that is right and in red where not.
    """
    figure, axis = new_figure(7.2)
    figure.delaxes(axis)
    for place in range(min(side * side, len(crops_bgr))):
        panel = figure.add_subplot(side, side, place + 1)
        panel.imshow(crops_bgr[place][..., ::-1])
        panel.set_title(captions[place], fontsize=9, color=RIGHT if right[place] else WRONG)
        panel.axis("off")
    return png_of(figure)
