# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""HTML and XML by construction: text is escaped because it is text, markup passes because its type says so."""

from __future__ import annotations

import html
import typing as t

_VOID = frozenset({"input", "line", "link", "meta", "path", "polygon", "polyline", "rect", "use"})

Child = t.Union[str, None, t.Iterable["Child"]]


class Markup(str):
    """Text that is markup already. Only this module and constants of ours make it."""

    __slots__ = ()


def tag(element: str, /, *children: Child, **attributes: t.Any) -> Markup:
    """One element. Strings among the children are escaped unless they are Markup; None is left out.

    Attributes: ``class_`` is class, ``data_host`` is data-host, True is a bare attribute, None and False are left out.
    """
    opening = f"<{element}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    if element in _VOID:
        return Markup(opening[:-1] + "/>")
    return Markup(f"{opening}{joined(*children)}</{element}>")


def joined(*children: Child) -> Markup:
    """The children one after another, escaped as in tag()."""
    return Markup("".join(_escaped(child) for child in children))


def _escaped(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return html.escape(child)
    return "".join(_escaped(part) for part in child)


def _attribute(key: str, value: t.Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
