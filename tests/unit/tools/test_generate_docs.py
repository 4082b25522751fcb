# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated pages are what their sources say, and a stale one is found."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import generate_docs
from ansible_collections.bulwark.database.plugins.module_utils._controls.model import Choice, Control, Residual
from ansible_collections.bulwark.database.plugins.module_utils._controls.setting_check import SettingCheck, Want

SPECIFICATION: dict[str, t.Any] = {
    "demo_level": {"type": "str", "choices": ["essential", "strict"], "description": "How strict V(strict) is."},
    "demo_networks": {"type": "list", "elements": "str", "description": ["Who may connect.", "A | B."]},
    "demo_secret": {"type": "str", "required": True, "description": "Password."},
}
DEFAULTS = {"demo_level": "{{ bulwark_level | default('essential') }}", "demo_networks": []}


def role_in(root: Path, *, options: dict[str, t.Any], defaults: dict[str, t.Any]) -> Path:
    role = root / "roles" / "demo"
    for name, content in (
        ("meta/argument_specs.yml", {"argument_specs": {"main": {"short_description": "A demo", "options": options}}}),
        ("defaults/main.yml", defaults),
    ):
        (role / name).parent.mkdir(parents=True, exist_ok=True)
        (role / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return role


def checkout_in(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    role_in(root, options=SPECIFICATION, defaults=DEFAULTS)
    (root / "docs").mkdir()
    (root / "docs" / "variables.md").write_text(
        f"# Variables\n\n{generate_docs.BEGIN}\n{generate_docs.END}\n\nThe end.\n", encoding="utf-8"
    )
    monkeypatch.setattr(generate_docs, "PAGES", {"variables.md": generate_docs.render_variables})
    return root


def test_a_stale_page_fails_the_check_and_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = checkout_in(tmp_path, monkeypatch)
    before = (root / "docs" / "variables.md").read_text(encoding="utf-8")
    assert generate_docs.main(["--check"], root=root) == 1
    assert "stale" in capsys.readouterr().out
    assert (root / "docs" / "variables.md").read_text(encoding="utf-8") == before


def test_a_written_page_passes_the_check_and_keeps_what_people_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout_in(tmp_path, monkeypatch)
    assert generate_docs.main([], root=root) == 0
    assert generate_docs.main(["--check"], root=root) == 0
    page = (root / "docs" / "variables.md").read_text(encoding="utf-8")
    assert page.startswith("# Variables\n")
    assert page.endswith("The end.\n")


def test_a_changed_default_makes_the_page_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = checkout_in(tmp_path, monkeypatch)
    generate_docs.main([], root=root)
    role_in(root, options=SPECIFICATION, defaults={**DEFAULTS, "demo_networks": ["::/0"]})
    assert generate_docs.main(["--check"], root=root) == 1


def test_variables_show_type_default_and_what_feeds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = generate_docs.render_variables(checkout_in(tmp_path, monkeypatch)).splitlines()
    assert "| `bulwark_level` | `'essential'` | `demo_level` | How strict `strict` is. |" in page
    assert "| `demo_level` | str: `essential`, `strict` | that of `bulwark_level` | How strict `strict` is. |" in page
    assert "| `demo_networks` | list of str | `[]` | Who may connect. A \\| B. |" in page
    assert "| `demo_secret` | str | (required) | Password. |" in page


def test_what_feeds_a_variable_in_a_playbook_alone_is_the_collections_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout_in(tmp_path, monkeypatch)
    task = {"vars": {"demo_secret": "{{ bulwark_secret | default('none') }}", "other": "{{ unknown | default(1) }}"}}
    (root / "playbooks").mkdir()
    (root / "playbooks" / "demo.yml").write_text(yaml.safe_dump([{"hosts": "all", "tasks": [task]}]), encoding="utf-8")
    page = generate_docs.render_variables(root)
    assert "| `bulwark_secret` | `'none'` | `demo_secret` | Password. |" in page.splitlines()
    assert "| `demo_secret` | str | (required) | Password. |" in page.splitlines()
    assert "unknown" not in page


def test_a_default_that_is_not_described_is_an_error(tmp_path: Path) -> None:
    role = role_in(tmp_path, options={}, defaults={"demo_new": 1})
    with pytest.raises(ValueError, match="does not describe demo_new"):
        generate_docs.read_role(role)


def test_a_described_default_may_be_the_literal_of_a_fed_one(tmp_path: Path) -> None:
    options = {"demo_level": {"type": "str", "default": "essential"}}
    role = role_in(tmp_path, options=options, defaults={"demo_level": DEFAULTS["demo_level"]})
    assert generate_docs.read_role(role).variables[0].name == "demo_level"


def test_two_different_defaults_are_an_error(tmp_path: Path) -> None:
    role = role_in(tmp_path, options={"demo_new": {"type": "int", "default": 2}}, defaults={"demo_new": 1})
    with pytest.raises(ValueError, match="demo_new differ"):
        generate_docs.read_role(role)


@pytest.mark.parametrize("page", ["no markers", f"{generate_docs.END}{generate_docs.BEGIN}", generate_docs.BEGIN * 2])
def test_a_page_without_its_pair_of_markers_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="a page needs one"):
        generate_docs.replace_generated(page, "text")


DEMO = Control(
    id="PG-DEMO-001",
    title="Logs keep no secret",
    category="logging",
    rationale="A log is read by <many> people; log_statement tells.",
    checks=(SettingCheck("log_statement", Choice(Want("none"), forensic=Want("ddl"))),),
    remedy="Set `log_statement` to none",
    source=("OG-3.5", "beyond"),
    residual=(Residual("a bad cast", levels=("essential",), log_policies=("privacy",)),),
)


def test_a_control_says_what_each_level_and_policy_expects_once() -> None:
    lines = generate_docs.details(DEMO).splitlines()
    assert "- Expected: log\\_statement = none" in lines
    assert "- Expected under the log policy `forensic`: log\\_statement = ddl" in lines
    assert not any(line.startswith("- Expected at level") for line in lines)
    assert "- What it can't keep out: a bad cast" in lines
    assert "- What it can't keep out at level `strict`: nothing" in lines


def test_the_overview_links_to_the_control() -> None:
    row = generate_docs.overview([DEMO]).splitlines()[-1]
    assert row == "| [PG-DEMO-001](#pg-demo-001) | Logs keep no secret | `essential` | reload | OG-3.5, beyond |"


def test_text_can_not_become_markup() -> None:
    assert "\\<many\\>" in generate_docs.details(DEMO)
    assert "`log_statement`" in generate_docs.details(DEMO)
