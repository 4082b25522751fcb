# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What lies beside sealed files: the manifest of a full backup and the sidecar of a segment. Pure.

Both hold a checksum of themselves and are compared with what we would write, so that any changed byte is seen.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing as t

from .backup_moments import is_id, parse_moment
from .backup_segments import is_segment, parse_position
from .declared_fields import Fields
from .errors import InvalidDeclaration
from .sealing import AGE, TOOLS, sealed_name

FORMAT: t.Final = 1
_SHA256: t.Final = re.compile(r"[0-9a-f]{64}")
# What a full backup consists of, before it is sealed.
_DATA: t.Final = {"postgresql": "base.tar", "mariadb": "data.mbstream"}
MANIFEST: t.Final = "manifest.json"
# No file is longer; what is larger comes from somebody who wants us to fail.
LARGEST_COUNT: t.Final = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class SealedFile:
    """One sealed file. ``plain_bytes`` counts what went into the compression; 0 where its tool did not say."""

    name: str
    bytes: int
    sha256: str
    plain_bytes: int


@dataclasses.dataclass(frozen=True)
class Manifest:
    """One full backup. Moments are text, see :mod:`backup_moments`.

    :param consistent_from: any moment from this one on can be recovered from this set and the log.
    """

    id: str
    job: str
    engine: str
    started: str
    finished: str
    consistent_from: str
    position: t.Mapping[str, t.Any]
    server_version: str
    tool_version: str
    system_identifier: str
    files: tuple[SealedFile, ...]
    recipients: tuple[str, ...]

    @property
    def is_full(self) -> bool:
        """Not one that builds upon another set, as pgBackRest makes them: their labels say so."""
        return not self.id.endswith(("D", "I"))

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def marks(self) -> frozenset[str]:
        """What tells it from a set of the same id of another server: see :func:`mark_of`."""
        return frozenset(mark_of(file.sha256, self.system_identifier) for file in self.files)


@dataclasses.dataclass(frozen=True)
class Sidecar:
    """One sealed segment of the log.

    :param closed: when the server wrote to it last: what was committed by then is in it or in an earlier one.
    :param opened: when the server began it; only of a binary log.
    :param switches: only of a timeline's history: each earlier timeline and the position where it was left.
    :param sealing: the tool that sealed it; see :mod:`sealing`.
    """

    name: str
    bytes: int
    sha256: str
    plain_sha256: str
    plain_bytes: int
    archived: str
    closed: str
    switches: tuple[tuple[int, str], ...] = ()
    opened: str = ""
    sealing: str = AGE

    @property
    def file(self) -> str:
        """Name of the sealed file."""
        return sealed_name(self.name, self.sealing)


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a store holds. ``damaged`` has a line for each thing that is not what it should be."""

    manifests: tuple[Manifest, ...]
    sidecars: tuple[Sidecar, ...]
    damaged: tuple[str, ...]


def mark_of(sha256: str, system_identifier: str) -> str:
    """The file's checksum. pgBackRest names none of a set, so that it is the server's identifier there."""
    return sha256 or system_identifier


def data_file(engine: str, sealing: str) -> str:
    """The sealed file that a full backup consists of, whatever a manifest on disk may say."""
    return sealed_name(_DATA[engine], sealing)


def data_files() -> frozenset[str]:
    """All names that it may have."""
    return frozenset(data_file(engine, tool) for engine in _DATA for tool in TOOLS)


def render_manifest(manifest: Manifest) -> str:
    return _sealed_text({"format": FORMAT, **dataclasses.asdict(manifest)})


def parse_manifest(text: str, *, where: str) -> Manifest:
    """Raises InvalidDeclaration for anything that :func:`render_manifest` would not have written."""
    fields = _fields(text, where, (*(field.name for field in dataclasses.fields(Manifest)), "format", "check"))
    engine = fields.choice("engine", tuple(_DATA))
    manifest = Manifest(
        id=fields.required_text("id"),
        job=fields.required_text("job"),
        engine=engine,
        started=_moment(fields, "started"),
        finished=_moment(fields, "finished"),
        consistent_from=_moment(fields, "consistent_from"),
        position=_position(fields, engine),
        server_version=fields.text("server_version") or "",
        tool_version=fields.text("tool_version") or "",
        system_identifier=fields.text("system_identifier") or "",
        files=tuple(_sealed_file(item, fields.where) for item in fields.items("files")),
        recipients=fields.texts("recipients"),
    )
    names = [file.name for file in manifest.files]
    if not is_id(manifest.id) or names not in [[data_file(engine, tool)] for tool in TOOLS]:
        raise InvalidDeclaration(f"{where} does not describe one full backup", _HINT)
    _same(text, render_manifest(manifest), where)
    return manifest


def render_sidecar(sidecar: Sidecar) -> str:
    """Without the tool where it is age, as it was written when there was no other."""
    entry = dataclasses.asdict(sidecar)
    sealing = entry.pop("sealing")
    return _sealed_text({"format": FORMAT, **entry, **({} if sealing == AGE else {"sealing": sealing})})


def parse_sidecar(text: str, *, where: str) -> Sidecar:
    """Raises InvalidDeclaration for anything that :func:`render_sidecar` would not have written."""
    fields = _fields(text, where, (*(field.name for field in dataclasses.fields(Sidecar)), "format", "check"))
    switches = fields.items("switches")
    if not all(isinstance(item, list) and [type(part) for part in item] == [int, str] for item in switches):
        raise fields.wrong("switches", switches, "a list of pairs")
    for dummy, place in switches:
        _checked(parse_position, place, fields.where)
    sidecar = Sidecar(
        name=fields.required_text("name"),
        bytes=_count(fields, "bytes"),
        sha256=_checksum(fields, "sha256"),
        plain_sha256=_checksum(fields, "plain_sha256"),
        plain_bytes=_count(fields, "plain_bytes"),
        archived=_moment(fields, "archived"),
        closed=_moment(fields, "closed"),
        switches=tuple((timeline, position) for timeline, position in switches),
        opened=_moment(fields, "opened") if fields.text("opened") else "",
        sealing=fields.choice("sealing", TOOLS, default=AGE),
    )
    _same(text, render_sidecar(sidecar), where)
    return sidecar


_HINT: t.Final = "It was changed since it was written; other copies of this set may be sound"


def _sealed_text(entry: t.Mapping[str, t.Any]) -> str:
    body = json.dumps(entry, sort_keys=True)
    check = hashlib.sha256(body.encode("utf-8")).hexdigest()
    return json.dumps({**json.loads(body), "check": check}, indent=1, sort_keys=True) + "\n"


def _same(text: str, expected: str, where: str) -> None:
    if text != expected:
        raise InvalidDeclaration(f"{where} is not what was written", _HINT)


def _fields(text: str, where: str, known: t.Collection[str]) -> Fields:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidDeclaration(f"{where} is no JSON", _HINT) from None
    fields = Fields(entry, where=where, known=known)
    if fields.number("format") != FORMAT:
        raise InvalidDeclaration(
            f"{where} has format {fields.raw('format')!r}, this program knows {FORMAT}", "Use a newer bulwark.database"
        )
    return fields


def _sealed_file(item: t.Any, where: str) -> SealedFile:
    fields = Fields(item, where=f"{where}: files", known=[field.name for field in dataclasses.fields(SealedFile)])
    return SealedFile(
        name=fields.required_text("name"),
        bytes=_count(fields, "bytes"),
        sha256=_checksum(fields, "sha256"),
        plain_bytes=_count(fields, "plain_bytes"),
    )


def _position(fields: Fields, engine: str) -> dict[str, t.Any]:
    """Whoever took a host over may write anything into it, and it is calculated with."""
    entry = fields.mapping("position")
    if engine == "mariadb":
        known = ("binlog_file", "binlog_position", "gtid", "galera_uuid", "galera_seqno")
        place = Fields(entry, where=f"{fields.where}: position", known=known)
        numbers = ("binlog_position", "galera_seqno")
        return {key: place.number(key) if key in numbers else place.text(key) for key in known}
    place = Fields(entry, where=f"{fields.where}: position", known=("start_wal", "timeline", "start_lsn", "end_lsn"))
    found: dict[str, t.Any] = {
        "start_wal": place.required_text("start_wal"),
        "timeline": _count(place, "timeline"),
        "start_lsn": place.required_text("start_lsn"),
        "end_lsn": place.required_text("end_lsn"),
    }
    if not is_segment(found["start_wal"]):
        raise InvalidDeclaration(f"{place.where}: start_wal is no segment of a log", _HINT)
    for key in ("start_lsn", "end_lsn"):
        _checked(parse_position, found[key], place.where)
    return found


def _count(fields: Fields, key: str) -> int:
    value = fields.number(key)
    if value is None or not 0 <= value <= LARGEST_COUNT:
        raise InvalidDeclaration(f"{fields.where}: {key} is no count", _HINT)
    return value


def _checksum(fields: Fields, key: str) -> str:
    value = fields.required_text(key)
    if not _SHA256.fullmatch(value):
        raise InvalidDeclaration(f"{fields.where}: {key} is no SHA-256", _HINT)
    return value


def _moment(fields: Fields, key: str) -> str:
    value = fields.required_text(key)
    _checked(parse_moment, value, fields.where)
    return value


def _checked(parse: t.Callable[[str], t.Any], text: str, where: str) -> None:
    """Raises InvalidDeclaration that says where the text is."""
    try:
        parse(text)
    except InvalidDeclaration as error:
        raise InvalidDeclaration(f"{where}: {error.message}", _HINT) from None
