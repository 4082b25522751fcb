# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Pictures of the HTML report as inline SVG: ring, bars, trend, icons. No style attributes: the policy forbids them."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.bulwark.database.plugins.plugin_utils._report.markup import Markup, tag
from ansible_collections.bulwark.database.plugins.plugin_utils._report.trend import TrendPoint

GOOD_FROM: t.Final = 90
FAIR_FROM: t.Final = 70

_ICONS = {
    "pass": "M5 12.5l4.5 4.5L19 7.5",
    "fail": "M6.5 6.5l11 11M17.5 6.5l-11 11",
    "waived": "M12 6v6.5l4 2.5M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18z",
    "not_observable": "M3 12s3.5-6 9-6c1.7 0 3.2.6 4.5 1.4M21 12s-3.5 6-9 6c-1.7 0-3.2-.6-4.5-1.400M4 20L20 4",
    "not_applicable": "M6 12h12",
    "up": "M12 19V5M6 11l6-6l6 6",
    "down": "M12 5v14M6 13l6 6l6-6",
    "arrow": "M5 12h14M13 6l6 6l-6 6",
    "chevron": "M9 5l7 7l-7 7",
    "warning": "M12 9v4M12 17v.01M10.3 4L2.5 18a2 2 0 0 0 1.7 3h15.600a2 2 0 0 0 1.7-3L13.7 4a2 2 0 0 0-3.4 0z",
}
_SHIELD = "M12 2.5l8 3v6c0 5-3.4 8.7-8 10c-4.6-1.3-8-5-8-10v-6z"

# The trend's drawing area in its own units: left, right, top, bottom.
_LEFT, _RIGHT, _TOP, _BOTTOM = 4.0, 262.0, 14.0, 74.0
_DOTS = 40


def band(score: int) -> str:
    return "good" if score >= GOOD_FROM else "fair" if score >= FAIR_FROM else "poor"


def icon_definitions() -> Markup:
    """The icons, once per page; icon() refers to them."""
    symbols = [tag("symbol", tag("path", d=path), id=f"i-{name}", viewBox="0 0 24 24") for name, path in _ICONS.items()]
    return tag("svg", symbols, width="0", height="0", aria_hidden="true", class_="sr")


def icon(name: str, *, class_: str = "icon") -> Markup:
    return tag("svg", tag("use", href=f"#i-{name}"), class_=class_, aria_hidden="true")


def brand() -> Markup:
    shield = tag("path", d=_SHIELD, fill="currentColor", opacity="0.14")
    outline = tag("path", d=_SHIELD, fill="none", stroke="currentColor", stroke_width="1.6", stroke_linejoin="round")
    hook = tag(
        "path",
        d="M8.3 12.2l2.6 2.6l5-5.3",
        fill="none",
        stroke="currentColor",
        stroke_width="1.8",
        stroke_linecap="round",
        stroke_linejoin="round",
    )
    return tag("svg", shield, outline, hook, viewBox="0 0 24 24", class_="brand", aria_hidden="true")


def ring(score: int, *, before: int | None = None, little: bool = False, label: str) -> Markup:
    """The score as a ring; a notch stands where it was before."""
    circle = {"cx": "60", "cy": "60", "r": "50", "pathLength": "100", "transform": "rotate(-90 60 60)"}
    return tag(
        "svg",
        tag("circle", class_="track", **circle),
        tag("circle", class_=f"arc {band(score)}", stroke_dasharray=f"{score} {100 - score}", **circle)
        if score
        else None,
        tag("circle", class_="was", stroke_dasharray="0.9 99.1", stroke_dashoffset=f"{0.45 - before}", **circle)
        if before is not None and not little
        else None,
        tag("text", str(score), x="60", y="73" if little else "69", class_="big"),
        None if little else tag("text", "of 100", x="60", y="85", class_="of"),
        viewBox="0 0 120 120",
        class_="ring little" if little else "ring",
        role="img",
        aria_label=label,
    )


def score_bar(score: int | None, *, before: int | None = None) -> Markup:
    """The score as a bar with a mark where it was before. The number stands beside it, so this is decoration."""
    filled = tag("rect", width=f"{score}%", height="10", rx="5", class_=band(score)) if score else None
    mark = f"{min(max(before, 0.6), 99.4) - 0.4}%" if before is not None else ""
    was = (
        tag("rect", x=mark, y="-3", width="3", height="16", rx="1", class_="was") if mark and before != score else None
    )
    return tag(
        "svg",
        tag("rect", width="100%", height="10", rx="5", class_="track"),
        filled,
        was,
        class_="bar",
        aria_hidden="true",
    )


def sparkline(points: t.Sequence[TrendPoint]) -> Markup:
    """Scores over time. With a single point there is nothing to draw: call it for two or more."""
    places = _places(points)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    area = f"{places[0][0]:.1f},{_BOTTOM} {line} {places[-1][0]:.1f},{_BOTTOM}"
    last_x, last_y = places[-1]
    first, last = points[0], points[-1]
    return tag(
        "svg",
        [tag("line", x1=_LEFT, x2=_RIGHT, y1=_height(score), y2=_height(score)) for score in (0, 50, 100)],
        tag("polygon", points=area, class_="area"),
        tag("polyline", points=line),
        [_dot(point, x, y) for point, (x, y) in list(zip(points, places))[-_DOTS:-1]],
        tag("circle", cx=f"{last_x:.1f}", cy=f"{last_y:.1f}", r="4", class_="last"),
        tag("text", str(last.score), x=f"{last_x + 10:.1f}", y=f"{last_y + 3.5:.1f}", class_="now"),
        tag("text", _shown(first.assessed_at, other=last.assessed_at), x=_LEFT, y="90"),
        tag("text", _shown(last.assessed_at, other=first.assessed_at), x=_RIGHT, y="90", text_anchor="end"),
        viewBox="0 0 290 94",
        class_="spark",
        role="img",
        aria_label=f"{len(points)} results: score {first.score} on {first.assessed_at[:10]}, "
        f"{last.score} on {last.assessed_at[:10]}",
    )


def _dot(point: TrendPoint, x: float, y: float) -> Markup:
    title = tag("title", f"{point.assessed_at}: {point.score}")
    return tag("circle", title, cx=f"{x:.1f}", cy=f"{y:.1f}", r="2.5")


def _shown(moment: str, *, other: str) -> str:
    """The date; the time where both are of one day."""
    return f"{moment[11:16]} UTC" if moment[:10] == other[:10] else moment[:10]


def _places(points: t.Sequence[TrendPoint]) -> list[tuple[float, float]]:
    moments = [_seconds(point.assessed_at) for point in points]
    known = [moment for moment in moments if moment is not None]
    by_time = len(known) == len(points) and known[-1] > known[0]
    places = []
    for number, point in enumerate(points):
        share = (known[number] - known[0]) / (known[-1] - known[0]) if by_time else number / max(1, len(points) - 1)
        places.append((_LEFT + share * (_RIGHT - _LEFT), _height(point.score)))
    return places


def _height(score: int) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * score / 100


def _seconds(moment: str) -> float | None:
    try:
        return datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
