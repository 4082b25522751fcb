# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore by RESTORE.txt alone beside the bare tools, of PostgreSQL and of MariaDB, in turns.

The bare tools are ``age | zstd | tar`` (``mbstream``, ``mariadb-backup --prepare``) and the server's start. RESTORE.txt
also compares all it reads with what was written.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

import conftest  # noqa: F401 # pylint: disable=unused-import # makes the checkout importable
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_restore_text import command_blocks
from backup_site import ACCOUNT, BackupSite, as_account, filled_in
from private_mariadb import PrivateMariaDB
from private_server import PORT, PrivateServer

AIM = 1.2
ROWS_PER_GIB = 3_400_000
TEXT = "concat(md5(seq), md5(seq * 7), repeat(md5(seq % 97), 6))"


class Contest:
    """One engine: a full backup, and two ways to get it back."""

    def __init__(self, site: BackupSite, account: str) -> None:
        self.site = site
        self.account = account
        self.identity = site.root / "identity.txt"
        shutil.copy(site.offline, self.identity)
        shutil.chown(self.identity, account)
        subprocess.run(["chmod", "-R", "a+rX", str(site.store.parent)], check=True)

    @property
    def set(self) -> Path:
        return max((self.site.store / "full").glob("*Z"))

    def by_restore_txt(self, target: Path) -> float:
        values = {"STORE": self.site.store, "IDENTITY": self.identity, "DATA": target, "ACCOUNT": "nobody"}
        text = (self.site.store / "RESTORE.txt").read_text(encoding="utf-8")
        return self.run(filled_in(command_blocks(text), {name: str(value) for name, value in values.items()}))

    def run(self, script: str) -> float:
        """Seconds from nothing to a server that answers."""
        prefix = [] if self.account == "root" else as_account(self.account)
        started = time.monotonic()
        subprocess.run([*prefix, "sh", "-e", "-c", script], check=True, cwd="/", stdout=subprocess.DEVNULL)
        return time.monotonic() - started


class PostgreSQLContest(Contest):
    """``psql`` answers when the recovery has come to its end."""

    def bare(self, target: Path) -> float:
        bin_directory = t.cast("PrivateServer", self.site.server).bin
        data, store, key = (shlex.quote(str(path)) for path in (target, self.site.store, self.identity))
        fetch = f"age -d -i {key} {store}/log/%f.zst.age | zstd -dqc > %p"
        return self.run(
            f"install -d -m 0700 {data}\n"
            f"age -d -i {key} {shlex.quote(str(self.set))}/base.tar.zst.age | zstd -dc | tar -xf - -C {data}\n"
            f"cd {data}\nrm -f postgresql.auto.conf\ntouch recovery.signal\n"
            f"printf '%s\\n' 'local all all trust' > restore_hba.conf\n"
            f"{bin_directory}/pg_ctl start -D {data} -l {data}/restore.log -w -t 600 -o '-c config_file=/dev/null"
            f" -c hba_file=restore_hba.conf -c listen_addresses= -c unix_socket_directories=. -c port={PORT}"
            f' -c hot_standby=off -c max_prepared_transactions=1000 -c restore_command="{fetch}"'
            f"' > /dev/null\n"
            f"until {bin_directory}/psql -XAtqc 'SELECT now()' -h {data} -p {PORT} -U postgres postgres 2> /dev/null\n"
            "do sleep 0.1; done"
        )

    def stop(self, target: Path) -> None:
        program = t.cast("PrivateServer", self.site.server).bin / "pg_ctl"
        subprocess.run(
            [*as_account(self.account), str(program), "stop", "-D", str(target), "-m", "immediate"],
            check=True, cwd="/", stdout=subprocess.DEVNULL,
        )  # fmt: skip


class MariaDBContest(Contest):
    """The server's answer to ``SELECT VERSION()``."""

    def bare(self, target: Path) -> float:
        data, key = shlex.quote(str(target)), shlex.quote(str(self.identity))
        return self.run(
            f"install -d -m 0700 {data}\n"
            f"age -d -i {key} {shlex.quote(str(self.set))}/data.mbstream.zst.age | zstd -dc | mbstream -x -C {data}\n"
            f"mariadb-backup --prepare --target-dir={data} 2> {data}.log\nchown -R nobody {data}\n"
            f"mariadbd --defaults-file={data}/backup-my.cnf --user=nobody --datadir={data} --socket={data}/restore.sock"
            f" --log-error={data}/restore.log --pid-file={data}/restore.pid --skip-networking --skip-grant-tables &\n"
            f"until mariadb --no-defaults --socket={data}/restore.sock -e 'SELECT VERSION()' 2> /dev/null\n"
            "do sleep 0.1; done"
        )

    def stop(self, target: Path) -> None:
        subprocess.run(["mariadb", "--no-defaults", f"--socket={target}/restore.sock", "-e", "SHUTDOWN"], check=True)
        while (target / "restore.pid").exists():
            time.sleep(0.1)


def postgresql(folder: Path, gibibytes: float) -> tuple[PostgreSQLContest, PrivateServer]:
    server = PrivateServer(folder / "server")
    server.create()
    server.start()
    server.psql(f"CREATE ROLE {ACCOUNT} LOGIN REPLICATION")
    server.psql(
        "CREATE UNLOGGED TABLE filler AS SELECT seq, md5(seq::text) || md5((seq * 7)::text) "
        f"|| repeat(md5((seq % 97)::text), 6) AS text FROM generate_series(1, {int(ROWS_PER_GIB * gibibytes)}) seq"
    )
    server.psql("ALTER TABLE filler SET LOGGED")
    server.psql("CHECKPOINT")
    site = BackupSite(folder / "site", "postgresql", server)
    site.run("full")
    return PostgreSQLContest(site, "postgres"), server


def mariadb(folder: Path, gibibytes: float) -> tuple[MariaDBContest, PrivateMariaDB]:
    server = PrivateMariaDB(folder / "server")
    server.create()
    server.start()
    server.sql(f"CREATE USER {ACCOUNT}@localhost IDENTIFIED VIA unix_socket")
    server.sql(f"GRANT RELOAD, PROCESS, BINLOG MONITOR ON *.* TO {ACCOUNT}@localhost")
    server.sql("CREATE DATABASE d; CREATE TABLE d.filler (seq INT PRIMARY KEY, text TEXT) ENGINE=InnoDB")
    server.sql(f"USE d; INSERT INTO filler SELECT seq, {TEXT} FROM seq_1_to_{int(ROWS_PER_GIB * gibibytes)}")
    site = BackupSite(folder / "site", "mariadb", server)
    site.run("full")
    return MariaDBContest(site, "root"), server


def measure(name: str, folder: Path, gibibytes: float, repeats: int) -> bool:
    folder.mkdir()
    folder.chmod(0o755)
    contest, server = (postgresql if name == "PostgreSQL" else mariadb)(folder, gibibytes)
    server.destroy()
    manifest = json.loads((contest.set / "manifest.json").read_text(encoding="utf-8"))
    size = manifest["files"][0]["plain_bytes"] / 2**30
    place = folder / "restored"
    place.mkdir()
    shutil.chown(place, contest.account)
    turns: list[tuple[float, float]] = []
    for number in range(repeats + 1):  # the first one warms the system's memory
        seconds = []
        for way in (contest.bare, contest.by_restore_txt):
            os.sync()
            target = place / f"{way.__name__}{number}"
            seconds.append(way(target))
            contest.stop(target)
            shutil.rmtree(target)
        print(f"{name} {number}: bare {seconds[0]:.1f} s, RESTORE.txt {seconds[1]:.1f} s", file=sys.stderr)
        turns.append((seconds[0], seconds[1]))
    bare, ours = (statistics.median(turn[which] for turn in turns[1:]) for which in (0, 1))
    ratio = statistics.median(ours / bare for bare, ours in turns[1:])
    print(f"| {name}, {size:.2f} GiB | {bare:.1f} s | {ours:.1f} s | {ratio:.2f} | {AIM} |", flush=True)
    return ratio <= AIM


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gibibytes", type=float, default=2.1)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bw-restore-"))
    folder.chmod(0o755)
    print("| median of each | bare tools | RESTORE.txt | ratio | aim |\n| --- | --- | --- | --- | --- |", flush=True)
    try:
        met = [measure(name, folder / name, options.gibibytes, options.repeats) for name in ("PostgreSQL", "MariaDB")]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
