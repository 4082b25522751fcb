# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_key_file killed at any step: no key is lost, and a second run finishes."""

from __future__ import annotations

import base64
import os
import subprocess
import typing as t
from pathlib import Path

from killing import count_steps, kill_at, steps_to_try

from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_key_file import MariaDBKeyFile
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge


def run(folder: Path, **options: t.Any) -> Outcome:
    unset = {"key_ids": [1], "content": None, "passphrase": None, "recipients": [], "seal": False}
    files = {"path": str(folder / "keys.enc"), "passphrase_path": str(folder / "passphrase")}
    account = {"owner": str(os.geteuid()), "group": str(os.getegid())}
    return converge(MariaDBKeyFile({**unset, **files, **account, **options}), check_mode=False)


def in_clear(folder: Path) -> str:
    command = ["openssl", "enc", "-d", "-aes-256-cbc", "-md", "sha1", "-pass", f"file:{folder / 'passphrase'}"]
    done = subprocess.run([*command, "-in", str(folder / "keys.enc")], check=True, capture_output=True, text=True)
    return done.stdout


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def test_killed_while_keys_are_made_a_second_run_makes_them(tmp_path: Path) -> None:
    steps = count_steps(lambda: run(tmp_path))
    for step in steps_to_try(steps, sample=12):
        empty(tmp_path)
        kill_at(step, lambda: run(tmp_path))
        assert all(path.stat().st_mode & 0o377 == 0 for path in tmp_path.iterdir() if path.name == "keys.enc")
        run(tmp_path)
        assert in_clear(tmp_path).startswith("1;")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["keys.enc", "passphrase"]


def test_killed_while_a_key_is_added_the_first_one_stays(tmp_path: Path) -> None:
    run(tmp_path)
    first, kept = in_clear(tmp_path), {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    steps = count_steps(lambda: run(tmp_path, key_ids=[1, 2]))
    for step in steps_to_try(steps, sample=12):
        empty(tmp_path)
        for name, data in kept.items():
            (tmp_path / name).touch(0o400)
            (tmp_path / name).chmod(0o600)
            (tmp_path / name).write_bytes(data)
            (tmp_path / name).chmod(0o400)
        kill_at(step, lambda: run(tmp_path, key_ids=[1, 2]))
        assert in_clear(tmp_path).startswith(first)
        assert run(tmp_path, key_ids=[1, 2]).result["key_ids"] == [1, 2]
        assert in_clear(tmp_path).startswith(first)


def test_killed_while_the_keys_of_another_node_are_taken_over_a_second_run_has_them(tmp_path: Path) -> None:
    giver, taker = tmp_path / "giver", tmp_path / "taker"
    giver.mkdir()
    taker.mkdir()
    made = run(giver)
    files = {"content": giver / "keys.enc", "passphrase": giver / "passphrase"}
    brought = {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}
    for step in steps_to_try(count_steps(lambda: run(taker, **brought)), sample=12):
        empty(taker)
        kill_at(step, lambda: run(taker, **brought))
        assert run(taker, **brought).result == made.result
        assert (taker / "keys.enc").read_bytes() == (giver / "keys.enc").read_bytes()
