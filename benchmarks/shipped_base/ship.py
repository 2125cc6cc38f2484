"""Puts a trained base into the packages: the files of `edge/shipped` and `trainer/shipped`.

    python -m benchmarks.shipped_base.ship RUN --attributes ATTRIBUTES.json \\
        --verification VERIFICATION.json

ATTRIBUTES.json and VERIFICATION.json are what `edge-train evaluate-base RUN … --json` printed for
people who were held out. RUN holds a cohort.npz by `edge-train cohort`.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import h5py
import numpy as np

import edge.bundle.locate
import trainer.inference.source
from edge.console.json_text import json_text
from edge.files.atomic import atomic_file
from edge.heads.cohort import Cohort
from edge.models.run_record import COHORT, MODEL_KERAS, MODEL_TFLITE, Run

LICENCE = (
    "weights: for non-commercial research only (trained on CelebA, LFW, All-Age-Faces, "
    "SCUT-FBP5500, UTKFace, YawDD and One Million Impressions)"
)

SOURCE = (
    "MobileFaceNet's body, started from a file declared MIT and trained with it as teacher, see "
    "the card"
)

_CARD = """# The shipped base

MobileFaceNet's body (Chen et al., 2018; {size} px, one look at each face) that turns an aligned
face into 40 attributes (CelebA's) and an embedding of identity of 128 numbers. One full-integer
TFLite file of {model_mb:.1f} MB, and the Keras model that it was made from (float16 weights, in the
training package).

**For non-commercial research only.** The weights and the cohort are no part of the code's licence:
they were made from CelebA (Liu et al., ICCV 2015; MMLab, CUHK: non-commercial research), LFW
(Huang et al., 2007: research; its owners caution against commercial verification), All-Age-Faces
(Cheng et al., 2019), UTKFace (Zhang et al., 2017), SCUT-FBP5500 (Liang et al., 2018), YawDD
(Abtahi et al., 2014; all four: non-commercial research) and One Million Impressions (Peterson et
al., 2022: CC BY-NC-SA 4.0). Started from the weights of a MobileFaceNet file declared MIT by the
package that carries it, which also was the teacher of identity.

## Data

{pictures} pictures of {people} people for training: a part of CelebA at half size, photos of CelebA
people in the wild, people of LFW with several pictures, and faces of one picture each: East Asian
people of 2 to 80, people of all origins and ages from the web, portraits, drivers, and faces that
nobody has. People held out, all pictures of them, were never trained on, neither with labels nor by
distillation. Exact command: `run.json` in the training package.

## Figures, on people who were held out

| figure | int8 file | beside it |
|---|---|---|
| attributes, accuracy ({attribute_images} pictures) | {accuracy:.3f} | majority: {majority:.3f} |
| attributes, mean balanced accuracy, tuned thresholds | {balanced:.3f} | chance: 0.5 |
| AUC (LFW people, {pairs} pairs) | {auc:.4f} | MobileFaceNet: {reference_auc:.4f}; chance: 0.5 |
| verification TAR at FAR 1 % | {tar:.3f} | MobileFaceNet: {reference_tar:.3f}; chance: 0.01 |
| verification accuracy | {verified:.3f} | MobileFaceNet: {reference_verified:.3f}; chance: 0.5 |

## Cohort

`cohort.npz`: one picture each of {cohort_people} people, none of whom the base was trained on, as
{variants}; {cohort_rows} embeddings, unnamed and shuffled. Groups: {groups}. A threshold keeps out
the group that is most like the person. Beside LFW they are of All-Age-Faces (Cheng et al., 2019),
SCUT-FBP5500 (Liang et al., 2018) and UTKFace (Zhang et al., 2017), all for non-commercial research;
ages, origins and sexes are as these name them.

## Use and limits

Made to tell a person who enrols from strangers, and to describe faces roughly. Not for identifying
people in public, not for decisions about people, no door lock by itself. Identity was measured on
press pictures (LFW, celebrities, mostly light-skinned adults of the West), on East Asian people
before one office webcam and in a booth, and on British women before a curtain
(`benchmarks/RESULTS.md`). For children, for people of African and South Asian origin and for people
over 60 nobody has measured verification: the sets here hold one picture of each. Attributes were
measured on celebrities alone, and many are labelled inconsistently.
"""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.option("--attributes", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--verification", type=click.Path(path_type=Path, exists=True), required=True)
def main(run: Path, attributes: Path, verification: Path) -> None:
    r"""Ship the base of RUN with its figures.

    Example: python -m benchmarks.shipped_base.ship runs/base --attributes a.json \\
    --verification v.json
    """
    info, cohort = Run.load(run), Cohort.load(run / COHORT)
    on_device, on_workstation = edge.bundle.locate.SHIPPED, trainer.inference.source.SHIPPED
    model = (run / MODEL_TFLITE).read_bytes()
    network = replace(info.network, source=SOURCE, licence=LICENCE)
    figures = json.loads(attributes.read_text()), json.loads(verification.read_text())
    card = _card(info, cohort, len(model), *figures)
    _write(on_device / edge.bundle.locate.SHIPPED_MODEL, model)
    _write(on_device / edge.bundle.locate.SHIPPED_NETWORK, _json(network.to_json()))
    _write(on_device / "README.md", card.encode())
    _write(on_device / COHORT, cohort.to_bytes())
    _write(on_workstation / "base.keras", half_precision((run / MODEL_KERAS).read_bytes()))
    _write(on_workstation / "run.json", _json(_public(info, figures)))
    click.echo(card)


def half_precision(model: bytes) -> bytes:
    """A .keras file with its float32 weights as float16; Keras reads them into float32 again."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as old, zipfile.ZipFile(result, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(".h5"):
                data = _halved(data)
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return result.getvalue()


def _halved(data: bytes) -> bytes:
    target = io.BytesIO()
    with h5py.File(io.BytesIO(data)) as old, h5py.File(target, "w") as new:

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Group):
                copy = new.require_group(name)
            else:
                values = item[()]
                small = values.dtype == np.float32
                copy = new.create_dataset(name, data=values.astype(np.float16) if small else values)
            copy.attrs.update(item.attrs)

        old.visititems(visit)
        new.attrs.update(old.attrs)
    return target.getvalue()


def _public(info: Run, figures: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """run.json without folders of the machine that trained."""
    data = info.to_json()
    command = data["command"].replace("cli.py", "edge-train")
    data["command"] = re.sub(r"(?<=[\s:])/\S*/", "", command)
    held_out = {"attributes": figures[0]["attributes"], "verification": figures[1]["verification"]}
    data["figures"] = {**data["figures"], "held_out": held_out}
    return data


def _card(
    info: Run, cohort: Cohort, size: int, attributes: dict[str, Any], verification: dict[str, Any]
) -> str:
    means, pairs = attributes["attributes"], verification["verification"]
    reference = verification["reference"]["verification"]
    return _CARD.format(
        size=info.network.input.size_px,
        model_mb=size / 1e6,
        pictures=info.data["parts"]["train"]["pictures"],
        people=info.data["parts"]["train"]["people"],
        attribute_images=means["images"],
        accuracy=means["accuracy"],
        majority=means["majority_accuracy"],
        balanced=means["tuned"]["balanced_accuracy"],
        pairs=pairs["pairs"],
        auc=pairs["auc"],
        reference_auc=reference["auc"],
        tar=pairs["tar_at_far_1pct"],
        reference_tar=reference["tar_at_far_1pct"],
        verified=pairs["accuracy"],
        reference_verified=reference["accuracy"],
        cohort_people=cohort.people,
        variants=", ".join(cohort.variants),
        groups=", ".join(f"{name} {count}" for name, count in cohort.people_of_groups.items()),
        cohort_rows=len(cohort),
    )


def _json(data: dict[str, Any]) -> bytes:
    return (json_text(data, indent=2) + "\n").encode()


def _write(path: Path, data: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


if __name__ == "__main__":
    main()
