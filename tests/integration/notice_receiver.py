# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who is told, for tests: by https and by mail with STARTTLS. What comes is kept, a JSON line each.

    notice_receiver.py CERTIFICATE KEY FOLDER HTTPS_PORT SMTP_PORT

A file ``refuse`` in the folder makes it refuse everything.
"""

from __future__ import annotations

import base64
import http.server
import json
import pathlib
import socketserver
import ssl
import sys
import threading
import typing as t


class Kept:
    """What came, in a file."""

    folder = pathlib.Path()
    context: ssl.SSLContext
    lock = threading.Lock()

    @classmethod
    def add(cls, **what: t.Any) -> None:
        with cls.lock, (cls.folder / "received.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(what) + "\n")

    @classmethod
    def refuses(cls) -> bool:
        return (cls.folder / "refuse").exists()


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer("")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def _answer(self, body: str) -> None:
        refused = Kept.refuses()
        Kept.add(kind=self.command, path=self.path, body=body, refused=refused)
        self.send_response(500 if refused else 200)
        self.end_headers()

    def log_request(self, *arguments: t.Any) -> None:
        """What came is kept; nothing is to be said of it."""


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a client of ours needs; without encryption it takes neither login nor mail."""

    encrypted = False
    user = ""

    def handle(self) -> None:
        self._say("220 receiver")
        while True:
            line = self.rfile.readline().decode("utf-8", "replace").strip()
            if not line or line.upper() == "QUIT":
                return
            self._take(line)

    def _take(self, line: str) -> None:
        verb = line.split(" ")[0].upper()
        if verb == "EHLO":
            self._say("250-receiver", "250 AUTH PLAIN" if self.encrypted else "250 STARTTLS")
        elif verb == "STARTTLS":
            self._say("220 go on")
            self.request = Kept.context.wrap_socket(self.request, server_side=True)
            self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb")
            self.encrypted = True
        elif not self.encrypted:
            self._say("530 STARTTLS first")
        elif verb == "AUTH":
            self.user = base64.b64decode(line.split(" ")[2]).decode().replace("\0", " ").strip()
            self._say("235 welcome")
        elif verb == "DATA":
            self._data()
        else:
            self._say("250 ok")

    def _data(self) -> None:
        self._say("354 go on")
        lines: list[str] = []
        while (line := self.rfile.readline().decode().rstrip("\r\n")) != ".":
            lines.append(line)
        refused = Kept.refuses()
        Kept.add(kind="mail", user=self.user, text="\n".join(lines), refused=refused)
        self._say("451 not now" if refused else "250 taken")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
        self.wfile.flush()


def main() -> None:
    certificate, key, folder, https_port, smtp_port = sys.argv[1:]
    Kept.folder = pathlib.Path(folder)
    Kept.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Kept.context.load_cert_chain(certificate, key)
    web = http.server.ThreadingHTTPServer(("0.0.0.0", int(https_port)), Web)
    web.socket = Kept.context.wrap_socket(web.socket, server_side=True)
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    mail = socketserver.ThreadingTCPServer(("0.0.0.0", int(smtp_port)), Mail)
    threading.Thread(target=mail.serve_forever, daemon=True).start()
    (Kept.folder / "ready").touch()
    web.serve_forever()


if __name__ == "__main__":
    main()
