# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Observe a MariaDB server's variables and option files, try a candidate with its own binary, and set variables."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import subprocess
import time
import typing as t

from .._core.errors import BulwarkError, MissingRequirement, ObservationFailed
from .._dialects import mariadb_provider as provider
from .._dialects.mariadb import quote_identifier
from .._dialects.mariadb_galera import ALLOWLIST, ALLOWLIST_QUERY, allowlist_statements, is_enabled
from .._dialects.mariadb_option_files import Option, flattened, split_option
from .._dialects.mariadb_values import Variable
from .files import read_file
from .mariadb import ServerRefused, Session
from .private_folder import private_folder
from .processes import process_link, process_started, read_process_file
from .server_owner import account_identity

_VARIABLES: t.Final = """
SELECT LOWER(VARIABLE_NAME), GLOBAL_VALUE, VARIABLE_TYPE, VARIABLE_SCOPE, READ_ONLY, GLOBAL_VALUE_ORIGIN,
       DEFAULT_VALUE, NUMERIC_MIN_VALUE, NUMERIC_MAX_VALUE, NUMERIC_BLOCK_SIZE, ENUM_VALUE_LIST
FROM information_schema.SYSTEM_VARIABLES
"""
_CUT_OFF_AT: t.Final = 2048
# What a node answers whose transaction another node's came before.
_CONFLICT: t.Final = 1213
_ATTEMPTS, _PAUSE = 5, 0.2
_PLUGINS: t.Final = "SELECT LOWER(PLUGIN_NAME), PLUGIN_LIBRARY, LOAD_OPTION FROM information_schema.PLUGINS"
_FIRST_ARGUMENTS: t.Final = ("--defaults-file=", "--defaults-extra-file=", "--defaults-group-suffix=", "--no-defaults")
_ENVIRONMENT: t.Final = ("HOME", "MYSQL_HOME", "MYSQL_GROUP_SUFFIX")
_FILES_FOLLOW: t.Final = "Default options are read from the following files"
_GROUPS_FOLLOW: t.Final = "The following groups are read: "
_VALUES_FOLLOW: t.Final = "Variables (--variable-name=value)"


@dataclasses.dataclass(frozen=True)
class ServerProcess:
    """The running server, from which everything about its files is learnt.

    :param arguments: of its command line, without those that must come first.
    :param files: the option files it starts from; ``groups``: those it reads in them.
    :param known: options its binary knows with the files as they are; empty if it refuses them.
    """

    process_id: int
    binary: str
    first_arguments: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: t.Mapping[str, str]
    uid: int
    gid: int
    started: float
    files: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()


def observe_variables(session: Session) -> dict[str, Variable]:
    return {
        row[0]: Variable(
            name=row[0],
            value=_whole_value(session, row[0], row[1] or ""),
            kind=row[2],
            scope=row[3],
            read_only=row[4] == "YES",
            origin=row[5] or "",
            default=row[6],
            minimum=_whole(row[7]),
            maximum=_whole(row[8]),
            block=_whole(row[9]) or 1,
            choices=tuple(row[10].split(",")) if row[10] else (),
        )
        for row in session.rows(_VARIABLES)
    }


def observe_changeable_variables(session: Session) -> dict[str, Variable]:
    """The same, but who may join a cluster is what its nodes share.

    They look into a table at each connection, and the first node of a new cluster fills that from the option.
    Afterwards the option changes nothing any more, and the table can be written at any time.
    """
    variables = observe_variables(session)
    if ALLOWLIST in variables and is_enabled({}, {name: one.value for name, one in variables.items()}):
        with contextlib.suppress(ServerRefused):  # a node out of the primary component shows no table
            addresses = ",".join(row[0] for row in session.rows(ALLOWLIST_QUERY))
            shared = dataclasses.replace(variables[ALLOWLIST], value=addresses, kind="SET", read_only=False)
            variables[ALLOWLIST] = shared
    return variables


def _whole_value(session: Session, name: str, value: str) -> str:
    """The table cuts values off, wsrep_provider_options with TLS for one; the variable itself does not."""
    if len(value) < _CUT_OFF_AT:
        return value
    return str(session.value(f"SELECT @@GLOBAL.{quote_identifier(name)}"))


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def observe_plugins(session: Session) -> tuple[dict[str, str], frozenset[str]]:
    """The activation of each plugin by name, and the libraries that are loaded, without ``.so``."""
    rows = session.rows(_PLUGINS)
    return {row[0]: row[2] for row in rows}, frozenset(row[1][: -len(".so")] for row in rows if row[1])


def observe_variables_with_plugins(
    session: Session,
) -> tuple[dict[str, Variable], dict[str, str], frozenset[str]]:
    """Both as of one moment: INSTALL SONAME reaches all nodes of a cluster, and may come between the two questions."""
    before = observe_plugins(session)
    while True:
        variables, after = observe_changeable_variables(session), observe_plugins(session)
        if before == after:
            return variables, *after
        before = after


def plugin_libraries(directory: str) -> frozenset[str]:
    try:
        return frozenset(name[: -len(".so")] for name in os.listdir(directory) if name.endswith(".so"))
    except OSError as error:
        raise ObservationFailed(f"can't list the server's plugins in {directory}: {error.strerror}") from None


def find_process(variables: t.Mapping[str, Variable], libraries: t.Iterable[str]) -> ServerProcess:
    """The server's process by its file of the process id. Raises MissingRequirement if it is not on this host."""
    path = os.path.join(variables["datadir"].value, variables["pid_file"].value)
    content = read_file(path)
    number = content.data.decode("ascii", "replace").strip() if content else ""
    if not number.isdecimal() or not os.path.isdir(f"/proc/{number}"):
        raise MissingRequirement(
            f"the server's process is not found by {path}", "Run the module on the database host, with become"
        )
    process = int(number)
    try:
        binary = process_link(process, "exe").replace(" (deleted)", "")
    except OSError as error:
        raise MissingRequirement(f"can't look at process {process}: {error.strerror}", "Use become") from None
    arguments = [part for part in read_process_file(process, "cmdline").split("\0")[1:] if part]
    variables_there = dict(part.partition("=")[::2] for part in read_process_file(process, "environ").split("\0"))
    owner = os.stat(f"/proc/{process}")
    found = ServerProcess(
        process_id=process,
        binary=binary,
        first_arguments=tuple(part for part in arguments if part.startswith(_FIRST_ARGUMENTS)),
        arguments=(
            *(part for part in arguments if not part.startswith(_FIRST_ARGUMENTS)),
            # The table mysql.plugin is not read for --help, so what it loads is named.
            *(f"--plugin-load-add={library}" for library in sorted(libraries)),
        ),
        environment={name: variables_there[name] for name in _ENVIRONMENT if name in variables_there},
        uid=owner.st_uid,
        gid=owner.st_gid,
        started=process_started(process),
    )
    return _with_files(found)


def _with_files(found: ServerProcess) -> ServerProcess:
    done = _help(found, found.first_arguments)
    if _GROUPS_FOLLOW not in done.stdout:  # it refuses its files as they are; without them it tells at least where
        bare = [part for part in found.first_arguments if part.startswith("--defaults-file=")]
        files = (bare[0].partition("=")[2],) if bare else ()
        text = _help(found, ("--no-defaults",)).stdout
        return dataclasses.replace(found, files=files or _files(text, found), groups=_groups(text, found))
    known = frozenset(_known(done.stdout))
    return dataclasses.replace(found, files=_files(done.stdout, found), groups=_groups(done.stdout, found), known=known)


def _files(text: str, found: ServerProcess) -> tuple[str, ...]:
    lines = text.splitlines()
    for index, line in enumerate(lines[:-1]):
        if line.startswith(_FILES_FOLLOW):
            home = found.environment.get("HOME", "")
            paths = [path.replace("~", home, 1) if path[0] == "~" else path for path in lines[index + 1].split()]
            return tuple(path for path in paths if home or path != "/.my.cnf")
    return ()


def _groups(text: str, found: ServerProcess) -> tuple[str, ...]:
    line = next((line for line in text.splitlines() if line.startswith(_GROUPS_FOLLOW)), "")
    groups = line[len(_GROUPS_FOLLOW) :].split()
    suffixes = [part.partition("=")[2] for part in found.first_arguments if part.startswith("--defaults-group-suffix=")]
    suffix = (suffixes or [found.environment.get("MYSQL_GROUP_SUFFIX", "")])[0]
    more = [group + suffix for group in groups if suffix and group + suffix not in groups]
    return (*groups, *more)


def _known(text: str) -> t.Iterator[str]:
    """The names of the table at the end of --help --verbose, and those of options that have no value there."""
    head, dummy, table = text.partition(_VALUES_FOLLOW)
    for line in table.splitlines()[3:]:
        if not line.strip():
            break
        yield line.split()[0].replace("-", "_")
    for line in head.splitlines():
        for word in line.split()[:2]:
            if line.startswith("  -") and word.startswith("--") and len(word) > 2:
                yield word[2:].split("=")[0].split("[")[0].rstrip(",").replace("-", "_")


def _help(process: ServerProcess, first: t.Sequence[str], *, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    identity: dict[str, t.Any] = {}
    if process.uid != os.geteuid():
        if os.geteuid() != 0:
            raise MissingRequirement("only root can ask the server's binary as the server's account", "Use become")
        identity = account_identity(process.uid, process.gid)
    try:
        return subprocess.run(
            [process.binary, *first, *process.arguments, "--help", "--verbose"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", **process.environment},
            **identity,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ObservationFailed(f"can't run {process.binary} --help: {error}") from None


def complaints(process: ServerProcess, options: t.Iterable[Option]) -> list[str]:
    """What the server's own binary says against a set of options; an empty list if it takes them. No data is touched.

    They go in by a file of mode 0600 in a folder of mode 0700, never by the command line.
    """
    identity = {"user": process.uid, "group": process.gid} if os.geteuid() == 0 else {}
    with private_folder(identity) as directory:
        path = os.path.join(directory, "candidate.cnf")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(flattened(options))
        if os.geteuid() == 0:
            os.chown(path, process.uid, process.gid)
        suffix = [part for part in process.first_arguments if part.startswith("--defaults-group-suffix=")]
        done = _help(process, (f"--defaults-file={path}", *suffix))
    lines = [line for line in done.stderr.splitlines() if "max_open_files" not in line]
    errors = [line.partition("[ERROR] ")[2] for line in lines if "[ERROR] " in line]
    # It goes on without a plugin whose options are wrong, and ends well all the same. What else it says while it ends
    # well is about the tables of the server that runs.
    disabled = [error for error in errors if "Disabling plugin" in error or "Error while setting value" in error]
    if disabled and not done.returncode:
        return disabled
    if done.returncode:
        said = [line for line in lines if line.strip()][-1:]
        return errors or said or [f"exit status {done.returncode}"]
    # The binary bends these values to what it can use instead of refusing them.
    bent = [line for line in lines if " adjusted to " in line or "wasn't recognized" in line]
    return [line.partition("[Warning] ")[2] for line in bent]


class FilesOnDisk:
    """The option files as the server finds them, with one replaced by a candidate.

    :param candidate: path and text of the file that is not written yet.
    """

    def __init__(self, candidate: tuple[str, str] | None = None) -> None:
        self._candidate = candidate

    def read(self, path: str) -> str | None:
        if self._candidate and _same_file(path, self._candidate[0]):
            return self._candidate[1]
        content = read_file(path)
        if content is None or content.mode & stat.S_IWOTH:  # the server passes over what everybody may write to
            return None
        return content.data.decode("utf-8", "surrogateescape")

    def names(self, directory: str) -> list[str]:
        try:
            found = os.listdir(directory)
        except OSError:
            return []
        if self._candidate and _same_file(os.path.dirname(self._candidate[0]), directory):
            found = [*found, os.path.basename(self._candidate[0])]
        return list(dict.fromkeys(found))


def _same_file(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def command_line_options(process: ServerProcess) -> list[Option]:
    found = []
    for argument in process.arguments:
        if argument.startswith("--") and not argument.startswith("--plugin-load-add="):
            name, value = split_option(argument[2:])
            found.append(Option("the server's command line", 0, process.groups[0], name, value, argument[2:]))
    return found


def is_newer(path: str, started: float) -> bool:
    try:
        return os.stat(path).st_mtime > started
    except OSError:
        return False


def running_provider(variables: t.Mapping[str, Variable]) -> dict[str, str]:
    return provider.parse(variables[provider.NAME].value) if provider.NAME in variables else {}


def set_global(session: Session, name: str, literal: str) -> None:
    statements = allowlist_statements(literal) if name == ALLOWLIST else None
    for statement in statements or (f"SET GLOBAL {quote_identifier(name)} = {literal}",):
        _execute(session, statement)


def _execute(session: Session, statement: str) -> None:
    """Nodes that write the same rows of their shared table at the same moment get in each other's way."""
    for dummy in range(_ATTEMPTS):
        try:
            return session.execute(statement)
        except ServerRefused as error:
            if error.number != _CONFLICT:
                raise
            time.sleep(_PAUSE)
    return session.execute(statement)


def install_library(session: Session, literal: str) -> None:
    """Load a library, which reads the option files for its variables; ``literal`` is its name in SQL."""
    session.execute(f"INSTALL SONAME {literal}")


def uninstall_library(session: Session, literal: str) -> None:
    with contextlib.suppress(BulwarkError):
        session.execute(f"UNINSTALL SONAME {literal}")
