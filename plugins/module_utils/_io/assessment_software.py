# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What of the server is installed, what is running, and where packages come from. Asks no network."""

from __future__ import annotations

import glob
import re
import typing as t

from .._core.errors import MissingRequirement
from .._core.observations import Software
from .commands import is_there, run_command
from .processes import process_link

_FORMAT: t.Final = "${db:Status-Abbrev}\t${Package}\t${Version}\n"
_LISTS: t.Final = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list")
_STANZAS: t.Final = ("/etc/apt/sources.list.d/*.sources",)
_TRUSTED = re.compile(r"^\s*deb(?:-src)?\s+\[[^\]]*\b(trusted|allow-insecure|allow-weak)\s*=\s*yes\b", re.IGNORECASE)
_TRUSTED_STANZA = re.compile(r"^\s*(Trusted|Allow-Insecure|Allow-Weak)\s*:\s*yes\b", re.IGNORECASE)
_UNSAFE_OPTIONS: t.Final = (
    "APT::Get::AllowUnauthenticated",
    "Acquire::AllowInsecureRepositories",
    "Acquire::AllowWeakRepositories",
    "Acquire::AllowDowngradeToInsecureRepositories",
)


def observe_software(process_id: int | None, packages: t.Sequence[str]) -> Software:
    """Versions as the package manager has them, and whether the running server is still the program on disk.

    :param packages: patterns of the server's packages.
    """
    if not is_there("dpkg-query"):
        raise MissingRequirement("software: dpkg is not there, and other package managers are not known")
    installed = _installed(packages)
    candidates = _candidates(installed) if installed and is_there("apt-cache") else {}
    return Software(installed, candidates, _is_stale(process_id))


def _installed(packages: t.Sequence[str]) -> dict[str, str]:
    # Fails when nothing matches one of the patterns, and lists the others all the same.
    listing = run_command(["dpkg-query", "--show", "--showformat", _FORMAT, *packages]).output
    rows = [line.split("\t") for line in listing.splitlines()]
    return {name: version for state, name, version in rows if state[1:2] == "i"}


def _candidates(installed: t.Mapping[str, str]) -> dict[str, str]:
    return parse_policy(run_command(["apt-cache", "policy", "--", *installed]).output, installed)


def parse_policy(listing: str, installed: t.Mapping[str, str]) -> dict[str, str]:
    """Packages that the package manager would take another version of."""
    found, name = {}, ""
    for line in listing.splitlines():
        if not line.startswith(" "):
            name = line.rstrip(":")
        elif line.strip().startswith("Candidate:"):
            version = line.partition(":")[2].strip()
            if name in installed and version not in ("(none)", installed[name]):
                found[name] = version
    return found


def _is_stale(process_id: int | None) -> bool:
    return process_id is not None and process_link(process_id, "exe").endswith(" (deleted)")


def observe_untrusted_sources() -> tuple[str, ...]:
    """Where the package manager is told to do without signatures. Addresses are left out: some hold passwords."""
    found = []
    for patterns, expression in ((_LISTS, _TRUSTED), (_STANZAS, _TRUSTED_STANZA)):
        for path in sorted(path for pattern in patterns for path in glob.glob(pattern)):
            with open(path, encoding="utf-8", errors="replace") as stream:
                found += [
                    f"{path} line {number}: {match.group(1).lower()}=yes"
                    for number, match in enumerate(map(expression.match, stream), start=1)
                    if match
                ]
    return (*found, *_unsafe_options())


def _unsafe_options() -> list[str]:
    done = run_command(["apt-config", "dump", "--no-empty", *_UNSAFE_OPTIONS])
    rows = [line.rstrip(";").split(None, 1) for line in done.output.splitlines()]
    unsafe = {name.lower() for name in _UNSAFE_OPTIONS}
    return [
        f"option {row[0]}"
        for row in rows
        if len(row) == 2 and row[0].lower() in unsafe and row[1].strip('"').lower() in ("1", "true", "yes", "on")
    ]
