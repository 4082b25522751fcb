# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""bulwark-restore-test: the program that a restore host's timer starts. It knows no Ansible."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import types
import typing as t

from .._core.errors import BulwarkError, ObservationFailed
from .._core.restore_test_file import RestoreTest, parse_restore_test
from .._io.backup_store import locked, read_text
from .console import complain, say
from .restore_test import clear, run_tests, status

_PROGRAM: t.Final = "bulwark-restore-test"


class Ended(BaseException):
    """Somebody asked us to end: what was begun is removed on the way out."""


def run(arguments: t.Sequence[str]) -> int:
    """The exit status: 0 for success and nothing else."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _end)
    try:
        _act(_read_test(options.test), options.command, folder=os.path.dirname(options.test))
    except BulwarkError as error:
        return complain(_PROGRAM, str(error))
    except OSError as error:
        return complain(_PROGRAM, f"{error.filename or 'the system'}: {error.strerror}")
    except (Ended, KeyboardInterrupt):
        return complain(_PROGRAM, "ended from outside; what was restored was removed. Start it again")
    return 0


def _act(test: RestoreTest, command: str, *, folder: str) -> None:
    if command == "status":
        say(json.dumps(status(test), indent=1, sort_keys=True))
        return
    with locked(os.path.join(test.state, "lock"), what=f"the restore test {test.name}"):
        if command == "clear":
            clear(test, say)
        else:
            run_tests(test, say, secrets.randbelow, folder=folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bulwark-restore-test", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    texts = {
        "run": "restore, check, write evidence, remove",
        "clear": "remove what a killed run left, and record it",
        "status": "how the last runs went, as JSON",
    }
    for name, text in texts.items():
        commands.add_parser(name, help=text).add_argument("--test", required=True, metavar="FILE")
    return parser


def _read_test(path: str) -> RestoreTest:
    try:
        return parse_restore_test(read_text(path), where=path)
    except OSError as error:
        raise ObservationFailed(f"can't read {path}: {error.strerror}", "Run it as the test's account") from None


def _end(number: int, frame: types.FrameType | None) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the way out must not be interrupted
    raise Ended
