# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module's documentation promises is what its code accepts."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.declared import DECLARABLE
from architecture_rules import check_attributes, check_options
from test_architecture import ROOT, action_groups, module_names

basic = pytest.importorskip(
    "ansible.module_utils.basic", reason="ansible-core is on the controller only; targets' Pythons run the pure tests"
)


@pytest.fixture(scope="module")
def documentation() -> dict[str, dict[str, t.Any]]:
    """Every module's documentation with its fragments merged in, from one ansible-doc for all of them."""
    names = [f"bulwark.database.{name}" for name in module_names()]
    result = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-doc"), "--type", "module", "--json", *names],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections")},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(result.stdout)
    return {name: answer[f"bulwark.database.{name}"]["doc"] for name in module_names()}


class Captured(Exception):
    """Raised in place of making the module, with what it was to be made of."""

    def __init__(self, specification: dict[str, t.Any]) -> None:
        super().__init__()
        self.specification = specification


def specification_of(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """What the module's main() hands to AnsibleModule; for one that an action plugin carries out, what that accepts."""
    if (ROOT / "plugins" / "action" / f"{name}.py").exists():
        action = importlib.import_module(f"ansible_collections.bulwark.database.plugins.action.{name}")
        return {"argument_spec": action.ARGUMENT_SPEC, "supports_check_mode": action.ActionModule._supports_check_mode}

    def capture(dummy_self: object, *dummy_arguments: object, **specification: t.Any) -> None:
        raise Captured(specification)

    monkeypatch.setattr(basic.AnsibleModule, "__init__", capture)
    module = importlib.import_module(f"ansible_collections.bulwark.database.plugins.modules.{name}")
    with pytest.raises(Captured) as caught:
        module.main()
    return caught.value.specification


@pytest.mark.parametrize("name", module_names())
def test_options_are_documented_as_the_module_accepts_them(
    name: str, documentation: dict[str, dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = specification_of(name, monkeypatch)["argument_spec"]
    assert list(check_options(documentation[name]["options"], accepted)) == []


@pytest.mark.parametrize("name", module_names())
def test_every_module_can_run_in_check_mode(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert specification_of(name, monkeypatch)["supports_check_mode"] is True


@pytest.mark.parametrize("name", module_names())
def test_attributes_are_documented_and_agree_with_the_action_groups(
    name: str, documentation: dict[str, dict[str, t.Any]]
) -> None:
    assert list(check_attributes(name, documentation[name], action_groups())) == []


def test_every_list_that_controls_compare_with_is_documented(documentation: dict[str, dict[str, t.Any]]) -> None:
    described = " ".join(documentation["assessment_info"]["options"]["declared"]["description"])
    for name, meaning in DECLARABLE.items():
        assert f"V({name})" in described, meaning


def test_the_readme_lists_every_module_once() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    modules = [name for name in listed if not name.startswith("bulwark_")]
    assert sorted(modules) == module_names()
