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
    overwrite_option,
    quiet_option,
    say,
)
from edge.service.libraries import set_library_settings

FORMATS = ("auto", "all", "tflite-float32", "tflite-float16", "tflite-dynamic", "tflite-int8",
           "onnx-float32", "onnx-int8", "keras", "savedmodel")  # fmt: skip
EMBEDDER_FORMATS = ("auto", "tflite-float16", "tflite-dynamic", "tflite-int8", "onnx-int8")
SHARE = click.FloatRange(0.0, 1.0)

public_key_option = click.option(
    "--public-key", type=PATH, metavar="FILE",
    help="Require a signature of this public key; by default of the " "configured one, if any.",
)  # fmt: skip

min_agreement_option = click.option(
    "--min-agreement", type=SHARE, metavar="SHARE",
    help="Smallest share of equal decisions of each head, for every format; " "by default 0.995.",
)  # fmt: skip
min_cosine_option = click.option(
    "--min-cosine", type=SHARE, metavar="COSINE",
    help="Smallest mean cosine between 8-bit formats and the float model; by " "default 0.99.",
)  # fmt: skip
log_option = click.option(
    "--log", type=PATH, metavar="FILE", help="Write the messages of the converters here."
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
    """Make bundles from the runs of edge-train, and inspect them."""
    set_library_settings()


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
@out_option(required=True, metavar="NAME.edge", help="Write the bundle here.")
@overwrite_option("out", "log")
@click.option(
    "--format", "formats", type=click.Choice(FORMATS), multiple=True, default=("auto",),
    help="Formats to try: auto tries all and packs the best, all packs every "
         "one that passes; may be repeated.",
)  # fmt: skip
@click.option(
    "--head", "heads", type=PATH, multiple=True, metavar="RUN",
    help="Add the person of this run; may be repeated.",
)  # fmt: skip
@click.option(
    "--pictures", type=PATH, multiple=True, metavar="PATH",
    help="Photos: of people of --head who were enrolled on another base, to "
         "enroll them again on this one; or of any people, to compare "
         "formats for a run on the shipped base. May be repeated.",
)  # fmt: skip
@click.option(
    "--cohort", type=PATH, metavar="FILE",
    help="Cohort of this run's embedder, from 'edge-train cohort'; by " "default the run's own.",
)  # fmt: skip
@click.option(
    "--embedder", type=PATH, metavar="FILE",
    help="Replace the run's external embedder, for example by one from "
         "'edge-export quantize'. People enrolled on the old one are "
         "enrolled again from --pictures against --cohort.",
)  # fmt: skip
@click.option("--name", metavar="TEXT", help="Name of the bundle; by default that of the file.")
@click.option(
    "--sign", type=PATH, metavar="KEY", help="Sign with this private key, made by keygen."
)
@click.option(
    "--serial", type=click.IntRange(0), metavar="N",
    help="Serial number of a signed bundle, by default the time. Devices that ask for "
    "signatures take none that is smaller.",
)  # fmt: skip
@click.option("--fused", is_flag=True, help="Also pack base and heads as one graph (TFLite, ONNX).")
@detector_option()
@min_agreement_option
@min_cosine_option
@log_option
@json_option()
@quiet_option()
def pack_command(
    run: Path, out: Path, formats: tuple[str, ...], heads: tuple[Path, ...],
    pictures: tuple[Path, ...], cohort: Path | None, embedder: Path | None, name: str | None,
    sign: Path | None, serial: int | None, fused: bool, detector_model: Path | None,
    min_agreement: float | None, min_cosine: float | None, log: Path | None, as_json: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Convert a run, compare every file with the float model, and write a bundle.

    RUN is a folder that edge-train wrote: a base with --head for each person, or a person's run,
    which holds its base. A person who was enrolled on another base or embedder is enrolled again
    from --pictures. A file outside the limits is not packed. If the file that must run is outside
    them, nothing is packed (exit code 1).
    """
    import export

    with _shown(quiet) as report:
        result = export.pack(
            run, out, formats=formats, heads=heads, name=name, sign=sign, serial=serial,
            fused=fused, detector=detector_model, recipe=_recipe(min_agreement, min_cosine),
            log=log, pictures=pictures, cohort=cohort, embedder=embedder, report=report,
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
@out_option(
    required=True,
    metavar="FILE",
    help="Write the model here; its description goes beside it, as .json.",
)
@overwrite_option("out", "log")
@click.option(
    "--pictures", type=PATH, multiple=True, required=True, metavar="PATH",
    help="Photos of many people, one folder each: half calibrate, half "
         "measure. May be repeated.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(EMBEDDER_FORMATS), default="auto",
    help="Format to write; auto tries all that are possible and writes the " "best that passes.",
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

    RUN is a person's run that was made with --embedding. The embeddings and the decisions of the
    run's heads are compared with those of the float file. A file outside the limits is not written
    (exit code 1). A head belongs to the file that it was enrolled on: enroll on the new file with
    'edge-train person --embedding', or let 'edge-export pack --embedder' enroll again.
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
    """Print the contents of a bundle, without running it."""
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
    """Check every member's hash, and compare this machine's results with the recorded ones."""
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
@out_option(
    required=True,
    metavar="KEY",
    help="Write the private key here, and the public one beside it with .pub added.",
)
@json_option()
def keygen_command(out: Path, as_json: bool) -> None:
    """Make a pair of Ed25519 keys that sign bundles.

    Keep the private key; 'pack --sign KEY' signs with it. Put the public key onto the devices, as
    ~/.config/edge-recognize/public.pem or in EDGE_PUBLIC_KEY. They then open only bundles signed
    with it.
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
