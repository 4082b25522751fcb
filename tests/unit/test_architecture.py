# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layering holds in every file, and every rule that says so can fail."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from architecture_rules import (
    HEADER,
    PRIVATE_LINE,
    UTILITY_LAYERS,
    check_action_groups,
    check_attributes,
    check_calls,
    check_check_mode,
    check_file,
    check_header,
    check_hints,
    check_imports,
    check_lengths,
    check_options,
)

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
UTILITIES = PLUGINS / "module_utils"


def plugin_files() -> list[Path]:
    return sorted(path for path in PLUGINS.rglob("*.py") if "__pycache__" not in path.parts)


def layer_of(path: Path) -> str:
    """The layer in module_utils or plugin_utils, else the kind of plugin."""
    parts = path.relative_to(PLUGINS).parts
    return parts[1] if parts[0] in ("module_utils", "plugin_utils") else parts[0]


def module_sources() -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((PLUGINS / "modules").glob("*.py"))}


def module_names() -> list[str]:
    return list(module_sources())


def action_groups() -> dict[str, list[str]]:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    return t.cast("dict[str, list[str]]", runtime["action_groups"])


@pytest.mark.parametrize("path", plugin_files(), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_the_file_keeps_the_rules_of_its_layer(path: Path) -> None:
    violations = check_file(path.read_text(encoding="utf-8"), layer_of(path), str(path.relative_to(ROOT)))
    assert violations == []


def test_module_utils_holds_the_six_layers_and_nothing_else() -> None:
    assert {path.name for path in UTILITIES.iterdir()} - {"__pycache__"} <= set(UTILITY_LAYERS)


def test_layers_are_namespace_packages() -> None:
    assert list(UTILITIES.rglob("__init__.py")) == []


def test_only_python_travels_to_the_target_so_nothing_else_lies_in_module_utils() -> None:
    strangers = [path for path in UTILITIES.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert strangers == []


def test_runtime_metadata_lists_exactly_the_modules_there_are() -> None:
    assert list(check_action_groups(action_groups(), module_sources())) == []


FORBIDDEN_IMPORTS = [
    ("_core", "import os"),
    ("_core", "import ansible.module_utils.basic"),
    ("_core", "from ansible.module_utils.basic import AnsibleModule"),
    ("_core", "import os.path as path"),
    ("_core", "def f() -> None:\n    import subprocess"),
    ("_core", "import time"),
    ("_core", "from posixpath import exists"),
    ("_core", "from pathlib import Path"),
    ("_core", "from .._dialects.postgresql import quote_identifier"),
    ("_core", "from .._io import files"),
    ("_core", "from .. import _io"),
    ("_core", "from ... import modules"),
    ("_core", "from ansible_collections.bulwark.database.plugins.module_utils._core.plan import Plan"),
    ("_dialects", "import psycopg"),
    ("_dialects", "import pymysql"),
    ("_dialects", "from .._controls.catalogue import controls"),
    ("_controls", "import socket"),
    ("_controls", "from .._dialects.postgresql import quote_identifier"),
    ("_controls", "import tempfile, re"),
    ("_io", "from ansible.module_utils.basic import AnsibleModule"),
    ("_io", "from .._module.runner import run"),
    ("_io", "from .._controls.catalogue import controls"),
    ("_job", "from ansible.module_utils.basic import AnsibleModule"),
    ("_job", "from .._module.runner import run"),
    ("_job", "from .._controls.catalogue import controls"),
    ("_core", "from .._job.command_line import run"),
    ("_io", "from .._job.command_line import run"),
    ("_report", "import os"),
    ("filter", "from ansible_collections.bulwark.database.plugins.module_utils._io.files import read_file"),
    ("modules", "from ansible_collections.bulwark.database.plugins.module_utils._io.files import read_file"),
]


@pytest.mark.parametrize(("layer", "source"), FORBIDDEN_IMPORTS)
def test_a_forbidden_import_is_found(layer: str, source: str) -> None:
    assert list(check_imports(source, layer))


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("_core", "from __future__ import annotations\nimport re\nfrom .plan import Plan"),
        ("_dialects", "from .._core.errors import InvalidDeclaration"),
        ("_io", "import os\nfrom .._core.errors import ApplyFailed\nfrom .libraries import require_psycopg"),
        ("_job", "import os\nimport time\nfrom .._io.backup_store import Store\nfrom .state import remember"),
        ("_module", "from .._job import command_line"),
        ("_module", "from ansible.module_utils.basic import AnsibleModule\nfrom .._io.files import read_file"),
        ("modules", "from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run"),
    ],
)
def test_an_allowed_import_is_let_through(layer: str, source: str) -> None:
    assert list(check_imports(source, layer)) == []


@pytest.mark.parametrize(
    "call",
    [
        "posixpath.exists('x')",
        "posixpath.realpath('x')",
        "open('x')",
        "print(1)",
        "eval('1')",
        "exec('1')",
        "datetime.datetime.now()",
        "date.today()",
        "datetime.utcnow()",
    ],
)
def test_a_worldly_call_in_a_pure_layer_is_found(call: str) -> None:
    assert list(check_calls(f"def f(x: int) -> None:\n    return {call}", "_core"))
    assert list(check_calls(call, "_io")) == []


@pytest.mark.parametrize(
    "source",
    [
        "if module.check_mode:\n    pass",
        "def apply(check_mode: bool) -> None: ...",
        "apply(check_mode=True)",
        "options['_ansible_check_mode']",
    ],
)
def test_reading_check_mode_outside_the_runner_is_found(source: str) -> None:
    assert list(check_check_mode(source, "plugins/module_utils/_io/files.py"))
    assert list(check_check_mode(source, "plugins/module_utils/_module/runner.py")) == []


def test_speaking_of_check_mode_is_no_reading() -> None:
    source = '"""In check_mode too."""\n# check_mode\nAnsibleModule(supports_check_mode=True)'
    assert list(check_check_mode(source, "plugins/modules/postgresql_hba.py")) == []


def test_a_main_of_21_lines_is_found() -> None:
    def main_of(lines: int) -> str:
        return "def main() -> None:\n" + "    pass\n" * (lines - 1)

    assert list(check_lengths(main_of(21)))
    assert list(check_lengths(main_of(20))) == []


def test_a_function_of_81_lines_is_found() -> None:
    def function_of(lines: int) -> str:
        return "class A:\n    def f(self) -> None:\n" + "        pass\n" * (lines - 1)

    assert list(check_lengths(function_of(81)))
    assert list(check_lengths(function_of(80))) == []


def test_a_function_without_a_return_type_is_found() -> None:
    assert list(check_hints("def f(x: int): ..."))


FULL_HEADER = "\n".join([*HEADER, "", PRIVATE_LINE, "", "from __future__ import annotations"])


@pytest.mark.parametrize("missing", [*FULL_HEADER.splitlines()[:1], PRIVATE_LINE, "from __future__ import annotations"])
def test_a_missing_line_of_the_header_is_found(missing: str) -> None:
    assert list(check_header(FULL_HEADER, "_core")) == []
    assert list(check_header(FULL_HEADER.replace(f"{missing}\n", "").removesuffix(missing), "_core"))


def test_a_module_without_a_shebang_is_found() -> None:
    assert list(check_header(FULL_HEADER, "modules"))
    assert list(check_header(f"#!/usr/bin/python\n{FULL_HEADER}", "modules")) == []


@pytest.mark.parametrize(
    ("groups", "complaint"),
    [
        ({"all": [], "postgresql": ["postgresql_hba"]}, "missing in the action group all"),
        ({"all": ["other", "postgresql_hba"], "postgresql": ["postgresql_hba"]}, "is no module"),
        ({"all": ["postgresql_hba", "other"], "postgresql": ["postgresql_hba"]}, "is not sorted"),
        ({"all": ["postgresql_hba"], "postgresql": []}, "differ by postgresql_hba"),
        ({"all": ["postgresql_hba"], "mariadb": ["postgresql_hba"]}, "differ by postgresql_hba"),
    ],
)
def test_an_action_group_that_differs_from_the_modules_is_found(groups: dict[str, list[str]], complaint: str) -> None:
    modules = {"postgresql_hba": "- bulwark.database._postgresql_connection"}
    assert any(complaint in violation for violation in check_action_groups(groups, modules))


def test_an_attribute_that_is_not_documented_is_found() -> None:
    groups = {"all": ["postgresql_hba"]}
    attributes = {
        "action_group": {"membership": ["bulwark.database.all"]},
        **{key: {} for key in ("check_mode", "diff_mode", "idempotent", "platform")},
    }
    assert list(check_attributes("postgresql_hba", {"attributes": attributes}, groups)) == []
    for name in attributes:
        rest = {key: value for key, value in attributes.items() if key != name}
        assert list(check_attributes("postgresql_hba", {"attributes": rest}, groups))


OPTION = {"type": "list", "elements": "dict", "required": True, "choices": ["a", "b"], "aliases": ["other"]}
SUBOPTION = {"type": "int", "default": 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "dict"},
        {"elements": "str"},
        {"required": False},
        {"choices": ["a"]},
        {"aliases": []},
        {"default": 2},
        {"options": {"inner": {"type": "int", "default": 2}}},
        {"options": {"inner": {"default": 1}}},
        {"options": {}},
    ],
)
def test_an_option_that_differs_from_its_documentation_is_found(changed: dict[str, t.Any]) -> None:
    documented = {"name": {**OPTION, "suboptions": {"inner": SUBOPTION}}}
    accepted = {"name": {**OPTION, "options": {"inner": SUBOPTION}}}
    assert list(check_options(documented, accepted)) == []
    assert list(check_options(documented, {"name": {**accepted["name"], **changed}}))
    assert list(check_options(documented, {}))
    assert list(check_options({}, accepted))
