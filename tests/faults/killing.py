# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill an action for good (SIGKILL) at every step it takes in the layer that touches the world.

A step is a call of, or a return from, any function below plugins/module_utils/_io. The action runs in a forked child
whose profiler counts them; nothing in the collection knows of it.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback
import types
import typing as t

_EDGE = "/plugins/module_utils/_io/"
# The gate tries a sample of the steps, always the same one; BULWARK_ALL_FAULTS=1 tries every one.
_SEED = 20261122


def count_steps(action: t.Callable[[], object]) -> int:
    """How many steps an undisturbed run has. It runs in a child too, and has to succeed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _run_child(action, on_step=lambda dummy: None, report=writing)
    os.close(writing)
    with os.fdopen(reading) as stream:
        answer = stream.read()
    dummy, status = os.waitpid(child, 0)
    if status or not answer:
        raise AssertionError(f"the undisturbed action failed with status {status}")
    return int(answer)


def kill_at(step: int, action: t.Callable[[], object]) -> bool:
    """Run the action in a child that dies at the given step; answer whether it got that far."""
    child = os.fork()
    if child == 0:
        _run_child(action, on_step=lambda count: _die() if count == step else None)
    dummy, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def kill_on_entering(functions: t.Sequence[str], action: t.Callable[[], object]) -> bool:
    """Run the action in a child that dies as it enters the last of these functions, after the others in that order."""
    child = os.fork()
    if child == 0:
        awaited = list(functions)

        def watch(frame: types.FrameType, event: str, argument: object) -> None:
            if event == "call" and frame.f_code.co_name == awaited[0]:
                awaited.pop(0)
                if not awaited:
                    _die()

        sys.setprofile(watch)
        action()
        os._exit(0)
    dummy, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def run_at_the_same_time(*actions: t.Callable[[], object]) -> list[int]:
    """Each action in a process of its own, all at once; their exit codes."""
    children = []
    for action in actions:
        child = os.fork()
        if child == 0:
            _run_child(action, on_step=lambda dummy: None)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def steps_to_try(total: int, *, sample: int) -> list[int]:
    """All steps, or a fixed sample of them."""
    every = list(range(1, total + 1))
    if os.environ.get("BULWARK_ALL_FAULTS") == "1" or total <= sample:
        return every
    return sorted(random.Random(_SEED).sample(every, sample))


def _run_child(
    action: t.Callable[[], object], *, on_step: t.Callable[[int], None], report: int | None = None
) -> t.NoReturn:
    steps = 0

    def watch(frame: types.FrameType, event: str, argument: object) -> None:
        nonlocal steps
        if event in ("call", "return") and _EDGE in frame.f_code.co_filename:
            steps += 1
            on_step(steps)

    status = 1
    try:
        sys.setprofile(watch)
        action()
        sys.setprofile(None)
        if report is not None:
            os.write(report, str(steps).encode("ascii"))
        status = 0
    except BaseException:  # noqa: BLE001 - the child must never return into the parent's test run
        sys.setprofile(None)
        traceback.print_exc()
    finally:
        os._exit(status)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
