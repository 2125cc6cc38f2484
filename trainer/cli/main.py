"""`edge-train`: the commands of the workstation."""

from __future__ import annotations

from edge.console.commands import group
from edge.service.libraries import set_library_settings
from trainer.cli.attributes import attributes_command
from trainer.cli.audit import audit_command
from trainer.cli.cohort import cohort_command
from trainer.cli.direct import direct_command
from trainer.cli.evaluate_base import evaluate_base_command
from trainer.cli.evaluate_person import evaluate_person_command
from trainer.cli.person import person_command


@group(
    examples="""
    edge-train audit ~/celeba
    edge-train attributes --data ~/celeba --out runs/base
    edge-train evaluate-base runs/base --data ~/celeba
    edge-train person --photos ~/photos/anna --name anna --out runs/anna
    """
)
def main() -> None:
    """Train bases and heads on a workstation, for a Raspberry Pi."""
    set_library_settings()


main.add_command(audit_command)
main.add_command(attributes_command)
main.add_command(evaluate_base_command)
main.add_command(cohort_command)
main.add_command(person_command)
main.add_command(evaluate_person_command)
main.add_command(direct_command)

if __name__ == "__main__":
    main()
