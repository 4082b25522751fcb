# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of a store on another host: whole and verified or not there, and nothing of it to be undone by who sends.

The sender talks to the receiver as through a forced command. molecule/encrypted_backup has OpenSSH between them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_copies import Copies
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_job_file import BackupJob, parse_job
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import (
    parse_manifest,
    render_manifest,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import render_id, render_moment
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_retention import DAY_SECONDS
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import BulwarkError
from ansible_collections.bulwark.database.plugins.module_utils._core.offsite import Offsite
from ansible_collections.bulwark.database.plugins.module_utils._io.backup_program import build_program
from ansible_collections.bulwark.database.plugins.module_utils._job import delivery
from backup_site import ACCOUNT, BackupSite
from private_server import PrivateServer
from random_faults import kills

# What lies between the two: it passes bytes on, but for one place, where it flips a bit or ends.
LINE = """
import sys
source, target, seen, place, ends = sys.stdin.buffer, sys.stdout.buffer, 0, int(sys.argv[1]), sys.argv[2] == "cut"
while True:
    data = bytearray(source.read1(65536))
    if not data:
        break
    if seen <= place < seen + len(data):
        if ends:
            target.write(data[: place - seen])
            break
        data[place - seen] ^= 1
    seen += len(data)
    target.write(data)
    target.flush()
"""


def bad_line(repository: Repository, place: int, what: str) -> list[str]:
    """A way to the receiver that is cut, or flips a bit, at that byte of what is sent."""
    script = 'program=$1 place=$2 what=$3; shift 3; python3 -c "$program" "$place" "$what" | "$@"'
    return ["sh", "-c", script, "line", LINE, str(place), what, *repository.command("receive")]


# The receiver, killed when it has put a manifest in its place and is about to give the full backup its name.
KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from bulwark_backup._io import offsite_receiving
from bulwark_backup._job.copies_command import run
offsite_receiving.rename = lambda *dummy: os.kill(os.getpid(), signal.SIGKILL)
run(sys.argv[2:])
"""


@dataclasses.dataclass
class Repository:
    """The other side, as an account of its own keeps it."""

    root: Path
    program: Path

    @property
    def store(self) -> Path:
        return self.root / "copies" / "main"

    def command(self, name: str, *arguments: str) -> list[str]:
        return [sys.executable, "-I", str(self.program), name, "--store", str(self.store), *arguments]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(name, *arguments), check=False, capture_output=True, text=True)

    def status(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads(self.run("status").stdout))

    def say(self, *messages: dict[str, t.Any], data: bytes = b"") -> list[dict[str, t.Any]]:
        """What it answers to somebody who holds the key and writes what he likes."""
        text = b"".join(json.dumps(message).encode() + b"\n" for message in messages) + data
        done = subprocess.run(self.command("receive"), check=False, capture_output=True, input=text)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.store)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.store.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    program = tmp_path / "bulwark-copies.pyz"
    program.write_bytes(build_program(entry="_job.copies_command"))
    (tmp_path / "copies").mkdir(mode=0o700)
    return Repository(tmp_path, program)


@pytest.fixture
def site(server: PrivateServer, short_directory: Path) -> t.Iterator[BackupSite]:
    root = short_directory / "copied"
    server.psql(f"CREATE ROLE {ACCOUNT} LOGIN REPLICATION")
    site = BackupSite(root, "postgresql", server)
    site.run("full")
    yield site
    server.psql(f"DROP ROLE {ACCOUNT}")
    shutil.rmtree(root)


@pytest.fixture
def job(site: BackupSite, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> BackupJob:
    monkeypatch.setattr(Offsite, "command", lambda *dummy: repository.command("receive"))
    place = Offsite("offsite.example.org", 22, "bulwark-copies", "/nowhere/key", "/nowhere/known_hosts", ("192.0.2.7",))
    parsed = parse_job(site.job_file.read_text(encoding="utf-8"))
    return dataclasses.replace(parsed, offsite=place)


def deliver(job: BackupJob) -> list[str]:
    said: list[str] = []
    delivery.deliver(job, said.append)
    return said


def own_files(site: BackupSite) -> dict[str, str]:
    return {
        str(path.relative_to(site.store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(site.store.rglob("*"))
        if path.is_file()
    }


def test_the_copy_is_the_store_to_the_byte_and_a_second_run_says_nothing(
    job: BackupJob, site: BackupSite, repository: Repository
) -> None:
    assert delivery.undelivered(job)
    assert delivery.read_copies(job) == Copies("offsite.example.org", None, ())
    assert "files are with offsite.example.org" in deliver(job)[0]
    assert repository.files() == own_files(site)
    assert delivery.undelivered(job) == []
    copies = delivery.read_copies(job)
    assert copies is not None
    assert copies.last_success
    assert list(copies.fulls) == site.fulls()
    assert deliver(job) == []
    assert {oct(path.stat().st_mode & 0o077) for path in repository.store.rglob("*")} == {"0o0"}
    assert repository.status()["damaged"] == []


def test_what_was_copied_in_a_week_of_minutes_is_remembered(job: BackupJob, repository: Repository) -> None:
    """Each minute has a segment and its description."""
    names = (f"log/{number:024X}.{kind}" for number in range(7 * 24 * 60) for kind in ("zst.age", "json"))
    files = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    nothing = delivery.read_delivered(job)
    delivery._write(job, {**nothing, "files": files, "seen": {name: ["x" * 32, files[name], 1] for name in files}})
    assert delivery.read_delivered(job)["files"] == files
    elsewhere = dataclasses.replace(t.cast("Offsite", job.offsite), host="another.example.org")
    assert delivery.read_delivered(dataclasses.replace(job, offsite=elsewhere))["files"] == {}


def test_what_the_other_side_lost_is_noticed_after_the_next_full_backup(
    job: BackupJob, site: BackupSite, repository: Repository
) -> None:
    deliver(job)
    first = site.fulls()[0]
    shutil.rmtree(repository.store / "full" / first)
    site.run("full")
    deliver(job)
    assert repository.status()["fulls"] == site.fulls()
    assert len(site.fulls()) == 2


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "/etc/passwd",
        "full/../../outside",
        "full/20261127T000000Z/../manifest.json",
        "full/20261127T000000Z/other",
        "full/20261127T000000Z.partial/manifest.json",
        "log/.hidden.json",
        "log/sub/000000010000000000000001.json",
        "earlier/RESTORE.txt",
        "log/000000010000000000000001",
        "RESTORE.txt\x00",
        "x" * 5000,
        "",
    ],
)
def test_names_that_are_none_of_a_store_are_refused(repository: Repository, path: str) -> None:
    data = b"evil"
    offer = {"format": 1, "offer": [[path, len(data), hashlib.sha256(data).hexdigest()]]}
    (answer,) = repository.say(offer, {"put": path}, data=data)
    assert "is no file of a store" in answer["error"]
    assert [path for path in repository.root.rglob("*") if path.is_file() and path.read_bytes() == data] == []


def test_who_holds_the_key_can_neither_replace_nor_remove_nor_read(
    job: BackupJob, site: BackupSite, repository: Repository
) -> None:
    deliver(job)
    before = repository.files()
    data = f"full/{site.fulls()[0]}/base.tar.zst.age"
    digest = hashlib.sha256(b"evil").hexdigest()
    (refusal, *dummy) = repository.say({"format": 1, "offer": [[data, 4, digest]]}, {"put": data}, data=b"evil")
    assert refusal == {"want": [], "refused": {data: "there is another file of that name, which stays as it is"}}
    for message in ({"delete": data}, {"get": data}, {"format": 1, "list": True}, {"put": data}):
        (answer,) = repository.say(message)
        assert set(answer) == {"error"}
    assert repository.files() == before


def test_restore_text_may_change_and_what_it_was_is_kept(
    job: BackupJob, site: BackupSite, repository: Repository
) -> None:
    deliver(job)
    was = (site.store / "RESTORE.txt").read_bytes()
    (site.store / "RESTORE.txt").write_bytes(was + b"\nmore\n")
    deliver(job)
    assert (repository.store / "RESTORE.txt").read_bytes() == was + b"\nmore\n"
    (earlier,) = (repository.store / "earlier").iterdir()
    assert earlier.read_bytes() == was


def test_not_even_what_was_set_aside_is_overwritten(repository: Repository) -> None:
    """Whoever writes faster than the clock ticks."""
    texts = [b"restore like this", b"evil", b"worse", b"worst"]
    for text in texts:
        offer = {"format": 1, "offer": [["RESTORE.txt", len(text), hashlib.sha256(text).hexdigest()]]}
        assert repository.say(offer, {"put": "RESTORE.txt"}, data=text)[1] == {"stored": "RESTORE.txt"}
    assert sorted(path.read_bytes() for path in (repository.store / "earlier").iterdir()) == sorted(texts[:-1])


def test_what_nobody_goes_on_with_and_what_was_set_aside_goes_when_it_is_older_than_the_window(
    job: BackupJob, site: BackupSite, repository: Repository
) -> None:
    deliver(job)
    (repository.store / "RESTORE.txt").write_bytes(b"of another version")
    old, new = int(time.time()) - 8 * DAY_SECONDS, int(time.time()) - 6 * DAY_SECONDS
    os.utime(repository.store / "RESTORE.txt", (old, old))  # it was long valid, and is set aside now
    (site.state / "delivered.json").unlink()
    deliver(job)
    (earlier,) = (repository.store / "earlier").iterdir()
    aside = [repository.store / "earlier" / f"RESTORE.txt.{number}" for number in (1, 2)]
    parts = [repository.store / "full" / f"2026010{number}T000000Z.partial" for number in (1, 2)]
    for path, moment in zip((*aside, *parts), (old, new, old, new)):
        if path in parts:
            path.mkdir()
            (path / "base.tar.zst.age").write_bytes(b"half")
        else:
            path.write_bytes(b"earlier")
        os.utime(path, (moment, moment))
    assert repository.run("tend", "--keep-days=7", "--oldest-hours=26").returncode == 0
    assert set((repository.store / "earlier").iterdir()) == {earlier, aside[1]}
    assert list((repository.store / "full").glob("*.partial")) == [parts[1]]
    assert repository.status()["fulls"] == site.fulls()


def test_what_breaks_off_leaves_no_backup_and_the_next_run_goes_on(
    job: BackupJob, site: BackupSite, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(path.stat().st_size for path in site.store.rglob("*") if path.is_file())
    for share in (0.02, 0.5, 0.97):
        cut = bad_line(repository, int(size * share), "cut")
        monkeypatch.setattr(Offsite, "command", lambda *dummy, cut=cut: cut)
        with pytest.raises(BulwarkError, match=r"broke off|the other side says"):
            deliver(job)
        assert repository.status()["damaged"] == []
        assert repository.status()["fulls"] == []
    monkeypatch.setattr(Offsite, "command", lambda *dummy: repository.command("receive"))
    deliver(job)
    assert repository.files() == own_files(site)


def test_who_is_killed_before_a_full_backup_has_its_name_gets_it_again(
    job: BackupJob, site: BackupSite, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = [sys.executable, "-I", "-c", KILLED, str(repository.program), *repository.command("receive")[3:]]
    monkeypatch.setattr(Offsite, "command", lambda *dummy: killed)
    with pytest.raises(BulwarkError, match="broke off"):
        deliver(job)
    assert list((repository.store / "full").glob("*.partial/manifest.json"))
    assert repository.status()["fulls"] == []
    monkeypatch.setattr(Offsite, "command", lambda *dummy: repository.command("receive"))
    deliver(job)
    assert repository.status()["fulls"] == site.fulls()
    assert delivery.undelivered(job) == []
    assert repository.files() == own_files(site)


def test_a_manifest_that_is_none_does_not_stay(repository: Repository) -> None:
    path, data = "full/20261127T000000Z/manifest.json", b"{}"
    offer = {"format": 1, "offer": [[path, len(data), hashlib.sha256(data).hexdigest()]]}
    (want, answer) = repository.say(offer, {"put": path}, data=data)
    assert want == {"want": [path], "refused": {}}
    assert set(answer) == {"error"}
    assert repository.files() == {}


def test_a_damaged_description_there_does_not_keep_what_is_new_from_leaving(
    job: BackupJob, site: BackupSite, repository: Repository
) -> None:
    deliver(job)
    first = site.fulls()[0]
    description = repository.store / "full" / first / "manifest.json"
    damaged = bytearray(description.read_bytes())
    damaged[10] ^= 1
    description.write_bytes(damaged)
    site.run("full")
    with pytest.raises(BulwarkError, match=rf"{first}/.*is not what was written|{first}/.*is no JSON"):
        deliver(job)
    assert repository.status()["fulls"] == site.fulls()[1:]
    assert {path.partition("/")[2].partition("/")[0] for path in delivery.undelivered(job)} == {first}


def test_what_describes_a_file_that_is_refused_is_not_taken(repository: Repository) -> None:
    """Half a full backup has got damaged: with its manifest it would look like one."""
    identifier = "20261127T000000Z"
    data, description = f"full/{identifier}/base.tar.zst.age", f"full/{identifier}/manifest.json"
    partial = repository.store / "full" / f"{identifier}.partial"
    partial.mkdir(parents=True)
    (partial / "base.tar.zst.age").write_bytes(b"evil")
    digest = hashlib.sha256(b"good").hexdigest()
    (answer, *dummy) = repository.say({"format": 1, "offer": [[data, 4, digest], [description, 4, digest]]})
    assert answer["want"] == []
    assert set(answer["refused"]) == {data, description}


def test_a_receiver_killed_at_any_moment_leaves_nothing_that_looks_complete(
    job: BackupJob, site: BackupSite, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = 60.0
    for dummy in range(3):  # the least of three: on a busy machine one alone may be so long that no kill comes in time
        shutil.rmtree(repository.store, ignore_errors=True)
        (site.state / "delivered.json").unlink(missing_ok=True)
        started = time.monotonic()
        deliver(job)
        usual = min(usual, time.monotonic() - started)
    chance = random.Random(79)
    broken = 0
    for dummy in range(kills(8)):
        shutil.rmtree(repository.store)
        (site.state / "delivered.json").unlink(missing_ok=True)
        # GNU's timeout kills the receiver itself, which is what SSH would have started
        killed = ["timeout", "--signal=KILL", f"{chance.uniform(0.02, usual):.3f}", *repository.command("receive")]
        monkeypatch.setattr(Offsite, "command", lambda *dummy, killed=killed: killed)
        try:
            deliver(job)
        except BulwarkError:
            broken += 1
        there = repository.files() if repository.store.exists() else {}
        # a backup's folder has its final name when all of it is in there
        complete = {
            path: digest for path, digest in there.items() if not re.match(r"arriving/|full/[^/]+\.partial/", path)
        }
        assert complete.items() <= own_files(site).items()  # whatever has a final name is whole
        if repository.store.exists():
            assert repository.status()["damaged"] == []
        monkeypatch.setattr(Offsite, "command", lambda *dummy: repository.command("receive"))
        deliver(job)
        assert repository.files() == own_files(site)
        assert repository.run("tend", "--keep-days=7", "--oldest-hours=26", "--deep").returncode == 0
    assert broken


def test_a_bit_that_flips_on_the_way_is_noticed(
    job: BackupJob, site: BackupSite, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of what is sent, which is the full backup."""
    data = next((site.store / "full").rglob("base.tar.zst.age"))
    place = sum(path.stat().st_size for path in site.store.rglob("*") if path.is_file()) - data.stat().st_size // 2
    monkeypatch.setattr(Offsite, "command", lambda *dummy: bad_line(repository, place, "flip"))
    with pytest.raises(BulwarkError, match="arrived with another SHA-256"):
        deliver(job)
    assert repository.status()["fulls"] == []
    assert not list((repository.store / "arriving").iterdir())


def test_a_file_that_is_not_what_its_description_says_is_not_copied(job: BackupJob, site: BackupSite) -> None:
    data = next((site.store / "full").rglob("base.tar.zst.age"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    with pytest.raises(BulwarkError, match=r"base\.tar\.zst\.age: its SHA-256 is not what its description says"):
        deliver(job)


def test_a_full_file_system_there_is_told_here(
    job: BackupJob, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*repository.command("receive"), "--minimum-free-percent", "99"]
    monkeypatch.setattr(Offsite, "command", lambda *dummy: command)
    with pytest.raises(BulwarkError, match="99 % are the minimum"):
        deliver(job)


def test_who_tends_copies_prunes_what_the_window_does_not_need_and_complains_of_what_is_late(
    job: BackupJob, site: BackupSite, repository: Repository
) -> None:
    assert "has no backup that can be restored" in repository.run("tend", "--keep-days=7", "--oldest-hours=26").stderr
    deliver(job)
    assert repository.run("tend", "--keep-days=7", "--oldest-hours=26").returncode == 0
    assert repository.status()["fulls"] == site.fulls()
    late = repository.run("tend", "--keep-days=7", "--oldest-hours=-1")
    assert late.returncode == 1
    assert "hours old" in late.stderr
    data = next((repository.store / "full").rglob("base.tar.zst.age"))
    content = bytearray(data.read_bytes())
    content[7] ^= 1
    data.write_bytes(content)
    assert repository.run("tend", "--keep-days=7", "--oldest-hours=26").returncode == 0
    deep = repository.run("tend", "--keep-days=7", "--oldest-hours=26", "--deep")
    assert "its SHA-256 differs" in deep.stderr
    os.truncate(data, 100)
    assert "100 bytes" in repository.run("tend", "--keep-days=7", "--oldest-hours=26").stderr


def add_copy(repository: Repository, moment: int, *, arrived: int) -> str:
    """A set that says to be of a moment, beside the one that is there."""
    there = max((repository.store / "full").iterdir())
    manifest = parse_manifest((there / "manifest.json").read_text(encoding="utf-8"), where="manifest.json")
    text = render_moment(moment)
    made = dataclasses.replace(manifest, id=render_id(moment), started=text, finished=text, consistent_from=text)
    folder = repository.store / "full" / made.id
    shutil.copytree(there, folder)
    (folder / "manifest.json").write_text(render_manifest(made), encoding="utf-8")
    os.utime(folder / "manifest.json", (arrived, arrived))
    return made.id


def test_who_takes_the_sender_over_can_not_have_the_copies_of_the_window_removed(
    job: BackupJob, site: BackupSite, repository: Repository
) -> None:
    deliver(job)
    now = int(time.time())
    horizon = now - 7 * DAY_SECONDS
    older, old = (add_copy(repository, now - days * DAY_SECONDS, arrived=now - days * DAY_SECONDS) for days in (9, 8))
    junk = add_copy(repository, horizon - 1, arrived=now)
    assert repository.run("tend", "--keep-days=7", "--oldest-hours=26").returncode == 0
    assert repository.status()["fulls"] == [old, junk, *site.fulls()]
    assert older not in repository.status()["fulls"]


def test_a_moment_to_come_does_not_hide_that_nothing_came(
    job: BackupJob, site: BackupSite, repository: Repository
) -> None:
    deliver(job)
    long_ago = int(time.time()) - 9 * DAY_SECONDS
    for path in repository.store.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    add_copy(repository, int(time.time()) + 99 * DAY_SECONDS, arrived=long_ago)
    assert "hours old" in repository.run("tend", "--keep-days=30", "--oldest-hours=26").stdout
    assert repository.status()["newest_moment_age"] >= 9 * DAY_SECONDS - 1


def test_a_segment_whose_description_is_on_its_way_is_no_damage_and_keeps_nothing_from_being_pruned(
    job: BackupJob, repository: Repository
) -> None:
    deliver(job)
    now = int(time.time())
    older, old = (add_copy(repository, now - days * DAY_SECONDS, arrived=now - days * DAY_SECONDS) for days in (9, 8))
    fresh = repository.store / "log" / f"{'0' * 22}77.zst.age"
    fresh.write_bytes(b"sealed")
    os.utime(fresh, (now - 500, now - 500))
    assert repository.status()["damaged"] == []
    tended = repository.run("tend", "--keep-days=7", "--oldest-hours=26")
    assert (tended.returncode, tended.stderr) == (0, "")
    assert old in repository.status()["fulls"]
    assert older not in repository.status()["fulls"]
    os.utime(fresh, (now - 700, now - 700))
    assert repository.status()["damaged"] == [f"{fresh} has no description beside it"]


def test_a_node_that_stands_aside_is_late_with_its_whole_cluster_alone(job: BackupJob, repository: Repository) -> None:
    deliver(job)
    aside = Repository(repository.root / "aside", repository.program)
    aside.store.parent.mkdir(parents=True)
    tend, beside = ("tend", "--keep-days=7"), f"--beside={repository.store}"
    assert f"{aside.store} has no backup that can be restored" in aside.run(*tend, "--oldest-hours=26").stderr
    assert aside.run(*tend, "--oldest-hours=26", beside).returncode == 0
    late = aside.run(*tend, "--oldest-hours=-1", beside).stderr
    assert f"the newest moment in {aside.store} and {repository.store} is" in late


def test_nothing_is_pruned_while_a_copy_is_damaged(
    job: BackupJob, site: BackupSite, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the damaged one needs is what it needs when it has been mended."""
    site.run("full")
    site.run("collect")
    deliver(job)
    oldest = repository.store / "full" / site.fulls()[0] / "base.tar.zst.age"
    good, log = oldest.read_bytes(), sorted((repository.store / "log").iterdir())
    os.truncate(oldest, 100)
    tended = repository.run("tend", "--keep-days=7", "--oldest-hours=26")
    assert "100 bytes" in tended.stderr
    assert "nothing was pruned" in tended.stdout
    assert sorted((repository.store / "log").iterdir()) == log
    oldest.write_bytes(good)
    assert repository.run("tend", "--keep-days=7", "--oldest-hours=26").returncode == 0
    assert repository.status()["fulls"] == site.fulls()


def test_another_address_of_the_host_is_tried_where_nobody_answers_at_the_first(
    job: BackupJob, site: BackupSite, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def command(dummy: Offsite, address: str) -> list[str]:
        tried.append(address)
        return repository.command("receive") if address == "192.0.2.8" else ["sh", "-c", "echo no route >&2; exit 255"]

    monkeypatch.setattr(Offsite, "command", command)
    assert job.offsite is not None
    places = dataclasses.replace(job.offsite, addresses=("192.0.2.7", "192.0.2.8", "192.0.2.9"))
    deliver(dataclasses.replace(job, offsite=places))
    assert tried == ["192.0.2.7", "192.0.2.8"]
    assert repository.files() == own_files(site)
    (site.state / "delivered.json").unlink()
    with pytest.raises(BulwarkError, match=r"offsite\.example\.org broke off: no route"):
        deliver(dataclasses.replace(job, offsite=dataclasses.replace(places, addresses=("192.0.2.7", "192.0.2.9"))))
