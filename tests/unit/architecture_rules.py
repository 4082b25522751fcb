# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers' rules as functions from a file's text to its violations, so that each rule can be shown to fail.

    modules -> _module -> _io -> _core, _dialects        _controls -> _core
               _module -> _controls, _dialects           _dialects -> _core
    _job -> _io -> _core, _dialects: a program for hosts, which a module carries there (so _module may import it)

On the controller alone: plugin_utils/_report, pure too; _report_io, which reads and writes files; _action, which drives
the modules' runner; and the plugins (filter, action ...) that use them.
"""

from __future__ import annotations

import ast
import typing as t

UTILITY_LAYERS = ("_core", "_dialects", "_controls", "_io", "_job", "_module")
PURE_LAYERS = ("_core", "_dialects", "_controls", "_report")
# Kinds of plugins that are called by name; everything else is private.
PUBLIC_KINDS = ("action", "callback", "doc_fragments", "filter", "inventory", "lookup", "modules", "test")

# Which layers a layer may import.
ALLOWED_LAYERS: dict[str, tuple[str, ...]] = {
    "_core": ("_core",),
    "_dialects": ("_core", "_dialects"),
    "_controls": ("_core", "_controls"),
    "_io": ("_core", "_dialects", "_io"),
    "_job": ("_core", "_dialects", "_io", "_job"),
    "_module": ("_core", "_dialects", "_controls", "_io", "_job", "_module"),
    "_report": ("_core", "_controls", "_report"),
    "modules": ("_module",),
    "_report_io": ("_core", "_io", "_report", "_report_io"),
    "_action": ("_core", "_module"),
    "action": ("_core", "_controls", "_report", "_report_io", "_action"),
    **dict.fromkeys(("callback", "filter", "inventory", "lookup", "test"), ("_core", "_controls", "_report")),
}

# The part of the standard library that computes and nothing else. A list of what is allowed, because a list of what
# is forbidden always lacks one. Add to it what neither reads nor changes the world, nor asks for the time.
PURE_LIBRARIES = frozenset(
    {
        *("__future__", "abc", "base64", "binascii", "bisect", "collections", "contextlib", "copy", "dataclasses"),
        *("datetime", "decimal", "difflib", "enum", "fnmatch", "fractions", "functools", "hashlib", "heapq", "hmac"),
        *("html", "ipaddress", "itertools", "json", "math", "numbers", "operator", "re", "shlex", "stat", "string"),
        *("posixpath", "statistics", "stringprep", "struct", "textwrap", "types", "typing", "unicodedata"),
    }
)
WORLDLY_CALLS = frozenset({"open", "exec", "eval", "print", "input", "compile", "__import__", "breakpoint"})
# Of posixpath, what only handles text; the rest asks the file system or the working directory.
PATH_CALLS = frozenset({"basename", "commonpath", "dirname", "isabs", "join", "normpath", "split", "splitext"})
CLOCK_CALLS = frozenset({"now", "today", "utcnow"})

OURS = (
    "ansible_collections.bulwark.database.plugins.module_utils.",
    "ansible_collections.bulwark.database.plugins.plugin_utils.",
)
PRIVATE_LINE = "# This file is PRIVATE to the bulwark.database collection: its interface may change without notice."
# REUSE-IgnoreStart
HEADER = (
    "# Copyright (c) 2026, the bulwark.database authors",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
    "# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)",
)
# REUSE-IgnoreEnd
LONGEST_FUNCTION = 80
LONGEST_MAIN = 20

Violations = t.Iterator[str]


class Import(t.NamedTuple):
    """One imported module: ``layer`` for one of ours, else ``library``, its top-level package."""

    line: int
    layer: str
    library: str
    is_relative: bool


def imports(source: str, layer: str) -> t.Iterator[Import]:
    """Everything a file imports, also within functions and under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _absolute(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module == "posixpath":
            yield Import(node.lineno, "", "single names of posixpath", is_relative=False)  # check_calls must see them
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield _absolute(node.lineno, node.module or "")
        elif isinstance(node, ast.ImportFrom):
            for target in [node.module] if node.module else [alias.name for alias in node.names]:
                reached = {1: layer, 2: target.split(".")[0]}.get(node.level, "outside module_utils")
                yield Import(node.lineno, reached, "", is_relative=True)


def _absolute(line: int, name: str) -> Import:
    for prefix in OURS:
        if name.startswith(prefix):
            return Import(line, name[len(prefix) :].split(".")[0], "", is_relative=False)
    return Import(line, "", name.split(".")[0], is_relative=False)


def check_imports(source: str, layer: str) -> Violations:
    for found in imports(source, layer):
        if found.layer and found.layer not in ALLOWED_LAYERS[layer]:
            yield f"line {found.line}: {layer} must not import {found.layer}"
        if found.layer and layer in UTILITY_LAYERS and not found.is_relative:
            yield f"line {found.line}: inside module_utils imports are relative"
        if found.library and layer in PURE_LAYERS and found.library not in PURE_LIBRARIES:
            yield f"line {found.line}: {layer} is pure and must not import {found.library}"
        if found.library.startswith("ansible") and layer in ("_io", "_job"):
            yield f"line {found.line}: {layer} does not know Ansible"


def check_calls(source: str, layer: str) -> Violations:
    """A pure layer opens nothing, prints nothing, runs no text as code and doesn't know what time it is."""
    if layer not in PURE_LAYERS:
        return
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in WORLDLY_CALLS:
            yield f"line {node.lineno}: {layer} is pure and must not call {node.func.id}()"
        if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS:
            yield f"line {node.lineno}: {layer} is pure and must not ask the clock by {node.func.attr}()"
        called = ast.unparse(node.func).split(".")
        if called[0] == "posixpath" and called[1] not in PATH_CALLS:
            yield f"line {node.lineno}: {layer} is pure and must not ask the file system by {'.'.join(called)}()"


def check_check_mode(source: str, path: str) -> Violations:
    """Only the runner decides by check mode, and what drives it on the controller hands it over; elsewhere a plan and a
    run are the same."""
    if path.endswith(("_module/runner.py", "plugin_utils/_action/base.py")):
        return
    for node in ast.walk(ast.parse(source)):
        names = {getattr(node, field, None) for field in ("id", "attr", "arg", "name")}
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
        if names & {"check_mode", "_ansible_check_mode"}:
            yield f"line {getattr(node, 'lineno', '?')}: check_mode is read in _module/runner.py only"


def check_lengths(source: str) -> Violations:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            limit = LONGEST_MAIN if node.name == "main" else LONGEST_FUNCTION
            if length > limit:
                yield f"line {node.lineno}: {node.name}() has {length} lines, {limit} are the limit"


def check_hints(source: str) -> Violations:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns is None:
            yield f"line {node.lineno}: {node.name}() does not say what it returns"


def check_header(source: str, layer: str) -> Violations:
    lines = source.splitlines()
    if layer == "modules":
        if lines[:1] != ["#!/usr/bin/python"]:
            yield "line 1: a module starts with #!/usr/bin/python"
        lines = lines[1:]
    if tuple(lines[:3]) != HEADER:
        yield "line 1: the three-line licence header is missing"
    if "from __future__ import annotations" not in lines:
        yield "line 1: 'from __future__ import annotations' is missing, and with it Python 3.9"
    if layer not in PUBLIC_KINDS and PRIVATE_LINE not in lines:
        yield "line 5: the line that says the file is PRIVATE is missing"


def check_file(source: str, layer: str, path: str) -> list[str]:
    """All rules. ``layer``: a folder of module_utils or plugin_utils, or a kind of plugin; ``path`` is for messages."""
    found = [*check_header(source, layer), *check_lengths(source), *check_hints(source)]
    if layer != "doc_fragments":
        found += [*check_imports(source, layer), *check_calls(source, layer), *check_check_mode(source, path)]
    return [f"{path}: {violation}" for violation in found]


def check_action_groups(groups: t.Mapping[str, list[str]], modules: t.Mapping[str, str]) -> Violations:
    """meta/runtime.yml against the modules there are. ``groups`` are its action_groups, ``modules`` sources by name.

    The group of an engine holds the modules that take its connection options, so that these are set in one place.
    """
    for name in sorted(set(modules) - set(groups["all"])):
        yield f"{name} is missing in the action group all"
    for group, members in groups.items():
        for name in sorted(set(members) - set(modules)):
            yield f"the action group {group} names {name}, which is no module"
        if members != sorted(set(members)):
            yield f"the action group {group} is not sorted, or names a module twice"
        if group != "all":
            fragment = f"bulwark.database._{group}_connection"
            for name in sorted({name for name, source in modules.items() if fragment in source} ^ set(members)):
                yield f"the action group {group} and the modules that document {fragment} differ by {name}"


ATTRIBUTES = ("action_group", "check_mode", "diff_mode", "idempotent", "platform")


def check_attributes(name: str, documentation: t.Mapping[str, t.Any], groups: t.Mapping[str, list[str]]) -> Violations:
    """``documentation`` with its fragments merged in, as ansible-doc prints it."""
    attributes = documentation.get("attributes", {})
    for attribute in ATTRIBUTES:
        if attribute not in attributes:
            yield f"{name} does not document the attribute {attribute}"
    documented = sorted(attributes.get("action_group", {}).get("membership", []))
    member_of = sorted(f"bulwark.database.{group}" for group, members in groups.items() if name in members)
    if documented != member_of:
        yield f"{name} documents the action groups {documented}, meta/runtime.yml says {member_of}"


OptionSpecs = t.Mapping[str, t.Mapping[str, t.Any]]


def check_options(documented: OptionSpecs, accepted: OptionSpecs, inside: str = "") -> Violations:
    """A module's documented options against its argument_spec, sub-options included."""
    for name in sorted(set(documented) ^ set(accepted)):
        where = "documentation" if name in documented else "argument_spec"
        yield f"option {inside}{name} is only in the {where}"
    for name in sorted(set(documented) & set(accepted)):
        described, spec = documented[name], accepted[name]
        for key, fallback in (("type", "str"), ("elements", None), ("default", None), ("required", False)):
            if described.get(key, fallback) != spec.get(key, fallback):
                yield (
                    f"option {inside}{name}: {key} is {described.get(key, fallback)!r} in the documentation, "
                    f"{spec.get(key, fallback)!r} in the argument_spec"
                )
        for key in ("choices", "aliases"):
            if sorted(described.get(key) or []) != sorted(spec.get(key) or []):
                yield f"option {inside}{name}: {key} differ"
        yield from check_options(described.get("suboptions") or {}, spec.get("options") or {}, f"{inside}{name}.")
