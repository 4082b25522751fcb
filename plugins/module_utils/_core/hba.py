# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Rules of pg_hba.conf and mappings of pg_ident.conf: declared, written, and read back. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from .errors import InvalidDeclaration
from .hba_tokens import (
    NAME,
    Item,
    Line,
    Syntax,
    Token,
    check_text,
    declared,
    meaning,
    quoted_if_needed,
    tokenize,
    written,
)
from .secrets import HIDDEN

HEADER: t.Final = "# Managed by Ansible (bulwark.database.postgresql_hba): what is changed here by hand is replaced.\n"
_COLUMNS: t.Final = ("# TYPE", "DATABASE", "USER", "ADDRESS", "METHOD", "OPTIONS")
_MAP_COLUMNS: t.Final = ("# MAP", "SYSTEM-USER", "DATABASE-USER")
_REASON: t.Final = "reason: "
_ADDRESS_WORDS: t.Final = ("all", "samehost", "samenet")
_HOST_NAME = re.compile(r"^\.?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
LOCAL: t.Final = "local"
_INCLUDES: t.Final = ("include", "include_if_exists", "include_dir")
SECRET_OPTIONS: t.Final = ("ldapbindpasswd", "radiussecrets")
# Everything behind the name goes away: where the value ends depends on quotes, and a diff may lose a bit more.
_SECRET_OPTION = re.compile(rf"({'|'.join(SECRET_OPTIONS)})=.*")


@dataclasses.dataclass(frozen=True)
class HbaRule:
    """One rule.

    :param kind: ``local``, ``host``, ``hostssl`` ...
    :param address: CIDR, host name, ``all``, ``samehost``, ``samenet``; empty for ``local``.
    :param comment: text above the rule; may have several lines.
    :param reason: why a weak method is used.
    """

    kind: str
    databases: tuple[Item, ...]
    users: tuple[Item, ...]
    address: str
    method: str
    options: tuple[tuple[str, str], ...] = ()
    comment: str = ""
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class IdentMapping:
    """One line of pg_ident.conf: which account of the system may be which role."""

    map: str
    system_user: Item
    database_user: Item
    comment: str = ""


class HbaGrammar(t.Protocol):
    """What a server's version allows; see ``_dialects/postgresql_hba.py``."""

    @property
    def kinds(self) -> frozenset[str]: ...

    @property
    def methods(self) -> frozenset[str]: ...

    @property
    def weak_methods(self) -> frozenset[str]: ...

    @property
    def databases(self) -> Syntax: ...

    @property
    def users(self) -> Syntax: ...

    @property
    def system_users(self) -> Syntax: ...

    @property
    def database_users(self) -> Syntax: ...

    @property
    def continuations(self) -> bool: ...


def declared_rules(rules: t.Sequence[t.Mapping[str, t.Any]], grammar: HbaGrammar) -> tuple[HbaRule, ...]:
    """Rules as the user declares them. Raises InvalidDeclaration that names the rule by its number."""
    answer = []
    for number, rule in enumerate(rules, start=1):
        try:
            answer.append(_declared_rule(rule, grammar))
        except InvalidDeclaration as error:
            raise InvalidDeclaration(f"rule {number}: {error.message}", error.hint) from None
    return tuple(answer)


def _declared_rule(rule: t.Mapping[str, t.Any], grammar: HbaGrammar) -> HbaRule:
    kind, method, reason = rule["type"], rule["method"], (rule.get("reason") or "").strip()
    if kind not in grammar.kinds:
        raise InvalidDeclaration(f"this server has no rule type {kind!r}", f"It has {', '.join(sorted(grammar.kinds))}")
    if method not in grammar.methods:
        known = ", ".join(sorted(grammar.methods))
        raise InvalidDeclaration(f"this server has no method {method!r}", f"It has {known}")
    if method in grammar.weak_methods and not reason:
        raise InvalidDeclaration(
            f"the method {method} is weak", "Use scram-sha-256, peer or cert, or say why in the rule's reason"
        )
    for field in ("comment", "reason"):
        _check_remark(rule.get(field) or "", what=field, lines=field == "comment")
    if any(line.strip().startswith(_REASON) for line in (rule.get("comment") or "").splitlines()):
        raise InvalidDeclaration(f"the comment begins with {_REASON!r}", "Put that into the rule's reason")
    return HbaRule(
        kind,
        _items(rule.get("databases") or ["all"], grammar.databases, what="database"),
        _items(rule.get("users") or ["all"], grammar.users, what="user"),
        _address(kind, rule.get("address") or ""),
        method,
        tuple(sorted(_option(name, value) for name, value in _all_options(rule).items())),
        _plain(rule.get("comment") or ""),
        reason,
    )


def _check_remark(text: str, *, what: str, lines: bool) -> None:
    check_text(text, what=what, lines=lines)
    if any(line.rstrip().endswith("\\") for line in text.splitlines()):
        # From PostgreSQL 14 on it would join the rule below to the comment, and so take the rule away.
        raise InvalidDeclaration(f"a line of the {what} ends with a backslash", "Take it out")


def _plain(comment: str) -> str:
    return "\n".join(line.strip() for line in comment.strip().splitlines() if line.strip())


def _items(values: t.Sequence[str], syntax: Syntax, *, what: str) -> tuple[Item, ...]:
    return tuple(declared(str(value), syntax, what=what) for value in values)


def _all_options(rule: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    plain, secret = rule.get("options") or {}, rule.get("secret_options") or {}
    misplaced = sorted(set(plain) & set(SECRET_OPTIONS))
    if misplaced:
        raise InvalidDeclaration(f"the option {misplaced[0]} is a secret", "Put it into the rule's secret_options")
    return {**plain, **secret}


def _option(name: str, value: t.Any) -> tuple[str, str]:
    if not re.fullmatch(r"[a-z_]+", str(name)):
        raise InvalidDeclaration(f"{name!r} is no name of an option")
    text = {True: "1", False: "0"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    check_text(text, what=f"option {name}")
    return str(name), text


def _address(kind: str, address: str) -> str:
    check_text(address, what="address")
    if kind == LOCAL:
        if address:
            raise InvalidDeclaration(f"a local rule has no address, {address!r} is given", "Leave it out")
        return ""
    if not address:
        raise InvalidDeclaration(f"a {kind} rule needs an address", "Give a network in CIDR form, or all")
    if address in _ADDRESS_WORDS:
        return address
    if "/" in address or ":" in address or re.fullmatch(r"[\d.]+", address):
        return _network(address)
    if not _HOST_NAME.match(address):
        raise InvalidDeclaration(f"the address {address!r} is neither a network nor a host name")
    return address


def _network(address: str) -> str:
    try:
        network = ipaddress.ip_network(address, strict=True)
    except ValueError as error:
        raise InvalidDeclaration(f"the address {address!r} is not a network: {error}", "Write 10.0.0.0/8") from None
    return str(network)


def declared_mappings(mappings: t.Sequence[t.Mapping[str, t.Any]], grammar: HbaGrammar) -> tuple[IdentMapping, ...]:
    answer = []
    for mapping in mappings:
        for field in ("map", "system_user", "database_user"):
            if not mapping.get(field):
                raise InvalidDeclaration(f"an ident mapping lacks {field}")
        check_text(mapping["map"], what="map")
        if mapping["map"].startswith("@"):
            raise InvalidDeclaration(f"the map {mapping['map']!r} would be read as the name of a file", "Rename it")
        _check_remark(mapping.get("comment") or "", what="comment", lines=True)
        answer.append(
            IdentMapping(
                mapping["map"],
                declared(mapping["system_user"], grammar.system_users, what="system user"),
                declared(mapping["database_user"], grammar.database_users, what="database user"),
                _plain(mapping.get("comment") or ""),
            )
        )
    return tuple(answer)


def without_secrets(text: str) -> str:
    """A file's text for people: the values of options that hold a password are hidden."""
    return _SECRET_OPTION.sub(rf"\1={HIDDEN}", text)


def has_includes(text: str, grammar: HbaGrammar) -> bool:
    """Whether the file reads other files (PostgreSQL 16 and newer)."""
    lines = tokenize(text, continuations=grammar.continuations)
    return any(line.fields and line.fields[0][0].text in _INCLUDES for line in lines)


def render_rules(rules: t.Sequence[HbaRule], grammar: HbaGrammar) -> str:
    """The whole file: comments above their rules, columns aligned."""
    rows = [_rule_fields(rule, grammar) for rule in rules]
    return _table(_COLUMNS, rows, [_remarks(rule.comment, rule.reason) for rule in rules])


def render_mappings(mappings: t.Sequence[IdentMapping], grammar: HbaGrammar) -> str:
    rows = [
        (
            quoted_if_needed(one.map),
            written(one.system_user, grammar.system_users),
            written(one.database_user, grammar.database_users),
        )
        for one in mappings
    ]
    return _table(_MAP_COLUMNS, rows, [_remarks(one.comment, "") for one in mappings])


def _rule_fields(rule: HbaRule, grammar: HbaGrammar) -> tuple[str, ...]:
    options = " ".join(quoted_if_needed(f"{name}={value}") for name, value in rule.options)
    return (
        rule.kind,
        ",".join(written(item, grammar.databases) for item in rule.databases),
        ",".join(written(item, grammar.users) for item in rule.users),
        rule.address,
        rule.method,
        options,
    )


def _remarks(comment: str, reason: str) -> str:
    lines = [*comment.splitlines(), *([_REASON + reason] if reason else [])]
    return "".join(f"# {line}\n" for line in lines)


def _table(columns: t.Sequence[str], rows: t.Sequence[tuple[str, ...]], remarks: t.Sequence[str]) -> str:
    widths = [max(len(row[index]) for row in [*rows, columns]) for index in range(len(columns))]

    def line(fields: t.Sequence[str]) -> str:
        return "  ".join(field.ljust(width) for field, width in zip(fields, widths)).rstrip() + "\n"

    # The blank line keeps the head from being taken for the comment of the first rule.
    body = "".join(remark + line(row) for remark, row in zip(remarks, rows))
    return f"{HEADER}{line(columns)}\n{body}"


def parse_rules(text: str, grammar: HbaGrammar) -> tuple[HbaRule, ...]:
    """Rules of a file that render_rules wrote; what it can't read raises InvalidDeclaration with the line."""
    return tuple(_parsed_rule(line, remarks, grammar) for line, remarks in _lines_with_remarks(text, grammar))


def parse_mappings(text: str, grammar: HbaGrammar) -> tuple[IdentMapping, ...]:
    answer = []
    for line, remarks in _lines_with_remarks(text, grammar):
        if len(line.fields) != 3:
            raise InvalidDeclaration(f"line {line.number}: a mapping has three fields")
        system_user = meaning(line.fields[1][0], grammar.system_users)
        database_user = meaning(line.fields[2][0], grammar.database_users)
        answer.append(IdentMapping(line.fields[0][0].text, system_user, database_user, "\n".join(remarks)))
    return tuple(answer)


def _lines_with_remarks(text: str, grammar: HbaGrammar) -> t.Iterator[tuple[Line, list[str]]]:
    remarks: list[str] = []
    for line in tokenize(text, continuations=grammar.continuations):
        if line.fields:
            yield line, remarks
            remarks = []
        elif line.comment is not None:
            remarks.append(line.comment.strip())
        else:
            remarks = []


def _parsed_rule(line: Line, remarks: t.Sequence[str], grammar: HbaGrammar) -> HbaRule:
    words = [field[0].text for field in line.fields]
    minimum = 4 if words[0] == LOCAL else 5
    if len(words) < minimum:
        raise InvalidDeclaration(f"line {line.number}: the rule has too few fields")
    method = minimum - 1
    reasons = [remark[len(_REASON) :] for remark in remarks if remark.startswith(_REASON)]
    return HbaRule(
        words[0],
        tuple(meaning(token, grammar.databases) for token in line.fields[1]),
        tuple(meaning(token, grammar.users) for token in line.fields[2]),
        "" if words[0] == LOCAL else words[3],
        words[method],
        tuple(sorted(_split_option(field) for field in line.fields[method + 1 :])),
        "\n".join(remark for remark in remarks if not remark.startswith(_REASON)),
        reasons[0] if reasons else "",
    )


def _split_option(field: tuple[Token, ...]) -> tuple[str, str]:
    name, dummy, value = field[0].text.partition("=")
    return name, value


def names_of(items: t.Iterable[Item]) -> set[str]:
    """Plain names, without key words, groups, files and patterns."""
    return {item.text for item in items if item.kind == NAME}
