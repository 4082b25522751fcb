# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Who logs in, and how a password is proved and kept."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.plan import LIVE, RELOAD, RESTART
from .acceptance import Holding, Within
from .hba_check import (
    HbaCheck,
    from_everywhere,
    superuser_from_afar,
    superuser_not_by_peer,
    trusting,
    unreadable,
    weak,
)
from .model import Control
from .query_check import QueryCheck
from .setting_check import fixed

_RULES_REMEDY: t.Final = "Declare the rules with postgresql_hba, or take over those of the role postgresql_hardening"

_CONTROLS_OF_RULES: t.Final = (
    Control(
        id="PG-AUTH-001",
        title="No rule of pg_hba.conf trusts",
        category="authentication",
        rationale="A rule with trust lets anybody who reaches the server be any role, a superuser included.",
        checks=(HbaCheck("no rule with the method trust", trusting),),
        remedy=_RULES_REMEDY,
        source=("TX-2.2.1",),
        references=("CIS-PG17 5.3", "CIS-PG17 5.4", "STIG CD16-00-003600", "devsec postgres-13", "devsec postgres-14"),
    ),
    Control(
        id="PG-AUTH-002",
        title="No rule takes a password in clear, an md5 hash or the client's word",
        category="authentication",
        rationale="The methods password and md5 send what can be replayed or cracked, ident believes the client's host,"
        " and ldap, radius or pam pass on a password that crossed the network in clear unless TLS protects it.",
        checks=(HbaCheck("no rule with password, md5 or ident; ldap, radius, pam and bsd only with TLS", weak),),
        remedy=f"{_RULES_REMEDY}. Roles that still hold md5 verifiers get a new password first (PG-AUTH-005)",
        source=("TX-2.2.1", "TX-2.2.10"),
        references=("CIS-PG17 5.4", "STIG CD16-00-003900", "devsec postgres-14"),
    ),
    Control(
        id="PG-AUTH-003",
        title="Superusers log in on this host by peer, and no mapping makes others superusers",
        category="authentication",
        rationale="The kernel vouches for the account on the other end of a socket; nothing can be guessed or stolen.",
        checks=(
            HbaCheck(
                "superusers enter through the socket by peer only, and one such rule exists", superuser_not_by_peer
            ),
            QueryCheck(
                kind="mappings to superusers",
                expected="no mapping of pg_ident.conf makes another account a superuser",
                sql="""
SELECT 'line ' || line_number || ': ' || map_name || ' maps ' || sys_name || ' to ' || pg_username
  FROM pg_catalog.pg_ident_file_mappings
 WHERE error IS NULL
   AND (pg_username = 'all' OR pg_username ~ '[\\\\]1' OR left(pg_username, 1) IN ('/', '+')
        OR pg_username IN (SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolsuper))
   AND (left(sys_name, 1) = '/' OR sys_name NOT IN ('root', pg_username))""",
                minimum=150000,
            ),
        ),
        remedy=f"{_RULES_REMEDY}; take such mappings out of its ident_mappings",
        source=("TX-2.2.1",),
        references=("CIS-PG17 5.3", "devsec postgres-13"),
    ),
    Control(
        id="PG-AUTH-011",
        title="What is loaded is what the files say",
        category="authentication",
        rationale="A reload with a broken pg_hba.conf keeps the old rules, and an edited file that nobody loaded "
        "changes nothing: whoever reads the files only is deceived.",
        checks=(
            HbaCheck("every line of pg_hba.conf can be read", unreadable),
            QueryCheck(
                kind="differences between files and server",
                expected="no file changed since it was loaded, no setting in error or waiting for a restart",
                sql="""
SELECT f || ' changed after it was loaded'
  FROM pg_catalog.unnest(ARRAY[current_setting('hba_file'), current_setting('ident_file')]) AS f
 WHERE (pg_catalog.pg_stat_file(f, true)).modification > pg_catalog.pg_conf_load_time()
UNION ALL
SELECT sourcefile || ' line ' || sourceline || ': ' || coalesce(name, '') || ' ' || error
  FROM pg_catalog.pg_file_settings
 WHERE error IS NOT NULL AND error <> 'setting could not be applied'
UNION ALL
SELECT name || ' waits for a restart' FROM pg_catalog.pg_settings WHERE pending_restart""",
            ),
        ),
        remedy="Mend what the evidence names, then reload; restart the server for what waits for it",
        activation=RESTART,
        source=("TX-2.3.1",),
    ),
    Control(
        id="PG-AUTH-012",
        title="Rules admit named networks only",
        category="authentication",
        rationale="A rule for any address invites the whole Internet to try passwords as soon as a firewall errs.",
        checks=(HbaCheck("no rule admits any address, or more than the declared networks", from_everywhere),),
        remedy="Declare the clients' networks in postgresql_hardening_trusted_networks",
        source=("OG-2.1", "OG-2.3", "TX-2.3.2"),
        references=("greenbone openGauss setting_user_for_host_entries",),
    ),
    Control(
        id="PG-AUTH-013",
        title="No superuser logs in over the network",
        category="authentication",
        rationale="A superuser's stolen or guessed password is the whole host: COPY PROGRAM runs commands.",
        checks=(HbaCheck("no rule admits a superuser from elsewhere", superuser_from_afar),),
        remedy=f"{_RULES_REMEDY}: a rule above the others rejects superusers over TCP",
        source=("OG-2.1", "TX-2.3.1"),
    ),
)

_CONTROLS_OF_PASSWORDS: t.Final = (
    Control(
        id="PG-AUTH-004",
        title="New passwords are stored as SCRAM-SHA-256, for every role and database",
        category="authentication",
        rationale="An md5 verifier is as good as the password itself to whoever reads it.",
        checks=(fixed("password_encryption", "scram-sha-256", override_check=True),),
        remedy="Set password_encryption with postgresql_settings; ALTER ROLE or DATABASE ... RESET password_encryption",
        source=("TX-2.2.1",),
        references=("CIS-PG17 5.12", "STIG CD16-00-003800", "devsec postgres-07"),
    ),
    Control(
        id="PG-AUTH-005",
        title="No md5 verifier is stored",
        category="authentication",
        rationale="Roles whose password was set long ago keep their md5 verifier until it is set anew.",
        checks=(
            QueryCheck(
                kind="roles with an md5 verifier",
                expected="every stored password is a SCRAM-SHA-256 verifier",
                sql="""
SELECT rolname::text FROM pg_catalog.pg_authid
 WHERE rolpassword IS NOT NULL AND rolpassword !~ '^SCRAM-SHA-256[$]' ORDER BY 1""",
            ),
        ),
        remedy="Set the password anew, with postgresql_roles or \\password",
        activation=LIVE,
        source=("TX-2.2.1", "TX-2.2.3"),
        references=("STIG CD16-00-003800", "devsec postgres-07"),
    ),
    Control(
        id="PG-AUTH-006",
        title="SCRAM verifiers cost more to crack",
        category="authentication",
        level=STRICT,
        rationale="More iterations make every guess on stolen verifiers slower, at the price of slower logins.",
        checks=(
            fixed("scram_iterations", "10000", Within("10000"), override_check=True, minimum=160000),
            QueryCheck(
                kind="roles with fewer iterations",
                expected="10000 iterations or more in every stored verifier",
                sql="""
SELECT rolname::text FROM pg_catalog.pg_authid
 WHERE rolpassword ~ '^SCRAM-SHA-256[$]'
   AND pg_catalog.split_part(pg_catalog.split_part(rolpassword, '$', 2), ':', 1)::int < 10000 ORDER BY 1""",
                minimum=160000,
            ),
        ),
        remedy="Set scram_iterations with postgresql_settings, then every password anew with \\password",
        source=("TX-2.2.1",),
    ),
    Control(
        id="PG-AUTH-007",
        title="A module refuses poor passwords",
        category="authentication",
        rationale="The server itself takes any password. passwordcheck, which comes with it, wants eight characters,"
        " letters and others, and not the role's name.",
        checks=(
            fixed(
                "shared_preload_libraries",
                "passwordcheck",
                Holding((("passwordcheck", "credcheck", "passwordpolicy", "$libdir/passwordcheck"),)),
            ),
        ),
        remedy="Set shared_preload_libraries with postgresql_settings, and restart",
        activation=RESTART,
        source=("TX-2.2.3", "TX-2.2.4"),
        references=("CIS-PG17 5.6",),
    ),
    Control(
        id="PG-AUTH-008",
        title="People's passwords expire",
        category="authentication",
        level=STRICT,
        rationale="The server knows no age of passwords: VALID UNTIL is the only way to make people change them.",
        checks=(
            QueryCheck(
                kind="people's roles without an expiry within 90 days",
                expected="VALID UNTIL within 90 days for every role in human_roles that has a password",
                sql="""
SELECT rolname::text FROM pg_catalog.pg_authid
 WHERE rolname = ANY (%(human_roles)s::name[]) AND rolcanlogin AND rolpassword IS NOT NULL
   AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now() + interval '90 days') ORDER BY 1""",
                needs="human_roles",
            ),
        ),
        remedy="Declare valid_until with postgresql_roles",
        activation=LIVE,
        source=("TX-2.2.5",),
    ),
    Control(
        id="PG-AUTH-009",
        title="Failed logins are slowed down",
        category="authentication",
        rationale="Half a second after every failure costs people nothing and guessing programs nearly everything.",
        checks=(
            fixed(
                "shared_preload_libraries", "auth_delay", Holding((("auth_delay", "credcheck", "$libdir/auth_delay"),))
            ),
            fixed("auth_delay.milliseconds", "500", Within("100", "5000")),
        ),
        remedy="Set shared_preload_libraries and auth_delay.milliseconds with postgresql_settings, and restart",
        activation=RESTART,
        source=("TX-2.2.6", "TX-2.2.7"),
    ),
    Control(
        id="PG-AUTH-010",
        title="Unfinished logins are dropped soon",
        category="authentication",
        rationale="Connections that never finish their login hold slots that others need.",
        checks=(fixed("authentication_timeout", "30s", Within("1s", "60s")),),
        remedy="Set authentication_timeout with postgresql_settings",
        activation=RELOAD,
        source=("TX-2.2.8",),
        references=("greenbone openGauss authentication_timeout",),
    ),
)

CONTROLS: t.Final = (*_CONTROLS_OF_RULES, *_CONTROLS_OF_PASSWORDS)
