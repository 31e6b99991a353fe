"""The page in Debian's chromium, with the real GSE API server behind it and an API server on loopback behind that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_tabs import Tabs, chromium
from live_cluster import LiveCluster
from page_server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def cluster() -> Iterator[LiveCluster]:
    with LiveCluster().serving() as running:
        yield running


@pytest.fixture
def address(cluster: LiveCluster) -> Iterator[str]:
    with serving(cluster) as told:
        yield told


@pytest.fixture
def tabs(browser: Browser, address: str) -> Iterator[Tabs]:
    with ExitStack() as stack:
        tabs = Tabs(browser, address, stack)
        yield tabs
    assert tabs.said == []


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for pictures to look at: GEDGE_SCREENSHOTS, else pytest's own."""
    named = os.environ.get("GEDGE_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
