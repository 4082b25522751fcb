# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_key_file, with openssl, age and a server that encrypts whatever it can."""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    InvalidDeclaration,
    ObservationFailed,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_key_file import MariaDBKeyFile
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_mariadb import ACCOUNT, PrivateMariaDB
from through_ansible import through_ansible

MARKER = "Marker-Of-A-Person-7361"
ENCRYPT_EVERYTHING = (
    "innodb_encrypt_tables = FORCE\ninnodb_encrypt_log = ON\ninnodb_encrypt_temporary_tables = ON\n"
    "innodb_encryption_threads = 4\naria_encrypt_tables = ON\nencrypt_tmp_disk_tables = ON\nencrypt_tmp_files = ON\n"
    "encrypt_binlog = ON\nlog_bin = binlog\n"
)
# The temporary tablespace has no line of its own in the other view.
NOT_ENCRYPTED_YET = """
SELECT t.NAME FROM information_schema.INNODB_SYS_TABLESPACES AS t
  LEFT JOIN information_schema.INNODB_TABLESPACES_ENCRYPTION AS e USING (SPACE)
 WHERE t.NAME <> 'innodb_temporary'
   AND (e.SPACE IS NULL OR e.ENCRYPTION_SCHEME = 0 OR e.MIN_KEY_VERSION = 0 OR e.ROTATING_OR_FLUSHING)
"""


class KeyFolder:
    """A folder for the two files of one node."""

    def __init__(self, root: Path) -> None:
        self.keys, self.passphrase = root / "keys.enc", root / "passphrase"

    def options(self, **options: t.Any) -> dict[str, t.Any]:
        account = {"owner": ACCOUNT, "group": "nogroup"}
        if os.geteuid():
            account = {"owner": str(os.geteuid()), "group": str(os.getegid())}
        files = {"path": str(self.keys), "passphrase_path": str(self.passphrase)}
        unset = {"key_ids": [1], "content": None, "passphrase": None, "recipients": [], "seal": False}
        return {**files, **account, **unset, **options}

    def run(self, *, check_mode: bool = False, **options: t.Any) -> Outcome:
        return converge(MariaDBKeyFile(self.options(**options)), check_mode=check_mode)

    def brought(self) -> dict[str, str]:
        """Both files as the module of another node takes them."""
        read = {"content": self.keys, "passphrase": self.passphrase}
        return {name: base64.b64encode(path.read_bytes()).decode() for name, path in read.items()}

    def in_clear(self) -> str:
        """As openssl decrypts it."""
        command = ["openssl", "enc", "-d", "-aes-256-cbc", "-md", "sha1"]
        files = ["-pass", f"file:{self.passphrase}", "-in", str(self.keys)]
        return subprocess.run([*command, *files], check=True, capture_output=True, text=True).stdout

    def server_options(self) -> str:
        return (
            "[mariadbd]\nplugin_load_add = file_key_management\n"
            f"file_key_management_filename = {self.keys}\nfile_key_management_filekey = FILE:{self.passphrase}\n"
            "file_key_management_encryption_algorithm = AES_CTR\n"
        )


@pytest.fixture
def folder(short_directory: Path) -> KeyFolder:
    root = Path(tempfile.mkdtemp(prefix="k", dir=short_directory))
    root.chmod(0o755)
    return KeyFolder(root)


@pytest.fixture
def other(short_directory: Path) -> KeyFolder:
    root = Path(tempfile.mkdtemp(prefix="k", dir=short_directory))
    root.chmod(0o755)
    return KeyFolder(root)


@pytest.fixture
def escrow(tmp_path: Path) -> tuple[str, Path]:
    """Public key, and the file of the private one."""
    path = tmp_path / "escrow"
    subprocess.run(["age-keygen", "-o", str(path)], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", str(path)], check=True, capture_output=True, text=True).stdout.strip()
    return public, path


def test_keys_are_made_once_and_missing_ones_added(folder: KeyFolder) -> None:
    foreseen = folder.run(check_mode=True)
    assert not folder.keys.exists()
    assert not folder.passphrase.exists()
    made = folder.run()
    assert made.plan == foreseen.plan
    assert made.result["key_ids"] == [1]
    first = folder.in_clear()
    assert first.startswith("1;")
    assert len(first) == len("1;\n") + 64
    for path in (folder.keys, folder.passphrase):
        assert path.stat().st_mode & 0o7777 == 0o400
    again = folder.run()
    assert not again.plan
    assert again.result == made.result
    assert folder.run(key_ids=[1, 7]).result["key_ids"] == [1, 7]
    assert folder.in_clear().startswith(first)
    assert not folder.run().plan  # an id that is not asked for stays


def test_access_that_is_too_wide_is_mended(folder: KeyFolder) -> None:
    folder.run()
    before = folder.in_clear()
    folder.keys.chmod(0o644)
    folder.passphrase.chmod(0o440)
    assert len(folder.run().plan) == 2
    assert folder.keys.stat().st_mode & 0o7777 == folder.passphrase.stat().st_mode & 0o7777 == 0o400
    assert folder.in_clear() == before


def test_a_file_that_cannot_be_decrypted_is_not_overwritten(folder: KeyFolder) -> None:
    folder.run()
    before = folder.keys.read_bytes()
    folder.passphrase.unlink()
    with pytest.raises(ObservationFailed, match="with its passphrase"):
        folder.run()
    folder.passphrase.write_text("another one\n")
    with pytest.raises(ObservationFailed, match=r"can't decrypt|is no key"):
        folder.run()
    folder.passphrase.write_text("\n")
    with pytest.raises(ObservationFailed, match="holds no passphrase"):
        folder.run()
    assert folder.keys.read_bytes() == before
    folder.keys.write_text("1;00112233445566778899aabbccddeeff\n")
    folder.passphrase.write_text("any\n")
    with pytest.raises(ObservationFailed, match="is not encrypted"):
        folder.run()


def test_another_node_takes_over_the_same_bytes(folder: KeyFolder, other: KeyFolder) -> None:
    made = folder.run(key_ids=[1, 2])
    taken = other.run(**folder.brought())
    assert taken.result == made.result
    assert other.keys.read_bytes() == folder.keys.read_bytes()
    assert other.passphrase.read_bytes() == folder.passphrase.read_bytes()
    assert not other.run(**folder.brought()).plan
    folder.run(key_ids=[1, 2, 3])
    assert other.run(key_ids=[3, 1], **folder.brought()).result["key_ids"] == [1, 2, 3]


def test_a_node_with_a_passphrase_of_its_own_keeps_it(folder: KeyFolder, other: KeyFolder) -> None:
    folder.run()
    other.passphrase.write_text("its own\n")
    assert other.run(**folder.brought()).result["fingerprint"] == folder.run().result["fingerprint"]
    assert other.passphrase.read_text() == "its own\n"
    assert other.in_clear() == folder.in_clear()


def test_other_keys_for_the_same_id_are_refused(folder: KeyFolder, other: KeyFolder) -> None:
    folder.run()
    other.run(key_ids=[1, 2])
    before = other.keys.read_bytes()
    with pytest.raises(RefusedForSafety, match="holds another key 1"):
        other.run(**folder.brought())
    with pytest.raises(InvalidDeclaration, match="lacks key 2"):
        other.run(key_ids=[1, 2], **folder.brought())
    assert other.keys.read_bytes() == before


def test_a_key_that_the_brought_file_lacks_is_refused(folder: KeyFolder, other: KeyFolder) -> None:
    folder.run()
    other.run(**folder.brought())
    other.run(key_ids=[1, 2])
    with pytest.raises(RefusedForSafety, match="holds key 2, which the file"):
        other.run(**folder.brought())


def test_what_is_sealed_opens_with_the_private_key_alone(folder: KeyFolder, escrow: tuple[str, Path]) -> None:
    public, private = escrow
    made = folder.run(recipients=[public])
    clear = folder.in_clear()
    sealed = made.result["sealed"]
    assert clear.strip() not in sealed
    opened = subprocess.run(["age", "-d", "-i", str(private)], input=sealed, check=True, capture_output=True, text=True)
    assert opened.stdout == clear
    assert "sealed" not in folder.run(recipients=[public]).result
    assert "sealed" in folder.run(recipients=[public], seal=True).result


def test_a_recipient_that_age_refuses_stops_the_run_before_keys_are_made(folder: KeyFolder) -> None:
    with pytest.raises(InvalidDeclaration, match="age can't seal"):
        folder.run(recipients=["age1nobody"])
    assert not folder.passphrase.exists()


def test_through_ansible_no_key_is_shown(folder: KeyFolder, tmp_path: Path) -> None:
    options = {name: value for name, value in folder.options().items() if value is not None}
    answer = through_ansible("mariadb_key_file", options, "--diff", home=tmp_path)
    assert answer["changed"]
    key = folder.in_clear().partition(";")[2].strip()
    assert key not in str(answer).lower()
    assert folder.passphrase.read_text().strip() not in str(answer)
    answer = through_ansible("mariadb_key_file", {**options, **folder.brought()}, "--diff", home=tmp_path)
    assert not answer["changed"]
    assert folder.brought()["content"] not in str(answer)


def fill(server: PrivateMariaDB) -> None:
    """The marker everywhere it could get to: tables, Aria, logs, temporary files."""
    rows = ",".join(f"({number}, '{MARKER}')" for number in range(400))
    server.sql(
        "CREATE DATABASE shop; CREATE TABLE shop.people (id INT PRIMARY KEY, name TEXT) ENGINE=InnoDB;"
        "CREATE TABLE shop.notes (id INT PRIMARY KEY, name VARCHAR(99)) ENGINE=Aria;"
        f"INSERT INTO shop.people VALUES {rows}; INSERT INTO shop.notes VALUES {rows};"
        "DELETE FROM shop.people WHERE id > 390;"
        f"CREATE TEMPORARY TABLE shop.seen ENGINE=InnoDB AS SELECT * FROM shop.people;"
        "SET SESSION tmp_memory_table_size = 0;"
        "SELECT COUNT(*) FROM (SELECT DISTINCT a.name, b.id FROM shop.people a, shop.people b) AS both_of_them;"
    )


def files_with_the_marker(root: Path) -> list[str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(root)) for path in files if MARKER.encode() in path.read_bytes())


def encrypting(server: PrivateMariaDB, folder: KeyFolder) -> None:
    (server.drop_ins / "encryption.cnf").write_text(folder.server_options() + ENCRYPT_EVERYTHING, encoding="utf-8")


def test_a_server_with_the_keys_writes_nothing_in_clear(
    stopped_mariadb: PrivateMariaDB, folder: KeyFolder, other: KeyFolder, short_directory: Path
) -> None:
    server = stopped_mariadb
    folder.run()
    encrypting(server, folder)
    server.start()
    fill(server)
    server.sql("FLUSH TABLES; FLUSH LOGS")
    server.stop()
    assert files_with_the_marker(server.data) == []
    second = PrivateMariaDB(Path(tempfile.mkdtemp(prefix="d", dir=short_directory)))
    try:
        second.copy_of(server)
        other.run(**folder.brought())
        encrypting(second, other)
        second.start()
        assert second.sql("SELECT COUNT(*) FROM shop.people; SELECT COUNT(*) FROM shop.notes") == "391\n400"
    finally:
        second.destroy()
    folder.passphrase.write_text("another one\n")
    assert not server.start(check=False)


def test_the_log_of_aria_stays_in_clear_whatever_is_set(stopped_mariadb: PrivateMariaDB, folder: KeyFolder) -> None:
    """What the documentation says the server can't do. When this fails, it can: tell users."""
    folder.run()
    encrypting(stopped_mariadb, folder)
    stopped_mariadb.start()
    stopped_mariadb.sql("CREATE DATABASE shop; CREATE TABLE shop.notes (name VARCHAR(99)) ENGINE=Aria")
    for name in ("somebody", MARKER):  # the first row of an empty table is not logged
        stopped_mariadb.sql(f"INSERT INTO shop.notes VALUES ('{name}')")
    stopped_mariadb.stop()
    assert files_with_the_marker(stopped_mariadb.data) == ["aria_log.00000001"]


def test_what_was_written_in_clear_is_encrypted_after_a_restart(
    stopped_mariadb: PrivateMariaDB, folder: KeyFolder
) -> None:
    """InnoDB does it by itself; a table of Aria has to be written anew, and old binary logs stay."""
    (stopped_mariadb.drop_ins / "binlog.cnf").write_text("[mariadbd]\nlog_bin = binlog\n", encoding="utf-8")
    stopped_mariadb.start()
    fill(stopped_mariadb)
    stopped_mariadb.stop()
    folder.run()
    encrypting(stopped_mariadb, folder)
    stopped_mariadb.start()
    deadline = time.monotonic() + 60
    while stopped_mariadb.sql(NOT_ENCRYPTED_YET) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert stopped_mariadb.sql(NOT_ENCRYPTED_YET) == ""
    stopped_mariadb.sql("ALTER TABLE shop.notes FORCE")
    stopped_mariadb.stop()
    assert files_with_the_marker(stopped_mariadb.data) == ["binlog.000001"]


def test_without_encryption_the_marker_is_found(stopped_mariadb: PrivateMariaDB) -> None:
    """The counter-proof: the search of the test above can fail."""
    (stopped_mariadb.drop_ins / "binlog.cnf").write_text("[mariadbd]\nlog_bin = binlog\n", encoding="utf-8")
    stopped_mariadb.start()
    fill(stopped_mariadb)
    stopped_mariadb.stop()
    found = files_with_the_marker(stopped_mariadb.data)
    for name in ("shop/people.ibd", "shop/notes.MAD", "ib_logfile0", "binlog.000001"):
        assert name in found
