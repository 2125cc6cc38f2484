"""`edge-recognize`: recognize people, and care for the device that does it."""

from __future__ import annotations

from edge.cli.adapt import adapt
from edge.cli.data import data
from edge.cli.device_id import device_id_command
from edge.cli.doctor import doctor
from edge.cli.people import COMMANDS
from edge.cli.rename import rename_command
from edge.cli.run_command import run_command
from edge.cli.self_test import self_test
from edge.cli.service import service
from edge.cli.visits import VISIT_COMMANDS
from edge.console.commands import group
from edge.service.libraries import set_library_settings

EXAMPLES = """
edge-recognize --camera 0
edge-recognize run -h
edge-recognize enrol --name ana --camera 0
edge-recognize doctor
"""


@group(examples=EXAMPLES, default="run")
def main() -> None:
    """Recognize people on this device.

    The default sub-command is 'run': 'edge-recognize --camera 0' recognizes.
    """
    set_library_settings()


for _command in (
    run_command,
    doctor,
    *COMMANDS,
    *VISIT_COMMANDS,
    rename_command,
    adapt,
    data,
    self_test,
    service,
    device_id_command,
):
    main.add_command(_command)


if __name__ == "__main__":
    main()
