# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subjects of backup_monitor: metrics, notices and pings of a host's backups, or none of them."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.backup_deployment import Item, ObservedTimer
from .._core.backup_monitor_file import STARTTLS, TLS_MODES, Mail, Monitor, check_mail, check_ping_url, check_url
from .._core.backup_monitor_units import (
    MAIL_LOGIN,
    PING_URL,
    WEBHOOK_URL,
    Deployment,
    mail_login,
    plan_absent,
    plan_present,
    units_of,
)
from .._core.errors import InvalidDeclaration, MissingRequirement
from .._core.plan import Plan
from .._core.secrets import Secret
from .._io.backup_program import build_program
from .._io.job_deployment import apply_plan
from .._io.monitor_deployment import is_folder, observe_monitor, observe_timer
from .._io.units import require_booted

# What the program is made of: Ansible sends a host what is imported.
from .._job import monitor_command  # noqa: F401 # pylint: disable=unused-import

ENTRY: t.Final = "_job.monitor_command"
WATCHED: t.Final = ("jobs", "restore_tests", "copies", "certificates")
FOLDER: t.Final = "/var/lib/prometheus/node-exporter"


def monitor_options() -> dict[str, dict[str, t.Any]]:
    mail = {
        "relay": {"type": "str", "required": True},
        "port": {"type": "int", "default": 587},
        "tls": {"type": "str", "choices": list(TLS_MODES), "default": STARTTLS},
        "sender": {"type": "str", "required": True},
        "recipients": {"type": "list", "elements": "str", "required": True},
        "user": {"type": "str", "default": ""},
        "password": {"type": "str", "no_log": True},
    }
    names = {"type": "list", "elements": "str", "default": []}
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "metrics_folder": {"type": "str", "default": FOLDER},
        "jobs": names,
        "restore_tests": names,
        "copies": names,
        "certificates": names,
        "mail": {"type": "dict", "options": mail},
        "webhook_url": {"type": "str", "no_log": True},
        "ping_url": {"type": "str", "no_log": True},
        "ca_file": {"type": "str", "default": ""},
        "repeat_seconds": {"type": "int", "default": 3600},
        "timeout_seconds": {"type": "int", "default": 15},
    }


@dataclasses.dataclass(frozen=True)
class Observed:
    files: t.Mapping[str, Item]
    timers: t.Mapping[str, ObservedTimer]
    has_folder: bool = True


class PresentMonitor:
    """See ``Subject``."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._program = build_program(entry=ENTRY)

    def observe(self) -> Observed:
        require_booted()
        return Observed(observe_monitor(), observe_timer(), is_folder(self.deployment.monitor.metrics_folder))

    def plan(self, observed: Observed) -> Plan:
        if not observed.has_folder:
            raise MissingRequirement(
                f"metrics_folder {self.deployment.monitor.metrics_folder} is not there",
                "Install prometheus-node-exporter, or name the folder that its textfile collector reads",
            )
        return plan_present(self.deployment, self._program, observed.files, observed.timers)

    def apply(self, plan: Plan, observed: Observed) -> None:
        del observed
        apply_plan(plan)

    def result(self, observed: Observed, plan: Plan) -> dict[str, t.Any]:
        del observed, plan
        return {"metrics_folder": self.deployment.monitor.metrics_folder, "watched": units_of(self.deployment.monitor)}


class AbsentMonitor:
    """See ``Subject``."""

    def observe(self) -> Observed:
        require_booted()
        return Observed(observe_monitor(), observe_timer())

    def plan(self, observed: Observed) -> Plan:
        return plan_absent(observed.files, observed.timers)

    def apply(self, plan: Plan, observed: Observed) -> None:
        del observed
        apply_plan(plan)

    def result(self, observed: Observed, plan: Plan) -> dict[str, t.Any]:
        del observed, plan
        return {"watched": []}


def subject(options: t.Mapping[str, t.Any]) -> PresentMonitor | AbsentMonitor:
    """A subject from the module's parameters. Raises InvalidDeclaration."""
    return AbsentMonitor() if options["state"] == "absent" else PresentMonitor(deployment_of(options))


def deployment_of(options: t.Mapping[str, t.Any]) -> Deployment:
    if not any(options[name] for name in WATCHED):
        raise InvalidDeclaration("nothing is watched", f"Name {', '.join(WATCHED[:-1])} or {WATCHED[-1]}")
    secrets: dict[str, Secret] = {}
    mail = _mail(options["mail"], secrets) if options["mail"] else None
    if options["webhook_url"]:
        check_url("webhook_url", options["webhook_url"])
        secrets[WEBHOOK_URL] = Secret(options["webhook_url"])
    if options["ping_url"]:
        check_ping_url(options["ping_url"], options["jobs"])
        secrets[PING_URL] = Secret(options["ping_url"])
    monitor = Monitor(
        metrics_folder=options["metrics_folder"],
        **{name: tuple(dict.fromkeys(options[name])) for name in WATCHED},
        mail=mail,
        webhook=WEBHOOK_URL in secrets,
        ping=PING_URL in secrets,
        ca_file=options["ca_file"],
        repeat_seconds=options["repeat_seconds"],
        timeout_seconds=options["timeout_seconds"],
    )
    return Deployment(monitor, secrets)


def _mail(options: t.Mapping[str, t.Any], secrets: dict[str, Secret]) -> Mail:
    if options["user"]:
        if not options["password"]:
            raise InvalidDeclaration("mail has a user and no password", "Give mail.password, from a vault")
        secrets[MAIL_LOGIN] = mail_login(options["user"], Secret(options["password"]))
    return check_mail(
        Mail(
            relay=options["relay"],
            port=options["port"],
            tls=options["tls"],
            sender=options["sender"],
            recipients=tuple(options["recipients"]),
            has_login=MAIL_LOGIN in secrets,
        )
    )
