# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Files of a store sent to the host that keeps copies, by OpenSSH."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import tempfile
import typing as t

from .._core.errors import ApplyFailed, BulwarkError, DidNotTakeEffect, ObservationFailed
from .._core.offsite import LONGEST_LINE, Answer, Offered, Offsite, parse_answer, parse_line, render_offer
from .backup_store import open_regular

_BUFFER_BYTES: t.Final = 1024 * 1024
_ENDING_SECONDS: t.Final = 30
_SAID_BYTES: t.Final = 4096


def send(store: str, offered: t.Sequence[Offered], offsite: Offsite, stored: t.Callable[[Offered], None]) -> list[str]:
    """What was refused, a line each. Raises ApplyFailed where the line or the other side breaks off.

    :param stored: told of each file that the receiver has, as soon as it says so.
    """
    *first, last = offsite.addresses
    for address in first:
        with contextlib.suppress(_NoAnswer):
            return _converse(store, offered, offsite, address=address, stored=stored)
    return _converse(store, offered, offsite, address=last, stored=stored)


class _NoAnswer(ApplyFailed):
    """Nobody of the protocol was reached: another address of the host may be better."""


def _converse(
    store: str, offered: t.Sequence[Offered], offsite: Offsite, *, address: str, stored: t.Callable[[Offered], None]
) -> list[str]:
    with tempfile.TemporaryFile() as said:
        command = offsite.command(address)
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"},
            )  # fmt: skip
        except OSError as error:
            raise ApplyFailed(f"can't start ssh: {error.strerror}", "Install openssh-client") from None
        answered = False
        try:
            _write(process, render_offer(offered))
            answer = parse_answer(_read(process), offered)
            answered = True
            return _talk(process, store, answer, offered=offered, stored=stored)
        except (BrokenPipeError, ConnectionError, EOFError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_ENDING_SECONDS)
            raise (ApplyFailed if answered else _NoAnswer)(
                f"{offsite.host} broke off: {_words(said) or 'it said nothing'}",
                "What was stored stays; the next run goes on from there",
            ) from None
        finally:
            _end(process)


def _talk(
    process: subprocess.Popen[bytes],
    store: str,
    answer: Answer,
    *,
    offered: t.Sequence[Offered],
    stored: t.Callable[[Offered], None],
) -> list[str]:
    missing = {one.path for one in answer.wanted} | set(answer.refused)
    for one in offered:
        if one.path not in missing:
            stored(one)
    gone = _put_all(process, store, answer.wanted, stored)
    _write(process, {"done": True})
    if parse_line(_read(process)).get("done") is not True:
        raise EOFError
    return [*(f"{path}: {why}" for path, why in answer.refused.items()), *gone]


def _put_all(
    process: subprocess.Popen[bytes], store: str, wanted: t.Iterable[Offered], stored: t.Callable[[Offered], None]
) -> list[str]:
    changed, spoiled = [], set()
    for one in wanted:
        if one.described in spoiled:  # what is described is not there
            continue
        try:
            descriptor = open_regular(os.path.join(store, one.path))
        except FileNotFoundError:  # pruned in the meantime
            spoiled.add(one.described)
            continue
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            if os.fstat(descriptor).st_size != one.bytes:
                changed.append(f"{one.path}: it has another size than its description says")
                spoiled.add(one.described)
                continue
            _write(process, {"put": one.path})
            digest = _copy(stream, t.cast("t.IO[bytes]", process.stdin), one)
        answer = parse_line(_read(process))
        if answer.get("stored") == one.path:
            stored(one)
        elif digest != one.sha256:
            changed.append(f"{one.path}: its SHA-256 is not what its description says")
            spoiled.add(one.described)
        else:
            raise DidNotTakeEffect(
                f"{one.path} arrived with another SHA-256", "Look at the other host's memory and disk"
            )
    return changed


def _copy(stream: t.Any, target: t.IO[bytes], one: Offered) -> str:
    """Exactly as many bytes as were offered, or the other side would take what follows for the rest."""
    digest, left = hashlib.sha256(), one.bytes
    while left:
        piece = stream.read(min(_BUFFER_BYTES, left))
        if not piece:
            raise ObservationFailed(f"{one.path} became shorter while it was sent", "Start it again")
        digest.update(piece)
        target.write(piece)
        left -= len(piece)
    target.flush()
    return digest.hexdigest()


def _write(process: subprocess.Popen[bytes], message: t.Mapping[str, t.Any]) -> None:
    target = t.cast("t.IO[bytes]", process.stdin)
    target.write(json.dumps(message).encode() + b"\n")
    target.flush()


def _read(process: subprocess.Popen[bytes]) -> str:
    line = t.cast("t.IO[bytes]", process.stdout).readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise EOFError
    text = line.decode("utf-8", "replace")
    error = parse_line(text).get("error")
    if error:
        raise ApplyFailed(f"the other side says: {str(error)[:500]}", "Look at that host")
    return text


def _words(said: t.IO[bytes]) -> str:
    said.seek(0)
    lines = said.read(_SAID_BYTES).decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, BulwarkError):
            if stream:
                stream.close()
    try:
        process.wait(timeout=_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
