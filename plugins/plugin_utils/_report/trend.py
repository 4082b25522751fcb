# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Scores over time, from the small record that each run leaves behind. Only like is compared with like."""

from __future__ import annotations

import hashlib
import json
import typing as t

SCHEMA: t.Final = 1

# What an assessment has to differ in for a report to count as changed. Times and evidence differ from run to run.
_SUBSTANCE = ("id", "verdict", "level", "observed", "expected", "waiver", "deviation")


class TrendPoint(t.NamedTuple):
    """:param assessed_at: ISO time stamp.  :param score: mean over the hosts in common with the present report."""

    assessed_at: str
    score: int
    hosts: int


def point_of(assessments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a run leaves for later ones: scores and verdicts, a few kilobytes, no evidence."""
    return {
        "schema": SCHEMA,
        "assessed_at": assessed_at(assessments),
        "hosts": {
            name: {
                "score": int(assessment.get("score") or 0),
                "basis": _basis(assessment),
                "verdicts": {str(result["id"]): str(result["verdict"]) for result in assessment["results"]},
            }
            for name, assessment in sorted(assessments.items())
        },
    }


def assessed_at(assessments: t.Mapping[str, t.Any]) -> str:
    """When the last of the hosts was assessed, as an ISO time stamp."""
    return max((str(assessment.get("assessed_at") or "") for assessment in assessments.values()), default="")


def fingerprint(assessments: t.Mapping[str, t.Any], *, title: str) -> str:
    """Equal for two runs that found the same, whenever they ran and whatever the evidence counted."""
    substance = {
        name: [_basis(assessment), [[result.get(key) for key in _SUBSTANCE] for result in assessment["results"]]]
        for name, assessment in assessments.items()
    }
    text = json.dumps([str(title), substance], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def is_point(value: t.Any) -> bool:
    """Whether a file's content is a point of this schema, as opposed to damaged or foreign."""
    if not isinstance(value, dict) or value.get("schema") != SCHEMA or not isinstance(value.get("assessed_at"), str):
        return False
    hosts = value.get("hosts")
    return isinstance(hosts, dict) and all(
        isinstance(host, dict) and isinstance(host.get("score"), int) for host in hosts.values()
    )


def trend_of(
    points: t.Iterable[t.Mapping[str, t.Any]], *, assessments: t.Mapping[str, t.Any]
) -> tuple[TrendPoint, ...]:
    """The scores over time of the hosts in these assessments, these included, the oldest first.

    A host counts where it was assessed on the same basis (engine, level, log policy); a point without any such host
    is left out, and so is one no older than the present.
    """
    now = point_of(assessments)
    earlier = {point["assessed_at"]: point for point in points if point["assessed_at"] < now["assessed_at"]}
    found = []
    for moment in sorted(earlier):
        scores = [
            host["score"]
            for name, host in earlier[moment]["hosts"].items()
            if name in assessments and host.get("basis") == _basis(assessments[name])
        ]
        if scores:
            found.append(TrendPoint(moment, sum(scores) // len(scores), len(scores)))
    present = [host["score"] for host in now["hosts"].values()]
    return (*found, TrendPoint(now["assessed_at"], sum(present) // len(present), len(present)))


def _basis(assessment: t.Mapping[str, t.Any]) -> str:
    return "/".join(str(assessment.get(key) or "") for key in ("engine", "level", "log_policy"))
