"""`edge-recognize run`: the sub-command that recognizes, and its options by section."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from edge.cli.people import events_folder_option, key_file_option
from edge.cli.turn_options import turn_options
from edge.console.commands import (
    PATH,
    bundle_option,
    command,
    detector_option,
    json_option,
    names_option,
    overwrite_option,
    quiet_option,
    threads_option,
)
from edge.errors import UsageError

EXAMPLES = """
edge-recognize run --camera 0
edge-recognize --camera csi --serve 127.0.0.1:8080 --max-cpu 50%
edge-recognize --camera 0 --camera rtsp://192.168.1.20/live --mqtt mqtt://localhost
edge-recognize --source clip.mkv --bundle ada.edge --save annotated.avi
edge-recognize --source photos/ --json > people.jsonl
edge-recognize --camera 0 --systemd --quiet --mqtt mqtt://localhost
"""

SECTIONS = {
    "Source": (
        *("camera", "source", "size", "fps", "pixel_format", "exposure", "rotate", "mirror"),
        *("realtime", "frames", "wait_for_camera"),
    ),
    "Decisions": (
        *("bundle", "key_file", "detector_model", "attributes", "track", "votes", "adapt"),
        "challenge",
    ),
    "Outputs": (
        *(
            "as_json",
            "save",
            "overwrite",
            "window",
            "show_attributes",
            "serve",
            "serve_token",
            "serve_read_only",
            "mqtt",
            "mqtt_pictures",
            "webhook",
        ),
        *("on_match", "on_unknown", "on_left"),
        *("keep_events", "events_folder", "keep_visits", "visit_faces"),
        *("remember_unknown", "blur_unknown"),
    ),
    "Service": ("systemd", "max_cpu", "threads", "quiet", "verbose"),
}
"""Parameters by the heading under which the help shows them."""


class _Size(click.ParamType):
    """`640x480` as (640, 480)."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"([1-9]\d{1,4})[x×]([1-9]\d{1,4})", value)
        if not found:
            self.fail(f"'{value}' is no size such as 640x480", param, ctx)
        return int(found[1]), int(found[2])


class _Votes(click.ParamType):
    """`3/5` as (3, 5)."""

    name = "votes"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", value)
        if not found:
            self.fail(f"'{value}' is no vote such as 3/5", param, ctx)
        return int(found[1]), int(found[2])


class _Share(click.ParamType):
    """`50%` or `50` as 0.5; above 100 % where there are several cores."""

    name = "share"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d{1,4}(?:\.\d+)?)\s*%?", value)
        if not found or float(found[1]) < 1:
            self.fail(f"'{value}' is no share such as 50%", param, ctx)
        return float(found[1]) / 100


class _Duration(click.ParamType):
    """`14d` or `12h` as seconds."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([1-9]\d{0,3})([dh])", value)
        if not found:
            self.fail(f"'{value}' is no time such as 14d or 12h", param, ctx)
        return float(found[1]) * {"d": 86_400, "h": 3_600}[found[2]]


@command(
    "run",
    examples=EXAMPLES,
    sections=SECTIONS,
    context_settings={"allow_extra_args": True},
)
@click.option(
    "--camera",
    metavar="WHICH",
    multiple=True,
    help="Camera to use: its number, /dev/v4l/by-id/..., csi for the Pi's "
    "connector, or a URL; may be repeated. EDGE_CAMERA applies if "
    "neither this nor --source is given.",
)
@click.option(
    "--source",
    metavar="X",
    multiple=True,
    help="Read a video, an image, a folder of images, or a URL; may be repeated.",
)
@bundle_option(
    help="Use this bundle; by default the one flashed last, see 'edge-recognize doctor'."
)
@json_option(help="Print one JSON line per frame or image.")
@click.option(
    "--save", type=PATH, metavar="FILE", help="Write the annotated video, image or folder here."
)
@overwrite_option("save")
@key_file_option
@detector_option()
@threads_option()
@names_option(
    "--show-attributes",
    help="Show these of the 40 attributes in picture, page, text and events: Smiling,Eyeglasses.",
)
@click.option(
    "--attributes/--no-attributes", default=True, help="Estimate the attributes of each face, too."
)
@click.option("--size", type=_Size(), metavar="WxH", help="Ask the camera for frames of this size.")
@click.option(
    "--fps",
    type=click.FloatRange(0.1, 240),
    help="Ask the camera for this rate, and search at most this many frames a second for faces.",
)
@click.option(
    "--max-cpu",
    type=_Share(),
    metavar="PERCENT",
    help="Use at most this share of one core, such as 50%, by searching less often.",
)
@click.option(
    "--votes",
    type=_Votes(),
    metavar="K/N",
    help="Settle a decision when K of the last N samples agree; by default 3/5.",
)
@click.option(
    "--track/--no-track",
    default=True,
    help="Follow faces over frames and vote, or decide on every frame alone.",
)
@click.option(
    "--pixel-format", metavar="CODE", help="Ask the camera for this format, such as MJPG."
)
@click.option(
    "--exposure", type=float, help="Set a fixed exposure (USB: units of 100 µs; csi: 1 µs)."
)
@turn_options
@click.option(
    "--realtime", is_flag=True, help="Read a video at its own speed; frames may be skipped."
)
@click.option(
    "--frames", type=click.IntRange(1), metavar="N", help="Stop after N frames or images."
)
@click.option(
    "--window",
    is_flag=True,
    help="Show the annotated frames in a window (not with headless OpenCV).",
)
@click.option(
    "--serve",
    metavar="HOST:PORT",
    help="Serve a page with the annotated frames at this address, such as 127.0.0.1:8080.",
)
@click.option(
    "--serve-token", metavar="SECRET", help="Require this secret in the browser for --serve."
)
@click.option(
    "--serve-read-only", is_flag=True, help="Let nobody change anything on the page of --serve."
)
@click.option(
    "--mqtt",
    metavar="URL",
    envvar="EDGE_MQTT",
    show_envvar=True,
    help="Publish who is there to an MQTT broker and Home Assistant.",
)
@click.option(
    "--mqtt-pictures",
    is_flag=True,
    help="Send the cut-out face of each arrival to the broker, too, as an image entity.",
)
@click.option(
    "--webhook",
    metavar="URL",
    multiple=True,
    envvar="EDGE_WEBHOOK",
    show_envvar=True,
    help="Post arrivals and departures as JSON; may be repeated.",
)
@click.option(
    "--on-match",
    metavar="CMD",
    multiple=True,
    help="Run this command when a person is recognized; may be repeated.",
)
@click.option(
    "--on-unknown", metavar="CMD", multiple=True, help="Run a command when somebody unknown comes."
)
@click.option("--on-left", metavar="CMD", multiple=True, help="Run a command when somebody leaves.")
@click.option(
    "--keep-events",
    type=click.IntRange(1),
    metavar="N",
    help="Keep the images of the last N arrivals.",
)
@events_folder_option
@click.option(
    "--adapt",
    type=click.Choice(["on", "report", "off"]),
    default="report",
    help="Count the scores of strangers before the camera; 'on' also raises thresholds by them.",
)
@click.option(
    "--keep-visits",
    type=click.IntRange(1, 2000),
    metavar="N",
    help="Keep who came, when, and the scores of the last N visits; see "
    "'edge-recognize visits -h'.",
)
@click.option(
    "--visit-faces",
    is_flag=True,
    help="Keep the best face and the embeddings of each visit, too, so that "
    "you can correct by them.",
)
@click.option(
    "--remember-unknown",
    type=_Duration(),
    metavar="TIME",
    help="Keep faces and embeddings of unknown visitors for this time, such as 14d, to name them.",
)
@click.option(
    "--blur-unknown",
    is_flag=True,
    help="Blur all faces but those of a match, wherever pictures are shown or kept.",
)
@click.option(
    "--challenge",
    is_flag=True,
    help="Recognize a person only after they turn and nod as told: stops "
    "printed photos, not videos.",
)
@click.option("--wait-for-camera", is_flag=True, help="Wait if the camera is missing at the start.")
@click.option(
    "--systemd", is_flag=True, help="Run as a service: notify systemd and log for the journal."
)
@quiet_option(help="Print nothing but results and errors.")
@click.pass_context
def run_command(ctx: click.Context, **options: Any) -> None:
    """Recognize people before a camera, in videos or in images.

    edge-recognize runs this when you name no sub-command. Nothing leaves the device and no image is
    written unless an option asks for it.
    """
    _refuse_words(ctx)
    from edge.cli.run import RunOptions, run

    if not options["camera"] and not options["source"]:
        options["camera"] = tuple(filter(None, [os.environ.get("EDGE_CAMERA")]))
    run(RunOptions(**options))


def _refuse_words(ctx: click.Context) -> None:
    """A word is no option: another sub-command after options of this one, or a slip."""
    if not ctx.args:
        return
    word = ctx.args[0]
    group = ctx.parent.command if ctx.parent is not None else None
    if not isinstance(group, click.Group) or word not in group.commands:
        raise UsageError(
            f"'{word}' is no option of 'edge-recognize run'", hint="name files with --source"
        )
    default = click.core.ParameterSource.DEFAULT
    given = [
        param.opts[0]
        for param in ctx.command.params
        if param.name and ctx.get_parameter_source(param.name) is not default
    ]
    raise UsageError(
        f"{given[0] if given else 'run'} stands before '{word}' and has no effect there",
        hint=f"options of {word} come after it",
    )
