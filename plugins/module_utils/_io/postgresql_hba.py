# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""pg_hba.conf and pg_ident.conf on a live server: observe, try, put in place, prove the login, roll back.

While new files are in place and unproven, a journal on the host says where the old ones are. A run that finds it, and
can't log in, puts the old files back first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import signal
import time
import typing as t

from .._core.errors import ApplyFailed, BulwarkError, InvalidDeclaration, MissingRequirement, ObservationFailed
from .._dialects import postgresql_hba as dialect
from .._dialects.postgresql_reload import RELOAD_STATEMENT
from .files import FileContent, read_file, remove_file, replace_file
from .postgresql import ConnectionSettings, Session, open_session
from .postgresql_reload import reload_and_wait
from .trial_server import trial_server

BACKUP_SUFFIX: t.Final = ".bulwark-previous"
FINISHED_SUFFIX: t.Final = ".finished"
LOCK_SECONDS: t.Final = 60
# How long a server may take to act on a signal; what it has not read by then, the login that follows shows.
REREAD_SECONDS: t.Final = 0.5


@dataclasses.dataclass(frozen=True)
class ObservedHba:
    """The files as they are, and what is known of the server.

    :param loaded: the server has read the files since they were last changed.
    """

    facts: dialect.Facts
    rules_text: str
    mappings_text: str
    loaded: bool


def observe_hba(session: Session) -> ObservedHba:
    facts = dialect.Facts(*session.rows(dialect.FACTS_QUERY)[0])
    rules_text, mappings_text = _text(facts.hba_file), _text(facts.ident_file)
    # The server's own pg_stat_file knows whole seconds only.
    changed_at = max(os.stat(path).st_mtime for path in (facts.hba_file, facts.ident_file))
    return ObservedHba(facts, rules_text, mappings_text, loaded=facts.loaded_at >= changed_at)


def _text(path: str) -> str:
    content = read_file(path)
    if content is None:
        raise ObservationFailed(f"{path} is not on this host", "Run the module on the database host itself")
    return content.data.decode("utf-8", "surrogateescape")


def try_files(facts: dialect.Facts, *, rules: str, mappings: str) -> None:
    """Have a trial server of the same binaries read the files. Raises InvalidDeclaration with its complaints.

    :raises MissingRequirement: where no such server can be started, because unproven rules are never put in place.
    """
    with trial_server(data_directory=facts.data_directory, bin_directory=facts.bin_directory) as server:
        if server is None:
            raise MissingRequirement(
                f"can't start {facts.bin_directory}/postgres to try the rules on",
                "Run the module as root, or as the server's own account, on the database host",
            )
        # TLS is off there, but rules that want it are read all the same.
        verdict = server.start({"hba_file": server.write("hba", rules), "ident_file": server.write("ident", mappings)})
    complaints = [
        f"{'pg_hba.conf' if path.endswith('/hba') else 'pg_ident.conf'} line {line}: {message}"
        for path, line, message in verdict.file_complaints
        if "cannot match because" not in message
    ]
    if complaints or verdict.failure:
        text = "; ".join(complaints) or verdict.failure
        raise InvalidDeclaration(f"the server would not accept these rules: {text}", "Nothing was changed")


class HbaFiles:
    """Puts files in place on a live server, or back.

    :param journal_directory: folder on the host, for root alone, where interrupted work is remembered.
    """

    def __init__(
        self, session: Session, connection: ConnectionSettings, *, journal_directory: str, timeout: float
    ) -> None:
        self._session, self._connection = session, connection
        self._journal = journal_path(journal_directory, connection)
        self._timeout = timeout

    def put_in_place(self, facts: dialect.Facts, files: t.Mapping[str, str]) -> None:
        """Replace the files, reload, prove the login; on any failure put the old ones back and raise ApplyFailed."""
        previous = {path: _existing(path) for path in files}
        for path, content in previous.items():
            replace_file(path + BACKUP_SUFFIX, content)
        _write_journal(self._journal, facts.data_directory, sorted(files))
        try:
            for path, text in files.items():
                data = text.encode("utf-8", "surrogateescape")
                replace_file(path, dataclasses.replace(previous[path], data=data))
            self._reload_and_prove()
        except BulwarkError as error:
            put_copies_back(self._journal)
            with contextlib.suppress(BulwarkError):  # a server that is gone reads the old files when it comes back
                self._session.execute(RELOAD_STATEMENT)
            raise ApplyFailed(error.message, "The former rules are in force again") from None
        forget(self._journal)

    def reload(self) -> None:
        self._reload_and_prove()

    def _reload_and_prove(self) -> None:
        """A new session is what proves that the managing login still works."""
        reload_and_wait(self._session, lambda: open_session(self._connection), timeout=self._timeout)
        errors = self._session.rows(dialect.ERRORS_QUERY)
        if errors:
            raise ApplyFailed("; ".join(f"pg_hba.conf line {line}: {error}" for line, error in errors))


def _existing(path: str) -> FileContent:
    content = read_file(path)
    if content is None:
        raise ObservationFailed(f"{path} is not on this host", "Run the module on the database host itself")
    return content


def journal_path(directory: str, connection: ConnectionSettings) -> str:
    """One journal for each server of a host, known before anybody is logged in."""
    server = f"{connection.host or connection.unix_socket or ''}:{connection.port}"
    return os.path.join(directory, f"postgresql_hba-{hashlib.sha256(server.encode()).hexdigest()[:16]}.json")


def _write_journal(path: str, data_directory: str, files: t.Sequence[str]) -> None:
    text = json.dumps({"data_directory": data_directory, "files": list(files)})
    replace_file(path, FileContent(text.encode("utf-8"), os.geteuid(), os.getegid(), 0o600))


def forget(journal: str) -> None:
    """The work is done: from the renaming on nothing is undone, and the copies go. A later run ends what is left."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(journal, journal + FINISHED_SUFFIX)
    remove_copies(journal)


def remove_copies(journal: str) -> None:
    """What finished work left, so that no old rules with their secrets lie about."""
    finished = journal + FINISHED_SUFFIX
    for path in _journaled_files(finished):
        remove_file(path + BACKUP_SUFFIX)
    remove_file(finished)


def put_copies_back(journal: str) -> None:
    """Undo: the copies take their old places by renaming, which needs no room on the disk; then the journal goes.

    Raises ApplyFailed with the journal still there, so that the next run tries again.
    """
    for path in _journaled_files(journal):
        try:
            os.rename(path + BACKUP_SUFFIX, os.path.realpath(path))
        except FileNotFoundError:  # put back already, by a run that was interrupted in turn
            continue
        except OSError as error:
            raise ApplyFailed(
                f"can't put {path}{BACKUP_SUFFIX} back: {error.strerror}", "Rename it by hand and reload the server"
            ) from None
    remove_file(journal)


def _journaled_files(journal: str) -> list[str]:
    content = read_file(journal)
    return json.loads(content.data)["files"] if content else []


@contextlib.contextmanager
def open_hba_session(connection: ConnectionSettings, *, journal_directory: str) -> t.Iterator[Session]:
    """Log in, with no other run beside this one; what an interrupted run left in place is undone first.

    Its rules were never proven, so they are taken back even if this login works: the server may not have read them yet.
    """
    journal = journal_path(journal_directory, connection)
    with _only_run(journal):
        remove_copies(journal)
        interrupted = read_file(journal)
        if interrupted is not None:
            put_copies_back(journal)
            _have_the_server_reread(json.loads(interrupted.data)["data_directory"])
        with open_session(connection) as session:
            yield session


@contextlib.contextmanager
def _only_run(journal: str) -> t.Iterator[None]:
    """A lock for this server, whatever database a run logs in to. It goes with the process, however that ends."""
    try:
        os.makedirs(os.path.dirname(journal), mode=0o750, exist_ok=True)
        descriptor = os.open(f"{journal}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise MissingRequirement(
            f"can't open {journal}.lock: {error.strerror}",
            "Run the task with become, or name another journal_directory",
        ) from None
    try:
        _lock(descriptor, journal)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, journal: str) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise MissingRequirement(
                    f"another run holds {journal}.lock for more than {LOCK_SECONDS} s", "Wait for it, or end it"
                ) from None
            time.sleep(0.1)
        else:
            return


def _have_the_server_reread(data_directory: str) -> None:
    """Without a login, which the rules in force may refuse. A server that does not run reads the files at its start."""
    try:
        with open(os.path.join(data_directory, "postmaster.pid"), encoding="ascii") as stream:
            os.kill(int(stream.readline()), signal.SIGHUP)
    except (OSError, ValueError):
        return
    time.sleep(REREAD_SECONDS)
