# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, spoken to by the WebDriver protocol of Debian's chromium-driver, with the standard library."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
import typing as t
import urllib.error
import urllib.request

BROWSER = "chromium"
DRIVER = "chromedriver"
PACKAGES = "chromium chromium-driver"

# A private, silent browser: no profile of the user, nothing sent home.
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_START_SECONDS = 30
_CALL_SECONDS = 60


class BrowserError(Exception):
    """What the driver answered instead of a value."""


def missing() -> str:
    """What is missing for a browser, an empty string if nothing is."""
    absent = [name for name in (BROWSER, DRIVER) if shutil.which(name) is None]
    return f"{' and '.join(absent)} not installed (Debian packages {PACKAGES})" if absent else ""


class Browser:
    """One window. Made by open_browser()."""

    def __init__(self, session: str) -> None:
        self._session = session

    def show(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False, scale: float = 1) -> None:
        """Load a page in a window of this size (CSS pixels), in light or dark colours."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self.command("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.command("Page.navigate", url="about:blank")  # else a page that differs only in its hash is not loaded anew
        _call("POST", f"{self._session}/url", url=url)

    def run(self, script: str, *arguments: t.Any) -> t.Any:
        """The value that this JavaScript returns. A promise is awaited."""
        return _call("POST", f"{self._session}/execute/sync", script=script, args=list(arguments))

    def press(self, keys: str) -> None:
        """Type on the keyboard, into whatever has the focus."""
        actions = [
            step for key in keys for step in ({"type": "keyDown", "value": key}, {"type": "keyUp", "value": key})
        ]
        _call("POST", f"{self._session}/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def click(self, selector: str) -> None:
        """Click what a user would see there; raises BrowserError if something covers it."""
        found = _call("POST", f"{self._session}/element", using="css selector", value=selector)
        _call("POST", f"{self._session}/element/{next(iter(found.values()))}/click")

    def command(self, name: str, **parameters: t.Any) -> t.Any:
        """A command of the DevTools protocol."""
        return _call("POST", f"{self._session}/goog/cdp/execute", cmd=name, params=parameters)

    def console(self) -> list[str]:
        """What was written to the console since the last call."""
        return [entry["message"] for entry in _call("POST", f"{self._session}/se/log", type="browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last call."""
        events = [
            json.loads(entry["message"])["message"]
            for entry in _call("POST", f"{self._session}/se/log", type="performance")
        ]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.command("Page.captureScreenshot")["data"])

    def pdf(self) -> bytes:
        """The page as it would be printed."""
        options = {"printBackground": True, "preferCSSPageSize": True}
        return base64.b64decode(self.command("Page.printToPDF", **options)["data"])


@contextlib.contextmanager
def open_browser() -> t.Iterator[Browser]:
    """A browser that ends with the block. Raises BrowserError with what is missing."""
    if missing():
        raise BrowserError(missing())
    with tempfile.TemporaryDirectory(prefix="bulwark-browser-") as profile:
        port = _free_port()
        command = [DRIVER, f"--port={port}", "--log-level=SEVERE"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
            address = f"http://127.0.0.1:{port}"
            session = ""
            try:
                session = f"{address}/session/{_new_session(address, profile)}"
                yield Browser(session)
            finally:
                if session:
                    with contextlib.suppress(BrowserError, OSError):
                        _call("DELETE", session)
                driver.terminate()


def _new_session(address: str, profile: str) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while not _is_ready(address):
        if time.monotonic() > deadline:
            raise BrowserError(f"{DRIVER} does not answer after {_START_SECONDS} s")
        time.sleep(0.1)
    options = {"binary": shutil.which(BROWSER), "args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
    logs = {"browser": "ALL", "performance": "ALL"}
    wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": logs}}
    return str(_call("POST", f"{address}/session", capabilities=wanted)["sessionId"])


def _is_ready(address: str) -> bool:
    try:
        return bool(_call("GET", f"{address}/status")["ready"])
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _call(method: str, address: str, /, **body: t.Any) -> t.Any:
    data = json.dumps(body).encode() if method == "POST" else None
    request = urllib.request.Request(address, data=data, method=method, headers={"Content-Type": "application/json"})  # noqa: S310 - our own driver
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_CALL_SECONDS) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        value = json.load(error)["value"]
        raise BrowserError(f"{value['error']}: {value['message'].splitlines()[0]}") from None
