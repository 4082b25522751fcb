# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies in real object storage with a lock (Ceph's): they arrive by themselves, and who holds the sender's credentials
can do nothing but add. What an owner and an intruder do is done by a stock client, boto3."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shlex
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import on_hosts

SENDER: Host = testinfra.get_host("podman://molecule-objects-pg")
STORAGE: Host = testinfra.get_host("podman://molecule-objects")
STORE = "/var/backups/bulwark/main"
STATE = "/var/lib/bulwark/backup/main"
FOLDER = "/etc/bulwark/backup/main.bucket"
DELIVER = "bulwark-backup-main-deliver.service"
ADDRESS, BUCKET, PREFIX = "10.89.77.237", "database-copies", "shop/main"
PATIENCE_SECONDS = 150
DAY = 86400
wait_until = functools.partial(on_hosts.wait_until, seconds=PATIENCE_SECONDS, pause=3)

CLIENT = """
import boto3, botocore, hashlib, json
s3 = boto3.client("s3", endpoint_url="https://s3.example.org", region_name="us-east-1", verify={certificate!r},
    aws_access_key_id={name!r}, aws_secret_access_key={secret!r},
    config=botocore.config.Config(retries={{"max_attempts": 1}}))
BUCKET, PREFIX = "database-copies", "shop/main"
def attempt(call, **arguments):
    try:
        call(Bucket=BUCKET, **arguments)
    except botocore.exceptions.ClientError as error:
        return " ".join(filter(None, (error.response["Error"].get(name) for name in ("Code", "Message"))))
    return ""
def versions():
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=PREFIX)
    return [one for page in pages for one in page.get("Versions", [])]
def get(key, version):
    return s3.get_object(Bucket=BUCKET, Key=key, VersionId=version)
"""


def secret(name: str) -> str:
    path = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "keys", f"{name}.secret")
    return path.read_text(encoding="ascii").strip()


def as_owner(code: str) -> t.Any:
    return _python(STORAGE, "python3 -", "owner", "/etc/ceph/rgw.crt", code)


def as_intruder(code: str) -> t.Any:
    """Who took the database host over: with its credentials, from its account, through its packet filter."""
    command = "runuser -u bulwark-backup -- env HOME=/tmp python3 -"
    return _python(SENDER, command, "sender", "/etc/ssl/certs/molecule-s3.pem", code)


def _python(host: Host, command: str, name: str, certificate: str, code: str) -> t.Any:
    """What the code prints as JSON."""
    script = CLIENT.format(certificate=certificate, name=name, secret=secret(name)) + code
    done = host.run(f"{command} <<'END'\n{script}\nEND\n")
    assert done.rc == 0, done.stderr
    return json.loads(done.stdout)


def in_bucket() -> dict[str, str]:
    """SHA-256 of the newest version, by path below the store."""
    code = """
newest = [one for one in versions() if one["IsLatest"]]
sums = {one["Key"]: hashlib.sha256(get(one["Key"], one["VersionId"])["Body"].read()).hexdigest() for one in newest}
print(json.dumps({key[len(PREFIX) + 1:]: digest for key, digest in sums.items()}))
"""
    return t.cast("dict[str, str]", as_owner(code))


def in_store() -> dict[str, str]:
    found = SENDER.check_output(
        f"cd {STORE} && find full log *.txt -type f ! -path '*.partial*' -exec sha256sum {{}} +"
    )
    return {path: digest for digest, path in (line.split("  ", 1) for line in found.splitlines())}


def versions_of(path: str) -> list[dict[str, t.Any]]:
    """Oldest first, with the SHA-256 of each and for how long it is locked, in seconds."""
    code = f"""
import datetime
found = [one for one in versions() if one["Key"] == PREFIX + "/" + {path!r}]
found.sort(key=lambda one: one["LastModified"])
def describe(one):
    object = get(one["Key"], one["VersionId"])
    left = object["ObjectLockRetainUntilDate"] - datetime.datetime.now(datetime.timezone.utc)
    digest = hashlib.sha256(object["Body"].read()).hexdigest()
    return {{"version": one["VersionId"], "sha256": digest, "locked": left.total_seconds(), "newest": one["IsLatest"]}}
print(json.dumps([describe(one) for one in found]))
"""
    return t.cast("list[dict[str, t.Any]]", as_owner(code))


def deliver() -> tuple[int, str]:
    """Exit status and last words of a run by hand; never so often that systemd refuses."""
    time.sleep(2.5)
    rc = int(SENDER.run(f"systemctl start {DELIVER}").rc)
    return rc, str(SENDER.check_output(f"journalctl --quiet --output=cat --unit={DELIVER} --lines=6"))


def make_full() -> str:
    """Path of the data of a new full backup, below the store."""
    SENDER.check_output("systemctl start bulwark-backup-main.service")
    newest = SENDER.check_output(f"ls {STORE}/full").split()[-1]
    return f"full/{newest}/base.tar.zst.age"


def same() -> bool:
    """Whether a run succeeds and all that the store has is in the bucket, to the byte."""
    rc, said = deliver()
    missing = set(in_store().items()) - set(in_bucket().items())
    print(rc, said, missing)
    return rc == 0 and not missing


def alerts() -> list[str]:
    return str(SENDER.run("cat /run/molecule-alerts").stdout).split()


@pytest.fixture
def by_hand() -> Iterator[None]:
    """Nothing is sent but by the test; and at its end everything is well again."""
    SENDER.check_output("systemctl stop bulwark-backup-main-deliver.timer; rm -f /run/molecule-alerts")
    wait_until(lambda: SENDER.run(f"systemctl is-active {DELIVER}").stdout.strip() != "activating", "an end")
    yield
    wait_until(same, "the same files again")
    SENDER.check_output("systemctl start bulwark-backup-main-deliver.timer")


@contextlib.contextmanager
def rclone_is(script: str) -> Iterator[None]:
    """For the service that sends, with the real one at /usr/bin/rclone.real."""
    folder = f"/run/systemd/system/{DELIVER}.d"
    drop_in = "[Service]\nBindReadOnlyPaths=/usr/local/lib/molecule-rclone:/usr/bin/rclone\n"
    SENDER.check_output("cp /usr/bin/rclone /usr/bin/rclone.real")
    SENDER.check_output(
        f"printf %s {shlex.quote(script)} > /usr/local/lib/molecule-rclone && chmod 755 /usr/local/lib/molecule-rclone"
    )
    SENDER.check_output(f"mkdir -p {folder} && printf %s {shlex.quote(drop_in)} > {folder}/test.conf")
    SENDER.check_output("systemctl daemon-reload")
    try:
        yield
    finally:
        SENDER.check_output(f"rm -r {folder} /usr/local/lib/molecule-rclone /usr/bin/rclone.real")
        SENDER.check_output("systemctl daemon-reload")


def test_copies_arrive_by_themselves_locked_and_the_same_to_the_byte() -> None:
    SENDER.check_output("runuser -u postgres -- psql -c 'SELECT pg_switch_wal()'")
    wait_until(lambda: any(path.startswith("log/") for path in in_bucket()), "the log in the bucket")
    wait_until(same, "the same files")
    assert "RESTORE.txt" in in_bucket()
    for path in in_store():
        (*dummy, newest) = versions_of(path)
        assert 7 * DAY < newest["locked"] <= 8 * DAY


def test_the_sender_says_what_is_there(by_hand: None) -> None:
    wait_until(same, "the same files")
    found = ansible("-m", "bulwark.database.backup_info")["plays"][0]["tasks"][0]["hosts"]["molecule-objects-pg"]
    copies = found["backup"]["copies"]
    assert copies["host"] == "s3.example.org"
    assert copies["last_success"]
    assert copies["fulls"] == SENDER.check_output(f"ls {STORE}/full").split()


@pytest.mark.parametrize(
    "call",
    [
        "s3.delete_object, Key=victim['Key']",
        "s3.delete_object, Key=victim['Key'], VersionId=victim['VersionId']",
        "s3.delete_objects, Delete={'Objects': [{'Key': victim['Key'], 'VersionId': victim['VersionId']}]}",
        "s3.put_object_retention, Key=victim['Key'], VersionId=victim['VersionId'], Retention=soon",
        "s3.put_object_lock_configuration, ObjectLockConfiguration={'ObjectLockEnabled': 'Enabled'}",
        "s3.put_bucket_versioning, VersioningConfiguration={'Status': 'Suspended'}",
        "s3.put_bucket_policy, Policy='{}'",
        "s3.delete_bucket_policy",
        "s3.put_bucket_acl, ACL='public-read'",
        "s3.put_bucket_lifecycle_configuration, LifecycleConfiguration={'Rules': [rule]}",
        "s3.delete_bucket",
    ],
    ids=lambda call: call.partition(",")[0],
)
def test_who_holds_the_credentials_can_not_remove(by_hand: None, call: str) -> None:
    before = in_bucket()
    path = next(path for path in before if path.endswith("base.tar.zst.age"))
    version = versions_of(path)[-1]["version"]
    said = as_intruder(f"""
import datetime
victim = {{"Key": PREFIX + "/" + {path!r}, "VersionId": {version!r}}}
soon = {{"Mode": "COMPLIANCE", "RetainUntilDate": datetime.datetime.now() + datetime.timedelta(seconds=1)}}
rule = {{"ID": "x", "Status": "Enabled", "Filter": {{"Prefix": ""}}, "Expiration": {{"Days": 1}}}}
def several(**arguments):
    errors = s3.delete_objects(**arguments).get("Errors")
    if errors:
        raise botocore.exceptions.ClientError({{"Error": errors[0]}}, "delete_objects")
print(json.dumps(attempt({call.replace("s3.delete_objects", "several")})))
""")
    # The owner of an object may lengthen its lock; that it can't be shortened is said in the words that follow.
    assert said.partition(" ")[0] == "AccessDenied"
    assert in_bucket() == before


def test_its_own_owner_can_not_remove_what_is_locked(by_hand: None) -> None:
    path = next(path for path in in_bucket() if path.endswith("base.tar.zst.age"))
    version = versions_of(path)[-1]["version"]
    call = f"print(json.dumps(attempt(s3.delete_object, Key=PREFIX + '/' + {path!r}, VersionId={version!r})))"
    assert as_owner(call) == "AccessDenied forbidden by object lock"
    assert versions_of(path)[-1]["version"] == version


def test_what_is_put_over_a_copy_leaves_it_there_is_loud_and_is_mended(by_hand: None) -> None:
    data = make_full()
    wait_until(same, "the same files")
    (good,) = versions_of(data)
    time.sleep(2)
    before = as_owner("import datetime\nprint(json.dumps(datetime.datetime.utcnow().strftime('%Y-%m-%d %H:%M:%S')))")
    time.sleep(2)
    assert as_intruder(f"print(json.dumps(attempt(s3.put_object, Key=PREFIX + '/' + {data!r}, Body=b'evil')))") == ""
    kept, evil = versions_of(data)
    assert kept["version"] == good["version"]
    assert kept["sha256"] == good["sha256"]
    assert evil["newest"]
    fetched = fetch_as_of(before)
    assert {
        path: digest for path, digest in in_store().items() if path.split("/")[1:2] == data.split("/")[1:2]
    }.items() <= (fetched.items())
    make_full()
    rc, said = deliver()
    assert rc != 0
    assert f"{data}: its object is not what was put there (version {evil['version']})" in said
    wait_until(lambda: DELIVER in alerts(), "an alert")
    kept, evil, anew = versions_of(data)
    assert kept["sha256"] == anew["sha256"] == good["sha256"]
    assert anew["newest"]


def fetch_as_of(moment: str) -> dict[str, str]:
    """As the README says how to: SHA-256 by path of what was there then, by rclone and credentials that may read."""
    configuration = f"""
[copies]
type = s3
provider = Other
endpoint = https://s3.example.org
force_path_style = true
access_key_id = owner
secret_access_key = {secret("owner")}
"""
    STORAGE.check_output(f"umask 077; rm -rf /root/fetched; printf %s {shlex.quote(configuration)} > /root/rclone.conf")
    STORAGE.check_output(
        f"rclone copy --config /root/rclone.conf --ca-cert /etc/ceph/rgw.crt --s3-version-at {shlex.quote(moment)} "
        f"copies:{BUCKET}/{PREFIX} /root/fetched"
    )
    found = STORAGE.check_output("cd /root/fetched && find . -type f -exec sha256sum {} +")
    return {path[2:]: digest for digest, path in (line.split("  ", 1) for line in found.splitlines())}


SPOILS = """#!/usr/bin/python3
import os, sys
words = sys.argv[1:]
if words[-2].endswith("base.tar.zst.age"):
    data = bytearray(open(words[-2], "rb").read())
    data[len(data) // 2] ^= 1
    open("/tmp/spoilt", "wb").write(data)
    words[-2] = "/tmp/spoilt"
os.execv("/usr/bin/rclone.real", ["rclone", *words])
"""


def test_a_bit_that_flips_on_the_way_is_loud_and_no_backup(by_hand: None) -> None:
    data = make_full()
    with rclone_is(SPOILS):
        rc, said = deliver()
    assert rc != 0
    assert f"{data} arrived with another SHA-256" in said
    wait_until(lambda: DELIVER in alerts(), "an alert")
    assert data.replace("base.tar.zst.age", "manifest.json") not in in_bucket()
    wait_until(same, "the same files again")
    spoilt, good = versions_of(data)
    assert spoilt["sha256"] != good["sha256"] == in_store()[data]


FLIP = """
import subprocess, sys
pool, name = "default.rgw.buckets.data", sys.argv[1]
listed = subprocess.run(["rados", "-p", pool, "ls"], check=True, capture_output=True, text=True).stdout.splitlines()
(object,) = [one for one in listed if "__:" in one and one.endswith(name)]  # the version, not what leads to it
subprocess.run(["rados", "-p", pool, "get", object, "/tmp/object"], check=True)
data = bytearray(open("/tmp/object", "rb").read())
data[len(data) // 2] ^= 1
open("/tmp/object", "wb").write(data)
subprocess.run(["rados", "-p", pool, "put", object, "/tmp/object"], check=True)
"""
# A week passes.
FORGET = f"""
import json
path = "{STATE}/delivered.json"
state = json.load(open(path))
state["seen"] = {{name: [*entry[:2], entry[2] - 7 * {DAY}] for name, entry in state["seen"].items()}}
json.dump(state, open(path, "w"))
"""


def test_a_bit_that_flips_in_the_storage_is_found_within_a_week_and_mended(by_hand: None) -> None:
    data = make_full()
    wait_until(same, "the same files")
    (good,) = versions_of(data)
    STORAGE.check_output(f"python3 - {data} <<'END'\n{FLIP}\nEND\n")
    (rotten,) = versions_of(data)
    assert rotten["version"] == good["version"]
    assert rotten["sha256"] != good["sha256"]
    make_full()
    rc, said = deliver()
    assert rc == 0, f"it was read lately, so it is not now: {said}"
    SENDER.check_output(f"python3 - <<'END'\n{FORGET}\nEND\n")
    make_full()
    rc, said = deliver()
    assert rc != 0
    assert f"{data}: its object is not what was put there (version {good['version']})" in said
    wait_until(lambda: DELIVER in alerts(), "an alert")
    assert versions_of(data)[-1]["sha256"] == good["sha256"]


def test_a_line_that_is_cut_is_loud_and_the_next_run_goes_on(by_hand: None) -> None:
    """In the middle of a file: after a million bytes nothing comes through any more."""
    data = make_full()
    rules = ("table inet cut", "chain inet cut input { type filter hook input priority 0 ; }")
    rules += ("rule inet cut input tcp dport 443 quota over 1000000 bytes drop",)
    STORAGE.check_output(" && ".join(f"nft 'add {rule}'" for rule in rules))
    try:
        started = time.monotonic()
        rc, said = deliver()
        print(f"{time.monotonic() - started:.0f} s")
        assert rc != 0
        assert "can't put" in said or "can't talk to s3.example.org" in said
        wait_until(lambda: DELIVER in alerts(), "an alert")
    finally:
        STORAGE.check_output("nft delete table inet cut")
    assert data not in in_bucket()


def test_storage_that_does_not_answer_is_loud(by_hand: None) -> None:
    make_full()
    STORAGE.check_output("systemctl stop ceph-radosgw@rgw.a")
    try:
        rc, said = deliver()
        assert rc != 0
        assert "can't talk to s3.example.org: Connection refused" in said
        wait_until(lambda: DELIVER in alerts(), "an alert")
    finally:
        STORAGE.check_output("systemctl start ceph-radosgw@rgw.a")


def test_a_lock_that_became_too_short_is_loud(by_hand: None) -> None:
    lock = (
        "rule = {{'DefaultRetention': {{'Mode': 'COMPLIANCE', 'Days': {}}}}}\n"
        "lock = {{'ObjectLockEnabled': 'Enabled', 'Rule': rule}}\n"
        "print(json.dumps(attempt(s3.put_object_lock_configuration, ObjectLockConfiguration=lock)))"
    )
    make_full()
    assert as_owner(lock.format(3)) == ""
    try:
        before = in_bucket()
        rc, said = deliver()
        assert rc != 0
        assert f"the bucket {BUCKET} of s3.example.org locks for 3 days, 8 are needed" in said
        wait_until(lambda: DELIVER in alerts(), "an alert")
        assert in_bucket() == before
    finally:
        assert as_owner(lock.format(8)) == ""


def test_the_account_of_the_backup_reaches_object_storage_and_nothing_else(by_hand: None) -> None:
    def reaches(account: str, address: str, port: int) -> bool:
        script = f"exec 3<>/dev/tcp/{address}/{port}"
        return bool(SENDER.run(f"runuser -u {account} -- timeout 10 bash -c '{script}'").rc == 0)

    assert reaches("bulwark-backup", ADDRESS, 443)
    assert reaches("nobody", ADDRESS, 6789), "Ceph's monitor answers there"
    assert not reaches("bulwark-backup", ADDRESS, 6789)
    for account, is_answered in (("nobody", True), ("bulwark-backup", False)):
        done = SENDER.run(f"runuser -u {account} -- timeout 10 python3 - <<'END'\n{ASKS}\nEND\n")
        assert (done.rc == 0) == is_answered, account


# The host's name server, by a packet of its own, for the address of a name.
ASKS = """
import re, socket
server = re.search(r"^nameserver (\\S+)", open("/etc/resolv.conf").read(), re.M).group(1)
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.settimeout(5)
asked.connect((server, 53))
asked.send(bytes.fromhex("1234 0100 0001 0000 0000 0000 03") + b"deb\\6debian\\3org\\0\\0\\1\\0\\1")
asked.recv(4096)
"""


def ansible(*words: str) -> dict[str, t.Any]:
    command = ["ansible", "-i", os.environ["MOLECULE_INVENTORY_FILE"], "molecule-objects-pg", *words]
    callback = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **callback})
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def play(*words: str) -> tuple[str, dict[str, int]]:
    """What a run says, with all that it may say, and its counts."""
    command = [
        "ansible-playbook",
        "-i",
        os.environ["MOLECULE_INVENTORY_FILE"],
        "-vvv",
        "--diff",
        "converge.yml",
        *words,
    ]
    plain = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=plain)
    said = done.stdout + done.stderr
    recap = re.findall(r"(\w+)=(\d+)", said[said.rindex("PLAY RECAP") :])
    return said, {name: int(count) for name, count in recap}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"molecule_bucket": "not-locked"}, "the bucket not-locked of s3.example.org does not lock what is put there"),
        ({"molecule_bucket": "locked-too-short"}, "locks for 3 days, 8 are needed"),
        ({"molecule_bucket": "nowhere"}, "s3.example.org answers 404 NoSuchBucket"),
        ({"molecule_account": "powerful"}, "the credentials for database-copies of s3.example.org may"),
        ({"molecule_endpoint": "http://s3.example.org"}, "none is used without TLS"),
        ({"molecule_endpoint": "https://nowhere.invalid"}, "this host can't resolve 'nowhere.invalid'"),
        ({"molecule_ca": ""}, "certificate verify failed"),
        ({"molecule_ca": "/nowhere.pem"}, "can't read certificates from /nowhere.pem"),
    ],
    ids=lambda value: next(iter(value.values())) or "ca" if isinstance(value, dict) else "",
)
def test_what_can_not_work_is_refused_before_anything_changes(variables: dict[str, str], says: str) -> None:
    before = SENDER.check_output(f"sha256sum /etc/bulwark/backup/main.json {FOLDER}/*")
    said, counts = play("-e", json.dumps(variables))
    assert says in said
    assert counts["failed"] == 1
    assert counts["changed"] == 0
    assert SENDER.check_output(f"sha256sum /etc/bulwark/backup/main.json {FOLDER}/*") == before
    assert secret("sender") not in said
    assert secret("powerful") not in said


def test_a_second_run_changes_nothing_and_a_change_shows_no_secret() -> None:
    said, counts = play()
    assert (counts["changed"], counts["failed"]) == (0, 0)
    assert secret("sender") not in said
    foreseen, counts = play("--check", "-e", "molecule_region=elsewhere")
    assert counts["failed"] == 0
    assert f"{FOLDER}/rclone.conf" in foreseen
    assert secret("sender") not in foreseen


RECORDS = f"""#!/bin/bash
{{ tr '\\0' '\\n' < /proc/$$/cmdline; tr '\\0' '\\n' < /proc/$$/environ; tr '\\0' '\\n' < /proc/$PPID/cmdline; \
tr '\\0' '\\n' < /proc/$PPID/environ; }} >> {STATE}/recorded
exec /usr/bin/rclone.real "$@"
"""


def test_the_secret_is_in_one_file_and_nowhere_else(by_hand: None) -> None:
    make_full()
    with rclone_is(RECORDS):
        assert deliver()[0] == 0
    recorded = SENDER.check_output(f"cat {STATE}/recorded; rm {STATE}/recorded")
    assert "copyto" in recorded
    assert secret("sender") not in recorded
    assert SENDER.check_output(f"stat --format '%U %G %a' {FOLDER}/rclone.conf") == "bulwark-backup bulwark-backup 400"
    assert SENDER.run(f"runuser -u postgres -- cat {FOLDER}/rclone.conf").rc != 0
    found = SENDER.run(
        f"grep --recursive --files-with-matches {secret('sender')} /etc /var /run /usr/local /root /tmp"
    ).stdout
    assert found.split() == [f"{FOLDER}/rclone.conf"]
    assert secret("sender") not in SENDER.check_output("journalctl --quiet --output=cat")
