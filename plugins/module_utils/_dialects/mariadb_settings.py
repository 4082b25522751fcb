# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Decide what has to change so that a MariaDB server's variables have the declared values. Pure.

The option files count for the next start, SET GLOBAL for the running server. The plan closes both gaps; what only a
restart can close is no change but reported as waiting.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing as t

from .._core.errors import InvalidDeclaration, RefusedForSafety
from .._core.plan import LIVE, RESTART, Change, Plan
from .._core.secrets import HIDDEN
from .._core.setting_values import UnusableValue
from . import mariadb_provider as provider
from .mariadb_option_files import Option, render_option
from .mariadb_values import Variable

LOAD: t.Final = "plugin_load_add"
SECRETS: t.Final = frozenset(
    {"wsrep_sst_auth", "file_key_management_filekey", "hashicorp_key_management_token", "ssl_passphrase"}
)
# SET GLOBAL takes them and pulls the node out of its cluster, or changes what it was started with.
_LEFT_TO_A_RESTART: t.Final = frozenset(
    {
        *("wsrep_on", "wsrep_provider", "wsrep_cluster_address", "wsrep_cluster_name", "wsrep_start_position"),
        *("wsrep_node_address", "wsrep_node_incoming_address", provider.NAME),
        # Refused, or harmful, until a plugin that manages keys is loaded; others of their kind need a restart anyway.
        *("aria_encrypt_tables", "encrypt_tmp_disk_tables", "innodb_encrypt_tables"),
    }
)

# Where it is 0, there is nothing to count by until the next start.
_LIMIT_OF_SESSIONS: t.Final = "max_user_connections"

Desired = t.Mapping[str, t.Optional[str]]


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """The observed state.

    :param variables: the server's catalogue by name.
    :param options: what the option files and then the command line say, in reading order, names canonical.
    :param later: those of the options that are read after our option file.
    :param known: options that the server's binary knows; empty if it could not say.
    :param libraries: plugin libraries that are loaded, without ``.so``.
    :param available: plugin libraries in the server's folder for them, without ``.so``.
    :param plugins: the activation of each plugin (ON, FORCE, FORCE_PLUS_PERMANENT) by its name in lower case.
    :param provider: what the loaded wsrep provider shows.
    :param started_with: what the files said when the server was started, if ours was written since; else None.
    """

    variables: t.Mapping[str, Variable]
    options: tuple[Option, ...] = ()
    later: tuple[Option, ...] = ()
    option_file: str = ""
    known: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()
    available: frozenset[str] = frozenset()
    plugins: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    provider: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    started_with: t.Mapping[str, str | None] | None = None

    def option(self, name: str, *, outside: str = "") -> Option | None:
        """The option that counts: the last one; with ``outside`` the last one of all other files."""
        found = [option for option in self.options if option.name == name and option.file != outside]
        return found[-1] if found else None

    def loads(self, *, only: str = "") -> tuple[str, ...]:
        """Libraries that the files load at the next start; with ``only`` those of one file."""
        names = (LOAD, "plugin_load")
        values = [o.value or "" for o in self.options if o.name in names and only in ("", o.file)]
        return tuple(dict.fromkeys(library_of(part) for value in values for part in value.split(";") if part))


@dataclasses.dataclass(frozen=True)
class SettingStep:
    """What the applying side does for one option.

    :param lines: its values in our option file, none to take it out; None to leave the file.
    :param live: what SET GLOBAL is to give it; None to leave the running value. It holds SQL.
    :param back: what SET GLOBAL gives it to undo that.
    :param install: libraries to load into the running server.
    """

    name: str
    lines: tuple[str, ...] | None = None
    live: str | None = None
    back: str | None = None
    install: tuple[str, ...] = ()


def library_of(text: str) -> str:
    """``name=lib.so`` and ``lib.so`` are ``lib``."""
    library = text.rpartition("=")[2].strip()
    return library.removesuffix(".so")


def canonical_option(name: str, value: str | None, known: t.Collection[str]) -> tuple[str, str | None]:
    """The option that a name in a file means: ``skip_x`` is ``x`` off, and a unique beginning stands for the whole."""
    if name in known or not known:
        return name, value
    for prefix, meaning in (("skip_", "OFF"), ("disable_", "OFF"), ("enable_", "ON")):
        if name.startswith(prefix) and name[len(prefix) :] in known:
            return name[len(prefix) :], meaning
    longer = [one for one in known if one.startswith(name)]
    return (longer[0] if len(longer) == 1 else name), value


def shown(name: str, value: str | None) -> str:
    """A value for people."""
    if name in SECRETS:
        return HIDDEN
    return value or "''"


def plan_settings(
    desired: Desired, observed: ServerOptions, *, load: t.Sequence[str], install: t.Sequence[str], quote: t.Callable
) -> Plan:
    """The changes that give every named option its value.

    :param desired: value texts by name; None takes our entry out.
    :param load: libraries that the files have to load; ``install``: those that have to be loaded by now, too.
    :raises InvalidDeclaration: with every problem of the declaration at once.
    """
    merged = with_merged_provider(desired, observed)
    found = [*_library_problems((*load, *install), observed)]
    found += [problem for name in sorted(merged) for problem in _problems(name, merged[name], observed)]
    if provider.NAME in desired and desired[provider.NAME] is not None:
        found += provider.problems(provider.parse(desired[provider.NAME] or ""), observed.provider)
    if found:
        raise InvalidDeclaration("; ".join(found), "Nothing was changed")
    _refuse_overridden(merged, observed)
    changes = [_plan_libraries(load, install, observed)]
    changes += [_plan_one(name, merged[name], observed, quote, desired) for name in sorted(merged)]
    return Plan(tuple(change for change in changes if change))


def with_merged_provider(desired: Desired, observed: ServerOptions) -> dict[str, str | None]:
    """The declaration with the provider's options merged into those that the files have."""
    merged = dict(desired)
    wanted = merged.get(provider.NAME)
    if wanted is not None:
        entry = observed.option(provider.NAME)
        there = provider.parse(entry.value or "") if entry else {}
        merged[provider.NAME] = provider.render({**there, **provider.parse(wanted)})
    return merged


def _library_problems(libraries: t.Iterable[str], observed: ServerOptions) -> t.Iterator[str]:
    missing = sorted(set(libraries) - observed.available)
    if missing:
        yield f"the server has no plugin library {', '.join(missing)}"


def _problems(name: str, value: str | None, observed: ServerOptions) -> t.Iterator[str]:
    variable = observed.variables.get(name)
    if observed.known and name not in observed.known and value is not None:
        if variable is not None:
            yield f"{name} can't be set in an option file"
        elif not _is_of_a_plugin(name, observed):
            near = difflib.get_close_matches(name, observed.known, n=3, cutoff=0.75)
            yield f"there is no option {name!r}" + (f", did you mean {' or '.join(near)}?" if near else "")
        return
    if value is None:
        return
    if name == "log_bin" and value.lower() in ("off", "false", "0"):
        yield "log_bin takes the base name of its files, and is off where no file names it: null takes our entry out"
    try:
        if variable is not None and name != "log_bin" and name not in SECRETS:
            variable.meaning(value)
        render_option(name, value)
    except UnusableValue as error:
        yield f"{name}: {error}"


def _is_of_a_plugin(name: str, observed: ServerOptions) -> bool:
    """Options of a plugin come to exist when it is loaded; until then the server's binary judges them."""
    return any(name.startswith(library.replace("-", "_")) for library in observed.available)


def _refuse_overridden(desired: Desired, observed: ServerOptions) -> None:
    """A later file or the command line would win over ours: refused before anything changes."""
    for name, value in desired.items():
        later = next((option for option in reversed(observed.later) if option.name == name), None)
        if value is not None and later is not None and not _same(observed.variables.get(name), later.value, value):
            raise RefusedForSafety(
                f"{later.place} sets {name} to {shown(name, later.value)} and is read after {observed.option_file}",
                "Remove it there, or name an option_file that is read last; nothing was changed",
            )


def _plan_libraries(load: t.Sequence[str], install: t.Sequence[str], observed: ServerOptions) -> Change | None:
    wanted = tuple(dict.fromkeys((*load, *install)))
    missing = [library for library in wanted if library not in observed.loads()]
    absent = tuple(library for library in dict.fromkeys(install) if library not in observed.libraries)
    if not missing and not absent:
        return None
    lines = (*observed.loads(only=observed.option_file), *missing) if missing else None
    return Change(
        f"plugins {', '.join(dict.fromkeys((*missing, *absent)))}",
        after="loaded" if absent else "loaded at the next start",
        activation=LIVE if set(missing) <= {*absent, *observed.libraries} else RESTART,
        payload=SettingStep(LOAD, lines=lines, install=absent),
    )


def _plan_one(
    name: str, value: str | None, observed: ServerOptions, quote: t.Callable, declared: Desired
) -> Change | None:
    variable, entry = observed.variables.get(name), observed.option(name)
    ours = any(option.name == name and option.file == observed.option_file for option in observed.options)
    lines: tuple[str, ...] | None = None
    if value is None:
        if not ours:
            return None
        lines = ()
    elif entry is None:
        lines = None if _is_default(variable, value) else (value,)
    elif not _same(variable, entry.value, value):
        lines = (value,)
    live, back = _live(name, value, observed, quote, declared)
    if lines is None and live is None:
        return None
    return Change(
        f"setting {name}",
        before=_before(name, variable, entry, in_file=lines is not None),
        after="(reset)" if value is None else shown(name, value),
        activation=LIVE if live is not None or _runs_already(name, value, observed) else RESTART,
        payload=SettingStep(name, lines, live, back),
    )


def _before(name: str, variable: Variable | None, entry: Option | None, *, in_file: bool) -> str:
    if entry is not None and in_file:
        return f"{shown(name, entry.value)} ({entry.place})"
    return f"{shown(name, variable.value)} ({variable.origin.lower()})" if variable is not None else ""


def _is_default(variable: Variable | None, value: str) -> bool:
    """No file names it, and the server runs with it anyway."""
    return variable is not None and variable.origin == "COMPILE-TIME" and _same(variable, variable.value, value)


def _live(
    name: str, value: str | None, observed: ServerOptions, quote: t.Callable, declared: Desired
) -> tuple[str | None, str | None]:
    """What SET GLOBAL gives the running server, and what takes it back; two Nones where that is not its way."""
    variable = observed.variables.get(name)
    if name == provider.NAME and value is not None:
        return _live_provider(provider.parse(declared[name] or ""), observed, quote)
    if variable is None or not _takes_set_global(variable) or name in SECRETS:
        return None, None
    if value is None:
        other = observed.option(name, outside=observed.option_file)
        value = other.value if other else variable.default
    if value is None or _same(variable, variable.value, value):
        return None, None
    return variable.literal(value, quote), variable.literal(variable.value, quote)


def _takes_set_global(variable: Variable) -> bool:
    if variable.name == _LIMIT_OF_SESSIONS and variable.value == "0":
        return False
    return variable.is_dynamic and variable.name not in _LEFT_TO_A_RESTART


def _live_provider(
    wanted: t.Mapping[str, str], observed: ServerOptions, quote: t.Callable
) -> tuple[str | None, str | None]:
    differ = {
        key: value
        for key, value in wanted.items()
        if key in provider.LIVE_KEYS and key in observed.provider and not provider.same(observed.provider[key], value)
    }
    if not differ:
        return None, None
    return quote(provider.render(differ)), quote(provider.render({key: observed.provider[key] for key in differ}))


def _runs_already(name: str, value: str | None, observed: ServerOptions) -> bool:
    if name not in observed.variables and name not in observed.plugins:
        return _is_of_a_plugin(name, observed)  # no telling for others; a plugin's come when it is loaded
    return not any(row["name"] == name for row in _rows({name: value}, observed, name_all=True))


def waiting_for_restart(
    desired: Desired, observed: ServerOptions, *, load: t.Sequence[str] = ()
) -> list[dict[str, str]]:
    """Declared options that are in the files and that only a restart makes live, with both values."""
    rows = list(_rows(with_merged_provider(desired, observed), observed))
    place = next((option.place for option in reversed(observed.options) if option.name == LOAD), "")
    rows += [
        {"name": LOAD, "running": "(not loaded)", "wanted": library, "set_by": place}
        for library in dict.fromkeys(load)
        if library in observed.loads() and library not in observed.libraries
    ]
    return rows


def _rows(desired: Desired, observed: ServerOptions, *, name_all: bool = False) -> t.Iterator[dict[str, str]]:
    """:param name_all: also what is in no file yet."""
    for name in sorted(desired):
        value, entry = desired[name], observed.option(name)
        if value is None or (
            not name_all and (entry is None or not _same(observed.variables.get(name), entry.value, value))
        ):
            continue
        running = _running(name, value, observed)
        if running is not None:
            yield {
                "name": name,
                "running": running,
                "wanted": shown(name, value),
                "set_by": entry.place if entry else "",
            }


def _running(name: str, value: str, observed: ServerOptions) -> str | None:
    """What the server runs with where it is not what is wanted and SET GLOBAL does not change it; else None."""
    variable = observed.variables.get(name)
    if name == provider.NAME:
        there, wanted = observed.provider, provider.parse(value)
        before = provider.parse((observed.started_with or {}).get(name) or "")
        news = {key for key in wanted if observed.started_with is not None and before.get(key) != wanted[key]}
        differ = {
            key: there.get(key, "")
            for key in wanted
            if not provider.is_met_by(there, key, wanted[key], may_be_new=key in news)
        }
        return (provider.render(differ) or "''") if there and differ else None
    if name == "log_bin":
        return None if variable is not None and variable.value == "ON" else "OFF"
    if variable is not None and name not in SECRETS:
        if _takes_set_global(variable) or _same(variable, variable.value, value):
            return None
        return shown(name, variable.value)
    if name in observed.plugins:  # the activation of a plugin
        return None if observed.plugins[name].lower() == value.lower() else observed.plugins[name]
    # No variable shows it, so what the server was started with counts.
    started_with = observed.started_with
    if started_with is None or (name in started_with and _same(variable, started_with[name], value)):
        return None
    return shown(name, started_with[name]) if name in started_with else "(not set)"


def _same(variable: Variable | None, one: str | None, other: str) -> bool:
    if one is None:  # an option that is named alone is on
        one = "ON" if variable is None or variable.kind == "BOOLEAN" else ""
    if variable is None or variable.name in {*SECRETS, "log_bin"}:
        return one == other
    if variable.name == provider.NAME:
        return provider.parse(one) == provider.parse(other)
    return variable.is_met_by(one, other)
