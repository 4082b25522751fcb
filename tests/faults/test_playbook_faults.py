# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role killed on its way: the server starts, the operator logs in, another run finishes, one more is idle."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml
from killed_playbook import Playbook, changes, changing_tasks

from ansible_collections.bulwark.database.plugins.module_utils._io.postgresql import open_session
from private_server import PrivateServer

COLLECTIONS = Path(__file__).resolve().parents[2] / ".build" / "collections"
SEED = 20261125
# In this order, each in a run of its own on what the one before left behind.
SAMPLE = (
    "Install the certificate and that of the authority",
    "Set the server's parameters",
    "Set who may log in from where",
)
# Longer than any of the tasks takes here.
LONGEST = 2.0

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the role needs root")


class Scene(t.NamedTuple):
    """A fresh server, and the role to harden it: without the host around it, which test_host_faults.py has."""

    server: PrivateServer
    playbook: Playbook


@pytest.fixture
def set_up_scene(
    short_directory: Path, template_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[t.Callable[[], Scene]]:
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(COLLECTIONS))
    monkeypatch.setenv("ANSIBLE_PIPELINING", "1")
    servers = []

    def set_up() -> Scene:
        server = PrivateServer(Path(tempfile.mkdtemp(prefix="p", dir=short_directory)))
        server.copy_of(template_server)
        servers.append(server)
        server.start()
        return Scene(server, write_playbook(server))

    yield set_up
    for server in servers:
        server.destroy()


def write_playbook(server: PrivateServer) -> Playbook:
    tls, authority = server.root / "tls", server.root / "ca"
    tls.mkdir()
    options = {
        "postgresql_hardening_login": server.login_options(),
        "postgresql_hardening_host": False,
        "postgresql_hardening_tls_dir": str(tls),
        "postgresql_hardening_ca_dir": str(authority),
        "postgresql_hardening_roles": [
            {"name": "reader"},
            {"name": "app", "login": True, "connection_limit": 5, "member_of": ["reader"]},
        ],
        "postgresql_hardening_databases": [
            {"name": "postgres", "grants": [{"to": ["reader"], "privileges": ["CONNECT"]}]}
        ],
    }
    role = {"ansible.builtin.include_role": {"name": "bulwark.database.postgresql_hardening"}, "vars": options}
    play = {"hosts": "localhost", "gather_subset": ["!all", "network"], "tasks": [{"name": "Harden it", **role}]}
    path = server.root / "play.yml"
    path.write_text(yaml.safe_dump([play]), encoding="utf-8")
    return Playbook(path, "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}")


def assert_usable(server: PrivateServer) -> None:
    """Now, for the operator; and with what a restart finds on the disk."""
    for moment in ("as it was left", "restarted"):
        assert server.psql("SELECT 1", check=False) == "1", moment
        with open_session(server.connection) as session:
            assert session.value("SELECT current_user") == "postgres"
        assert server.restart(check=False), server.log_text()[-2000:]


def assert_finished(scene: Scene) -> None:
    server = scene.server
    scene.playbook.run()
    assert changes(scene.playbook.run()) == 0
    assert_usable(server)
    assert server.psql("SHOW ssl; SHOW password_encryption") == "on\nscram-sha-256"
    assert server.psql("SELECT pg_has_role('app', 'reader', 'MEMBER')") == "t"
    assert "reject" in (server.data / "pg_hba.conf").read_text(encoding="utf-8")
    assert not list(server.root.rglob("*.bulwark-*"))


def test_killed_again_and_again_it_is_finished_by_the_run_after(set_up_scene: t.Callable[[], Scene]) -> None:
    chance = random.Random(SEED)
    scene = set_up_scene()
    for task in SAMPLE:
        assert scene.playbook.kill(task, after=chance.uniform(0, LONGEST)), f"it did not get to: {task}"
        assert_usable(scene.server)
    assert_finished(scene)


@pytest.mark.skipif(os.environ.get("BULWARK_ALL_FAULTS") != "1", reason="takes long: BULWARK_ALL_FAULTS=1 runs it")
@pytest.mark.timeout(3600)
def test_killed_in_any_task_that_changes_something_a_second_run_finishes(
    set_up_scene: t.Callable[[], Scene],
) -> None:
    chance = random.Random(SEED)
    tasks = changing_tasks(set_up_scene().playbook.run())
    assert set(SAMPLE) <= set(tasks)
    for task in tasks:
        for after in (0.0, chance.uniform(0, LONGEST), chance.uniform(0, LONGEST)):
            scene = set_up_scene()
            assert scene.playbook.kill(task, after=after), f"it did not get to: {task}"
            assert_usable(scene.server)
            assert_finished(scene)
            scene.server.destroy()
