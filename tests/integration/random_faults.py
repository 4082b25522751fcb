# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random damage to a store and kills of what fills it, by a fixed seed: the same for every engine.

The gate takes a sample of each; tools/gate.py's stage ``backups`` sets the full counts.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
import typing as t
from pathlib import Path

from backup_site import ACCOUNT, BackupSite

KINDS: t.Final = ("flip", "truncate", "remove", "swap")


def kills(sample: int) -> int:
    """How many; ``sample`` in the gate."""
    return int(os.environ.get("BULWARK_KILLS", sample))


def corruptions(sample: int) -> int:
    return int(os.environ.get("BULWARK_CORRUPTIONS", sample))


def moments(sample: int) -> int:
    return int(os.environ.get("BULWARK_MOMENTS", sample))


def passed_corruptions(site: BackupSite, number: int) -> list[str]:
    """Of so many, spread over all files of a store, those that a deep verification passed. The store is mended again.

    Each file has its turn, so a store must have no more files than ``number`` for every one to be damaged.
    """
    site.run("verify", "--deep")
    chance = random.Random(13)
    passed = []
    files = sorted(path for path in site.store.rglob("*") if path.is_file())
    for path in files:  # what has just come may still be waiting for its description
        os.utime(path, (time.time() - 3600,) * 2)
    # The gate's sample takes files of each kind, not the first ones by name.
    chance.shuffle(files)
    for turn in range(number):
        path, kind = files[turn % len(files)], chance.choice(KINDS)
        peers = [peer for peer in files if peer != path and peer.suffixes == path.suffixes]
        other = chance.choice(peers) if kind == "swap" and peers else None
        content, before = path.read_bytes(), path.stat()
        corrupt(path, kind, chance, other)
        if site.run("verify", "--deep", check=False).returncode != 1:
            passed.append(f"{kind} {path}")
        if other:
            corrupt(path, "swap", chance, other)
        path.write_bytes(content)
        os.chown(path, before.st_uid, before.st_gid)
        path.chmod(0o600)
        os.utime(path, (before.st_atime, before.st_mtime))
    site.run("verify", "--deep")
    return passed


def corrupt(path: Path, kind: str, chance: random.Random, other: Path | None) -> None:
    data = bytearray(path.read_bytes())
    if other is not None:
        spare = path.with_name("spare")
        path.rename(spare)
        other.rename(path)
        spare.rename(other)
    elif kind == "remove":
        path.unlink()
    elif kind == "truncate":
        path.write_bytes(data[: chance.randrange(len(data))])
    else:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)


def kill_fulls(site: BackupSite, number: int) -> None:
    """Kill full backups at random moments: what has a final name is whole, earlier sets stay, the next run succeeds."""
    started = time.monotonic()
    site.run("full")
    usual = time.monotonic() - started
    good = site.fulls()
    chance = random.Random(77)
    for dummy in range(number):
        process = subprocess.Popen(site.command("full"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        time.sleep(chance.uniform(0, usual))
        process.kill()
        process.wait()
        wait_until_ended()
        status = site.status()
        assert status["running"] is False
        site.run("verify", "--deep")  # whatever has a final name is whole
        assert [entry["id"] for entry in status["fulls"]][: len(good)] == good
        good = [entry["id"] for entry in status["fulls"]]
        time.sleep(1.1)
    site.run("full")
    assert leftovers(site) == []
    assert len(site.fulls()) == len(good) + 1
    assert site.status()["last_error"] is None


def wait_until_ended(beside: t.Collection[str] = ()) -> None:
    """Nothing of a killed run goes on.

    :param beside: words of the command lines that the job's account runs besides, and goes on to run.
    """
    deadline = time.monotonic() + 10
    while (left := of_the_job(beside)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, left


def end_the_rest(site: BackupSite, *, beside: str) -> None:
    """As systemd does once a service's main process is gone: workers of pgBackRest were seen to go on for 10 s.

    :param beside: a word of the command lines of the site's other services.
    """
    done = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "-u", ACCOUNT], check=False, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        number, arguments = line.split(None, 1)
        if str(site.root) in arguments and beside not in arguments.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)


def of_the_job(beside: t.Collection[str]) -> list[str]:
    return [line for line in processes_of_the_job() if not any(word in line for word in beside)]


def processes_of_the_job() -> list[str]:
    """Command lines that run as the job's account."""
    done = subprocess.run(["ps", "-ww", "-o", "args=", "-u", ACCOUNT], check=False, capture_output=True, text=True)
    return done.stdout.splitlines()


def leftovers(site: BackupSite) -> list[str]:
    return [str(path) for path in site.store.rglob("*.partial*")]
