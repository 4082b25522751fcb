# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Copies of a store on a host that takes what is new and gives nothing up: who sends what, in which words. Pure.

The sender speaks first, by SSH, to a program that a forced command starts. Both write lines of JSON:

1. sender: ``{"format": 1, "offer": [[path, bytes, sha256], ...]}``
2. receiver: ``{"want": [path, ...], "refused": {path: reason, ...}}``; the rest it has
3. for each path that is wanted, in that order, sender: ``{"put": path}`` and its bytes; receiver: ``{"stored": path}``,
   or ``{"differs": path}`` if its bytes are not what was offered
4. sender: ``{"done": true}``; receiver: ``{"done": true}``

In place of any answer the receiver may write ``{"error": text}`` and end. Nothing of it overwrites or removes.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
import typing as t

from .backup_manifest import LARGEST_COUNT, MANIFEST, Contents, data_files
from .backup_moments import is_id
from .backup_segments import is_stored_name
from .errors import InvalidDeclaration
from .sealing import stem_of, tool_of

FORMAT: t.Final = 1
RESTORE_TEXT: t.Final = "RESTORE.txt"
RECIPIENTS: t.Final = "recipients.txt"
# Written anew when the collection or the keys change; the receiver keeps what it had under another name.
TEXTS: t.Final = (RESTORE_TEXT, RECIPIENTS)
LONGEST_LINE: t.Final = 64 * 1024 * 1024
_LONGEST_TEXT: t.Final = 1024 * 1024
_SHA256: t.Final = re.compile(r"[0-9a-f]{64}")
_HOST: t.Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?")
_USER: t.Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
SSH_PORT: t.Final = 22
_PORTS: t.Final = range(1, 65536)
_DATA: t.Final = data_files()


@dataclasses.dataclass(frozen=True)
class Offsite:
    """Where copies go.

    :param addresses: all that are connected to, in turn; nothing else is, not even to ask for a name.
    :param key: path of the private key that may do nothing but add copies.
    :param known_hosts: path of the file with the host's key; no other is accepted.
    """

    host: str
    port: int
    user: str
    key: str
    known_hosts: str
    addresses: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise InvalidDeclaration(f"offsite: {self.host!r} is no host", "A name or an address")
        if not _USER.fullmatch(self.user):
            raise InvalidDeclaration(f"offsite: {self.user!r} is no account", "Like bulwark-copies")
        if self.port not in _PORTS:
            raise InvalidDeclaration(f"offsite: {self.port} is no port", "From 1 to 65535")
        if not self.addresses:
            raise InvalidDeclaration(f"offsite: {self.host} has no address", "Run the role again, it looks them up")
        for address in self.addresses:
            check_address(address)

    @property
    def name(self) -> str:
        return self.host

    @property
    def waits_for(self) -> str:
        """Nothing is sent as long as it is not there."""
        return self.key

    @property
    def known_as(self) -> str:
        """What the host's key is kept under in known_hosts."""
        return self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"

    def command(self, address: str) -> list[str]:
        """As OpenSSH is started: one key, one host key, nothing asked, and an end of its own when the line is dead."""
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": self.key,
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": self.known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": self.known_as,
            "PreferredAuthentications": "publickey",
            "ConnectTimeout": "15",
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
            "LogLevel": "ERROR",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "/dev/null", "-T", *words, "-p", str(self.port), "-l", self.user, "--", address]


def check_address(text: str) -> None:
    """Raises InvalidDeclaration."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise InvalidDeclaration(f"offsite: {text!r} is no address", "Run the role again, it looks them up") from None


@dataclasses.dataclass(frozen=True)
class Offered:
    """A file, by its path below the store."""

    path: str
    bytes: int
    sha256: str

    @property
    def is_text(self) -> bool:
        return self.path in TEXTS

    @property
    def full(self) -> str:
        """Id of the full backup that it is a part of; empty for others."""
        return self.path.split("/")[1] if self.path.startswith("full/") else ""

    @property
    def described(self) -> str:
        """What its description is about, too: a full backup or a segment."""
        return self.full or stem_of(self.path.removesuffix(".json"))

    @property
    def is_sealed(self) -> bool:
        return bool(tool_of(self.path))


def to_offer(contents: Contents, describe: t.Callable[[str], tuple[int, str]], texts: t.Iterable[str]) -> list[Offered]:
    """All that a store holds and that counts, each after what it describes. Segments first: they are the freshest.

    :param describe: size and SHA-256 of a small file, by its path below the store.
    :param texts: those of TEXTS that are there.
    """
    offered = [Offered(name, *describe(name)) for name in texts]
    for sidecar in contents.sidecars:
        offered.append(Offered(f"log/{sidecar.file}", sidecar.bytes, sidecar.sha256))
        offered.append(Offered(f"log/{sidecar.name}.json", *describe(f"log/{sidecar.name}.json")))
    for manifest in contents.manifests:
        folder = f"full/{manifest.id}"
        offered += [Offered(f"{folder}/{file.name}", file.bytes, file.sha256) for file in manifest.files]
        offered.append(Offered(f"{folder}/{MANIFEST}", *describe(f"{folder}/{MANIFEST}")))
    return offered


def render_offer(offered: t.Iterable[Offered]) -> dict[str, t.Any]:
    return {"format": FORMAT, "offer": [[one.path, one.bytes, one.sha256] for one in offered]}


def parse_offer(line: str) -> list[Offered]:
    """Raises InvalidDeclaration for anything that is no offer of a store's files."""
    message = parse_line(line)
    if message.get("format") != FORMAT:
        raise InvalidDeclaration(
            f"the sender's format is {message.get('format')!r}, this program knows {FORMAT}",
            "Bring both hosts to the same version of the collection",
        )
    entries = message.get("offer")
    if not isinstance(entries, list):
        raise InvalidDeclaration("the sender offers nothing that can be read")
    return [_offered(entry) for entry in entries]


def _offered(entry: t.Any) -> Offered:
    if not (isinstance(entry, list) and len(entry) == len(dataclasses.fields(Offered))):
        raise InvalidDeclaration("the sender offers something that is no file")
    path, size, sha256 = entry
    if not isinstance(path, str) or not is_of_store(path):
        raise InvalidDeclaration(f"{str(path)[:200]!r} is no file of a store")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LARGEST_COUNT:
        raise InvalidDeclaration(f"{path}: its size is no number")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise InvalidDeclaration(f"{path}: its SHA-256 is none")
    if size > _LONGEST_TEXT and not tool_of(path):
        raise InvalidDeclaration(f"{path}: {size} bytes are too many for a description")
    return Offered(path, size, sha256)


def is_of_store(path: str) -> bool:
    """Whether it is the name of something that a store holds. Nothing else is written, wherever it would lie."""
    folder, dummy, rest = path.partition("/")
    if not rest:
        return path in TEXTS
    if folder == "log":
        stem = stem_of(rest) if tool_of(rest) else rest[: -len(".json")]
        return bool(tool_of(rest) or rest == f"{stem}.json") and is_stored_name(stem)
    identifier, dummy, name = rest.partition("/")
    return folder == "full" and is_id(identifier) and (name == MANIFEST or name in _DATA)


def parse_line(line: str) -> dict[str, t.Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise InvalidDeclaration(f"what came is no message: {line[:100]!r}")
    return message


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the receiver wants, in the order of the offer, and what it refuses, with the reason."""

    wanted: tuple[Offered, ...]
    refused: t.Mapping[str, str]


def parse_answer(line: str, offered: t.Sequence[Offered]) -> Answer:
    """Raises InvalidDeclaration."""
    message = parse_line(line)
    want, refused = message.get("want"), message.get("refused")
    if not isinstance(want, list) or not isinstance(refused, dict):
        raise InvalidDeclaration(f"the receiver answers {line[:100]!r}")
    names = set(map(str, want))
    return Answer(
        tuple(one for one in offered if one.path in names), {str(path): str(why) for path, why in refused.items()}
    )
