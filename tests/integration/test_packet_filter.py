# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our rules and the kernel: each is loaded into a network namespace that is gone when the test ends."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ObservationFailed
from ansible_collections.bulwark.database.plugins.module_utils._core.packet_filter import (
    account_rule,
    port_rule,
    render_restore,
    render_table,
)
from ansible_collections.bulwark.database.plugins.module_utils._io.packet_filter import canonical_table

NAMESPACE = ["unshare", "--net", "sh", "-c"]


def can_make_namespaces() -> bool:
    return os.geteuid() == 0 and subprocess.run([*NAMESPACE, "nft list ruleset"], check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not can_make_namespaces(), reason="needs root, nft, and leave to make network namespaces"
)

RULES = [
    port_rule(port=5432, networks=["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"], comment="it's PostgreSQL; } drop"),
    port_rule(port=53, networks=["10.0.0.0/8"], protocol="udp"),
    port_rule(port=8008, networks=[]),
]


def in_namespace(script: str) -> str:
    return subprocess.run([*NAMESPACE, script], check=True, capture_output=True, text=True).stdout


def test_the_kernel_takes_the_rules_and_says_them_in_its_own_words() -> None:
    listing = canonical_table(render_table(RULES))
    assert (
        'tcp dport 5432 ip saddr { 10.1.0.0/16, 192.0.2.7 } counter accept comment "it\'s PostgreSQL; } drop"'
        in listing
    )
    assert "udp dport 53 ip saddr 10.0.0.0/8 counter accept" in listing
    assert "tcp dport 8008 counter drop" in listing


def test_the_same_rules_loaded_twice_are_there_once_and_another_table_stays(tmp_path: Path) -> None:
    path = tmp_path / "rules.nft"
    path.write_text(render_table(RULES), encoding="utf-8")
    listing = in_namespace(
        f"nft add table ip other; nft -f {path}; nft -f {path}; nft -s list table inet bulwark; nft list table ip other"
    )
    assert listing.startswith(canonical_table(render_table(RULES)))
    assert "table ip other" in listing


@pytest.mark.parametrize("former", [None, render_table(RULES).partition("delete table inet bulwark\n")[2]])
def test_a_rollback_leaves_what_was_there_before(tmp_path: Path, former: str | None) -> None:
    new, back = tmp_path / "new.nft", tmp_path / "back.nft"
    new.write_text(render_table([port_rule(port=1, networks=[])]), encoding="utf-8")
    back.write_text(render_restore(former), encoding="utf-8")
    listing = in_namespace(f"nft -f {new}; nft -f {back}; nft -s list ruleset")
    assert listing == (canonical_table(render_table(RULES)) if former else "")


def test_rules_that_the_kernel_refuses_never_come_near_the_host() -> None:
    with pytest.raises(ObservationFailed, match="can't try the rules"):
        canonical_table("table inet bulwark { chain input { nonsense } }")


# Two listeners; who is let through says so. Connections to them are made as an account and as root.
REACHED = """
import os, socket, sys
def reaches(port, account):
    child = os.fork()
    if child == 0:
        os.setuid(account)
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except TimeoutError:
            os._exit(2)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
listeners = [socket.create_server(("127.0.0.1", port)) for port in (2201, 2202)]
print([reaches(port, account) for account in (int(sys.argv[1]), 0) for port in (2201, 2202)])
"""


def test_a_confined_account_reaches_its_destination_alone_and_others_are_as_free_as_before(tmp_path: Path) -> None:
    rules, script = tmp_path / "rules.nft", tmp_path / "reached.py"
    rule = account_rule(account="nobody", destinations=[(2201, ["127.0.0.1"])])
    rules.write_text(render_table([], [rule], table="inet bulwark_test"), encoding="utf-8")
    script.write_text(REACHED, encoding="utf-8")
    up = "ip link set lo up"
    connect = f"{sys.executable} {script} {pwd.getpwnam('nobody').pw_uid}"
    assert in_namespace(f"{up}; {connect}").strip() == "[0, 0, 0, 0]"
    refused_at_once = 1
    assert in_namespace(f"{up}; nft -f {rules}; {connect}").strip() == f"[0, {refused_at_once}, 0, 0]"


# A server that runs as the account; whether somebody of this host gets an answer from it.
ANSWERED = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 2203))
if os.fork() == 0:
    os.setuid(int(sys.argv[1]))
    own = socket.create_server(("127.0.0.1", 2204))
    listener.accept()[0].close()
    connection = own.accept()[0]
    connection.sendall(b"an answer")
    os._exit(0)
try:
    socket.create_connection(("127.0.0.1", 2203), timeout=5).recv(1)
    print(socket.create_connection(("127.0.0.1", 2204), timeout=5).recv(9).decode())
except OSError as error:
    print(type(error).__name__)
"""


def test_a_server_of_a_confined_account_answers_this_host(tmp_path: Path) -> None:
    """As that of a pgBackRest repository does, beside a job whose copies go to another host."""
    rules, script = tmp_path / "rules.nft", tmp_path / "answered.py"
    rules.write_text(render_table([], [account_rule(account="nobody", destinations=[])]), encoding="utf-8")
    script.write_text(ANSWERED, encoding="utf-8")
    ask = f"{sys.executable} {script} {pwd.getpwnam('nobody').pw_uid}"
    assert in_namespace(f"ip link set lo up; nft -f {rules}; {ask}").strip() == "an answer"


def test_the_kernel_says_confined_accounts_in_words_that_it_takes_again(tmp_path: Path) -> None:
    rules = [account_rule(account="nobody", destinations=[(22, ["192.0.2.7", "2001:db8::7"])])]
    listing = canonical_table(render_table(RULES, rules, table="inet bulwark_test"), "inet bulwark_test")
    path = tmp_path / "former.nft"
    path.write_text(render_restore(listing, table="inet bulwark_test"), encoding="utf-8")
    assert in_namespace(f"nft -f {path}; nft -s list ruleset") == listing


def test_a_table_is_replaced_and_removed_without_the_other(tmp_path: Path) -> None:
    own, other, gone = tmp_path / "own.nft", tmp_path / "other.nft", tmp_path / "gone.nft"
    own.write_text(render_table(RULES), encoding="utf-8")
    other.write_text(render_table(RULES[:1], table="inet bulwark_other"), encoding="utf-8")
    gone.write_text(render_restore(None, table="inet bulwark_other"), encoding="utf-8")
    listing = in_namespace(f"nft -f {own}; nft -f {other}; nft -f {own}; nft -s list ruleset")
    assert "table inet bulwark {" in listing
    assert "table inet bulwark_other {" in listing
    left = in_namespace(f"nft -f {own}; nft -f {other}; nft -f {gone}; nft -s list ruleset")
    assert left == canonical_table(render_table(RULES))
