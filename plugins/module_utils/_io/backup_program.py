# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The program as one file: a zip of the collection's own sources, the same bytes wherever it is made.

Sources are asked of whatever loaded this module, so that it works in a checkout, in an installed collection, and within
the zip that Ansible sends to a host.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import typing as t
import zipfile

from .._core.errors import ObservationFailed

ENTRY: t.Final = "_job.command_line"
PACKAGE: t.Final = "bulwark_backup"
# The oldest moment that a zip can hold: it says nothing, and is the same each time.
_MOMENT: t.Final = (1980, 1, 1, 0, 0, 0)
_MAIN: t.Final = """\
import sys

from {package}.{entry} import run

sys.exit(run(sys.argv[1:]))
"""


def build_program(root: str = "", *, entry: str = ENTRY) -> bytes:
    """The zip, for ``python3 -I FILE``.

    Whoever calls it has to import the entry: Ansible sends only what is imported. Raises ObservationFailed if a source
    can't be had.

    :param root: the package that holds the layers; that of this module unless a test says otherwise.
    :param entry: the module whose ``run`` is the program.
    """
    root = root or __name__.rpartition("._io.")[0]
    sources = _sources(root, entry)
    layers = sorted({name.split(".")[0] for name in sources})
    files = {"__main__.py": _MAIN.format(package=PACKAGE, entry=entry), f"{PACKAGE}/__init__.py": ""}
    # zips know no packages without such a file
    files.update({f"{PACKAGE}/{layer}/__init__.py": "" for layer in layers})
    files.update({f"{PACKAGE}/{name.replace('.', '/')}.py": text for name, text in sources.items()})
    stream = io.BytesIO()
    # stored, because compression differs between versions of zlib
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _MOMENT)
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, files[name])
    return stream.getvalue()


def _sources(root: str, entry: str) -> dict[str, str]:
    """The entry and all that it imports of ours, by ``layer.module``."""
    found: dict[str, str] = {}
    wanted = [entry]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = _source(f"{root}.{name}")
            wanted += _imports(found[name], name.split(".")[0])
    return found


def _source(name: str) -> str:
    try:
        spec = importlib.util.find_spec(name)
        loader: t.Any = spec.loader if spec else None
        text = loader.get_source(name) if loader else None
    except (ImportError, OSError) as error:
        raise ObservationFailed(f"can't read the source of {name}: {error}") from None
    if text is None:
        raise ObservationFailed(f"the source of {name} is not there", "Install the collection anew")
    return t.cast("str", text)


def _imports(source: str, layer: str) -> list[str]:
    """Relative ones, as all are: ``from .module``, ``from ..layer.module``, ``from ..layer import module``."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom) or node.level not in (1, 2):
            continue
        target = f"{layer}.{node.module}" if node.level == 1 else str(node.module)
        names += [target] if "." in target else [f"{target}.{alias.name}" for alias in node.names]
    return names
