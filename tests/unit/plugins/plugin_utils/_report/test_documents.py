# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JUnit, Markdown, JSON and HTML: well-formed, complete, and inert whatever hosts put into them."""

from __future__ import annotations

import base64
import copy
import hashlib
import html.parser
import json
import re
import typing as t
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sample_assessments
from ansible_collections.bulwark.database.plugins.plugin_utils._report.document import render_json
from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_page import render_html
from ansible_collections.bulwark.database.plugins.plugin_utils._report.junit import render_junit
from ansible_collections.bulwark.database.plugins.plugin_utils._report.markdown import escaped, fenced, render_markdown
from ansible_collections.bulwark.database.plugins.plugin_utils._report.markup import Markup, joined, tag
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import Report, read_report

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert()>\" ' ]]> &amp; --> \x00\x1b[m | `x` [a](b) {{ 7*7 }}"
)
LISTS = ("source", "references", "evidence", "residual")
TEXTS = ("id", "title", "category", "level", "rationale", "observed", "expected", "remedy", "activation")


def report_on(assessments: t.Any, **options: t.Any) -> Report:
    return read_report(assessments, title="Report", generated_at="2026-11-22T03:05:00Z", **options)


def filled_with(text: str) -> dict[str, t.Any]:
    """An assessment in which every string is this text."""
    result = {**dict.fromkeys(TEXTS, text), **{key: [text] for key in LISTS}}
    waiver = {**dict.fromkeys(("reason", "owner", "expires"), text), "expired": False}
    results = [
        {
            **result,
            "id": f"{text}{verdict}" or "X",
            "verdict": verdict,
            "waiver": waiver if verdict == "waived" else None,
        }
        for verdict in ("pass", "fail", "waived", "not_applicable", "not_observable")
    ]
    head = dict.fromkeys(("engine", "server_version", "level", "log_policy", "assessed_at"), text)
    return {
        **head,
        "schema": 1,
        "score": 50,
        "categories": [{"name": text, "title": text}],
        "results": results,
        "warnings": [text],
    }


def hostile_report(text: str) -> Report:
    before = filled_with(text)
    for result in before["results"]:
        result["verdict"] = "fail"
    return report_on({text: filled_with(text)}, before={text: before}, not_assessed=[f"{text}2"])


class Skeleton(html.parser.HTMLParser):
    """The tags of a page in order, with their attributes' names; checks that they nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, dummy in attrs)))
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, dummy in attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "<b>", tag("i", "&"), None, ["x", Markup("<br>")], title='"') == (
        '<p title="&quot;">&lt;b&gt;<i>&amp;</i>x<br></p>'
    )
    assert tag("input", type="text", hidden=True, disabled=False, value=None) == '<input type="text" hidden/>'
    assert joined("a", "<") == "a&lt;"


def test_a_hostile_assessment_makes_the_same_elements_as_a_harmless_one() -> None:
    harmless, hostile = (Skeleton(render_html(hostile_report(text))) for text in ("plain text", HOSTILE))
    assert harmless.tags == hostile.tags
    assert sum(tag[0] == "script" for tag in hostile.tags) == 1
    assert not any(name == "style" or name.startswith("on") for tag in hostile.tags for name in tag[1:])


@settings(deadline=None)  # two whole pages take longer on a busy machine than Hypothesis likes
@given(st.text(min_size=1))
def test_no_text_breaks_out_of_html_or_xml(text: str) -> None:
    report = hostile_report(f"x{text}")
    assert Skeleton(render_html(report)).tags == Skeleton(render_html(hostile_report("plain"))).tags
    ElementTree.fromstring(render_junit(report).encode("utf-8"))


def test_the_page_loads_nothing_and_admits_its_own_style_and_script_only() -> None:
    page = render_html(report_on(sample_assessments.fleet()))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    rules = policy[1].replace("&#x27;", "'")
    assert rules.startswith("default-src 'none';")
    for name in ("style", "script"):
        content = re.search(f"<{name}>(.*?)</{name}>", page, flags=re.DOTALL)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in rules
    assert "unsafe" not in rules
    assert re.findall(r"(?:src|href)=\"(?!#)|url\(|@import|https?://", page) == []


def test_every_control_stands_in_the_page_once_with_all_it_says() -> None:
    page = render_html(report_on(sample_assessments.fleet()))
    for result in sample_assessments.stock()["results"]:
        assert page.count(f'id="{result["id"]}"') == 1
    for text in (
        "Waiver expired 2026-11-01",
        "21 days overdue",
        "70 days left",
        "What remains even so",
        "STIG CD16-00-009300",
    ):
        assert text in page


def test_junit_counts_what_it_holds() -> None:
    root = ElementTree.fromstring(render_junit(report_on(sample_assessments.fleet(), not_assessed=["pg9"])))
    assert root.tag == "testsuites"
    for element in [root, *root.iter("testsuite")]:
        found = {
            "tests": len(list(element.iter("testcase"))),
            "failures": len(list(element.iter("failure"))),
            "errors": len(list(element.iter("error"))),
            "skipped": len(list(element.iter("skipped"))),
        }
        assert {key: int(element.attrib[key]) for key in found} == found
    assert [suite.attrib["name"] for suite in root.iter("testsuite")] == ["pg1", "pg2", "pg3", "pg9"]
    assert (root.attrib["failures"], root.attrib["errors"], root.attrib["skipped"]) == ("25", "4", "4")


def test_a_junit_failure_says_what_why_and_what_to_do() -> None:
    root = ElementTree.fromstring(render_junit(report_on({"pg1": sample_assessments.hardened()})))
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.attrib["message"] == "observed: off; expected: on"
    assert "Remedy: Stop the server, then pg_checksums --enable" in (failure.text or "")


def test_every_row_of_a_markdown_table_has_the_cells_of_its_head() -> None:
    text = render_markdown(hostile_report(HOSTILE + "\n| more | cells |"))
    heads = 0
    cells = 0
    for line in text.split("\n"):
        if not line.startswith("| "):
            cells = 0
            continue
        here = len(re.findall(r"(?<!\\)\|", line))
        heads += not cells
        cells = cells or here
        assert here == cells, line
    assert heads >= 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>&", "&lt;b&gt;&amp;"),
        ("[a](http://x)", "\\[a\\](http\\://x)"),
        ("a|b\nc", "a\\|b c"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("# head", "\\# head"),
        ("pg_hba.conf _x_ *y*", "pg_hba.conf \\_x\\_ \\*y\\*"),
        ("@everyone dba@example.org", "@<!-- -->everyone dba@example.org"),
    ],
)
def test_markdown_shows_text_literally(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fenced("a ```` b") == "`````text\na ```` b\n`````"


def test_the_json_document_holds_the_assessments_unaltered_and_in_ascii() -> None:
    assessments = sample_assessments.fleet()
    assessments["pg1"]["results"][0]["observed"] = HOSTILE + "\u202e"
    text = render_json(report_on(copy.deepcopy(assessments)), assessments=assessments)
    assert text.isascii()
    assert json.loads(text)["hosts"] == assessments
    assert json.loads(text)["counts"]["fail"] == 25
