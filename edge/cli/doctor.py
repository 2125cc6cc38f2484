"""`edge-recognize doctor`: examine this machine and say what helps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.console.commands import bundle_option, command, detector_option, emit_json, json_option
from edge.console.display_text import for_terminal

if TYPE_CHECKING:
    from edge.doctor.report import Finding


@command(
    "doctor",
    examples="""
    edge-recognize doctor
    edge-recognize doctor --bundle ada.edge --json
    """,
)
@bundle_option(help="Examine this bundle; by default the one that 'edge-recognize run' uses.")
@detector_option()
@json_option()
def doctor(bundle: Path | None, detector_model: Path | None, as_json: bool) -> None:
    """Examine this machine: packages, model, cameras, power, clock, disk.

    Each problem comes with a remedy. The exit code is 1 when there is a problem; a warning is no
    problem.
    """
    from edge.doctor.report import Patient, examine, is_healthy

    findings = []
    for finding in examine(Patient(bundle=bundle, detector_model=detector_model)):
        findings.append(finding)
        if not as_json:
            _say(finding)
    if as_json:
        emit_json({"schema": 1, "healthy": is_healthy(findings), "findings": findings})
    else:
        click.echo(_verdict(findings))
    if not is_healthy(findings):
        click.get_current_context().exit(1)


def _say(finding: Finding) -> None:
    from edge.doctor.report import OK, PROBLEM, SKIPPED, WARNING

    marks = {OK: ("✓", "green"), WARNING: ("!", "yellow"), PROBLEM: ("✗", "red")}
    mark, color = {**marks, SKIPPED: ("–", None)}[finding.state]
    click.echo(f"{click.style(mark, fg=color)} {finding.check}: {for_terminal(finding.text)}")
    if finding.remedy:
        click.echo(f"    {click.style('→', fg=color)} {for_terminal(finding.remedy)}")


def _verdict(findings: list[Finding]) -> str:
    from edge.doctor.report import PROBLEM, WARNING

    problems = sum(finding.state == PROBLEM for finding in findings)
    warnings = sum(finding.state == WARNING for finding in findings)
    if problems:
        return f"\n{problems} problem{'' if problems == 1 else 's'} to solve"
    if warnings:
        return f"\nno problem, {warnings} thing{'' if warnings == 1 else 's'} to improve"
    return "\nall is well"
