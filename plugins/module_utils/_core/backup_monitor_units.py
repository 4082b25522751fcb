# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The units of monitoring on a host: metrics each minute, a notice of failures, a ping after success. Pure.

Jobs, tests and copies are told of them by drop-ins of their own units, so whoever deploys those needs to know nothing
of it.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .backup_deployment import DISABLE, ENABLE, FILE, FOLDER, PUT, REMOVE, Item, ObservedTimer
from .backup_monitor_file import Monitor, render_monitor
from .backup_units import ENDINGS, PYTHON, UNIT_FOLDER
from .copies_look import DEEP
from .copies_units import UNIT_PREFIX
from .plan import Change, Plan
from .secrets import Secret
from .unit_text import CONFINEMENT, section

PROGRAM: t.Final = "/usr/local/lib/bulwark/bulwark-backup-monitor.pyz"
CONFIGURATION: t.Final = "/etc/bulwark/monitoring"
MONITOR_FILE: t.Final = f"{CONFIGURATION}/monitor.json"
DROP_IN: t.Final = "50-bulwark-monitoring.conf"
METRICS_UNIT: t.Final = "bulwark-backup-metrics"
NOTIFY_UNIT: t.Final = "bulwark-backup-notify@"
PING_UNIT: t.Final = "bulwark-backup-ping@"
TIMER: t.Final = f"{METRICS_UNIT}.timer"
# Names of secrets: of files here and of credentials there.
MAIL_LOGIN: t.Final = "mail_login"
WEBHOOK_URL: t.Final = "webhook_url"
PING_URL: t.Final = "ping_url"
SECRETS: t.Final = (MAIL_LOGIN, WEBHOOK_URL, PING_URL)
UNITS: t.Final = (f"{METRICS_UNIT}.service", TIMER, f"{NOTIFY_UNIT}.service", f"{PING_UNIT}.service")

_HEADER: t.Final = "# Managed by bulwark.database (backup_monitor): the next run undoes changes made here by hand.\n"
_METRICS_SECONDS: t.Final = 120
_ATTEMPTS_SECONDS: t.Final = 180
_SANDBOX: t.Final = (*CONFINEMENT, ("MemoryDenyWriteExecute", "yes"))


@dataclasses.dataclass(frozen=True)
class Deployment:
    """:param secrets: by name; those that are not used are missing."""

    monitor: Monitor
    secrets: t.Mapping[str, Secret]


def mail_login(user: str, password: Secret) -> Secret:
    """As the program reads it."""
    return Secret(json.dumps({"user": user, "password": password.reveal()}) + "\n")


def files_of(deployment: Deployment, program: bytes) -> list[Item]:
    """Secrets before the units that read them, the timer last."""
    monitor = deployment.monitor
    texts = {MONITOR_FILE: render_monitor(monitor), **_units(deployment), **_drop_ins(monitor)}
    secrets = [
        Item(FILE, f"{CONFIGURATION}/{name}", "root", "root", 0o600, secret.reveal().encode())
        for name, secret in deployment.secrets.items()
    ]
    files = [Item(FILE, path, "root", "root", 0o644, text.encode()) for path, text in texts.items()]
    return [Item(FILE, PROGRAM, "root", "root", 0o755, program), *secrets, *files]


def folders_of() -> list[Item]:
    """For what everybody may read; the secrets have modes of their own."""
    return [
        Item(FOLDER, path, "root", "root", 0o755) for path in ("/etc/bulwark", CONFIGURATION, "/usr/local/lib/bulwark")
    ]


def fixed_paths() -> list[str]:
    """Every file but the drop-ins, whatever is declared."""
    secrets = [f"{CONFIGURATION}/{name}" for name in SECRETS]
    return [PROGRAM, MONITOR_FILE, *secrets, *(f"{UNIT_FOLDER}/{name}" for name in UNITS)]


def plan_present(
    deployment: Deployment, program: bytes, found: t.Mapping[str, Item], timers: t.Mapping[str, ObservedTimer]
) -> Plan:
    """:param found: what of the files and folders there is, by path."""
    wanted = [*folders_of(), *files_of(deployment, program)]
    folders = {item.path for item in folders_of()}
    changes = [change for item in wanted for change in _item_changes(item, found.get(item.path))]
    obsolete = set(found) - {item.path for item in wanted} - folders
    changes += [Change(f"file {path}", "present", "", payload=(REMOVE, path)) for path in sorted(obsolete)]
    timer, touched = timers.get(TIMER), {change.subject for change in changes}
    if timer is None or not timer.runs or timer.outdated or f"file {UNIT_FOLDER}/{TIMER}" in touched:
        changes.append(Change(f"timer {TIMER}", str(timer or ""), "enabled, active", payload=(ENABLE, TIMER)))
    return Plan(tuple(changes))


def plan_absent(found: t.Mapping[str, Item], timers: t.Mapping[str, ObservedTimer]) -> Plan:
    """All goes, secrets too; folders stay, because others use them."""
    stops = [
        Change(f"timer {name}", str(timer), "disabled, inactive", payload=(DISABLE, name))
        for name, timer in timers.items()
        if timer.enabled or timer.active
    ]
    files = sorted(path for path, item in found.items() if item.kind == FILE)
    return Plan((*stops, *(Change(f"file {path}", "present", "", payload=(REMOVE, path)) for path in files)))


def _units(deployment: Deployment) -> dict[str, str]:
    monitor = deployment.monitor
    units = {f"{METRICS_UNIT}.service": _metrics_service(monitor)}
    if monitor.notifies:
        units[f"{NOTIFY_UNIT}.service"] = _telling_service(
            deployment,
            "Tell of the failure of %i",
            "notify",
            [name for name in (MAIL_LOGIN, WEBHOOK_URL) if name in deployment.secrets],
            # to read what the unit said
            [("SupplementaryGroups", "systemd-journal"), ("StateDirectory", "bulwark-backup-notify")],
        )
    if monitor.ping:
        units[f"{PING_UNIT}.service"] = _telling_service(
            deployment,
            "Tell the watch outside of the success of %i",
            "ping",
            [PING_URL],
            [("StateDirectory", "bulwark-backup-ping")],
        )
    units[TIMER] = _timer()
    return {f"{UNIT_FOLDER}/{name}": text for name, text in units.items()}


def _metrics_service(monitor: Monitor) -> str:
    """As root, because stores, logs of a server and certificates are other accounts'; it may write to two folders."""
    service = [
        ("Type", "oneshot"),
        ("ExecStart", _command("metrics")),
        ("TimeoutStartSec", str(_METRICS_SECONDS)),
        ("Nice", "10"),
        ("IOSchedulingClass", "idle"),
        *_SANDBOX,
        ("CapabilityBoundingSet", "CAP_DAC_OVERRIDE"),
        ("PrivateNetwork", "yes"),
        ("RestrictAddressFamilies", "AF_UNIX"),
        ("UMask", "0022"),
        ("StateDirectory", METRICS_UNIT),
        ("ReadWritePaths", monitor.metrics_folder),
        # What comes by each minute would fill the journal with "Starting" and "Finished"; failures are said.
        ("SyslogLevel", "notice"),
        ("LogLevelMax", "notice"),
    ]
    unit = [("Description", "Metrics of encrypted backups, copies and restore tests")]
    if monitor.notifies:
        unit.append(("OnFailure", f"{NOTIFY_UNIT}%n.service"))
    return f"{_HEADER}{section('Unit', unit)}\n{section('Service', service)}"


def _telling_service(
    deployment: Deployment,
    description: str,
    command: str,
    credentials: t.Sequence[str],
    more: t.Sequence[tuple[str, str]],
) -> str:
    """With a network, and without an account: all it can read is its own credentials."""
    attempts = 3 * (deployment.monitor.timeout_seconds + 10) * 2
    service = [
        ("Type", "oneshot"),
        ("ExecStart", f"{_command(command)} %i"),
        ("TimeoutStartSec", str(_ATTEMPTS_SECONDS + attempts)),
        ("DynamicUser", "yes"),
        *_SANDBOX,
        ("CapabilityBoundingSet", ""),
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
        ("UMask", "0077"),
        *(("LoadCredential", f"{name}:{CONFIGURATION}/{name}") for name in credentials),
        *more,
    ]
    return f"{_HEADER}{section('Unit', [('Description', description)])}\n{section('Service', service)}"


def _timer() -> str:
    timer = [("OnCalendar", "minutely"), ("AccuracySec", "1s")]
    unit = [("Description", "Metrics of encrypted backups, copies and restore tests, each minute")]
    return (
        f"{_HEADER}{section('Unit', unit)}\n{section('Timer', timer)}\n"
        f"{section('Install', [('WantedBy', 'timers.target')])}"
    )


def _drop_ins(monitor: Monitor) -> dict[str, str]:
    told = [("OnFailure", f"{NOTIFY_UNIT}%n.service")] if monitor.notifies else []
    pinged = [("OnSuccess", f"{PING_UNIT}%n.service")] if monitor.ping else []
    found: dict[str, str] = {}
    for unit in units_of(monitor):
        is_full = unit in {f"bulwark-backup-{name}.service" for name in monitor.jobs}
        directives = [*told, *(pinged if is_full else [])]
        if directives:
            found[f"{UNIT_FOLDER}/{unit}.d/{DROP_IN}"] = f"{_HEADER}{section('Unit', directives)}"
    return found


def units_of(monitor: Monitor) -> list[str]:
    """Services of every job, test and source of copies that is watched, there or not."""
    return [unit for names in (units_of_job, units_of_test, units_of_copies) for unit in names(monitor)]


def units_of_job(monitor: Monitor) -> list[str]:
    return [f"bulwark-backup-{name}{end}.service" for name in monitor.jobs for end in ("", *ENDINGS)]


def units_of_test(monitor: Monitor) -> list[str]:
    return [f"bulwark-restore-test-{name}{end}.service" for name in monitor.restore_tests for end in ("", "-pull")]


def units_of_copies(monitor: Monitor) -> list[str]:
    return [unit for name in monitor.copies for unit in units_of_source(name)]


def units_of_source(name: str) -> list[str]:
    return [f"{UNIT_PREFIX}{name}{end}.service" for end in ("", DEEP)]


def _command(name: str) -> str:
    return f"{PYTHON} -I {PROGRAM} {name} --monitor {MONITOR_FILE}"


def _item_changes(item: Item, found: Item | None) -> t.Iterator[Change]:
    if found is None:
        yield Change(f"{item.kind} {item.path}", "", item.access, payload=(PUT, item))
        return
    if item.kind == FOLDER:
        return  # other parts of the collection use them too, and none of them closes what this needs
    differs = [] if found.access == item.access else [found.access]
    if found.data != item.data:
        differs.append("other content")
    if differs:
        yield Change(f"file {item.path}", ", ".join(differs), item.access, payload=(PUT, item))
