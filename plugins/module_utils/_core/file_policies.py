# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""File policies as the user declares them: parsed, checked, and refused where they would do harm."""

from __future__ import annotations

import re
import typing as t

from .errors import InvalidDeclaration, RefusedForSafety
from .files import DEFAULT_DIRECTORY_MODE_MAX, DEFAULT_FILE_MODE_MAX, OTHERS_WRITE, STICKY, Policy, Rule

# Shared by the whole system: a policy here would lock everybody out, whatever it says.
# fmt: off
SHARED_DIRECTORIES: t.Final = frozenset((
    "/", "/bin", "/boot", "/dev", "/etc", "/etc/ssl", "/etc/ssl/certs", "/home", "/lib", "/lib32",
    "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/run/lock", "/sbin", "/srv",
    "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local",  # noqa: S108
    "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/local/share", "/usr/sbin",
    "/usr/share", "/var", "/var/backups", "/var/cache", "/var/lib", "/var/lock", "/var/log",
    "/var/mail", "/var/opt", "/var/run", "/var/spool", "/var/tmp",  # noqa: S108
))
# fmt: on

_MODE = re.compile(r"0?[0-7]{4}")


def parse_policies(declared: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[Policy, ...]:
    """Policies from what the user declared. Raises InvalidDeclaration or RefusedForSafety and names the policy."""
    policies = tuple(_parse_policy(entry) for entry in declared)
    seen: set[str] = set()
    for policy in policies:
        if policy.path in seen:
            raise InvalidDeclaration(
                f"two policies for {policy.path}", "Merge them, with 'accept' where there are alternatives"
            )
        seen.add(policy.path)
    return policies


def _parse_policy(declared: t.Mapping[str, t.Any]) -> Policy:
    path = _parse_path(declared.get("path"))
    preferred = {name: declared.get(name) for name in _RULE_OPTIONS}
    rules = [_parse_rule(path, preferred)]
    for alternative in declared.get("accept") or ():
        given = {name: value for name, value in alternative.items() if value is not None}
        rules.append(_parse_rule(path, {**preferred, **given}))
    return Policy(
        path=path,
        rules=tuple(rules),
        recurse=bool(declared.get("recurse", False)),
        exclude=tuple(_parse_pattern(path, pattern) for pattern in declared.get("exclude") or ()),
        required=_default_true(declared.get("required")),
        one_file_system=_default_true(declared.get("one_file_system")),
    )


_RULE_OPTIONS = ("owner", "group", "file_mode_max", "directory_mode_max")


def _parse_rule(path: str, declared: t.Mapping[str, t.Any]) -> Rule:
    file_mode = parse_mode(declared["file_mode_max"], where=f"file_mode_max of {path}")
    directory_mode = parse_mode(declared["directory_mode_max"], where=f"directory_mode_max of {path}")
    file_mode = DEFAULT_FILE_MODE_MAX if file_mode is None else file_mode
    directory_mode = DEFAULT_DIRECTORY_MODE_MAX if directory_mode is None else directory_mode
    if file_mode & OTHERS_WRITE:
        raise InvalidDeclaration(f"file_mode_max {file_mode:04o} of {path} lets everybody write", "Take 0002 away")
    if directory_mode & OTHERS_WRITE and not directory_mode & STICKY:
        raise InvalidDeclaration(
            f"directory_mode_max {directory_mode:04o} of {path} lets everybody delete everybody's files",
            "Take 0002 away, or add the sticky bit (1000)",
        )
    if not file_mode & 0o400 or directory_mode & 0o500 != 0o500:
        raise RefusedForSafety(
            f"{path}: a maximum of {file_mode:04o} for files, {directory_mode:04o} for directories locks the owner out",
            "A file's owner needs 0400 at least, a directory's 0500",
        )
    return Rule(_parse_names(declared["owner"]), _parse_names(declared["group"]), file_mode, directory_mode)


def parse_mode(value: object, *, where: str) -> int | None:
    """Permission bits from a string of four octal digits, None for None. Raises InvalidDeclaration."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidDeclaration(
            f"{where} is the number {value!r}: YAML makes 416 of an unquoted 0640, because it reads it as octal",
            "Quote it: '0640'",
        )
    if not _MODE.fullmatch(value):
        raise InvalidDeclaration(f"{where} is {value!r}", "Give four octal digits in quotes: '0640'")
    return int(value, 8)


def _parse_path(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise InvalidDeclaration(f"path {value!r} of a policy is not absolute", "Give a path that starts with a slash")
    parts = [part for part in value.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidDeclaration(f"path {value} of a policy contains '..'", "Write the path out")
    path = "/" + "/".join(parts)
    refuse_shared(path)
    return path


def refuse_shared(path: str) -> None:
    """Raise RefusedForSafety for a directory that the whole system shares."""
    if path in SHARED_DIRECTORIES:
        raise RefusedForSafety(
            f"{path} is shared by the whole system, so no policy is applied to it",
            "Name the files or directories in it",
        )


def _parse_pattern(path: str, pattern: str) -> str:
    if not pattern.strip("/") or any(character in pattern for character in "?[]\\\0"):
        raise InvalidDeclaration(
            f"exclude pattern {pattern!r} of {path}: '*' is the only wildcard, and a pattern may not be empty",
            "Write '*' instead of '?', '[', ']' and '\\'",
        )
    pattern = pattern.rstrip("/")
    return "/" + pattern.lstrip("/") if "/" in pattern else pattern


def _parse_names(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    names = [value] if isinstance(value, (str, int)) else list(t.cast("t.Iterable[object]", value))
    answer = tuple(str(name) for name in names)
    if any(not name for name in answer):
        raise InvalidDeclaration("an empty name of an owner or group in a policy", "Leave it out or name one")
    return answer


def _default_true(value: object) -> bool:
    return True if value is None else bool(value)
