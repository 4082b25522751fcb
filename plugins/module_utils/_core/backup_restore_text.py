# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""RESTORE.txt: how everything is restored with stock tools alone, none of ours. Pure.

Commands are indented by four spaces and stand below headings; what somebody has to fill in is set once, at the top. The
tests, and the restore test of a site, run these very lines.
"""

from __future__ import annotations

import hashlib
import shlex
import textwrap
import typing as t

from .backup_job_file import BackupJob, PostgreSQLPlace

CHECK_LINE: t.Final = "SHA-256 of the lines above: "

_POSTGRESQL: t.Final = """\
# How to restore the PostgreSQL backups of the job {name}

All you need is this folder (or a copy of it), the secret key of one of the recipients in recipients.txt, and a
host with zstd, GNU tar and PostgreSQL of the version that "server_version" in the set's manifest.json names; with
age where sealed files end in .age, and with GnuPG where they end in .gpg. Nothing of bulwark.database is needed.
Work as any account but root that can read this folder and the secret key, postgres for example. The commands of
one restore belong into one shell (sh), one section after the other.

## 1 Values

STORE is this folder. IDENTITY is the file with the secret key of age. DATA is a new, empty folder with room for the
whole server. BINARIES is where pg_ctl and postgres are. ADMINISTRATOR is the server's first superuser.

    STORE={store}
    IDENTITY='/path/to/identity.txt'
    DATA='/path/to/new/data'
    BINARIES={binaries}
    ADMINISTRATOR='postgres'
    export STORE IDENTITY

{of_gnupg}
VERIFY='yes' has pg_verifybackup compare each file of the set with the server's own list as well, if it is installed.
It reads everything once more: section 3 has compared what was sealed already.

    VERIFY=''

For a moment in time only: the moment, in UTC and in this form: 2026-11-25T10:30:00Z. Leave it empty for
the latest state.

    MOMENT=''

## 2 The set

The newest set for the latest state; for a moment the newest one that was complete by then. ls "$STORE/full"
shows all of them; a folder that ends in .partial is none.

    SET=''
    for set in $(ls "$STORE/full" | grep 'Z$'); do
      from=$(sed -n 's/^ "consistent_from": "\\(.*\\)",$/\\1/p' "$STORE/full/$set/manifest.json")
      if [ -z "$MOMENT" ] || expr "${{from%Z}}" '<=' "${{MOMENT%Z}}" > /dev/null; then SET=$set; fi
    done
    test -n "$SET"
    echo "set: $SET"

## 3 Unpack, and compare everything with what was written

Both at the same time. It prints the name of each file that is not as it was written, and fails.

{opening}    sum() {{
      if command -v openssl > /dev/null; then openssl dgst -sha256 -r; else sha256sum; fi < "$1" | cut -c 1-64
    }}
    compare() {{
      if ! grep -q "\\"sha256\\": \\"$(sum "$1")\\"" "$2"; then echo "damaged: $1"; touch "$DATA.failed"; fi
    }}
    compare_all() {{
      compare "$BASE" "$STORE/full/$SET/manifest.json"
      for file in "$STORE"/log/*.zst.age "$STORE"/log/*.zst.gpg; do
        if [ -e "$file" ]; then compare "$file" "${{file%.zst.*}}.json"; fi
      done
    }}
    BASE=$(sealed "$STORE/full/$SET/base.tar")
    install -d -m 0700 "$DATA"
    compare_all &
    {{ unseal "$BASE" || touch "$DATA.failed"; }} |
      {{ zstd --decompress --stdout || touch "$DATA.failed"; }} |
      {{ tar --extract --file=- --directory="$DATA" || touch "$DATA.failed"; }}
    wait $!
    test ! -e "$DATA.failed"
    cd "$DATA"
    if [ -n "$VERIFY" ] && [ -x "$BINARIES/pg_verifybackup" ]; then
      "$BINARIES/pg_verifybackup" --no-parse-wal "$DATA"
    fi
"""

# Where the log comes from, and which segment and set there are, is each engine's own.
_RECOVER: t.Final = """\

## 4 Recover

The server gets settings for the recovery alone; those of the source stay beside them. Only the account that
restores may log in, as ADMINISTRATOR. A segment that is there and can't be opened stops the recovery, one that
is not there ends it.

    if [ -e postgresql.auto.conf ]; then mv postgresql.auto.conf postgresql.auto.conf.source; fi
    printf '%s\\n' 'local all all peer map=restore' > restore_hba.conf
    printf 'restore "%s" "%s"\\n' "$(id -un)" "$ADMINISTRATOR" > restore_ident.conf
    printf '%s\\n' "listen_addresses = ''" "unix_socket_directories = '.'" 'port = 5432' \\
      "hba_file = 'restore_hba.conf'" "ident_file = 'restore_ident.conf'" 'archive_mode = off' 'hot_standby = off' \\
      'recovery_target_timeline = latest' 'recovery_target_action = promote' 'max_prepared_transactions = 1000' \\
      'logging_collector = off' > restore.conf
{fetch}    if [ -n "$MOMENT" ]; then printf "recovery_target_time = '%s'\\n" "${{MOMENT%Z}}+00" >> restore.conf; fi
    touch recovery.signal
    recover() {{
      "$BINARIES/pg_ctl" start --pgdata="$DATA" --log="$DATA/restore.log" --wait --timeout=86400 \\
        --options='-c config_file=restore.conf' > /dev/null || return 1
      while "$BINARIES/pg_ctl" status --pgdata="$DATA" > /dev/null; do
        if "$BINARIES/pg_isready" --quiet -h "$DATA" -p 5432; then return 0; fi
        sleep 0.2
      done
      return 1
    }}

If nothing was committed after the moment in what is stored, the server says that the target was not reached.
The state at the moment is the latest state then.

    if ! recover; then
      test -n "$MOMENT"
      grep -q 'recovery ended before configured recovery target was reached' restore.log
      sed -i '/^recovery_target_time/d' restore.conf
      MOMENT=''
      recover
    fi

## 5 Was all of the log read?

For the latest state (and in the case just described) the last segment that was read has to be the newest one
that is stored, or the set itself is newer than all of them. It fails if there is a gap: then the state is that
of before the gap.

    LAST=$(sed -n 's/.*restored log file "\\([0-9A-F]\\{{24\\}}\\)" from archive.*/\\1/p' restore.log | tail -n 1)
{newest}    if [ -z "$MOMENT" ] && [ -n "$NEWEST" ] && expr "$NEWEST" '>=' "$START" > /dev/null; then
      test "$LAST" = "$NEWEST"
    fi

## 6 Look at it, and put it to use

    "$BINARIES/psql" -X -A -t -h "$DATA" -p 5432 -U "$ADMINISTRATOR" -d postgres -c 'SELECT pg_is_in_recovery(), now()'

"f" means that the recovery came to its end. Stop the server by "$BINARIES/pg_ctl" stop --pgdata="$DATA"; put
postgresql.auto.conf.source back to postgresql.auto.conf, remove restore.conf, restore_hba.conf, restore_ident.conf
and restore.log, and give the folder to the server as its data directory. Make a full backup at once: recovery began
a new timeline.
"""

_FETCH_SEALED: t.Final = """\
    FETCH='rm -f "%p.zst"; if test -e "$STORE/log/%f.zst.age"'
    FETCH="$FETCH; then age --decrypt --identity \\"\\$IDENTITY\\" --output \\"%p.zst\\" \\"\\$STORE/log/%f.zst.age\\""
    FETCH="$FETCH; elif test -e \\"\\$STORE/log/%f.zst.gpg\\""
    FETCH="$FETCH; then gpg --batch --quiet --output \\"%p.zst\\" --decrypt \\"\\$STORE/log/%f.zst.gpg\\""
    FETCH="$FETCH; else exit 1; fi && zstd --decompress --quiet --force --rm -o \\"%p\\" \\"%p.zst\\" || exit 255"
    printf "restore_command = '%s'\\n" "$FETCH" >> restore.conf
"""
_NEWEST_SEALED: t.Final = """\
    NEWEST=$(ls "$STORE/log" | sed -n -e 's/^\\([0-9A-F]\\{24\\}\\)\\.zst\\.age$/\\1/p' \\
      -e 's/^\\([0-9A-F]\\{24\\}\\)\\.zst\\.gpg$/\\1/p' | sort | tail -n 1)
    START=$(sed -n 's/^ *"start_wal": "\\(.*\\)",*$/\\1/p' "$STORE/full/$SET/manifest.json")
"""

_PGBACKREST: t.Final = """\
# How to restore the PostgreSQL backups of the job {name}, which pgBackRest made

All you need is this folder (or a copy of it), the identity (secret key) of one of the recipients in
recipients.txt, and a host with age, pgBackRest and PostgreSQL of the version that "pgbackrest info" names. Nothing of
bulwark.database is needed. Work as any account but root that can read this folder and the identity, postgres for
example. The commands of one restore belong into one shell (sh), one section after the other.

## 1 Values

STORE is this folder. IDENTITY is the file with the secret key. DATA is a new, empty folder with room for the
whole server. BINARIES is where pg_ctl and postgres are. ADMINISTRATOR is the server's first superuser.

    STORE={store}
    IDENTITY='/path/to/identity.txt'
    DATA='/path/to/new/data'
    BINARIES={binaries}
    ADMINISTRATOR='postgres'

For a moment in time only: the moment, in UTC and in this form: 2026-11-25T10:30:00Z. Leave it empty for
the latest state.

    MOMENT=''

## 2 Open the repository

Its passphrase is sealed to the recipients. It is in a file of your account alone as long as the restore takes.
It is one line: a second one would be read as options of pgBackRest.

    umask 077
    mkdir "$DATA.pgbackrest"
    CONFIGURATION="$DATA.pgbackrest/conf"
    export CONFIGURATION
    {{ printf '[global]\\nrepo1-path=%s/repository\\nrepo1-cipher-type=aes-256-cbc\\nrepo1-cipher-pass=' "$STORE"
      {{ age --decrypt --identity "$IDENTITY" "$STORE/passphrase.age" || touch "$DATA.failed"; }} | tr -d '[:cntrl:]'
      printf '\\nlock-path=%s/lock\\nspool-path=%s/spool\\nlog-level-file=off\\n' "$DATA.pgbackrest" "$DATA.pgbackrest"
      printf 'log-level-console=info\\n[{name}]\\npg1-path=%s\\n' "$DATA"; }} > "$CONFIGURATION"
    test ! -e "$DATA.failed"
    TOOL="pgbackrest --stanza={name}"
    $TOOL --config="$CONFIGURATION" --log-level-console=off info

## 3 Unpack the set

The newest one, or for a moment the newest one that was complete by then. pgBackRest compares each file with what was
written. Tablespaces are put into folders below $DATA.tablespaces.

    install -d -m 0700 "$DATA"
    set --
    if [ -n "$MOMENT" ]; then set -- --type=time "--target=$(echo "${{MOMENT%Z}}+00" | tr T ' ')"; fi
    $TOOL --config="$CONFIGURATION" --tablespace-map-all="$DATA.tablespaces" --archive-mode=off "$@" restore \\
      > "$DATA.pgbackrest/log"
    SET=$(sed -n 's/.*restore backup set \\([^ ,]*\\).*/\\1/p' "$DATA.pgbackrest/log")
    test -n "$SET"
    echo "set: $SET"
    cd "$DATA"
    sed -i '/^# Recovery settings generated by pgBackRest/,$d' postgresql.auto.conf
"""

# It ends with 1 for what is not there. What it can't open must not pass for the end of the log. Neither must what
# is not as it was written: the tool compares no segment with the checksum that is part of its name.
_FETCH_PGBACKREST: t.Final = """\
    SEGMENTS="$DATA.pgbackrest/segments"
    export SEGMENTS
    $TOOL --config="$CONFIGURATION" --log-level-console=off repo-ls --recurse "archive/{name}" > "$SEGMENTS"
    FETCH="$TOOL --config=\\"\\$CONFIGURATION\\" --log-level-console=off archive-get %f \\"%p\\""
    FETCH="$FETCH; FOUND=\\$?; if [ \\$FOUND -gt 1 ]; then exit 255; elif [ \\$FOUND = 1 ]; then exit 1; fi"
    FETCH="$FETCH; SUM=\\$(sha1sum < \\"%p\\" | cut -c 1-40)"
    FETCH="$FETCH; if grep -q \\"/%f-\\" \\"\\$SEGMENTS\\" && ! grep -q \\"/%f-\\$SUM\\" \\"\\$SEGMENTS\\""
    FETCH="$FETCH; then echo \\"damaged: %f\\" >&2; exit 255; fi"
    printf "restore_command = '%s'\\n" "$FETCH" >> restore.conf
"""
_NEWEST_PGBACKREST: t.Final = """\
    NEWEST=$(sed -n 's/.*\\([0-9A-F]\\{24\\}\\)-[0-9a-f]\\{40\\}.*/\\1/p' "$SEGMENTS" | sort | tail -n 1)
    START=$($TOOL --config="$CONFIGURATION" --log-level-console=off info --set="$SET" |
      sed -n 's/^ *wal start.stop: \\([0-9A-F]*\\) .*/\\1/p')
    rm -r "$DATA.pgbackrest"
"""

_MARIADB: t.Final = """\
# How to restore the MariaDB backups of the job {name}

All you need is this folder (or a copy of it), the secret key of one of the recipients in recipients.txt, and a
host with zstd, mbstream, mariadb-backup, mariadb-binlog and MariaDB of the version that "server_version" in the
set's manifest.json names; with age where sealed files end in .age, and with GnuPG where they end in .gpg. Nothing of
bulwark.database is needed. The commands of one restore belong into one shell (sh), one section after the other.

Where there are binary logs beside the sets (in the folder log), any moment after the end of a full backup can be
restored, else the state at the end of each.

## 1 Values

STORE is this folder. IDENTITY is the file with the secret key of age. DATA is a new, empty folder with room for the
whole server and for the logs of a day. ACCOUNT is the account that the server runs as; it must be able to enter
the folder above DATA.

    STORE={store}
    IDENTITY='/path/to/identity.txt'
    DATA='/path/to/new/data'
    ACCOUNT='mysql'

{of_gnupg}
For the state as of a moment only: the moment, in UTC and in this form: 2026-11-25T10:30:00Z. What was begun before
it is there, what was begun then or later is not. Leave it empty for the latest state.

    MOMENT=''

## 2 The set

The newest set for the latest state; for a moment the newest one that was complete by then. ls "$STORE/full"
shows all of them; a folder that ends in .partial is none.

    SET=''
    for set in $(ls "$STORE/full" | grep 'Z$'); do
      from=$(sed -n 's/^ "consistent_from": "\\(.*\\)",$/\\1/p' "$STORE/full/$set/manifest.json")
      if [ -z "$MOMENT" ] || expr "${{from%Z}}" '<=' "${{MOMENT%Z}}" > /dev/null; then SET=$set; fi
    done
    test -n "$SET"
    echo "set: $SET"

## 3 Unpack, and compare it with what was written

Both at the same time. It prints the name of the file if that is not as it was written, and fails.

{opening}    sum() {{
      if command -v openssl > /dev/null; then openssl dgst -sha256 -r; else sha256sum; fi < "$1" | cut -c 1-64
    }}
    compare() {{
      if ! grep -q "\\"sha256\\": \\"$(sum "$1")\\"" "$2"; then echo "damaged: $1"; touch "$DATA.failed"; fi
    }}
    install -d -m 0700 "$DATA"
    SEALED=$(sealed "$STORE/full/$SET/data.mbstream")
    compare "$SEALED" "$STORE/full/$SET/manifest.json" &
    {{ unseal "$SEALED" || touch "$DATA.failed"; }} |
      {{ zstd --decompress --stdout || touch "$DATA.failed"; }} |
      {{ mbstream --extract --directory="$DATA" || touch "$DATA.failed"; }}
    wait $!
    test ! -e "$DATA.failed"
    test -s "$DATA/xtrabackup_checkpoints"

## 4 Prepare

{key_file}
    mariadb-backup --prepare --target-dir="$DATA" > "$DATA.log" 2>&1
    grep -q 'completed OK!' "$DATA.log"
    if [ "$(id -u)" = 0 ]; then chown -R "$ACCOUNT" "$DATA"; fi

## 5 Start it, without a network and without a cluster

The server asks for no password (--skip-grant-tables). Its socket is in $DATA, where nobody else gets in. Accounts that
log in by a plugin need it there when the logs make or change them.

    start() {{
      mariadbd --defaults-file="$DATA/backup-my.cnf" --user="$ACCOUNT" --datadir="$DATA" \\
        --socket="$DATA/restore.sock" --pid-file="$DATA/restore.pid" --log-error="$DATA/restore.log" \\
        --skip-networking --skip-slave-start \\
        --plugin-load-add=auth_ed25519 --plugin-load-add=auth_parsec --plugin-load-add=auth_pam \\
        --skip-grant-tables --event-scheduler=OFF --max-allowed-packet=1G > /dev/null 2>&1 &
      for attempt in $(seq 600); do
        if mariadb --no-defaults --socket="$DATA/restore.sock" -e 'SELECT 1' > /dev/null 2>&1; then return 0; fi
        sleep 0.2
      done
      return 1
    }}
    start

## 6 Go on by the binary logs

From where the set ends, log by log, up to the moment or to the end. Each is compared with what was written. What they
say of accounts takes a server that has read its accounts (FLUSH PRIVILEGES); to be looked at, it is started anew.

    value() {{ sed -n "s/^ *\\"$1\\": \\"*\\([^\\",]*\\)\\"*,*\\$/\\1/p" "$2"; }}
    MANIFEST="$STORE/full/$SET/manifest.json"
    POSITION=$(value binlog_position "$MANIFEST")
    NUMBER=$(value binlog_file "$MANIFEST" | sed 's/^.*\\.//')
    FOLLOWS=$(value consistent_from "$MANIFEST")
    CHAIN=''
    LAST=''
    if [ -d "$STORE/log" ] && [ -n "$NUMBER" ]; then
      for chain in $(ls "$STORE/log" | sed -n 's/^\\([0-9TZ]*\\)-[0-9]*\\.json$/\\1/p' | sort -u); do
        if [ -z "$CHAIN" ] || expr "$chain" '<=' "$(echo "$FOLLOWS" | tr -d ':-')" > /dev/null; then CHAIN=$chain; fi
      done
    fi
    install -d -m 0700 "$DATA.binlog"
    set --
    while [ -n "$CHAIN" ] && [ -e "$STORE/log/$CHAIN-$NUMBER.json" ]; do
      log="$STORE/log/$CHAIN-$NUMBER"
      opened=$(value opened "$log.json")
      if [ -n "$MOMENT" ] && [ -n "$LAST" ] && expr "${{opened%Z}}" '>' "${{MOMENT%Z}}" > /dev/null; then break; fi
      compare "$(sealed "$log")" "$log.json"
      {{ unseal "$(sealed "$log")" || touch "$DATA.failed"; }} |
        {{ zstd --decompress --stdout || touch "$DATA.failed"; }} > "$DATA.binlog/$NUMBER"
      test ! -e "$DATA.failed"
      set -- "$@" "$DATA.binlog/$NUMBER"
      LAST=$CHAIN-$NUMBER
      NUMBER=$(printf '%06d' "$(expr "$NUMBER" + 1)")
    done
    if [ "$#" -gt 0 ]; then
      if [ -n "$MOMENT" ]; then set -- "--stop-datetime=$(echo "${{MOMENT%Z}}" | tr T ' ')" "$@"; fi
      {{ echo 'FLUSH PRIVILEGES;'
        TZ=UTC mariadb-binlog --no-defaults --skip-gtid-strict-mode --start-position="$POSITION" "$@" ||
          touch "$DATA.failed"; }} |
        {{ cat; echo 'SHUTDOWN;'; }} |
        mariadb --no-defaults --socket="$DATA/restore.sock" --binary-mode --max-allowed-packet=1G
      test ! -e "$DATA.failed"
      while [ -e "$DATA/restore.pid" ]; do sleep 0.2; done
      start
    fi
    rm -r "$DATA.binlog"

For the latest state the log that was read last has to be the newest one that is stored, or the set itself is newer than
all of them. It fails if there is a gap: then the state is that of before the gap.

    NEWEST=$(ls "$STORE/log" 2> /dev/null | sed -n 's/^\\([0-9TZ]*-[0-9]*\\)\\.json$/\\1/p' | sort | tail -n 1)
    if [ -z "$MOMENT" ] && [ -n "$NEWEST" ] && [ "$LAST" != "$NEWEST" ]; then
      closed=$(value closed "$STORE/log/$NEWEST.json")
      expr "${{closed%Z}}" '<=' "${{FOLLOWS%Z}}" > /dev/null
    fi
    echo "read up to the binary log: $LAST"
    mariadb --no-defaults --socket="$DATA/restore.sock" -e 'SELECT VERSION(), NOW()'

## 7 Put it to use

Stop that server by mariadb --no-defaults --socket="$DATA/restore.sock" -e SHUTDOWN, and give the folder to the server
as its data directory. On a Galera cluster the other nodes take a full copy (SST) of this one; its position in
the cluster is in $DATA/xtrabackup_galera_info, and it is started by galera_new_cluster. Make a full backup at once.
"""

# A file is opened by what its name ends in: a job may have been moved from one tool to the other.
_OPENING: t.Final = """\
    sealed() { if [ -e "$1.zst.gpg" ]; then printf '%s\\n' "$1.zst.gpg"; else printf '%s\\n' "$1.zst.age"; fi; }
    unseal() {
      case "$1" in
        *.gpg) gpg --batch --quiet --decrypt "$1" ;;
        *) age --decrypt --identity "$IDENTITY" "$1" ;;
      esac
    }
"""

_OF_GNUPG: t.Final = """\
Files that end in .gpg are opened with the secret key that is in the keyring of the account; gpg --import FILE puts it
there. GNUPGHOME names another keyring than that in the account's home. GnuPG asks for a passphrase, and forgets it
after two hours at most: a longer restore needs one without.
"""

_WITH_KEYS: t.Final = """\
The server's tables are encrypted at rest. Before you go on, its key file has to be at this path, readable for the
server's account alone (or at another path, to which you change file_key_management_filename in $DATA/backup-my.cnf):

- {path}

Sealed copies of it are where mariadb_key_file was told to put them; open one by
age --decrypt --identity "$IDENTITY". If it is encrypted by a passphrase, file_key_management_filekey in
$DATA/backup-my.cnf names the passphrase's file, which is needed as well. The restored server can't read encrypted
tables without exactly these keys.

    test -r {quoted}
"""

_FRAGMENTS: t.Final = {"of_gnupg": _OF_GNUPG, "opening": _OPENING}

_WITHOUT_KEYS: t.Final = """\
If $DATA/backup-my.cnf names a file_key_management_filename, the server's tables are encrypted at rest, and that key
file has to be put there first (from its sealed copy).
"""


def render_restore_text(job: BackupJob, *, key_file: str = "") -> str:
    """The whole text, with a checksum of itself in its last line.

    :param key_file: where MariaDB keeps the keys of its encrypted tables; empty if it encrypts none.
    """
    if not isinstance(job.server, PostgreSQLPlace):
        return render_mariadb_text(job.name, store=job.store, key_file=key_file)
    render = render_pgbackrest_text if job.repository else render_postgresql_text
    return render(job.name, store=job.store, binaries=job.server.binaries)


def render_postgresql_text(name: str, *, store: str, binaries: str) -> str:
    text = _POSTGRESQL.format(name=name, store=_quoted(store), binaries=_quoted(binaries), **_FRAGMENTS)
    return _with_check(text + _RECOVER.format(fetch=_FETCH_SEALED, newest=_NEWEST_SEALED))


def render_pgbackrest_text(name: str, *, store: str, binaries: str) -> str:
    recover = _RECOVER.format(fetch=_FETCH_PGBACKREST.replace("{name}", name), newest=_NEWEST_PGBACKREST)
    return _with_check(_PGBACKREST.format(name=name, store=_quoted(store), binaries=_quoted(binaries)) + recover)


def render_mariadb_text(name: str, *, store: str, key_file: str) -> str:
    keys = _WITH_KEYS.format(path=key_file, quoted=_quoted(key_file)) if key_file else _WITHOUT_KEYS
    return _with_check(_MARIADB.format(name=name, store=_quoted(store), key_file=keys, **_FRAGMENTS))


def _with_check(text: str) -> str:
    return f"{text}\n{CHECK_LINE}{hashlib.sha256(text.encode('utf-8')).hexdigest()}\n"


def is_as_rendered(text: str) -> bool:
    """Whether not a byte of a RESTORE.txt was changed."""
    body, mark, rest = text.rpartition(f"\n{CHECK_LINE}")
    return bool(mark) and rest == hashlib.sha256(body.encode("utf-8")).hexdigest() + "\n"


def command_blocks(text: str) -> dict[str, str]:
    """The commands below each heading, by the heading."""
    blocks: dict[str, str] = {}
    for section in text.split("\n## ")[1:]:
        heading, dummy, body = section.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("    ")]
        blocks[heading] = textwrap.dedent("\n".join(lines)) + "\n" if lines else ""
    return blocks


def _quoted(path: str) -> str:
    quoted = shlex.quote(path)
    return quoted if quoted.startswith("'") else f"'{quoted}'"
