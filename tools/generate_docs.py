# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the generated part of docs/controls.md and docs/variables.md, or only say whether it is stale.

Usage: python tools/generate_docs.py [--check]
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import typing as t
from pathlib import Path

import yaml

from layout import COLLECTIONS, ROOT, link_checkout

if t.TYPE_CHECKING:
    from ansible_collections.bulwark.database.plugins.module_utils._controls.model import Control

BEGIN = "<!-- begin generated -->"
END = "<!-- end generated -->"


def main(arguments: t.Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Exit status: 0, or 1 for stale pages with --check. Raises ValueError for what can't be documented."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a page is stale")
    check = parser.parse_args(arguments).check
    stale = 0
    for name, render in PAGES.items():
        path = root / "docs" / name
        present = path.read_text(encoding="utf-8")
        wanted = replace_generated(present, render(root))
        if present == wanted:
            continue
        stale += 1
        if check:
            print(f"docs/{name} is stale: run 'python tools/generate_docs.py' and commit it")
            before, after = present.splitlines(keepends=True), wanted.splitlines(keepends=True)
            sys.stdout.writelines(difflib.unified_diff(before, after, "as committed", "as it should be"))
        else:
            path.write_text(wanted, encoding="utf-8")
            print(f"docs/{name} written")
    return 1 if check and stale else 0


def replace_generated(page: str, generated: str) -> str:
    """The page with what lies between its two markers replaced. Raises ValueError where it hasn't exactly one pair."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"a page needs one {BEGIN} followed by one {END}")
    head, tail = page[: page.index(BEGIN)], page[page.index(END) :]
    return f"{head}{BEGIN}\n\n{generated.strip()}\n\n{tail}"


def table(header: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell_text(cell) for cell in line)} |\n" for line in lines)


def cell_text(text: str) -> str:
    """One line that can't end the cell."""
    return " ".join(text.split()).replace("|", "\\|")


# ---- docs/variables.md -----------------------------------------------------------------------------------------------


class Variable(t.NamedTuple):
    """A role's variable: ``default`` as the user would write it, with the expression it is made by."""

    name: str
    type: str
    default: t.Any
    choices: tuple[str, ...]
    required: bool
    description: str


class Role(t.NamedTuple):
    name: str
    summary: str
    variables: tuple[Variable, ...]


def render_variables(root: Path) -> str:
    roles = [read_role(path.parent.parent) for path in sorted(root.glob("roles/*/meta/argument_specs.yml"))]
    variables = [variable for role in roles for variable in role.variables]
    given = given_by_playbooks(root, variables)
    parts = ["## The whole collection's\n", collection_wide([*variables, *given])]
    for role in roles:
        parts += [f"## Role {role.name}\n", f"{role.summary}\n"]
        rows = [[f"`{one.name}`", type_text(one), default_text(one), one.description] for one in role.variables]
        parts.append(table(["variable", "type", "default", "what it says"], rows) if rows else "It has no variables.\n")
    return "\n".join(parts)


# {{ bulwark_level | default('essential') }} and what may follow it: a variable of the whole collection feeds a role's.
_FED = re.compile(r"^\{\{\s*(\w+)\s*\|\s*default\((?P<default>.*?)(?:,\s*true)?\)\s*(?:\|.*)?\}\}$")


def literal_default(default: t.Any) -> t.Any:
    """What a fed variable has when nothing feeds it, as a value."""
    match = _FED.match(str(default))
    return yaml.safe_load(match.group("default")) if match else default


def read_role(path: Path) -> Role:
    """The variables of all entry points. Raises ValueError for a default without a description, or a second one."""
    specs = yaml.safe_load((path / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    defaults = read_defaults(path / "defaults" / "main.yml")
    options: dict[str, dict[str, t.Any]] = {}
    for entry_point in specs.values():
        options = {**(entry_point.get("options") or {}), **options}
    undescribed = [name for name in defaults if name not in options and not name.startswith("__")]
    if undescribed:
        raise ValueError(f"{path.name}: argument_specs.yml does not describe {', '.join(undescribed)}")
    twice = [name for name, option in options.items() if name in defaults and "default" in option]
    contradicting = [name for name in twice if options[name]["default"] != literal_default(defaults[name])]
    if contradicting:
        raise ValueError(f"{path.name}: the defaults of {', '.join(contradicting)} differ from argument_specs.yml")
    return Role(
        path.name,
        prose(specs["main"].get("short_description", "")),
        tuple(read_variable(name, option, defaults) for name, option in options.items()),
    )


def read_defaults(path: Path) -> dict[str, t.Any]:
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def read_variable(name: str, option: t.Mapping[str, t.Any], defaults: t.Mapping[str, t.Any]) -> Variable:
    return Variable(
        name=name,
        type=option.get("type", "str") + (f" of {option['elements']}" if "elements" in option else ""),
        default=defaults.get(name, option.get("default")),
        choices=tuple(map(str, option.get("choices") or ())),
        required=option.get("required", False),
        description=prose(option.get("description", "")),
    )


def given_by_playbooks(root: Path, variables: t.Iterable[Variable]) -> list[Variable]:
    """Variables of roles with what the playbooks give them in place of a default."""
    known = {variable.name: variable for variable in variables}
    books = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(root.glob("playbooks/*.yml"))]
    tasks = [task for book in books for play in book for task in [play, *(play.get("tasks") or [])]]
    given = {name: value for task in tasks for name, value in (task.get("vars") or {}).items() if name in known}
    return [known[name]._replace(default=value) for name, value in given.items()]


def collection_wide(variables: t.Sequence[Variable]) -> str:
    """Variables that feed those of roles and are no role's own, described by the variables that they feed."""
    own = {variable.name for variable in variables}
    fed: dict[str, list[Variable]] = {}
    for variable in variables:
        match = _FED.match(str(variable.default))
        if match and match.group(1) not in own:
            fed.setdefault(match.group(1), []).append(variable)
    rows = []
    for name, feeding in sorted(fed.items()):
        fullest = max(feeding, key=lambda variable: len(variable.description))
        match = _FED.match(str(fullest.default))
        default = ((match and match.group("default")) or "").replace("omit", "")
        feeds = ", ".join(f"`{variable.name}`" for variable in feeding)
        # The variable's own description says what feeds it; here that would be said twice.
        description = re.sub(r"Defaults? (?:is|to) (?:the variable )?`\w+`,.*?\.(?: |$)", "", fullest.description)
        rows.append([f"`{name}`", f"`{default}`" if default else "", feeds, description])
    return table(["variable", "default", "feeds", "what it says"], rows)


def type_text(variable: Variable) -> str:
    if not variable.choices:
        return variable.type
    return f"{variable.type}: {', '.join(f'`{choice}`' for choice in variable.choices)}"


def default_text(variable: Variable) -> str:
    if variable.required:
        return "(required)"
    if variable.default is None:
        return ""
    if isinstance(variable.default, (dict, list)):
        text = yaml.safe_dump(variable.default, default_flow_style=True, sort_keys=False, width=10_000).strip()
        return f"`{text}`" if len(text) <= 60 else f"see `defaults/main.yml` ({len(variable.default)} entries)"
    match = _FED.match(str(variable.default))
    if match:
        return f"that of `{match.group(1)}`"
    if "{{" in str(variable.default):
        return "computed"
    return f"`{str(variable.default).lower() if isinstance(variable.default, bool) else variable.default}`"


def prose(text: str | t.Sequence[str]) -> str:
    """Ansible's markup as Markdown: O(name), V(value), C(code) and the like become code, B() bold, I() italics."""
    joined = text if isinstance(text, str) else " ".join(text)
    joined = re.sub(r"\b[OVCEP]\(([^)]*)\)|\bRV\(([^)]*)\)", lambda found: f"`{found[1] or found[2]}`", joined)
    joined = re.sub(r"\bB\(([^)]*)\)", r"**\1**", joined)
    joined = re.sub(r"\bI\(([^)]*)\)", r"*\1*", joined)
    joined = re.sub(
        r"\bM\(([^)#]*)(?:#\w+)?\)|\bR\(([^,)]*),[^)]*\)", lambda found: f"`{found[1] or found[2]}`", joined
    )
    return re.sub(r"\bU\(([^)]*)\)", r"<\1>", joined)


# ---- docs/controls.md ------------------------------------------------------------------------------------------------


ENGINES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB and Galera"}
# Level and log policy, with the words that a reader knows them by; the first is the default.
VARIANTS = {
    ("essential", "privacy"): "",
    ("strict", "privacy"): "at level `strict`",
    ("essential", "forensic"): "under the log policy `forensic`",
}


def render_controls(dummy_root: Path) -> str:
    """The catalogue of this checkout, wherever the page lies: Python imports a package once."""
    link_checkout()
    sys.path.insert(0, str(COLLECTIONS))
    from ansible_collections.bulwark.database.plugins.module_utils._controls.catalogue import controls  # noqa: PLC0415
    from ansible_collections.bulwark.database.plugins.module_utils._controls.model import CATEGORIES  # noqa: PLC0415

    parts = []
    for engine, name in ENGINES.items():
        entries = controls(engine=engine)
        parts.append(f"## {name}: {len(entries)} controls\n")
        for category, title in CATEGORIES.items():
            inside = [entry for entry in entries if entry.category == category]
            if inside:
                parts += [f"### {title}\n", overview(inside), *map(details, inside)]
    return "\n".join(parts)


def overview(entries: t.Sequence[Control]) -> str:
    rows = [
        [
            f"[{entry.id}](#{entry.id.lower()})",
            entry.title,
            f"`{entry.level}`",
            entry.activation,
            ", ".join(entry.source),
        ]
        for entry in entries
    ]
    return table(["control", "what holds", "level", "takes effect", "source"], rows)


def details(entry: Control) -> str:
    lines = [f"#### {entry.id}\n", f"**{entry.title}.** {markdown_text(entry.rationale)}\n"]
    lines += [f"- Expected{variant}: {expected}" for variant, expected in by_variant(entry.expected_text)]
    lines.append(f"- Remedy: {markdown_text(entry.remedy)}")
    if entry.references:
        lines.append(f"- Asked for by: {', '.join(entry.references)}")
    if entry.conflicts:
        lines.append(f"- Contradicted by: {', '.join(entry.conflicts)}")
    lines += [f"- What it can't keep out{variant}: {residual}" for variant, residual in by_variant(entry.residual_text)]
    return "\n".join(lines) + "\n"


def by_variant(text_of: t.Callable[..., str | list[str]]) -> list[tuple[str, str]]:
    """The default text, and those of other levels and policies that differ from it."""
    found: list[tuple[str, str]] = []
    texts: dict[str, None] = {}
    for (level, log_policy), words in VARIANTS.items():
        answer = text_of(level=level, log_policy=log_policy)
        text = markdown_text(answer if isinstance(answer, str) else " ".join(answer)) or "nothing"
        if text not in texts and (texts or text != "nothing"):
            found.append((f" {words}" if words else "", text))
        texts[text] = None
    return found


def markdown_text(text: str) -> str:
    """Text for a line of Markdown: no HTML by accident, no emphasis from the underscores and stars of names."""
    escaped = re.sub(r"([\\*_<>\[\]])", r"\\\1", " ".join(text.split()))
    # Between backticks everything is literal already.
    return re.sub(r"`[^`]*`", lambda code: re.sub(r"\\([\\*_<>\[\]])", r"\1", code[0]), escaped)


PAGES: dict[str, t.Callable[[Path], str]] = {"controls.md": render_controls, "variables.md": render_variables}

if __name__ == "__main__":
    sys.exit(main())
