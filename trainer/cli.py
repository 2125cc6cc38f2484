"""`edge-train`: the commands of the workstation."""

from __future__ import annotations

import importlib

from edge.commands import group

_COMMANDS = {
    "trainer.attributes_cli": "attributes_command",
}


@group(
    examples="""
    edge-train attributes --data ~/celeba --out runs/base
    """
)
def main() -> None:
    """Train a base and people's heads, and measure them."""


for _module, _name in _COMMANDS.items():
    main.add_command(getattr(importlib.import_module(_module), _name))


if __name__ == "__main__":
    main()
