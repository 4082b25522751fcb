# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job is planned from what is there; what can't work is refused before anything changes."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_deployment import (
    ENABLE,
    FILE,
    FOLDER,
    MAKE_ACCOUNT,
    MAKE_GROUP,
    PUT,
    REMOVE,
    WANTED_ACCOUNT,
    Host,
    Item,
    Job,
    Limits,
    ObservedAccount,
    ObservedTimer,
    Server,
    files_of,
    incoming_of,
    outgoing_of,
    plan_absent,
    plan_present,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_election import Cluster
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_job_file import (
    MARIADB,
    PGBACKREST,
    POSTGRESQL,
    parse_job,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_recipients import Recipients
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_units import Schedule
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    BulwarkError,
    InvalidDeclaration,
    MissingRequirement,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.object_storage import (
    Bucket,
    Lock,
    ObjectStorage,
    check_credentials,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.offsite import Offsite
from ansible_collections.bulwark.database.plugins.module_utils._core.openpgp_key import KeyState
from ansible_collections.bulwark.database.plugins.module_utils._core.packet_filter import (
    account_rule,
    port_rule,
    render_table,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.pgbackrest import DATABASE, REPOSITORY, Repository
from ansible_collections.bulwark.database.plugins.module_utils._core.plan import Plan
from sample_keys import FINGERPRINTS
from sample_keys import KEYS as SAMPLE_KEYS

PROGRAM = b"a program"
KEYS = (
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    "age1zevnhzpn4m4gpcmps2nlshz6775hq8rj2ldvujg9a000c4r2vs6shn5l2l",
)
DATA = "/var/lib/postgresql/15/main"
SERVER = Server(
    POSTGRESQL,
    "/run/postgresql",
    DATA,
    binaries="/usr/lib/postgresql/15/bin",
    unit="postgresql@15-main.service",
    heartbeat_database="postgres",
)
JOB = Job(
    name="main",
    server=SERVER,
    store="/var/backups/bulwark/main",
    state="/var/lib/bulwark/backup/main",
    incoming="/var/lib/bulwark/incoming/main",
    recipients=Recipients("age", KEYS),
    limits=Limits(),
    schedule=Schedule(),
)
OF_MARIADB = dataclasses.replace(
    JOB, server=Server(MARIADB, "/run/mysqld/mysqld.sock", "/var/lib/mysql", defaults_file="/etc/my.cnf"), incoming=""
)
BY_GNUPG = dataclasses.replace(JOB, recipients=Recipients("gnupg", FINGERPRINTS, SAMPLE_KEYS))
OF_PGBACKREST = dataclasses.replace(
    JOB,
    server=dataclasses.replace(SERVER, engine=PGBACKREST),
    incoming="",
    schedule=Schedule(between_at=("06:00", "18:00")),
    repository=Repository("/etc/bulwark/backup/main.pgbackrest", between="incr"),
)
APART = Repository(
    "/etc/bulwark/backup/main.pgbackrest", side=REPOSITORY, address="192.0.2.1", source_address="192.0.2.2"
)
OF_REPOSITORY = dataclasses.replace(
    OF_PGBACKREST,
    server=dataclasses.replace(SERVER, engine=PGBACKREST, unit="", heartbeat_database=""),
    incoming="/var/lib/bulwark/incoming/main",
    schedule=Schedule(),
    repository=APART,
)
OF_DATABASE = dataclasses.replace(
    OF_PGBACKREST, schedule=Schedule(), repository=dataclasses.replace(APART, side=DATABASE)
)
EACH = pytest.mark.parametrize(
    "job",
    [JOB, OF_MARIADB, OF_PGBACKREST, OF_REPOSITORY, OF_DATABASE, BY_GNUPG],
    ids=["postgresql", "mariadb", "pgbackrest", "repository", "database", "gnupg"],
)
EMPTY = Host(account=None, items={}, real_paths={}, server_account="postgres", timers={})


def applied(plan: Plan, host: Host) -> Host:
    """The host after the plan, as far as the model goes."""
    items, timers, account, files = dict(host.items), dict(host.timers), host.account, set(host.job_files)
    for change in plan:
        action, what = change.payload
        if action == MAKE_ACCOUNT:
            account = WANTED_ACCOUNT
        elif action == MAKE_GROUP:
            host = dataclasses.replace(host, has_own_group=True)
        elif action == PUT:
            items[what.path] = what
            ours = "bulwark-backup-main" in what.path or what.path.endswith((".json", ".conf", ".asc"))
            files |= {what.path} if ours else set()
        elif action == ENABLE:
            timers[what] = ObservedTimer(enabled=True, active=True)
        else:
            timers.pop(what, None)
            items.pop(what, None)
            files.discard(what)
    return dataclasses.replace(host, account=account, items=items, timers=timers, job_files=tuple(sorted(files)))


@EACH
def test_a_plan_applied_once_leaves_nothing_to_do(job: Job) -> None:
    plan = plan_present(job, EMPTY, PROGRAM)
    assert plan
    assert plan_present(job, applied(plan, EMPTY), PROGRAM).summaries() == []


def deployed(job: Job = JOB) -> Host:
    return applied(plan_present(job, EMPTY, PROGRAM), EMPTY)


def test_the_account_comes_before_what_it_owns_and_the_timers_last() -> None:
    actions = [change.payload[0] for change in plan_present(JOB, EMPTY, PROGRAM)]
    assert actions[0] == MAKE_ACCOUNT
    assert actions[-4:] == [ENABLE] * 4
    assert set(actions[1:-4]) == {PUT}


def test_the_file_of_the_job_says_what_the_program_needs() -> None:
    document = json.loads(deployed().items[JOB.file].data)
    assert document["format"] == 1
    assert document["recipients"] == list(KEYS)
    assert document["server"] == {
        "socket": "/run/postgresql",
        "port": 5432,
        "user": "bulwark-backup",
        "binaries": "/usr/lib/postgresql/15/bin",
        "data_directory": DATA,
    }
    of_mariadb = json.loads(deployed(OF_MARIADB).items[JOB.file].data)
    assert "incoming" not in of_mariadb
    assert of_mariadb["server"] == {
        "socket": "/run/mysqld/mysqld.sock",
        "user": "bulwark-backup",
        "defaults_file": "/etc/my.cnf",
        "datadir": "/var/lib/mysql",
    }


@pytest.mark.parametrize(
    "job",
    [JOB, OF_MARIADB, OF_PGBACKREST, OF_REPOSITORY, OF_DATABASE],
    ids=lambda job: f"{job.server.engine} {job.side}",
)
def test_the_program_reads_what_was_written(job: Job) -> None:
    read = parse_job(deployed(job).items[job.file].data.decode())
    assert (read.name, read.engine, read.store, read.state) == (job.name, job.server.engine, job.store, job.state)
    assert (read.incoming, read.recipients) == (job.incoming, KEYS)
    assert {name: getattr(read, name) for name in dataclasses.asdict(job.limits)} == dataclasses.asdict(job.limits)
    assert read.repository == job.repository


def test_folders_are_open_to_nobody_who_does_not_need_them() -> None:
    items = deployed().items
    assert items[JOB.store].access == "bulwark-backup:bulwark-backup 0700"
    assert items[JOB.state].access == "bulwark-backup:bulwark-backup 0750"
    assert items[JOB.incoming].access == "postgres:bulwark-backup 2770"
    assert items["/var/lib/bulwark"].access == "root:root 0711"
    assert items[JOB.file].access == "root:bulwark-backup 0644"
    assert deployed(OF_MARIADB).items[JOB.file].access == "root:bulwark-backup 0640"


def test_the_server_s_account_reads_its_own_half_of_a_repository_and_no_passphrase() -> None:
    items = deployed(OF_PGBACKREST).items
    folder = "/etc/bulwark/backup/main.pgbackrest"
    assert items[f"{folder}/secret"].access == "root:bulwark-backup 0750"
    assert items[f"{folder}/repository.conf"].access == "root:bulwark-backup 0640"
    assert items[f"{folder}/archive.conf"].access == "root:root 0644"


def test_the_service_of_a_repository_reads_its_configuration_again_when_that_changed() -> None:
    path = "/etc/bulwark/backup/main.pgbackrest/repository.conf"
    changed = with_item(deployed(OF_PGBACKREST), path=path, data=b"[global]\n")
    changes = [change.payload for change in plan_present(OF_PGBACKREST, changed, PROGRAM)]
    assert [action for action, dummy in changes] == [PUT, ENABLE]
    assert changes[-1] == (ENABLE, "bulwark-backup-main-repository.timer")


def test_a_job_that_another_engine_takes_over_loses_what_was_the_former_one_s() -> None:
    plan = plan_present(JOB, deployed(OF_PGBACKREST), PROGRAM)
    gone = {change.payload[1] for change in plan if change.payload[0] == REMOVE}
    assert {"/etc/bulwark/backup/main.pgbackrest/archive.conf"} < gone
    assert plan_present(JOB, applied(plan, deployed(OF_PGBACKREST)), PROGRAM).summaries() == []


def test_of_a_job_on_two_hosts_the_database_s_has_no_passphrase_no_store_and_no_backup() -> None:
    items = deployed(OF_DATABASE).items
    assert not [path for path in items if "secret" in path or "anteroom" in path or path.startswith("/var/backups")]
    units = {path.rpartition("/")[2] for path in items if path.endswith((".service", ".timer"))}
    assert units == {
        f"bulwark-backup-main-{what}.{kind}" for what in ("source", "heartbeat") for kind in ("service", "timer")
    }
    assert "cipher" not in "".join(item.data.decode() for item in items.values() if item.path.endswith(".conf"))


def test_what_the_database_s_host_reaches_is_the_anteroom_in_a_service_that_sees_nothing_else() -> None:
    items = deployed(OF_REPOSITORY).items
    folder = "/etc/bulwark/backup/main.pgbackrest"
    assert items["/var/lib/bulwark/incoming/main"].access == "bulwark-backup:bulwark-backup 0700"
    assert items[f"{folder}/anteroom/secret"].access == "root:bulwark-backup 0750"
    pushes = deployed(OF_DATABASE).items[f"{folder}/archive.conf"].data.decode()
    assert f"repo1-host-config={folder}/anteroom/repository.conf\n" in pushes
    assert "repo1-host=192.0.2.1\n" in pushes
    served = items[f"{folder}/anteroom/repository.conf"].data.decode()
    assert "repo1-path=/var/lib/bulwark/incoming/main\n" in served
    assert "tls-server-auth=main=main\n" in served
    unit = items["/etc/systemd/system/bulwark-backup-main-repository.service"].data.decode()
    assert f"RootDirectory={folder}/root\nTemporaryFileSystem=/:ro\n" in unit
    assert items[f"{folder}/root"].access == "root:root 0755"
    assert "Group=bulwark-incoming-8432\nExecStart" in unit
    others = [
        item.data.decode() for path, item in items.items() if path.endswith(".service") and item.data.decode() != unit
    ]
    assert others
    assert all("Group=bulwark-backup\n" in other for other in others)
    assert "CapabilityBoundingSet=\n" in unit
    assert "IPAddressAllow=192.0.2.2\n" in unit
    assert OF_REPOSITORY.store not in unit
    bound = re.findall(r"^Bind(?:ReadOnly)?Paths=(.*)$", unit, re.MULTILINE)
    ours = [path for line in bound for path in line.split() if "bulwark" in path]
    assert ours == [f"{folder}/anteroom", "/var/lib/bulwark/incoming/main"]


def test_each_host_of_a_job_is_let_out_to_the_other_and_in_from_it_and_from_nobody_else() -> None:
    jobs = [OF_REPOSITORY, JOB, OF_PGBACKREST]
    assert outgoing_of(jobs) == [{"port": 8433, "networks": ["192.0.2.2"]}]
    assert incoming_of(jobs) == [{"port": 8432, "networks": ["192.0.2.2"], "comment": "backup main"}]
    assert outgoing_of([OF_DATABASE]) == []
    assert incoming_of([OF_DATABASE]) == [{"port": 8433, "networks": ["192.0.2.1"], "comment": "backup main"}]


def test_a_job_of_another_database_is_not_taken_over_and_a_port_is_given_once() -> None:
    other = dataclasses.replace(OF_REPOSITORY, repository=dataclasses.replace(APART, source_address="192.0.2.9"))
    present = parse_job(deployed(other).items[other.file].data.decode())
    with pytest.raises(RefusedForSafety, match=r"the job main is here already, for 192\.0\.2\.9"):
        plan_present(OF_REPOSITORY, dataclasses.replace(EMPTY, present_job=present), PROGRAM)
    assert plan_present(other, dataclasses.replace(EMPTY, present_job=present), PROGRAM)
    with pytest.raises(InvalidDeclaration, match="the port 8432 is that of the job main already"):
        plan_present(
            dataclasses.replace(OF_REPOSITORY, name="second"),
            dataclasses.replace(EMPTY, other_jobs=(present,)),
            PROGRAM,
        )


def test_two_hosts_may_have_addresses_of_ipv6() -> None:
    """None is put into brackets: pgBackRest and systemd take each apart from its port."""
    of_ipv6 = dataclasses.replace(APART, address="2001:db8::1", source_address="2001:db8::2")
    kept = deployed(dataclasses.replace(OF_REPOSITORY, repository=of_ipv6)).items
    read = deployed(dataclasses.replace(OF_DATABASE, repository=dataclasses.replace(of_ipv6, side=DATABASE))).items

    def lines(items: t.Mapping[str, Item], path: str) -> list[str]:
        return items[path].data.decode().splitlines()

    folder, units = "/etc/bulwark/backup/main.pgbackrest", "/etc/systemd/system/bulwark-backup-main"
    assert "pg1-host=2001:db8::2" in lines(kept, f"{folder}/repository.conf")
    assert "tls-server-address=2001:db8::1" in lines(kept, f"{folder}/anteroom/repository.conf")
    assert "repo1-host=2001:db8::1" in lines(read, f"{folder}/archive.conf")
    assert "tls-server-address=2001:db8::2" in lines(read, f"{folder}/source.conf")
    assert "IPAddressAllow=2001:db8::2" in lines(kept, f"{units}-repository.service")
    assert "IPAddressAllow=2001:db8::2" in lines(kept, f"{units}.service")
    assert "IPAddressAllow=2001:db8::1" in lines(read, f"{units}-source.service")
    job = dataclasses.replace(OF_REPOSITORY, repository=of_ipv6)
    (incoming,) = incoming_of([job])
    (outgoing,) = outgoing_of([job])
    rules = render_table(
        [port_rule(**incoming)],
        [account_rule(account="bulwark-backup", destinations=[(outgoing["port"], outgoing["networks"])])],
    )
    assert 'tcp dport 8432 ip6 saddr { 2001:db8::2/128 } counter accept comment "backup main"' in rules
    assert 'meta skuid "bulwark-backup" ip6 daddr { 2001:db8::2/128 } tcp dport 8433 counter accept' in rules


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"address": "backup.example.org"}, "address is 'backup.example.org', no address"),
        ({"source_address": ""}, "source_address is '', no address"),
        ({"source_address": "192.0.2.1"}, "both hosts are 192.0.2.1"),
        ({"address": "2001:db8::1", "source_address": "2001:DB8:0::1"}, "both hosts are 2001:db8::1"),
        ({"address": "fe80::1%eth0"}, "address is 'fe80::1%eth0', no address"),
        ({"side": "together"}, "address is of no use on one host"),
    ],
)
def test_two_hosts_are_named_by_their_addresses(changes: dict[str, str], complaint: str) -> None:
    with pytest.raises(InvalidDeclaration, match=complaint):
        dataclasses.replace(OF_REPOSITORY, repository=dataclasses.replace(APART, **changes))


@pytest.mark.parametrize("job", [OF_PGBACKREST, OF_REPOSITORY, OF_DATABASE], ids=["together", "apart", "database"])
def test_a_passphrase_that_is_sealed_by_age_alone_has_no_recipients_of_gnupg(job: Job) -> None:
    with pytest.raises(InvalidDeclaration) as refused:
        dataclasses.replace(job, recipients=BY_GNUPG.recipients)
    assert str(refused.value) == (
        "the passphrase of a repository of pgBackRest is sealed by age alone. "
        "Name recipients of age, or use the engine postgresql"
    )


def test_copies_of_what_is_rewritten_in_place_are_refused() -> None:
    with pytest.raises(InvalidDeclaration, match="offsite is of no use with the engine pgbackrest"):
        dataclasses.replace(OF_PGBACKREST, offsite=Offsite("keeper", 22, "bulwark-copies", "/k", "/h", ("192.0.2.7",)))


def with_item(host: Host, **changes: t.Any) -> Host:
    path = changes.pop("path")
    return dataclasses.replace(host, items={**host.items, path: dataclasses.replace(host.items[path], **changes)})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"path": JOB.store, "mode": 0o755}, "bulwark-backup:bulwark-backup 0755"),
        ({"path": JOB.file, "data": b"{}"}, "other content"),
        ({"path": JOB.file, "mode": 0o666, "data": b"{}"}, "0666, other content"),
        ({"path": JOB.incoming, "owner": "root"}, "root:bulwark-backup 2770"),
        ({"path": "/var/lib/bulwark", "mode": 0o750}, "root:root 0750"),
    ],
)
def test_what_was_changed_by_hand_is_mended(changes: dict[str, t.Any], said: str) -> None:
    plan = plan_present(JOB, with_item(deployed(), **changes), PROGRAM)
    assert [change.subject.split()[1] for change in plan] == [changes["path"]]
    assert said in plan.summaries()[0]


def test_a_timer_is_started_again_when_its_file_changed_or_it_stands_still() -> None:
    name = "bulwark-backup-main.timer"
    changed = with_item(deployed(), path=f"/etc/systemd/system/{name}", data=b"[Timer]\n")
    assert [change.payload[0] for change in plan_present(JOB, changed, PROGRAM)] == [PUT, ENABLE]
    for state in (ObservedTimer(False, True), ObservedTimer(True, False), ObservedTimer(True, True, outdated=True)):
        host = deployed()
        host = dataclasses.replace(host, timers={**host.timers, name: state})
        assert [change.payload for change in plan_present(JOB, host, PROGRAM)] == [(ENABLE, name)]


@pytest.mark.parametrize(
    "account",
    [
        ObservedAccount("/bin/bash", "/var/lib/bulwark", "bulwark-backup"),
        ObservedAccount("/usr/sbin/nologin", "/root", "bulwark-backup"),
        ObservedAccount("/usr/sbin/nologin", "/var/lib/bulwark", "users"),
        ObservedAccount("/usr/sbin/nologin", "/var/lib/bulwark", "bulwark-backup", ("postgres",)),
    ],
    ids=["shell", "home", "group", "another group"],
)
def test_an_account_that_can_more_than_it_needs_is_mended(account: ObservedAccount) -> None:
    host = dataclasses.replace(deployed(), account=account)
    assert [change.subject for change in plan_present(JOB, host, PROGRAM)] == ["account bulwark-backup"]


def test_units_that_a_job_no_longer_has_go_away() -> None:
    silent = dataclasses.replace(JOB, server=dataclasses.replace(SERVER, heartbeat_database="", unit=""))
    plan = plan_present(silent, deployed(), PROGRAM)
    assert sorted(change.subject.split("/")[-1].split()[-1] for change in plan) == [
        "60-bulwark-backup-main.conf",
        "bulwark-backup-main-heartbeat.service",
        "bulwark-backup-main-heartbeat.timer",
        "bulwark-backup-main-heartbeat.timer",
    ]
    assert plan_present(silent, applied(plan, deployed()), PROGRAM).summaries() == []


def test_an_absent_job_loses_units_and_files_and_keeps_its_backups() -> None:
    host = deployed()
    plan = plan_absent(host)
    gone = {change.payload[1] for change in plan}
    assert {JOB.file, "/etc/systemd/system/bulwark-backup-main.service"} <= gone
    assert not [path for path in gone if path.startswith((JOB.store, JOB.state, JOB.incoming, "/usr/local"))]
    assert not plan_absent(applied(plan, host))


REFUSED: list[tuple[dict[str, t.Any], type[BulwarkError], str]] = [
    ({"missing_programs": ("age",)}, MissingRequirement, "the program age is not there. Install Debian's age"),
    (
        {"missing_programs": ("/usr/lib/postgresql/15/bin/psql",)},
        MissingRequirement,
        "Install Debian's postgresql-client",
    ),
    ({"server_account": None}, InvalidDeclaration, "does not exist"),
    ({"calendar_complaint": "no such zone"}, InvalidDeclaration, "no such zone"),
    ({"tablespaces": ("/srv/fast",)}, RefusedForSafety, "tablespace .* /srv/fast"),
    ({"real_paths": {JOB.store: f"{DATA}/backup"}}, RefusedForSafety, "one within the other"),
    ({"real_paths": {DATA: f"{JOB.store}/data"}}, RefusedForSafety, "one within the other"),
    ({"real_paths": {JOB.incoming: DATA}}, RefusedForSafety, "one within the other"),
    (
        {"items": {JOB.store: Item("symbolic link", JOB.store, "root", "root", 0o777)}},
        RefusedForSafety,
        "symbolic link",
    ),
    ({"items": {JOB.file: Item(FOLDER, JOB.file, "root", "root", 0o755)}}, RefusedForSafety, "is a folder, a file is"),
    ({"items": {"/var": Item(FOLDER, "/var", "root", "root", 0o750)}}, RefusedForSafety, "can't pass through /var"),
    ({"items": {"/var": Item(FILE, "/var", "root", "root", 0o755)}}, RefusedForSafety, "a folder is needed"),
]


@pytest.mark.parametrize(("observed", "kind", "complaint"), REFUSED)
def test_what_can_not_work_is_refused(observed: dict[str, t.Any], kind: type[BulwarkError], complaint: str) -> None:
    with pytest.raises(kind, match=complaint):
        plan_present(JOB, dataclasses.replace(EMPTY, **observed), PROGRAM)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"store": "backups"}, "not an absolute path"),
        ({"store": "/srv/../data"}, "can't be used"),
        ({"store": "/srv/my backups"}, "can't be used"),
        ({"state": "/srv/state/"}, "can't be used"),
        ({"name": "Main"}, "can't be the name"),
        ({"name": "main-collect"}, "can't be the name"),
        ({"name": "../main"}, "can't be the name"),
    ],
)
def test_a_declaration_that_can_not_be_written_down_is_refused(changes: dict[str, str], complaint: str) -> None:
    with pytest.raises(InvalidDeclaration, match=complaint):
        dataclasses.replace(JOB, **changes)


def test_folders_of_a_job_within_each_other_are_refused() -> None:
    with pytest.raises(InvalidDeclaration, match="is within store"):
        plan_present(dataclasses.replace(JOB, state=f"{JOB.store}/state"), EMPTY, PROGRAM)


@pytest.mark.parametrize(
    "limits",
    [
        {"keep_days": 0},
        {"deadline_seconds": 0},
        {"compression_level": 20},
        {"minimum_free_percent": 100},
        {"smallest_share": 1.0},
    ],
)
def test_a_limit_without_sense_is_refused(limits: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidDeclaration, match=next(iter(limits))):
        Limits(**limits)


def test_a_server_whose_sandbox_is_older_than_the_anteroom_is_told_of() -> None:
    host = dataclasses.replace(deployed(), anteroom_is_closed=True)
    assert "restart it" in plan_present(JOB, host, PROGRAM).warnings[0]


def test_no_file_is_written_before_the_program_it_runs() -> None:
    assert next(iter(files_of(JOB, PROGRAM))).data == PROGRAM


def test_a_node_of_a_cluster_has_the_others_in_its_file_and_time_to_wait_for_them() -> None:
    server = Server(MARIADB, "/run/mysqld/mysqld.sock", "/var/lib/mysql", defaults_file="/etc/mysql/mariadb.cnf")
    alone = dataclasses.replace(JOB, server=server, incoming="")
    cluster = Cluster(("db2", "db1"), ("db1",), wait_seconds=30, late_seconds=900)
    node = dataclasses.replace(alone, cluster=cluster)
    assert parse_job(json.dumps(node.document)).cluster == cluster
    assert parse_job(json.dumps(alone.document)).cluster is None
    limits = [_limit(job) for job in (alone, node)]
    assert limits[1] - limits[0] == 30 + 900


def _limit(job: Job) -> int:
    (line,) = re.findall(r"^TimeoutStartSec=(\d+)", job.units[f"bulwark-backup-{job.name}.service"], re.MULTILINE)
    return int(line)


def test_a_cluster_of_postgresql_is_refused() -> None:
    text = json.dumps({**JOB.document, "cluster": dataclasses.asdict(Cluster(("a", "b")))})
    with pytest.raises(InvalidDeclaration, match="no use"):
        parse_job(text)


GOOD_KEYS = (
    KeyState(FINGERPRINTS[0], "-", encrypts=True),
    KeyState(FINGERPRINTS[1], "-", encrypts=True, expires=10**9),
)


def test_keys_of_openpgp_lie_in_files_that_the_job_names_with_their_end() -> None:
    host = dataclasses.replace(EMPTY, keys=GOOD_KEYS)
    after = applied(plan_present(BY_GNUPG, host, PROGRAM), host)
    read = parse_job(after.items[JOB.file].data.decode())
    assert (read.sealing, read.recipients) == ("gnupg", FINGERPRINTS)
    assert read.recipients_expire == {FINGERPRINTS[1]: "2001-09-09T01:46:40Z"}
    for name, text in SAMPLE_KEYS.items():
        item = after.items[f"{read.recipient_keys}/{name}.asc"]
        assert (item.data.decode(), item.access) == (text, "root:root 0644")
    assert plan_present(BY_GNUPG, after, PROGRAM).summaries() == []
    assert "sealing" not in json.loads(deployed().items[JOB.file].data)


def test_keys_go_when_another_tool_seals_or_the_job_goes() -> None:
    of_gnupg = deployed(BY_GNUPG)
    keys = {path for path in of_gnupg.items if path.endswith(".asc")}
    assert len(keys) == 2
    for plan in (plan_present(JOB, of_gnupg, PROGRAM), plan_absent(of_gnupg)):
        assert keys <= {change.payload[1] for change in plan if change.payload[0] == "remove"}
        assert not keys & set(applied(plan, of_gnupg).items)


def test_a_key_that_can_not_be_sealed_to_is_refused_and_one_that_expires_soon_is_told_of() -> None:
    expired = KeyState(FINGERPRINTS[0], "e", expires=7)
    with pytest.raises(InvalidDeclaration, match=f"the key {FINGERPRINTS[0]} has expired"):
        plan_present(BY_GNUPG, dataclasses.replace(EMPTY, keys=(expired, GOOD_KEYS[1])), PROGRAM)
    host = dataclasses.replace(EMPTY, keys=GOOD_KEYS, now=10**9 - 86400)
    (warning,) = plan_present(BY_GNUPG, host, PROGRAM).warnings
    assert FINGERPRINTS[1] in warning
    assert plan_present(BY_GNUPG, dataclasses.replace(host, now=10**9 - 40 * 86400), PROGRAM).warnings == ()


def test_a_host_without_gnupg_is_told_to_install_it() -> None:
    assert "gpg" in BY_GNUPG.programs()
    assert "age" not in BY_GNUPG.programs()
    with pytest.raises(MissingRequirement, match=r"gpg is not there\. Install Debian's gpg"):
        plan_present(BY_GNUPG, dataclasses.replace(EMPTY, missing_programs=("gpg",)), PROGRAM)


BUCKET = ObjectStorage(
    "https://s3.example.org", "copies", "db1/main", "us-east-1", "/etc/bulwark/backup/main.bucket", ("192.0.2.7",)
)
IN_BUCKET = dataclasses.replace(JOB, offsite=BUCKET, credentials=check_credentials("KEY", "hidden-word"))


def test_the_secret_of_a_bucket_is_in_one_file_that_the_account_alone_reads() -> None:
    with_secret = [item for item in files_of(IN_BUCKET, PROGRAM) if b"hidden-word" in item.data]
    assert [(item.path, item.access, item.is_secret) for item in with_secret] == [
        ("/etc/bulwark/backup/main.bucket/rclone.conf", "bulwark-backup:bulwark-backup 0400", True)
    ]
    plan = plan_present(IN_BUCKET, dataclasses.replace(deployed(), bucket=Bucket(Lock("COMPLIANCE", 8))), PROGRAM)
    assert "hidden-word" not in repr(plan) + str(plan.diff()) + repr(IN_BUCKET)
    assert parse_job(json.dumps(IN_BUCKET.document)).offsite == BUCKET
    assert IN_BUCKET.programs()["rclone"] == "rclone"
    assert "rclone" not in JOB.programs()


def test_the_service_that_sends_knows_one_name_and_reaches_one_host() -> None:
    unit = IN_BUCKET.units["bulwark-backup-main-deliver.service"]
    assert "IPAddressAllow=192.0.2.7\n" in unit
    assert "BindReadOnlyPaths=/etc/bulwark/backup/main.bucket/hosts:/etc/hosts\n" in unit
    assert "ConditionPathExists=/etc/bulwark/backup/main.bucket/rclone.conf\n" in unit


@pytest.mark.parametrize(
    ("bucket", "says"),
    [
        (Bucket(None), "does not lock what is put there"),
        (Bucket(Lock("COMPLIANCE", 7)), "locks for 7 days, 8 are needed"),
        (Bucket(Lock("COMPLIANCE", 8), "remove versions of objects"), "may remove versions of objects"),
    ],
)
def test_a_bucket_that_may_lose_copies_is_refused(bucket: Bucket, says: str) -> None:
    with pytest.raises(RefusedForSafety, match=says):
        plan_present(IN_BUCKET, dataclasses.replace(deployed(), bucket=bucket), PROGRAM)
