# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assessments made up for the report's tests: a stock server, the same server hardened, and a small fleet."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.bulwark.database.plugins.module_utils._controls.model import CATEGORIES

# id, title, category, level, stock verdict, observed on a stock server, expected (observed when hardened), remedy
_CONTROLS: tuple[tuple[str, str, str, str, str, str, str, str], ...] = (
    (
        "PG-AUTH-001",
        "pg_hba has no trust rule",
        "authentication",
        "essential",
        "fail",
        "line 118: local all all trust",
        "no rule with method trust",
        "Replace trust with peer on sockets, scram-sha-256 on TCP",
    ),
    (
        "PG-AUTH-002",
        "No rule asks for a cleartext password or md5",
        "authentication",
        "essential",
        "fail",
        "line 121: host all all 127.0.0.1/32 md5",
        "scram-sha-256, peer or cert on every rule",
        "ALTER ROLE ... PASSWORD anew, then method scram-sha-256",
    ),
    (
        "PG-AUTH-004",
        "New passwords are stored as SCRAM-SHA-256",
        "authentication",
        "essential",
        "pass",
        "scram-sha-256",
        "scram-sha-256",
        "ALTER SYSTEM SET password_encryption = 'scram-sha-256'",
    ),
    (
        "PG-AUTH-009",
        "Failed logins are slowed down",
        "authentication",
        "essential",
        "fail",
        "auth_delay is not loaded",
        "auth_delay preloaded, 500 ms or more",
        "shared_preload_libraries = 'auth_delay'\nauth_delay.milliseconds = 1000",
    ),
    (
        "PG-AUTH-011",
        "pg_hba.conf parses cleanly and is what the server runs",
        "authentication",
        "essential",
        "pass",
        "12 rules, none with an error",
        "no error; loaded equals file",
        "Mend the line, then SELECT pg_reload_conf()",
    ),
    (
        "PG-ROLE-001",
        "Superusers are exactly the declared ones",
        "authorization",
        "essential",
        "pass",
        "postgres",
        "postgres",
        "ALTER ROLE ... NOSUPERUSER",
    ),
    (
        "PG-ROLE-003",
        "Roles that reach the operating system are not granted",
        "authorization",
        "essential",
        "fail",
        "pg_execute_server_program granted to etl",
        "granted to nobody",
        "REVOKE pg_execute_server_program FROM etl",
    ),
    (
        "PG-ROLE-005",
        "PUBLIC can't create objects in schema public",
        "authorization",
        "essential",
        "pass",
        "no CREATE for PUBLIC",
        "no CREATE for PUBLIC",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    ),
    (
        "PG-ROLE-006",
        "PUBLIC can't connect to application databases",
        "authorization",
        "essential",
        "fail",
        "CONNECT, TEMPORARY for PUBLIC in app, billing",
        "no right for PUBLIC",
        "REVOKE ALL ON DATABASE app, billing FROM PUBLIC",
    ),
    (
        "PG-ROLE-009",
        "SECURITY DEFINER routines pin search_path",
        "authorization",
        "essential",
        "not_applicable",
        "no such routine",
        "search_path set on each",
        "ALTER FUNCTION ... SET search_path = pg_catalog, pg_temp",
    ),
    ("PG-TLS-001", "TLS is on", "encryption", "essential", "fail", "off", "on", "ALTER SYSTEM SET ssl = on"),
    (
        "PG-TLS-002",
        "Only TLS 1.2 or newer",
        "encryption",
        "essential",
        "pass",
        "TLSv1.2",
        "TLSv1.2 or newer",
        "ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1.2'",
    ),
    (
        "PG-TLS-003",
        "Only forward-secret AEAD suites are offered",
        "encryption",
        "essential",
        "fail",
        "HIGH:MEDIUM:+3DES:!aNULL",
        "ECDHE+AESGCM:ECDHE+CHACHA20",
        "ALTER SYSTEM SET ssl_ciphers = 'ECDHE+AESGCM:ECDHE+CHACHA20'",
    ),
    (
        "PG-TLS-004",
        "The certificate is CA-issued, matches the host and is in date",
        "encryption",
        "essential",
        "fail",
        "self-signed: CN=debian",
        "issued by the CA, name matches, 30 days left or more",
        "Run the role with postgresql_hardening_tls: managed",
    ),
    (
        "PG-TLS-006",
        "Remote clients can't connect without encryption",
        "encryption",
        "essential",
        "fail",
        "2 rules of type host",
        "hostssl, or reject",
        "Replace host by hostssl; add: hostnossl all all all reject",
    ),
    (
        "PG-FS-001",
        "Data, WAL and tablespace directories are private",
        "filesystem",
        "essential",
        "pass",
        "0700 postgres:postgres",
        "0700 postgres:postgres",
        "chmod 0700 /var/lib/postgresql/15/main",
    ),
    (
        "PG-FS-002",
        "Configuration is not readable by others",
        "filesystem",
        "essential",
        "fail",
        "postgresql.conf 0644",
        "0640 or stricter",
        "chmod 0640 /etc/postgresql/15/main/postgresql.conf",
    ),
    (
        "PG-FS-004",
        "Data checksums are on",
        "filesystem",
        "essential",
        "fail",
        "off",
        "on",
        "Stop the server, then pg_checksums --enable -D /var/lib/postgresql/15/main",
    ),
    (
        "OS-SVC-001",
        "The service runs in a systemd sandbox",
        "filesystem",
        "essential",
        "fail",
        "exposure 9.2 UNSAFE",
        "exposure 4.0 or less",
        "Run the role host_hardening",
    ),
    (
        "PG-LOG-001",
        "Text of failing statements stays out of the log",
        "logging",
        "essential",
        "fail",
        "log_min_error_statement = error",
        "panic",
        "ALTER SYSTEM SET log_min_error_statement = 'panic'",
    ),
    (
        "PG-LOG-002",
        "The log level is never DEBUG",
        "logging",
        "essential",
        "fail",
        "debug1",
        "warning",
        "ALTER SYSTEM SET log_min_messages = 'warning'",
    ),
    (
        "PG-LOG-003",
        "Details that quote row values stay out of the log",
        "logging",
        "essential",
        "fail",
        "default",
        "terse",
        "ALTER SYSTEM SET log_error_verbosity = 'terse'",
    ),
    (
        "PG-LOG-004",
        "Bind parameters are not logged",
        "logging",
        "essential",
        "pass",
        "0",
        "0",
        "ALTER SYSTEM SET log_parameter_max_length_on_error = 0",
    ),
    (
        "PG-LOG-008",
        "Logins and logouts are logged",
        "logging",
        "essential",
        "fail",
        "log_connections = off",
        "on",
        "ALTER SYSTEM SET log_connections = on",
    ),
    (
        "PG-LOG-009",
        "Each record says who, from where and when",
        "logging",
        "essential",
        "fail",
        "%m [%p] %q%u@%d",
        "%m [%p] %q%u@%d %r %a",
        "ALTER SYSTEM SET log_line_prefix = '%m [%p] %q%u@%d/%a %h %x '",
    ),
    (
        "PG-LOG-012",
        "No role or database overrides a logging setting",
        "logging",
        "essential",
        "fail",
        "role reporting: log_statement=all",
        "no override",
        "ALTER ROLE reporting RESET log_statement",
    ),
    (
        "NET-001",
        "The firewall admits the database port only from declared networks",
        "network",
        "essential",
        "fail",
        "no nftables ruleset",
        "5432 from 10.20.0.0/16 only",
        "Set bulwark_trusted_networks and run host_hardening",
    ),
    (
        "NET-003",
        "PostgreSQL listens on declared addresses only",
        "network",
        "essential",
        "fail",
        "*",
        "localhost,10.20.0.11",
        "ALTER SYSTEM SET listen_addresses = 'localhost,10.20.0.11'",
    ),
    (
        "PKG-002",
        "The major version still receives fixes",
        "packages",
        "essential",
        "pass",
        "15, until 2027-11-11",
        "in support",
        "Plan a major upgrade",
    ),
    (
        "PKG-003",
        "The newest minor release is installed and running",
        "packages",
        "essential",
        "not_observable",
        "package lists are older than 7 days",
        "running = installed = newest offered",
        "apt-get update, then upgrade and restart",
    ),
    (
        "PKG-006",
        "Only needed packages are installed",
        "packages",
        "essential",
        "fail",
        "gcc, telnet, rsh-client",
        "none of the deny-list",
        "apt-get remove gcc telnet rsh-client",
    ),
    (
        "PG-SES-001",
        "Idle transactions and sessions end",
        "sessions",
        "essential",
        "fail",
        "idle_in_transaction_session_timeout = 0",
        "10min or less",
        "ALTER SYSTEM SET idle_in_transaction_session_timeout = '10min'",
    ),
    (
        "PG-AUTH-010",
        "Unfinished logins are dropped quickly",
        "sessions",
        "essential",
        "pass",
        "60s",
        "60s or less",
        "ALTER SYSTEM SET authentication_timeout = '30s'",
    ),
)

_STILL_FAILING = ("PG-FS-004",)
_WAIVER = {
    "reason": "The build agent on this host needs gcc until it moves",
    "owner": "platform@example.org",
    "expires": "2027-01-31",
    "expired": False,
}
_RESIDUAL = [
    "The primary message of a bad cast, of RAISE and of an unknown table can still quote a value at level essential"
]
_RATIONALES = {
    "authentication": "A login that can be guessed, replayed or skipped opens everything behind it.",
    "authorization": "What a role may do decides what a stolen password is worth.",
    "encryption": "Passwords and rows cross the network; whoever stands in between reads and alters the rest.",
    "filesystem": "Whoever reads the data files, keys or configuration needs no login at all.",
    "logging": "Failing statements carry personal data. Logs are copied, shipped and kept longer than tables.",
    "network": "A port that a stranger can't reach can't be attacked by him.",
    "packages": "What is not installed needs no patch and helps no intruder.",
    "sessions": "Sessions that nobody ends hold locks and slots, and wait to be taken over.",
}


def stock() -> dict[str, t.Any]:
    """A server as the distribution delivers it, with the usual accidents."""
    return _assessment([_result(entry, hardened=False) for entry in _CONTROLS], "2026-11-22T03:00:00Z")


def hardened() -> dict[str, t.Any]:
    """The same server afterwards: one control still fails, one is waived, one leaves a residual."""
    results = [_result(entry, hardened=True) for entry in _CONTROLS]
    return _assessment(results, "2026-11-22T03:04:12Z", warnings=["PostgreSQL waits for a restart: 2 settings"])


def fleet() -> dict[str, dict[str, t.Any]]:
    """Three hosts: hardened, stock, and hardened with an expired waiver."""
    third = copy.deepcopy(hardened())
    package = next(result for result in third["results"] if result["id"] == "PKG-006")
    package["verdict"] = "fail"
    package["waiver"].update(expires="2026-11-01", expired=True)
    return {"pg1": hardened(), "pg2": stock(), "pg3": _assessment(third["results"], "2026-11-22T03:04:14Z")}


def _result(entry: tuple[str, ...], *, hardened: bool) -> dict[str, t.Any]:
    control, title, category, level, verdict, observed, expected, remedy = entry
    waiver = None
    if hardened and control == "PKG-006":
        verdict, observed, waiver = "waived", "gcc", dict(_WAIVER)
    elif hardened and verdict == "fail" and control not in _STILL_FAILING:
        verdict, observed = "pass", expected
    return {
        "id": control,
        "title": title,
        "category": category,
        "level": level,
        "rationale": _RATIONALES[category],
        "source": ["OG-3.4"] if category == "logging" else ["beyond"],
        "references": ["CIS-PG17 3.1.22", "STIG CD16-00-009300"],
        "verdict": verdict,
        "observed": observed,
        "expected": expected,
        "evidence": [
            f"{control}: {observed}",
            "source: configuration file, /etc/postgresql/15/main/postgresql.conf:42",
        ],
        "remedy": remedy,
        "activation": "restart" if "preload" in remedy or "listen" in remedy else "reload",
        "deviation": control == "NET-003",
        "residual": _RESIDUAL if control == "PG-LOG-001" and hardened else [],
        "waiver": waiver,
    }


def _assessment(results: list[dict[str, t.Any]], moment: str, *, warnings: t.Sequence[str] = ()) -> dict[str, t.Any]:
    return {
        "schema": 1,
        "engine": "postgresql",
        "server_version": "15.18",
        "level": "essential",
        "log_policy": "privacy",
        "assessed_at": moment,
        "score": _score(results),
        "categories": [_category(name, results) for name in CATEGORIES],
        "results": results,
        "warnings": list(warnings),
    }


def _category(name: str, results: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    mine = [result for result in results if result["category"] == name]
    named = {"passed": "pass", "failed": "fail"}
    counts = {
        key: sum(result["verdict"] == named.get(key, key) for result in mine)
        for key in ("passed", "failed", "waived", "not_applicable", "not_observable")
    }
    return {"name": name, "title": CATEGORIES[name], "score": _score(mine), **counts}


def _score(results: list[dict[str, t.Any]]) -> int:
    applicable = [result for result in results if result["verdict"] != "not_applicable"]
    kept = sum(result["verdict"] in ("pass", "waived") for result in applicable)
    return 100 * kept // len(applicable) if applicable else 100


def history() -> list[dict[str, t.Any]]:
    """Points of earlier runs on pg1, as the report keeps them."""
    scores = {
        "2026-10-11": 28,
        "2026-10-18": 31,
        "2026-10-25": 31,
        "2026-11-01": 28,
        "2026-11-08": 46,
        "2026-11-15": 46,
    }
    host = {"basis": "postgresql/essential/privacy", "verdicts": {}}
    return [
        {"schema": 1, "assessed_at": f"{day}T03:00:00Z", "hosts": {"pg1": {**host, "score": score}}}
        for day, score in scores.items()
    ]
