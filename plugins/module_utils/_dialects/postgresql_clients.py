# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""What to ask PostgreSQL about the clients that enforcement of TLS and SCRAM would break."""

from __future__ import annotations

import typing as t

# client_addr is null on the unix socket, where nothing crosses a network.
SESSIONS_QUERY: t.Final = """
SELECT DISTINCT a.usename, coalesce(a.datname, ''), pg_catalog.host(a.client_addr), s.version
  FROM pg_catalog.pg_stat_activity AS a
       JOIN pg_catalog.pg_stat_ssl AS s USING (pid)
       LEFT JOIN pg_catalog.pg_stat_gssapi AS g USING (pid)
 WHERE a.client_addr IS NOT NULL AND a.usename IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
   AND NOT coalesce(g.encrypted, false)"""

MD5_VERIFIERS_QUERY: t.Final = """
SELECT rolname FROM pg_catalog.pg_authid
 WHERE rolcanlogin AND rolpassword LIKE 'md5%' ORDER BY rolname"""

# The start of the window in the words of the log itself, so that no time zone has to be understood here.
LOG_WINDOW_QUERY: t.Final = """
SELECT pg_catalog.to_char((pg_catalog.now() - %s * interval '1 hour')
           AT TIME ZONE pg_catalog.current_setting('log_timezone'), 'YYYY-MM-DD HH24:MI:SS'),
       pg_catalog.current_setting('log_connections') NOT IN ('off', ''),
       pg_catalog.current_setting('log_line_prefix') ~ '%%[mt]'
       AND pg_catalog.current_setting('log_line_prefix') ~ '\\[%%[pc]'"""

CURRENT_LOG_QUERY: t.Final = "SELECT pg_catalog.pg_current_logfile('stderr')"
