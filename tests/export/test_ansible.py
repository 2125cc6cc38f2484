"""The Ansible role: its commands are those of `edge-flash`, its variables have defaults."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from export.cli.flash import main

ROLE = Path(__file__).resolve().parents[2] / "export" / "templates" / "ansible"


def test_the_role_calls_commands_and_options_that_exist() -> None:
    tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text("utf-8"))
    for task in tasks:
        assert task["vars"]["ansible_connection"] == "local"
        assert "delegate_to" not in task, "it would change whose name edge_host is"
        words = re.findall(r"'([^']+)'", task["ansible.builtin.command"]["argv"])
        assert words[0] == "edge-flash"
        command = main.commands[words[1]]
        known = {option for param in command.params for option in param.opts} | {"--"}
        assert {word for word in words if word.startswith("--")} <= known


def test_each_variable_has_a_default() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text("utf-8"))
    text = (ROLE / "tasks" / "main.yml").read_text("utf-8")
    registered = set(re.findall(r"register: (\w+)", text))
    used = set(re.findall(r"\bedge_\w+", text)) - registered
    assert used <= set(defaults)
