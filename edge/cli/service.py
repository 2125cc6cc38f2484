"""`edge-recognize service`: the systemd unit for the options that are to run, and its way in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.people import key_file_option
from edge.cli.run_command import run_command
from edge.console.commands import command, emit_json, json_option, out_option, overwrite_option, say
from edge.errors import UsageError

if TYPE_CHECKING:
    from edge.service.systemd_unit import Unit

_CARRIED = ("XDG_DATA_HOME",)
_PATHS = ("bundle", "detector_model", "events_folder", "key_file", "save")


@command(
    "service",
    examples="""
    edge-recognize service --install -- --camera csi --mqtt mqtt://localhost
    edge-recognize service --install
    edge-recognize service -- --camera 0 | sudo tee /etc/systemd/system/edge-recognize.service
    edge-recognize service --uninstall
    sudo systemctl reload edge-recognize
    """,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="-- [OPTIONS]...")
@click.option(
    "--install",
    is_flag=True,
    help="Install, enable and start the service; without options as it was before.",
)
@click.option("--uninstall", is_flag=True, help="Stop the service and remove the unit.")
@click.option("--user", metavar="NAME", help="Run the service as this user; by default as you.")
@key_file_option
@out_option(help="Write the unit to this file instead of standard output.")
@overwrite_option("out")
@json_option()
def service(
    words: tuple[str, ...], install: bool, uninstall: bool, user: str | None,
    key_file: Path | None, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Print or install a systemd unit that runs edge-recognize with the options after '--'.

    systemd watches the service and starts it again. The service may write only to the data folder
    of its user, and has no network unless an option needs it. Enroll people as that user. Options
    are checked as 'run' checks them. Secrets (EDGE_SERVE_TOKEN, EDGE_MQTT, EDGE_WEBHOOK,
    EDGE_CAMERA) are read from ~/.config/edge-recognize/service.env and never written to the unit.
    """
    if sum((install, uninstall, out is not None)) > 1:
        raise UsageError("--install, --uninstall and --out exclude each other", hint="give one")
    if uninstall:
        _uninstall(as_json)
        return
    unit = _unit(words, user, key_file, install=install)
    text = unit.text()
    if out is not None:
        from edge.files.atomic import atomic_file

        with atomic_file(out) as temporary:
            temporary.write_text(text)
    where = None
    if install:
        from edge.service.unit_install import install_unit

        where = install_unit(text)
    _show(unit, text, where, out, as_json)


def _show(unit: Unit, text: str, where: Path | None, out: Path | None, as_json: bool) -> None:
    from edge.service.systemd_unit import needs_network

    if as_json:
        made: dict[str, Any] = {
            "schema": 1, "unit": text, "network": needs_network((*unit.words, *unit.secret_words)),
            "words": list(unit.words), "installed": None if where is None else str(where),
        }  # fmt: skip
        emit_json(made)
    elif where is not None:
        import shlex

        say(f"{where} runs edge-recognize {shlex.join(unit.words)}; enabled and started")
    elif out is None:
        say(text, nl=False)


def _unit(words: Sequence[str], user: str | None, key_file: Path | None, *, install: bool) -> Unit:
    """Raises `UsageError` for options that `run` would refuse, or that mean something else at the
    start of the machine."""
    import getpass

    from edge.bundle.signature import KEY_VARIABLE, as_public_key
    from edge.service import secret_words as hidden
    from edge.service.systemd_unit import Unit, data_of, program_path
    from edge.service.unit_install import installed_words, systemd_version

    secrets_file = _config_of(user) / hidden.FILE
    if install and not words:
        words = installed_words() or _default_words(secrets_file)
    hidden.refuse_secrets(words, secrets_file)
    values = hidden.read_secrets(secrets_file)
    if hidden.in_the_open(secrets_file):
        raise UsageError(
            f"others can read {secrets_file}, which holds secrets", hint=f"chmod 600 {secrets_file}"
        )
    if install and _needs_token(words, values):
        hidden.add_token(secrets_file)
        say(f"made a token for --serve: it stands in {secrets_file}", err=True)
        values = hidden.read_secrets(secrets_file)
    check_words(words, hidden.words_of(values))
    variables = {
        name: os.environ[name] for name in _CARRIED if user is None and os.environ.get(name)
    }
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if key:
        variables[KEY_VARIABLE] = as_public_key(key).raw.hex()
    name = user or getpass.getuser()
    return Unit(
        tuple(words), name, program_path(), data_of(name),
        None if key_file is None else key_file.expanduser().absolute(),
        environment=variables, secrets_file=secrets_file, secret_words=hidden.words_of(values),
        systemd=systemd_version(),
    )  # fmt: skip


def check_words(words: Sequence[str], secret: Sequence[str] = ()) -> None:
    """Whether `edge-recognize run` would take these options from any folder.

    secret: options from elsewhere that go with them. Raises `UsageError`, and click's errors for
    options that do not exist.
    """
    from edge.cli.run import RunOptions, check_options
    from edge.sinks.preview import Address
    from edge.sources.files import is_url
    from edge.sources.live import camera_by_name

    given = {word.partition("=")[0] for word in words}
    pairs = list(zip(secret[::2], secret[1::2], strict=True))
    if "--source" in given:
        pairs = [pair for pair in pairs if pair[0] != "--camera"]
    if "--serve" not in given:
        pairs = [pair for pair in pairs if pair[0] != "--serve-token"]
    more = [word for option, value in pairs if option not in given for word in (option, value)]
    context = run_command.make_context("run", [*words, *more])
    if context.args:
        raise UsageError(f"'{context.args[0]}' is no option of 'edge-recognize run'")
    overwrite = context.params.pop("overwrite")
    options = RunOptions(**context.params)
    if options.save is not None and not overwrite:
        raise UsageError(
            f"a service that starts again would find {options.save} there",
            hint="add --overwrite, or keep pictures by --keep-events N",
        )
    if not options.camera and not options.source:
        raise UsageError("the service has nothing to look at", hint="add -- --camera 0")
    if options.window:
        raise UsageError("a service has no window", hint="use --serve 127.0.0.1:8080")
    check_options(options)
    for camera in options.camera:
        camera_by_name(camera)
    if options.serve is not None:
        Address.parse(options.serve, options.serve_token)
    paths = [(name, getattr(options, name)) for name in _PATHS]
    paths += [("source", Path(name)) for name in options.source if not is_url(name)]
    for name, path in paths:
        if path is not None and not path.is_absolute():
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} {path} means another file wherever the service starts",
                hint=f"give the whole path: {path.absolute()}",
            )
    if options.bundle is not None and not options.bundle.is_file():
        raise UsageError(f"there is no bundle {options.bundle}", hint="check the path")


def _needs_token(words: Sequence[str], values: dict[str, str]) -> bool:
    from edge.sinks.preview import TOKEN_VARIABLE, Address

    if TOKEN_VARIABLE in values:
        return False
    context = run_command.make_context("run", list(words), resilient_parsing=True)
    address = context.params.get("serve")
    if not address:
        return False
    return not Address(address.rpartition(":")[0].strip("[]"), 0).is_loopback


def _default_words(secrets_file: Path) -> tuple[str, ...]:
    """The camera that is connected; the USB one, waited for, where none is."""
    from edge.doctor.checks.camera import check_csi
    from edge.doctor.report import SKIPPED, Patient
    from edge.service.secret_words import VARIABLES, read_secrets

    if VARIABLES["--camera"] in read_secrets(secrets_file):
        return ("--wait-for-camera",)
    csi = any(finding.state != SKIPPED for finding in check_csi(Patient()))
    return ("--camera", "csi" if csi else "0", "--wait-for-camera")


def _config_of(user: str | None) -> Path:
    import getpass

    from edge.bundle.locate import APPLICATION
    from edge.bundle.signature import config_folder
    from edge.files.platform import home_of

    if user is None or user == getpass.getuser():
        return config_folder()
    try:
        return home_of(user) / ".config" / APPLICATION
    except KeyError:
        raise UsageError(f"there is no user {user} here", hint="give --user NAME") from None


def _uninstall(as_json: bool) -> None:
    from edge.service.unit_install import uninstall_unit, unit_path

    removed = uninstall_unit()
    if as_json:
        emit_json({"schema": 1, "removed": removed})
    else:
        say(f"{unit_path()} is removed" if removed else "there was no service")
