"""`edge-train`: the commands of the workstation."""

from __future__ import annotations

from edge.commands import group
from trainer.attributes_cli import attributes_command
from trainer.audit_cli import audit_command
from trainer.cohort_cli import cohort_command
from trainer.evaluate_base_cli import evaluate_base_command
from trainer.evaluate_person_cli import evaluate_person_command
from trainer.person_cli import person_command


@group(
    examples="""
    edge-train audit ~/celeba
    edge-train attributes --data ~/celeba --out runs/base
    edge-train evaluate-base runs/base --data ~/celeba
    edge-train person --photos ~/photos/anna --name anna --out runs/anna
    """
)
def main() -> None:
    """Train on a workstation what a Raspberry Pi recognizes people with."""


main.add_command(audit_command)
main.add_command(attributes_command)
main.add_command(evaluate_base_command)
main.add_command(cohort_command)
main.add_command(person_command)
main.add_command(evaluate_person_command)

if __name__ == "__main__":
    main()
