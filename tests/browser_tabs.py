"""Tabs of Debian's chromium for tests of the page, and what their consoles say."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["Tabs", "chromium"]

_PATIENCE_MS = 20_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's chromium; none other is ever fetched."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium: make setup installs it")
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 - imported where there is a chromium

    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as started:
        # Chromium's sandbox refuses root, which the tests of this repository run as; it meets our own page alone.
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Tabs:
    """Opens tabs of a browser, and keeps what their consoles say.

    Attributes:
        refused: HTTP statuses that a test provokes, each of which chromium calls an error; 404 is that of a service
            that has no revisions.
        lost: whether a test provokes losses of the connection.
        said: everything else that a console said, which is a failure.
    """

    browser: Browser
    address: str
    stack: ExitStack
    refused: set[int] = field(default_factory=lambda: {404})
    lost: bool = False
    said: list[str] = field(default_factory=list)

    def context(self, **options: Any) -> BrowserContext:
        context = self.browser.new_context(**options)
        self.stack.callback(context.close)
        return context

    def open(self, where: str = "", *, token: str | None = None, **options: Any) -> Page:
        """Open a view; with a token as if it had been typed in before."""
        # Nobody has signed the server's certificate.
        context = self.context(**({"viewport": {"width": 1280, "height": 800}, "ignore_https_errors": True} | options))
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        if token is not None:
            page.add_init_script(
                f"sessionStorage.getItem('gedge-token') ?? sessionStorage.setItem('gedge-token', '{token}')"
            )
        page.goto(f"{self.address}/{where}")
        return page

    def _heard(self, kind: str, text: str) -> None:
        status = re.search(r"the server responded with a status of (\d+)", text)
        if status and int(status[1]) in self.refused:
            return
        if self.lost and "net::ERR_" in text:
            return
        if kind in {"error", "warning"}:
            self.said.append(text)
