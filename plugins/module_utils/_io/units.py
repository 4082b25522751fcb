# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""systemd as seen through systemctl: which units are enabled, what a unit is doing, and changing it."""

from __future__ import annotations

import os
import time
import typing as t

from .._core.errors import ApplyFailed, MissingRequirement, ObservationFailed
from .commands import is_there, run_command

_SYSTEMCTL: t.Final = ("systemctl", "--no-pager", "--no-ask-password")
_LAST_LINES: t.Final = 1000
# How long a start that is given up may take to heed SIGTERM. MariaDB 11.8 swallows one that comes while it starts.
STOP_SECONDS: t.Final = 20


def has_systemd() -> bool:
    return is_there("systemctl")


def is_booted() -> bool:
    """Whether systemd is what runs this host; its files can be there without it."""
    return os.path.isdir("/run/systemd/system")


def require_booted() -> None:
    if not is_booted():
        raise MissingRequirement("systemd is not what runs this host", "Leave this part out on this host")


def observe_enabled_units() -> tuple[str, ...]:
    """Units that start by themselves, in order of name; empty on a host without systemd."""
    if not has_systemd():
        return ()
    # Without the running manager the links on disk say the same.
    root = () if is_booted() else ("--root=/",)
    states = "--state=enabled,enabled-runtime"
    done = run_command([*_SYSTEMCTL, *root, "list-unit-files", states, "--no-legend", "--plain", "--full"])
    if not done.succeeded:
        raise ObservationFailed(f"systemctl list-unit-files failed: {done.complaint}")
    return parse_unit_files(done.output)


def parse_unit_files(listing: str) -> tuple[str, ...]:
    return tuple(sorted(line.split()[0] for line in listing.splitlines() if line.strip()))


def observe_socket_units() -> dict[str, frozenset[str]]:
    """Socket units that are active or start by themselves, with the ports and paths that each listens on."""
    if not is_booted():
        return {}
    done = run_command(
        [*_SYSTEMCTL, "list-units", "--type=socket", "--state=active", "--no-legend", "--plain", "--full"]
    )
    names = {*parse_unit_files(done.output), *(name for name in observe_enabled_units() if name.endswith(".socket"))}
    wanted = sorted(name for name in names if "@." not in name)  # a template listens on nothing
    if not wanted:
        return {}
    return parse_listening(run_command([*_SYSTEMCTL, "show", "--property=Id,Listen", "--", *wanted]).output)


def parse_listening(listing: str) -> dict[str, frozenset[str]]:
    """Ports and paths by unit, from ``systemctl show --property=Id,Listen``: a block each, a line for each address."""
    found = {}
    for block in listing.split("\n\n"):
        lines = [line.partition("=")[::2] for line in block.splitlines()]
        addresses = [value.rpartition(" (")[0] for name, value in lines if name == "Listen"]
        # "[::]:3306" and "127.0.0.1:3306", but no colon in paths counts
        listens = (one if one.startswith(("/", "@")) else one.rpartition(":")[2] for one in addresses)
        found.update({value: frozenset(listens) for name, value in lines if name == "Id"})
    return found


def disable_units(names: t.Sequence[str]) -> None:
    """Disable units and stop them. Raises ApplyFailed."""
    if not names:
        return
    now = ("--now",) if is_booted() else ()
    done = run_command([*_SYSTEMCTL, "disable", *now, "--", *names], timeout=180)
    if not done.succeeded:
        raise ApplyFailed(f"can't disable {', '.join(names)}: {done.complaint}")


def enable_unit(name: str) -> None:
    _applied(["enable", "--", name])


def reload_manager() -> None:
    """Let systemd read its unit files again."""
    _applied(["daemon-reload"])


def restart_unit(name: str, *, timeout: float) -> str:
    """Restart a unit and wait; the complaint if it failed, an empty string if it did not."""
    done = run_command([*_SYSTEMCTL, "restart", "--", name], timeout=timeout)
    if done.succeeded:
        return ""
    # The first line says what happened, the last one only where to read more.
    return done.errors.strip().partition("\n")[0] or done.complaint


def end_start(name: str) -> None:
    """A unit that is still starting is stopped; what does not heed SIGTERM within ``STOP_SECONDS`` is killed.

    It never said that it is ready, so nobody's work is lost. Not every unit is killed by systemd itself: Debian's of
    MariaDB has ``SendSIGKILL=no``, and would hang for good.
    """
    if unit_properties(name, "ActiveState")["ActiveState"] != "activating":
        return
    run_command([*_SYSTEMCTL, "stop", "--", name], timeout=STOP_SECONDS)
    if unit_properties(name, "ActiveState")["ActiveState"] == "deactivating":
        run_command([*_SYSTEMCTL, "kill", "--signal=KILL", "--", name])


def unit_properties(name: str, *names: str) -> dict[str, str]:
    """Properties of a unit as systemd knows it, empty strings for what it does not have."""
    wanted = [f"--property={','.join(names)}"]
    done = run_command([*_SYSTEMCTL, "show", *wanted, "--", name])
    if not done.succeeded:
        raise ObservationFailed(f"systemctl show {name} failed: {done.complaint}")
    found = dict(line.partition("=")[::2] for line in done.output.splitlines() if "=" in line)
    return {name: found.get(name, "") for name in names}


def wait_while_it_has_a_job(name: str, *, deadline: float) -> None:
    """Until systemd's start, stop or restart of the unit that is under way is over, or for ``deadline`` seconds."""
    end = time.monotonic() + deadline
    while unit_properties(name, "Job")["Job"] and time.monotonic() < end:
        time.sleep(0.2)


def wait_until_running(name: str, *, deadline: float) -> bool:
    """Whether the unit is active with a main process within ``deadline`` seconds."""
    end = time.monotonic() + deadline
    while True:
        state = unit_properties(name, "ActiveState", "MainPID")
        if state["ActiveState"] == "active" and state["MainPID"] not in ("", "0"):
            return True
        if state["ActiveState"] == "failed" or time.monotonic() > end:
            return False
        time.sleep(0.2)


def arm_timer(name: str, command: t.Sequence[str], *, seconds: int, again: int | None = None) -> None:
    """Run a command after a while unless the timer is cancelled: what puts things back when nobody is left to do it.

    :param again: seconds after which it is run once more, as long as the timer is there.
    """
    cancel_timer(name)
    repeated = () if again is None else (f"--on-unit-inactive={again}s",)
    done = run_command(
        [
            # Without a description it is the command, whose line breaks spoil the unit for the next reload of systemd.
            *("systemd-run", "--quiet", f"--unit={name}", f"--description={name}"),
            *(f"--on-active={seconds}s", *repeated),
            *("--timer-property=AccuracySec=1s", "--property=Type=oneshot", "--", *command),
        ]
    )
    if not done.succeeded:
        raise ApplyFailed(f"can't arm the timer {name}: {done.complaint}", "Nothing was changed")


def reset_failed(name: str) -> None:
    """Forget that a unit failed, so that it is not refused as one that was started too often."""
    run_command([*_SYSTEMCTL, "reset-failed", "--", name])


def read_journal(unit: str) -> str:
    """What the unit's latest start wrote to the journal, and what systemd wrote of it."""
    start = unit_properties(unit, "InvocationID")["InvocationID"]
    wanted = [f"_SYSTEMD_INVOCATION_ID={start}", "+", f"INVOCATION_ID={start}"]
    return run_command(["journalctl", "--quiet", "--output=cat", f"--lines={_LAST_LINES}", *wanted]).output


def last_error(unit: str) -> str:
    """The last error that the unit's latest start wrote to the journal, or the last line where it called none so."""
    lines = [line.strip() for line in read_journal(unit).splitlines() if line.strip()]
    errors = [line.partition("[ERROR] ")[2] for line in lines if "[ERROR] " in line and "Aborting" not in line]
    return (errors or lines or ["it wrote nothing to the journal"])[-1].rstrip(".")


def cancel_timer(name: str) -> None:
    # One that is not there, or has gone off, is just as good.
    run_command([*_SYSTEMCTL, "stop", f"{name}.timer"])
    run_command([*_SYSTEMCTL, "reset-failed", f"{name}.timer", f"{name}.service"])


def timer_is_armed(name: str) -> bool:
    return unit_properties(f"{name}.timer", "ActiveState")["ActiveState"] == "active"


def _applied(arguments: t.Sequence[str]) -> None:
    done = run_command([*_SYSTEMCTL, *arguments])
    if not done.succeeded:
        raise ApplyFailed(f"systemctl {' '.join(arguments)} failed: {done.complaint}")
