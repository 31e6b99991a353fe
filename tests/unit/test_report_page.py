"""The page: complete in itself, with what fails first and open, and every text of a cluster as text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

from gedge_provision.models.verification import Check, Counts, Report, Status
from gedge_provision.provisioning import report_html

NEVER_CLOSED = {"meta", "br"}


class Page(HTMLParser):
    """Reads a page, and refuses elements that are not closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in NEVER_CLOSED:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "title"}:
            self.text += data


def check(name: str, node: str, status: Status, evidence: str = "seen") -> Check:
    remedy = "mend it" if status == "fail" else ""
    return Check(
        id=name, node=node, concern="node", promise="a promise", status=status, evidence=evidence, remedy=remedy
    )


def page(*checks: Check) -> str:
    states = [found.status for found in checks]
    return report_html(
        Report(
            site="edge",
            site_sha256="d1" * 32,
            cluster_version="v1.36.4",
            checked_at=datetime(2026, 11, 25, 12, 30, tzinfo=UTC),
            counts=Counts(
                passed=states.count("pass"),
                failed=states.count("fail"),
                not_applicable=states.count("not-applicable"),
            ),
            checks=checks,
        )
    )


def test_what_fails_is_first_and_open_and_says_what_to_do() -> None:
    found = Page(page(check("a", "w1", "pass"), check("b", "w2", "pass"), check("c", "w2", "fail")))
    groups = [attributes for tag, attributes in found.elements if tag == "details"]
    assert [("open" in attributes) for attributes in groups] == [True, True, False, False]
    words = " ".join(found.text.split())
    assert "Site edge does not keep 1 of its promises" in words
    assert words.index("w2") < words.index("w1")
    assert "→ mend it" in words
    assert "2026-11-25 12:30:00 UTC" in words
    assert "d1" * 32 in words


def test_a_page_without_failures_says_so_and_is_closed() -> None:
    found = Page(page(check("a", "", "pass"), check("b", "w1", "not-applicable")))
    assert "Site edge is as its file says" in found.text
    assert all("open" not in attributes for tag, attributes in found.elements if tag == "details")


def test_the_page_needs_nothing_else() -> None:
    text = page(check("a", "w1", "fail"))
    tags = {tag for tag, _ in Page(text).elements}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"url\(|@import|src=|href=|https?://", text)
    assert "prefers-color-scheme: dark" in text


def test_what_a_cluster_says_is_text() -> None:
    text = page(check("a", "w1", "fail", evidence="<script>alert(1)</script>"))
    assert "<script>" not in text
    assert "<script>alert(1)</script>" in Page(text).text
