# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make docs/images/report.png, the README's picture: the head of a report, as a browser shows it.

Without an argument the report is made from sample data. For the picture of a real run, name its HTML report:
``python tools/report_screenshot.py .build/reports/report.html``. Fewer colours keep the file small; pngquant, if it is
installed, does that.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from chromium import open_browser
from layout import COLLECTIONS, ROOT, link_checkout

PICTURE = ROOT / "docs" / "images" / "report.png"
WIDTH, HEIGHT = 1280, 1050
LARGEST = 200_000


def sample_report(folder: Path) -> Path:
    """A report on a made-up host that was hardened a moment ago."""
    link_checkout()
    sys.path[:0] = [str(COLLECTIONS), str(ROOT / "tests" / "unit")]
    import sample_assessments  # noqa: PLC0415 - found by the line above
    from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_page import render_html  # noqa: PLC0415
    from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import read_report  # noqa: PLC0415

    report = read_report(
        {"pg1": sample_assessments.hardened()},
        title="Database hardening",
        generated_at="2026-11-22T03:05:00Z",
        before={"pg1": sample_assessments.stock()},
        history=sample_assessments.history(),
    )
    path = folder / "report.html"
    path.write_text(render_html(report), encoding="utf-8")
    return path


def photograph(report: Path, *, height: int = HEIGHT, dark: bool = False) -> bytes:
    with open_browser() as browser:
        browser.show(report.resolve().as_uri(), width=WIDTH, height=height, dark=dark)
        return browser.screenshot()


def fewer_colours(picture: bytes) -> bytes:
    if shutil.which("pngquant") is None:
        return picture
    command = ["pngquant", "--speed", "1", "--strip", "128", "-"]
    return subprocess.run(command, input=picture, stdout=subprocess.PIPE, check=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?", type=Path, help="an HTML report; without it, sample data")
    parser.add_argument("--output", type=Path, default=PICTURE)
    parser.add_argument("--height", type=int, default=HEIGHT)
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = options.report or sample_report(Path(folder))
        picture = fewer_colours(photograph(report, height=options.height, dark=options.dark))
    if len(picture) > LARGEST:
        print(f"the picture has {len(picture)} bytes, {LARGEST} are the limit: install pngquant", file=sys.stderr)
        return 1
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_bytes(picture)
    print(f"{options.output}: {len(picture)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
