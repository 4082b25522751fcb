# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report in a real browser, opened as a file, the way people open it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

import sample_assessments
from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_page import render_html
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import read_report
from chromium import Browser

HOSTILE = "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'>\" onclick=\"window.hacked=3"
VISIBLE = "return [...document.querySelectorAll('.control')].filter((card) => card.offsetParent).map((card) => card.id)"
LATER = "return new Promise((done) => setTimeout(() => done(%s), 100))"
# The contrast that WCAG asks for, of every text against the first background behind it that is not transparent.
CONTRASTS = r"""
const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = numbers(colour).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let node = element; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if ((numbers(colour)[3] ?? 1) > 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
const weak = [];
for (const element of document.querySelectorAll("body *")) {
  const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.offsetParent || element.closest("svg, .sr, script")) continue;
  const style = getComputedStyle(element), pair = [light(style.color), light(behind(element))].sort((a, b) => b - a);
  const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (contrast < 4.5) weak.push(`${element.className || element.tagName}: ${contrast.toFixed(2)}`);
}
return [...new Set(weak)];
"""


def page(folder: Path, assessments: dict[str, t.Any], **options: t.Any) -> str:
    """The address of a report on these assessments."""
    text = render_html(
        read_report(assessments, title="Database hardening", generated_at="2026-11-22T03:05:00Z", **options)
    )
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def fleet(tmp_path: Path) -> str:
    assessments = sample_assessments.fleet()
    before = dict.fromkeys(assessments, sample_assessments.stock())
    return page(tmp_path, assessments, before=before, not_assessed=["pg9"])


def visible(browser: Browser) -> list[str]:
    return list(browser.run(VISIBLE))


def count(browser: Browser) -> str:
    return str(browser.run("return document.getElementById('f-count').textContent"))


def test_the_page_asks_for_nothing_but_itself_and_the_console_stays_empty(browser: Browser, fleet: str) -> None:
    browser.show("about:blank")  # a browser's own first page asks for much
    browser.console(), browser.requests()
    browser.show(fleet)
    assert [address for address in browser.requests() if address != "about:blank"] == [fleet]
    assert browser.console() == []
    assert len(visible(browser)) == 33


def test_the_policy_forbids_a_script_that_is_not_ours(browser: Browser, fleet: str) -> None:
    browser.show(fleet)
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.smuggled = 1'; document.body.append(s)"
    )
    assert browser.run("return window.smuggled") is None
    assert any("Content Security Policy" in message for message in browser.console())


def test_hostile_names_stay_text(browser: Browser, tmp_path: Path) -> None:
    assessment = sample_assessments.hardened()
    for result in assessment["results"]:
        result.update(dict.fromkeys(("title", "rationale", "observed", "expected", "remedy", "category"), HOSTILE))
        result.update({key: [HOSTILE] for key in ("evidence", "references", "source", "residual")})
        result["waiver"] = dict.fromkeys(("reason", "owner", "expires"), HOSTILE)
    assessment.update(engine=HOSTILE, server_version=HOSTILE, level=HOSTILE, warnings=[HOSTILE])
    url = page(tmp_path, {HOSTILE: assessment, "other": sample_assessments.stock()})
    browser.show(url)
    browser.run("document.querySelectorAll('details').forEach((element) => { element.open = true })")
    browser.run("document.querySelectorAll('[onclick], [onerror]').forEach((element) => element.click())")
    assert browser.run(
        "return [window.hacked, document.querySelectorAll('img, [onclick], body div script').length]"
    ) == [
        None,
        0,
    ]
    assert HOSTILE in browser.run("return document.body.textContent")
    assert browser.console() == []


def test_the_search_narrows_and_the_address_remembers(browser: Browser, fleet: str) -> None:
    browser.show(fleet)
    browser.press("/checksums")
    assert visible(browser) == ["PG-FS-004"]
    assert count(browser) == "1 of 33 controls"
    address = browser.run("return location.href")
    assert address.endswith("#q=checksums")
    browser.show(address)
    assert visible(browser) == ["PG-FS-004"]
    browser.click("#f-reset")
    assert len(visible(browser)) == 33


def test_a_search_that_matches_nothing_says_so(browser: Browser, fleet: str) -> None:
    browser.show(f"{fleet}#q=no-such-thing")
    assert visible(browser) == []
    assert browser.run("return document.getElementById('f-empty').offsetParent !== null")


def test_verdict_category_and_host_narrow_together(browser: Browser, fleet: str) -> None:
    browser.show(f"{fleet}#verdict=fail&category=packages&host=pg3")
    assert visible(browser) == ["PKG-006"]
    shown = (
        "return [...document.querySelectorAll('#PKG-006 .finding:not([hidden])')].map((found) => found.dataset.host)"
    )
    assert browser.run(shown) == ["pg3"]
    assert browser.run("return document.querySelector('.toggle.v-fail').getAttribute('aria-pressed')") == "true"
    browser.click(".toggle.v-waived")
    browser.run("const s = document.getElementById('f-host'); s.value = ''; s.dispatchEvent(new Event('change'))")
    assert browser.run("return location.hash") == "#verdict=fail%2Cwaived&category=packages"
    assert browser.run(shown) == ["pg1", "pg2", "pg3"]


def test_the_tiles_and_the_categories_filter(browser: Browser, fleet: str) -> None:
    browser.show(fleet)
    browser.click("a.stat.v-waived")
    assert visible(browser) == ["PKG-006"]
    browser.run("scrollTo(0, 0)")
    browser.click(".bars a[href='#category=sessions']")
    assert visible(browser) == ["PG-SES-001", "PG-AUTH-010"]


def test_a_link_to_a_control_unfolds_it_even_if_a_filter_hid_it(browser: Browser, fleet: str) -> None:
    browser.show(f"{fleet}#q=checksums")
    browser.run("location.hash = 'PG-TLS-001'")
    assert browser.run(LATER % "document.getElementById('PG-TLS-001').open")
    assert len(visible(browser)) == 33


def test_a_control_unfolds_with_the_keyboard(browser: Browser, fleet: str) -> None:
    browser.show(fleet)
    browser.run("document.querySelector('#PG-FS-004 summary').focus()")
    browser.press("\ue007")
    text = browser.run("const card = document.getElementById('PG-FS-004'); return card.open ? card.innerText : ''")
    assert re.search(r"Observed\s+off\s+Expected\s+on", text)
    assert "pg_checksums --enable" in text


def test_all_unfold_and_fold_at_once(browser: Browser, fleet: str) -> None:
    browser.show(f"{fleet}#verdict=fail")
    browser.click("#f-unfold")
    opened = "return document.querySelectorAll('.control[open]').length"
    assert browser.run(opened) == len(visible(browser)) == 22
    browser.click("#f-unfold")
    assert browser.run(opened) == 0


def test_the_remedy_is_copied(browser: Browser, fleet: str) -> None:
    browser.show(f"{fleet}#PG-TLS-001")
    browser.click("#PG-TLS-001 .copy")
    assert browser.run(LATER % "document.querySelector('#PG-TLS-001 .copy').textContent") == "Copied"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_asks_for(browser: Browser, fleet: str, dark: bool) -> None:
    browser.show(fleet, dark=dark)
    browser.run("document.querySelectorAll('details').forEach((element) => { element.open = true })")
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in re.findall(r"\d+", background)) < 200) is dark
    assert browser.run(CONTRASTS) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_window(browser: Browser, fleet: str, width: int) -> None:
    browser.show(fleet, width=width)
    browser.run("document.querySelectorAll('details').forEach((element) => { element.open = true })")
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_every_control_element_has_a_name_for_assistive_technology(browser: Browser, fleet: str) -> None:
    browser.show(fleet)
    tree = browser.command("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "combobox", "searchbox", "link", "image", "DisclosureTriangle"}
    found = [node for node in tree if node.get("role", {}).get("value") in roles]
    assert len(found) > 60
    assert [node for node in found if not node.get("name", {}).get("value")] == []


def test_without_scripts_everything_is_readable(browser: Browser, fleet: str) -> None:
    path = Path(fleet.removeprefix("file://"))
    text, removed = re.subn(r"<script>.*?</script>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert removed == 1
    path.write_text(text, encoding="utf-8")
    browser.show(fleet)
    assert len(visible(browser)) == 33
    useless = "return [...document.querySelectorAll('.filters, .copy')].some((element) => element.offsetParent)"
    assert browser.run(useless) is False
    browser.click("#PG-FS-004 summary")
    assert "pg_checksums --enable" in browser.run("return document.getElementById('PG-FS-004').innerText")


def test_it_prints_with_what_wants_attention_unfolded(browser: Browser, tmp_path: Path) -> None:
    browser.show(page(tmp_path, {"pg1": sample_assessments.hardened()}))
    browser.run(
        "addEventListener('beforeprint', () => { window.printed = [...document.querySelectorAll('[open]')].length })"
    )
    pages = re.findall(rb"/Type\s*/Page\b", browser.pdf())
    assert 2 <= len(pages) <= 10
    assert browser.run("return window.printed") == 3  # failed, not observable, waived
    assert browser.run("return document.querySelectorAll('details[open]').length") == 0
