# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that GnuPG seals: restored by following RESTORE.txt, proven by a restore test, and after a move from age."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_recipients import check_recipients
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_window import MARGIN_SECONDS
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.openpgp_key import refuse_unusable
from ansible_collections.bulwark.database.plugins.module_utils._io.openpgp_keys import observe_keys
from backup_site import ACCOUNT, UNSAFE_NAME, BackupSite, Keyring, as_account, end_agent
from private_server import PrivateServer
from random_faults import corruptions, passed_corruptions
from restoring_host import RestoringHost
from test_backup_program_postgresql import MARKER, Restored, start_archiving, switch

COLLECTIONS = Path(__file__).resolve().parents[2] / ".build" / "collections"


@pytest.fixture
def site(server: PrivateServer, short_directory: Path) -> t.Iterator[BackupSite]:
    """A server that archives, and its job, which seals by age."""
    site = BackupSite(Path(tempfile.mkdtemp(prefix="g", dir=short_directory)), "postgresql", server, folder=UNSAFE_NAME)
    start_archiving(site)
    yield site
    end_agent(site.keyring.path)
    shutil.rmtree(site.root)


def sealed_files(site: BackupSite) -> dict[str, list[Path]]:
    found = sorted(path for path in site.store.rglob("*.zst.*"))
    return {ending: [path for path in found if path.suffix == ending] for ending in (".age", ".gpg")}


def test_a_job_moved_from_age_to_gnupg_restores_each_file_by_what_its_name_ends_in(site: BackupSite) -> None:
    server = t.cast("PrivateServer", site.server)
    server.psql(f"INSERT INTO written SELECT generate_series(1, 1000); CREATE TABLE \"{MARKER}\" AS SELECT '{MARKER}'")
    site.run("full")
    switch(site)
    site.seal_by_gnupg()
    server.psql("INSERT INTO written SELECT generate_series(1001, 2000)")
    switch(site)
    site.run("verify", "--deep")
    # the set of age, and the log of both
    files = sealed_files(site)
    assert files[".age"]
    assert files[".gpg"]
    with Restored(site) as restored:
        assert restored.ask("SELECT count(*), max(number) FROM written") == "2000|2000"
    site.run("full")
    server.psql("INSERT INTO written SELECT generate_series(2001, 3000)")
    switch(site)
    site.run("verify", "--deep")
    newest = site.store / "full" / site.fulls()[-1]
    assert sorted(path.name for path in newest.iterdir()) == ["base.tar.zst.gpg", "manifest.json"]
    # without any key of age, as on a host of those who are not to have one
    site.offline.unlink()
    with Restored(site) as restored:
        assert restored.ask("SELECT count(*), max(number) FROM written") == "3000|3000"
        assert restored.ask("SELECT pg_is_in_recovery()") == "f"
    status = site.status()
    assert (status["sealing"], len(status["fulls"]), status["gaps"], status["damaged"]) == ("gnupg", 2, [], [])
    data = b"".join(path.read_bytes() for path in site.store.rglob("*") if path.is_file())
    assert MARKER.encode() not in data
    victim = sealed_files(site)[".gpg"][-1]
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert f"{victim} is not what was written" in site.refused("verify", "--deep")


def test_every_corruption_of_what_gnupg_sealed_is_found(site: BackupSite) -> None:
    site.seal_by_gnupg()
    for dummy in range(2):
        site.run("full")
        switch(site)
    assert sealed_files(site)[".age"] == []
    assert passed_corruptions(site, corruptions(8)) == []


def test_each_recipient_opens_what_gnupg_sealed_and_nobody_of_the_host_does(site: BackupSite) -> None:
    recipients = site.seal_by_gnupg()
    site.run("full")
    sealed = next((site.store / "full").glob("*/base.tar.zst.gpg"))
    packets = site.keyring.run("--list-packets", str(sealed))
    assert packets.count(":pubkey enc packet:") == 2
    assert ":compressed packet:" not in packets
    for recipient in recipients:
        alone = Keyring(site.root / "alone")
        alone.path.mkdir(mode=0o700)
        alone.run("--import", text=site.keyring.secret(recipient))
        alone.run("--output", "/dev/null", "--yes", "--decrypt", str(sealed))
        end_agent(alone.path)
        shutil.rmtree(alone.path)
    for account in (ACCOUNT, "postgres"):
        opened = subprocess.run(
            [*as_account(account), "gpg", "--batch", "--homedir", str(site.root / "recipients"), "-d", str(sealed)],
            check=False, capture_output=True,
        )  # fmt: skip
        assert opened.returncode != 0
    assert list((site.root / "recipients").glob("*")) == [*(site.root / "recipients").glob("*.asc")]


def test_a_key_that_expired_since_is_the_cause_that_is_told(site: BackupSite) -> None:
    short = site.keyring.new_key("short", expires="seconds=1")
    site.run("full")
    site.seal_by_gnupg(short)
    site.keyring.wait_until_expired(short)
    assert "can't encrypt to a recipient's key, because it has expired" in site.refused("full")
    assert len(site.fulls()) == 1
    site.configure(recipients_expire={short: "2026-01-01T00:00:00Z"})
    assert f"the key {short} has expired (2026-01-01T00:00:00Z)" in site.run("verify").stdout


def test_a_restore_test_proves_what_gnupg_sealed_and_leaves_no_keyring(site: BackupSite) -> None:
    recipients = site.seal_by_gnupg()
    site.run("full")
    time.sleep(MARGIN_SECONDS + 2.2)  # its first moment is rounded up to a second, its last one down
    switch(site)
    host = RestoringHost(site, gnupg_identity=site.keyring.secret(recipients[0]))
    proven = host.run()
    assert proven.returncode == 0, proven.stdout + proven.stderr
    assert "is restorable" in proven.stdout
    stranger = site.keyring.secret(site.keyring.new_key("stranger"))
    host.put_secret("gnupg_identity", stranger)
    assert "No secret key" in host.run().stderr
    host.put_secret("gnupg_identity", site.keyring.public(recipients[0]))
    assert "holds no secret key" in host.run().stderr
    without = host.run(gnupg_identity="", identity=str(site.offline))
    assert "is sealed by gnupg, and the test has no secret key of it" in without.stderr
    assert host.left() == []


@pytest.fixture(scope="module")
def keyring(short_directory: Path) -> t.Iterator[Keyring]:
    keyring = Keyring(Path(tempfile.mkdtemp(prefix="k", dir=short_directory)))
    yield keyring
    end_agent(keyring.path)
    shutil.rmtree(keyring.path)


def test_keys_that_nothing_can_be_sealed_to_are_refused_by_what_gnupg_says_of_them(keyring: Keyring) -> None:
    names = {
        "sound": keyring.new_key("sound"),
        "ends": keyring.new_key("ends", expires="10d"),
        "signs": keyring.new_key("signs", usage="sign"),
        "expired": keyring.new_key("expired", expires="seconds=1"),
        "revoked": keyring.new_key("revoked"),
    }
    keyring.revoke(names["revoked"])
    time.sleep(2)
    text = "".join(keyring.public(name) for name in names.values())
    given = check_recipients(list(names.values())[1:], [names["sound"]], sealing="gnupg", keys=[text])
    states = {state.fingerprint: state for state in observe_keys(given.keys)}
    complaints = {"signs": "has no part that can be encrypted to", "expired": "has expired", "revoked": "was revoked"}
    for name, complaint in complaints.items():
        with pytest.raises(InvalidDeclaration, match=f"the key {names[name]} {complaint}"):
            refuse_unusable(states[names[name]])
    for name in names.keys() - complaints.keys():
        refuse_unusable(states[names[name]])
    assert states[names["sound"]].expires == 0
    assert abs(states[names["ends"]].expires - time.time() - 10 * 86400) < 120


def test_a_secret_key_among_the_public_ones_is_refused_and_not_repeated(keyring: Keyring) -> None:
    name = keyring.new_key("careless")
    secret = keyring.secret(name)
    for text in (secret, secret.replace("PRIVATE", "PUBLIC"), keyring.public(name) + secret):
        with pytest.raises(InvalidDeclaration) as error:
            check_recipients([name], ["B" * 40], sealing="gnupg", keys=[text])
        assert "recipient_keys[0] is a secret key" in str(error.value)
        assert not [
            line for line in secret.splitlines() if len(line) > 20 and "-----" not in line and line in str(error)
        ]


def test_ansible_shows_and_logs_no_secret_key_that_it_was_given(keyring: Keyring, tmp_path: Path) -> None:
    name = keyring.new_key("shown")
    secret = keyring.secret(name)
    options = {
        "engine": "postgresql", "sealing": "gnupg", "recipients": [name], "escrow_recipients": ["B" * 40],
        "recipient_keys": [secret],
        "server": {"socket": "/run/postgresql", "binaries": "/usr/bin", "data_directory": "/srv/data"},
    }  # fmt: skip
    (tmp_path / "options.json").write_text(json.dumps(options), encoding="utf-8")
    play = [
        {
            "hosts": "localhost", "connection": "local", "gather_facts": False,
            "vars": {"given": f"{{{{ lookup('ansible.builtin.file', '{tmp_path}/options.json') | from_json }}}}"},
            "tasks": [{"bulwark.database.backup_job": "{{ given }}"}],
        }
    ]  # fmt: skip
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-vvv", "--diff", str(tmp_path / "play.yml"),
         "-e", "ansible_python_interpreter=/usr/bin/python3"],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_HOME": str(tmp_path / "ansible"),
             "LC_ALL": "C.UTF-8"},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "recipient_keys[0] is a secret key of OpenPGP" in said
    assert not [line for line in secret.splitlines() if len(line) > 20 and "-----" not in line and line in said]
