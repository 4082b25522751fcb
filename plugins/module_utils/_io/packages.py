# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The package manager of the Debian family: what is installed, what a removal would do, and the removal itself."""

from __future__ import annotations

import re
import typing as t

from .._core.errors import ApplyFailed, MissingRequirement, ObservationFailed
from .._core.packages import Package, Removal
from .commands import Finished, is_there, run_command

# A cron job or another run may hold the lock for a moment: wait, don't fail.
LOCK_TIMEOUT: t.Final = 60
# Without the lists of what could be installed, a removal can't bring a replacement in, and apt answers ten times as
# fast. The caches that belong to those lists are left alone.
_OPTIONS: t.Final = (
    *(f"DPkg::Lock::Timeout={LOCK_TIMEOUT}", "APT::Get::AutomaticRemove=0", "Dir::State::Lists=/dev/null"),
    *("Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache="),
)
_APT_GET: t.Final = ("apt-get", "-q", *(argument for option in _OPTIONS for argument in ("-o", option)))
_FORMAT: t.Final = "${db:Status-Abbrev}\t${binary:Package}\t${Version}\t${Essential}\t${Protected}\t${Priority}\n"
_ACTION = re.compile(r"^(Remv|Purg|Inst) (\S+)", re.MULTILINE)
_REMOVAL_TIMEOUT: t.Final = 900


def require_package_manager() -> None:
    if not (is_there("dpkg-query") and is_there("apt-get")):
        raise MissingRequirement(
            "dpkg and apt are not there: minimal_packages knows the Debian family alone",
            "Leave the module out on this host (host_hardening_packages: false)",
        )


def observe_packages() -> tuple[Package, ...]:
    """Every installed package. Raises ObservationFailed for an interrupted package manager: nothing it says counts."""
    require_package_manager()
    listing = run_command(["dpkg-query", "--show", "--showformat", _FORMAT])
    if not listing.succeeded:
        raise ObservationFailed(f"dpkg-query failed: {listing.complaint}")
    by_hand = set(_checked(run_command(["apt-mark", "showmanual"]), "apt-mark showmanual").split())
    packages = parse_packages(listing.output, by_hand=by_hand)
    _checked(run_command([*_APT_GET, "--simulate", "check"], timeout=120), "apt-get check")
    return packages


def parse_packages(listing: str, *, by_hand: t.Collection[str]) -> tuple[Package, ...]:
    """Packages from dpkg-query's listing. Raises ObservationFailed if some are half-way in or out."""
    packages, unfinished = [], []
    for line in listing.splitlines():
        state, name, version, essential, protected, priority = line.split("\t")
        if state[1:2] in ("n", "c"):
            continue
        if state[1:2] != "i" or state[2:3] == "R":
            unfinished.append(name)
        packages.append(
            Package(name, version, name in by_hand, "yes" in (essential, protected) or priority == "required")
        )
    if unfinished:
        raise ObservationFailed(f"dpkg was interrupted: {', '.join(unfinished[:5])} not fully installed", _MEND)
    return tuple(packages)


def simulate_removal(names: t.Sequence[str]) -> Removal | None:
    """What apt-get would do if these packages were removed; None if it finds no way to. Changes nothing."""
    done = run_command([*_APT_GET, "--simulate", "remove", "--", *names], timeout=120)
    if not done.succeeded and "unmet dependencies" in done.output + done.errors:
        return None
    return parse_simulation(_checked(done, f"simulating the removal of {', '.join(names)}"), requested=names)


def parse_simulation(output: str, *, requested: t.Sequence[str]) -> Removal:
    actions = _ACTION.findall(output)
    removed = {name for action, name in actions if action in ("Remv", "Purg")}
    installed = sorted({name for action, name in actions if action == "Inst"})
    return Removal(tuple(requested), tuple(sorted(removed)), tuple(installed))


def remove_packages(names: t.Sequence[str], *, expected: t.Collection[str]) -> None:
    """Remove packages and what is expected to go along, nothing else. Their data stays. Raises ApplyFailed."""
    now = simulate_removal(names)
    surprise = sorted({*now.removed, *now.installed} - set(expected)) if now else ["what is needed"]
    if surprise:
        raise ApplyFailed(
            f"meanwhile the removal would also touch {', '.join(surprise)}; no package was removed", "Run it again"
        )
    done = run_command([*_APT_GET, "--yes", "remove", "--", *names], timeout=_REMOVAL_TIMEOUT)
    if not done.succeeded:
        raise ApplyFailed(f"apt-get could not remove {', '.join(names)}: {done.complaint}", _hint(done))


_MEND: t.Final = "Run 'dpkg --configure -a' on the host, look at what it says, then run this again"


def _checked(done: Finished, what: str) -> str:
    if not done.succeeded:
        raise ObservationFailed(f"{what} failed: {done.complaint}", _hint(done))
    return done.output


def _hint(done: Finished) -> str:
    if "dpkg was interrupted" in done.errors:
        return _MEND
    if "unmet dependencies" in done.output + done.errors:
        return "Run 'apt-get --fix-broken install' on the host, then run this again"
    if "Could not get lock" in done.errors:
        return f"Another package manager held its lock for {LOCK_TIMEOUT} seconds: wait for it, then run this again"
    if "are you root" in done.errors:
        return "Run the task with become"
    return ""
