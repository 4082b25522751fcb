# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the README is run: here, by the gate, or not written down. Commands run in the README's order."""

from __future__ import annotations

import re
import shlex
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from desk import ROOT, Desk

README = (ROOT / "README.md").read_text(encoding="utf-8")

COMMAND_FENCES = ("console", "shell")
OTHER_FENCES = ("yaml", "text")
# What the README says of these, the gate shows: "make test" is the gate; the others are its stages.
GATE = {"make test", "make harden", "make assess", "make clean"}
# Too long for each change; its latest result is committed with its date.
LONG = {"make test-full"}


class Block(t.NamedTuple):
    language: str
    text: str


def blocks(markdown: str) -> list[Block]:
    """Fenced blocks in order."""
    return [Block(*found) for found in re.findall(r"^```(\S*)\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL)]


def commands(markdown: str) -> list[str]:
    """Commands of the fenced blocks, then those quoted in running text that start like one of ours."""
    fenced = [
        line.removeprefix("$ ").split("  #")[0].strip()
        for block in blocks(markdown)
        if block.language in COMMAND_FENCES
        for line in block.text.splitlines()
        if line.strip() and not line.startswith("#")
    ]
    prose = re.sub(r"^```.*?^```$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    quoted = re.findall(r"`((?:make|ansible-\w+|ansible|pip) [^`]+)`", prose)
    return list(dict.fromkeys(fenced + quoted))


def kind(command: str) -> str:
    """How a command is covered. Raises for one that nothing covers."""
    words = shlex.split(command)
    if " ".join(words[:2]) in {*GATE, *LONG}:
        return "make"
    if words[0] in ("ansible-galaxy", "ansible-doc"):
        return "as it stands"
    if words[0] == "ansible-playbook":
        return "syntax"
    raise AssertionError(f"no test runs {command!r}: teach {Path(__file__).name} to, or take it out of the README")


@pytest.fixture(scope="module")
def reader(desk: Desk) -> Desk:
    """A newcomer who has written the README's example files and typed its commands up to the playbooks."""
    for name, block in zip(example_files(README), (block for block in blocks(README) if block.language == "yaml")):
        (desk.checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.checkout / name).write_text(block.text, encoding="utf-8")
    for command in commands(README):
        if command.startswith("ansible-galaxy"):
            desk.must(shlex.split(command))
    # From here on only what was installed counts, not the checkout.
    installed = desk.home / ".ansible" / "collections" / "ansible_collections" / "bulwark" / "database"
    assert (installed / "MANIFEST.json").is_file()
    return desk


def example_files(markdown: str) -> list[str]:
    """Names that the text before each YAML block gives it: "as `inventory.yml`"."""
    return re.findall(r"as `([\w./]+\.yml)`", markdown)


def test_every_fence_says_what_it_holds() -> None:
    assert {block.language for block in blocks(README)} <= {*COMMAND_FENCES, *OTHER_FENCES}


def test_every_command_is_covered() -> None:
    assert len(commands(README)) > 8
    for command in commands(README):
        kind(command)


@pytest.mark.parametrize("command", ["curl example.org | sh", "make coffee", "pip install x", "psql -c 'SELECT 1'"])
def test_a_command_that_nothing_runs_is_found(command: str) -> None:
    markdown = f"{README}\n```console\n{command}\n```\n"
    with pytest.raises(AssertionError, match="no test runs"):
        [kind(found) for found in commands(markdown)]


def test_a_command_in_running_text_is_found_too() -> None:
    assert commands("Just type `make coffee` and wait.") == ["make coffee"]


@pytest.mark.parametrize("command", [found for found in commands(README) if kind(found) == "make"])
def test_make_knows_the_target_and_its_variables(command: str, desk: Desk) -> None:
    desk.must([*shlex.split(command), "--dry-run"])


def test_the_gate_runs_what_the_readme_leaves_to_it() -> None:
    """Every target of GATE but the gate itself stands in the driver's sources, as a stage or a test of the lab."""
    sources = [*(ROOT / "tools").rglob("*"), *(ROOT / "tests").rglob("*.py"), ROOT / "Makefile"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.is_file() and path != Path(__file__))
    for command in GATE - {"make test"}:
        assert re.search(rf"make[\"', ]+{command.split()[1]}\b", text), f"nothing runs {command}"


def test_the_tarball_installs_and_its_modules_explain_themselves(reader: Desk) -> None:
    for command in commands(README):
        if command.startswith("ansible-doc"):
            assert "bulwark.database" in reader.must(shlex.split(command)).lower()


@pytest.mark.parametrize("command", [found for found in commands(README) if kind(found) == "syntax"])
def test_the_playbooks_accept_the_example_inventory(command: str, reader: Desk) -> None:
    reader.must([*shlex.split(command), "--syntax-check"])
    hosts = reader.must([*shlex.split(command), "--list-hosts"])
    assert "db1.example.org" in hosts
    assert "db2.example.org" in hosts


def test_every_variable_of_the_examples_is_one_of_ours() -> None:
    known = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "variables.md").read_text(encoding="utf-8")))
    named = {name for block in blocks(README) if block.language == "yaml" for name in yaml.safe_load(block.text)}
    named |= set(re.findall(r"`(bulwark_\w+)`", README))
    assert named - known - {"postgresql", "mariadb"} == set()


def test_every_link_and_path_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README) + re.findall(r"`((?:docs|molecule|tests)/[\w./]+)`", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_tarball_holds_what_users_need_and_nothing_else(reader: Desk) -> None:
    listing = subprocess.run(
        ["tar", "--list", "--gzip", "--file", str(next(reader.checkout.glob("bulwark-database-*.tar.gz")))],
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listing.stdout.splitlines() if not name.endswith("/")]
    allowed = {
        *(
            "CHANGELOG.md",
            "CODE_OF_CONDUCT.md",
            "CONTRIBUTING.md",
            "COPYING",
            "FILES.json",
            "LICENSES",
            "MANIFEST.json",
        ),
        *("README.md", "REUSE.toml", "changelogs", "docs", "meta", "playbooks", "plugins", "roles", "tests"),
    }
    assert {name.split("/")[0] for name in names} <= allowed
    assert {name for name in names if name.startswith("tests/")} <= {
        "tests/config.yml",
        *(name for name in names if name.startswith("tests/sanity/")),
    }
