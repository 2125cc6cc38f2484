"""The command `edge-export`: bundles from runs, and what is in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from edge.console.commands import (
    PATH,
    detector_option,
    emit_json,
    group,
    json_option,
    out_option,
    quiet_option,
    say,
)

FORMATS = ("auto", "all", "tflite-float32", "tflite-float16", "tflite-dynamic", "tflite-int8",
           "onnx-float32", "onnx-int8", "keras", "savedmodel")  # fmt: skip
EMBEDDER_FORMATS = ("auto", "tflite-float16", "tflite-dynamic", "tflite-int8", "onnx-int8")
SHARE = click.FloatRange(0.0, 1.0)

public_key_option = click.option(
    "--public-key", type=PATH, metavar="FILE",
    help="The bundle must be signed with this key; by default with the configured one, if any.",
)  # fmt: skip

min_agreement_option = click.option(
    "--min-agreement", type=SHARE, metavar="SHARE",
    help="Least share of equal decisions of every head, for every format; by default 0.995.",
)  # fmt: skip
min_cosine_option = click.option(
    "--min-cosine", type=SHARE, metavar="COSINE",
    help="Least mean cosine of 8-bit formats to the float model; by default 0.99.",
)  # fmt: skip
log_option = click.option(
    "--log", type=PATH, metavar="FILE", help="Where the converters' words go."
)


@group(
    "edge-export",
    examples="""
    edge-export pack runs/anna -o anna.edge
    edge-export inspect anna.edge
    edge-export verify anna.edge
    """,
)
def main() -> None:
    """Make bundles from the runs of edge-train, and look into them."""


@main.command(
    "pack",
    examples="""
    edge-export pack runs/anna -o anna.edge
    edge-export pack runs/base --head runs/anna --head runs/ben -o family.edge
    edge-export pack runs/base -o base.edge --format all --json
    edge-export pack runs/anna -o anna.edge --format all --pictures ~/photos
    edge-export pack runs/base2 --head runs/anna --pictures ~/photos/anna -o anna.edge
    edge-export pack runs/anna --embedder face.tflite --cohort face.npz --pictures ~/anna -o a.edge
    edge-export pack runs/base -o base.edge --format tflite-float16 --format onnx-float32
    edge-export pack runs/base --head runs/anna -o anna.edge --fused --sign maker.key
    """,
)
@click.argument("run", type=PATH, metavar="RUN")
@out_option(required=True, metavar="NAME.edge", help="The bundle that is written.")
@click.option(
    "--format", "formats", type=click.Choice(FORMATS), multiple=True, default=("auto",),
    help="What is tried and packed: auto tries all and packs the best, all packs all that pass; "
    "may be repeated.",
)  # fmt: skip
@click.option(
    "--head", "heads", type=PATH, multiple=True, metavar="RUN",
    help="A person's run on the same base; may be repeated.",
)  # fmt: skip
@click.option(
    "--pictures", type=PATH, multiple=True, metavar="PATH",
    help="Photos: of the persons of --head who were enrolled on another base, to enrol them again "
    "on this one; or of any people, to measure other formats on for a run on the shipped base. "
    "May be repeated.",
)  # fmt: skip
@click.option(
    "--cohort", type=PATH, metavar="FILE",
    help="Strangers by this run's embedder, from 'edge-train cohort'; by default the run's own.",
)  # fmt: skip
@click.option(
    "--embedder", type=PATH, metavar="FILE",
    help="In place of the run's external embedder, such as one from 'edge-export quantize'; who "
    "was enrolled on the run's own is enrolled again from --pictures against --cohort.",
)  # fmt: skip
@click.option("--name", metavar="TEXT", help="The bundle's name; by default that of the file.")
@click.option("--sign", type=PATH, metavar="KEY", help="A private key made by keygen.")
@click.option("--fused", is_flag=True, help="Also base and heads as one graph (TFLite, ONNX).")
@detector_option()
@min_agreement_option
@min_cosine_option
@log_option
@json_option()
@quiet_option()
def pack_command(
    run: Path, out: Path, formats: tuple[str, ...], heads: tuple[Path, ...],
    pictures: tuple[Path, ...], cohort: Path | None, embedder: Path | None, name: str | None,
    sign: Path | None, fused: bool, detector_model: Path | None, min_agreement: float | None,
    min_cosine: float | None, log: Path | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Convert a run, measure every file against the float model, and write a bundle.

    RUN is a folder that edge-train wrote: a base, with --head for the persons, or a person's run
    by itself, which carries its base as it was enrolled on. A person who was enrolled on another
    base or embedder is enrolled again from --pictures. A file outside the limits is not packed, and
    where it is the one that has to run, nothing is (exit code 1).
    """
    import export

    with _shown(quiet) as report:
        result = export.pack(
            run, out, formats=formats, heads=heads, name=name, sign=sign, fused=fused,
            detector=detector_model, recipe=_recipe(min_agreement, min_cosine), log=log,
            pictures=pictures, cohort=cohort, embedder=embedder, report=report,
        )  # fmt: skip
    if as_json:
        emit_json(result.to_json())
    else:
        say("\n".join(result.lines()))


@main.command(
    "quantize",
    examples="""
    edge-export quantize runs/anna --pictures ~/strangers -o face.tflite
    edge-export quantize runs/anna --pictures ~/strangers --format tflite-int8 -o face.tflite --json
    """,
)
@click.argument("run", type=PATH, metavar="RUN")
@out_option(required=True, metavar="FILE", help="The model; its description goes beside, as .json.")
@click.option(
    "--pictures", type=PATH, multiple=True, required=True, metavar="PATH",
    help="Photos of many people, a folder each: half calibrate, half are measured on. Repeatable.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(EMBEDDER_FORMATS), default="auto",
    help="auto tries all that the file allows and writes the best that passes.",
)  # fmt: skip
@detector_option()
@min_agreement_option
@min_cosine_option
@log_option
@json_option()
@quiet_option()
def quantize_command(
    run: Path, out: Path, pictures: tuple[Path, ...], kind: str, detector_model: Path | None,
    min_agreement: float | None, min_cosine: float | None, log: Path | None, as_json: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Make a smaller file of a run's external embedder.

    RUN is a person's run that was made with --embedding. Every file is compared with the float one:
    embeddings and the decisions of the run's heads; one outside the limits is not written (exit
    code 1). Heads belong to the file that they were enrolled on: enrol on the new one with
    'edge-train person --embedding', or again by 'edge-export pack --embedder'.
    """
    from export.packing.embedder import QuantizeOptions, quantize

    options = QuantizeOptions(
        run=run, out=out, pictures=pictures, format=kind, detector=detector_model, log=log,
        recipe=_recipe(min_agreement, min_cosine),
    )  # fmt: skip
    with _shown(quiet) as report:
        result = quantize(options, report)
    if as_json:
        emit_json(result.to_json())
    else:
        say("\n".join(result.lines()))


@main.command(
    "inspect", examples="edge-export inspect anna.edge\nedge-export inspect a.edge --json"
)
@click.argument("bundle", type=PATH, metavar="NAME.edge")
@click.option("--card", is_flag=True, help="Print the bundle's card (README.md) instead.")
@public_key_option
@json_option()
def inspect_command(bundle: Path, card: bool, public_key: Path | None, as_json: bool) -> None:
    """Print all that a bundle says of itself, without running it."""
    from export.verify.contents import inspect

    found = inspect(bundle, public_key)
    if as_json:
        emit_json(found.to_json())
    else:
        say(found.card if card else "\n".join(found.lines()))


@main.command(
    "verify",
    examples="""
    edge-export verify anna.edge
    edge-export verify anna.edge --public-key maker.key.pub --json
    """,
)
@click.argument("bundle", type=PATH, metavar="NAME.edge")
@public_key_option
@json_option()
def verify_command(bundle: Path, public_key: Path | None, as_json: bool) -> None:
    """Compare every member with its hash, and this machine's results with the recorded ones."""
    from export.verify.golden import verify

    found = verify(bundle, public_key)
    if found.problems:
        for line in found.lines():
            say(line, err=True)
    found.require()
    if as_json:
        emit_json(found.to_json())
    else:
        say("\n".join(found.lines()))


@main.command("keygen", examples="edge-export keygen -o maker.key")
@out_option(required=True, metavar="KEY", help="The private key; the public one gets .pub added.")
@json_option()
def keygen_command(out: Path, as_json: bool) -> None:
    """Make a pair of Ed25519 keys for signing bundles.

    The private key stays with you and signs (pack --sign KEY). The public one goes onto the
    devices, as ~/.config/edge-recognize/public.pem or in EDGE_PUBLIC_KEY; they then open bundles
    signed with it and no others.
    """
    from export.verify.keygen import keygen

    pair = keygen(out)
    if as_json:
        emit_json(pair.to_json())
    else:
        say("\n".join(pair.lines()))


@contextmanager
def _shown(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Give what reports each step, and show the table of what missed the gate."""
    from export.gate.candidate import ParityMissed, table

    def report(line: str) -> None:
        if not quiet:
            say(f"{line} ...", err=True)

    try:
        yield report
    except ParityMissed as problem:
        for line in table(problem.candidates, None):
            say(line, err=True)
        raise


def _recipe(min_agreement: float | None, min_cosine: float | None):  # type: ignore[no-untyped-def]
    """The default recipe with the limits that were given."""
    from export.gate.limits import Recipe

    recipe = Recipe()
    limits = dict(recipe.limits)
    for name, limit in limits.items():
        if min_agreement is not None:
            limit = dataclasses.replace(limit, agreement=min_agreement)
        if min_cosine is not None and ("int8" in name or "dynamic" in name):
            limit = dataclasses.replace(limit, cosine_mean=min_cosine)
        limits[name] = limit
    return dataclasses.replace(recipe, limits=limits)
