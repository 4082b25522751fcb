# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The report as JSON: what the hosts said, unaltered, with the totals the other renderings show."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.bulwark.database.plugins.plugin_utils._report.model import VERDICTS
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import Report

SCHEMA: t.Final = 1


def render_json(
    report: Report, *, assessments: t.Mapping[str, t.Any], before: t.Mapping[str, t.Any] | None = None
) -> str:
    """The whole document, in ASCII, so that nothing from a host can steer a terminal that shows it."""
    document = {
        "schema": SCHEMA,
        "title": report.title,
        "generated_at": report.generated_at,
        "score": report.score,
        "before_score": report.before_score,
        "counts": {verdict: report.count(verdict) for verdict in VERDICTS},
        "not_assessed": list(report.not_assessed),
        "trend": [point._asdict() for point in report.trend],
        "hosts": dict(sorted(assessments.items())),
        "before": dict(sorted((before or {}).items())),
    }
    return json.dumps(document, indent=2) + "\n"
