# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What is installed, from where, and how old it is."""

from __future__ import annotations

import datetime

from .host_checks import OneMajorCheck, SourcesCheck, SupportCheck, SurplusCheck, UpdateCheck
from .model import EVERY_ENGINE, MARIADB, Control, Residual

_CATEGORY = "packages"

# The last day of upstream's support by major version, from its published schedule.
_SUPPORT_ENDS = (
    (13, datetime.date(2025, 11, 13)),
    (14, datetime.date(2026, 11, 12)),
    (15, datetime.date(2027, 11, 11)),
    (16, datetime.date(2028, 11, 9)),
    (17, datetime.date(2029, 11, 8)),
    (18, datetime.date(2030, 11, 14)),
)

# Series of long support, as 1011 for 10.11; from 11.8 on for three years. The others live a few months.
_MARIADB_SUPPORT_ENDS = (
    (1006, datetime.date(2026, 7, 6)),
    (1011, datetime.date(2028, 2, 16)),
    (1104, datetime.date(2029, 5, 29)),
    (1108, datetime.date(2028, 6, 4)),
)

CONTROLS: tuple[Control, ...] = (
    Control(
        id="MDB-PKG-001",
        title="The release series is supported for long",
        category=_CATEGORY,
        rationale="Holes in a version without support stay open for everybody to read about.",
        source=("TX-2.5.5",),
        references=("CIS-MDB106 1.1",),
        checks=(SupportCheck(_MARIADB_SUPPORT_ENDS, MARIADB),),
        remedy="Plan an upgrade to a newer series of long support. A distribution that patches longer is a reason for"
        " a waiver.",
        activation="restart",
        engines=(MARIADB,),
    ),
    Control(
        id="PKG-001",
        title="Packages come from signed sources only",
        category=_CATEGORY,
        rationale="Whoever can answer for an unsigned source is root on this host.",
        source=("beyond",),
        references=("CIS-PG17 1.1",),
        checks=(SourcesCheck(),),
        remedy="Take trusted=yes and AllowUnauthenticated out of apt's configuration; give the source a Signed-By key.",
        engines=EVERY_ENGINE,
        activation="live",
    ),
    Control(
        id="PKG-002",
        title="The major version is supported",
        category=_CATEGORY,
        rationale="Holes in a version without support stay open for everybody to read about.",
        source=("TX-2.5.5",),
        references=("CIS-PG17 1.5", "STIG CD16-00-009300", "devsec postgres-02"),
        checks=(SupportCheck(_SUPPORT_ENDS),),
        remedy="Plan an upgrade to a newer major version. A distribution that patches longer is a reason for a waiver.",
        activation="restart",
    ),
    Control(
        id="PKG-003",
        title="The newest update is installed, and it is the one that runs",
        category=_CATEGORY,
        rationale="A patched package with the old server still running is the usual silent gap.",
        source=("TX-2.5.5",),
        references=("CIS-PG17 1.5", "STIG CD16-00-009200"),
        checks=(UpdateCheck(),),
        remedy="Update the server's packages, then restart the server.",
        engines=EVERY_ENGINE,
        activation="restart",
        residual=(Residual("Updates are known as of the last time the package lists were fetched."),),
    ),
    Control(
        id="PKG-006",
        title="No second version of the server is installed",
        category=_CATEGORY,
        rationale="A forgotten version is not watched, not patched, and may still hold data.",
        source=("TX-2.5.6", "TX-2.5.7"),
        references=("CIS-PG17 1.2", "STIG CD16-00-003200", "STIG CD16-00-009100", "devsec postgres-03"),
        checks=(OneMajorCheck(),),
        remedy="Look for its clusters first (pg_lsclusters), then purge its packages; or declare it in "
        "server_packages.",
        activation="live",
    ),
    Control(
        id="PKG-007",
        title="No build tools, debuggers, desktops or services that send passwords in clear",
        category=_CATEGORY,
        rationale="What is not there can't be used against the host.",
        source=("TX-2.4.7", "TX-2.5.6", "TX-2.5.7"),
        references=("STIG CD16-00-008000",),
        checks=(SurplusCheck(),),
        remedy="The module minimal_packages names what can go; with minimal_packages_enforce the role removes it.",
        engines=EVERY_ENGINE,
        activation="live",
    ),
)
