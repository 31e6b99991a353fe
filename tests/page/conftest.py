"""The page in Debian's chromium, with `gedge serve` behind it and an API server on loopback behind that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_tabs import Tabs, chromium
from gse_server import gse_server
from live_cluster import TOKEN, LiveCluster

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    with LiveCluster().serving(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def cluster(_kept: LiveCluster) -> LiveCluster:
    """The cluster, as empty as at the beginning."""
    _kept.forget()
    return _kept


@pytest.fixture(scope="session")
def address(_kept: LiveCluster) -> Iterator[str]:
    with gse_server("--rate", "0", kubeconfig=_kept.kubeconfig) as server:
        yield server.url
    assert TOKEN not in server.printed()


@pytest.fixture
def tabs(browser: Browser, address: str, cluster: LiveCluster) -> Iterator[Tabs]:  # noqa: ARG001 - it is emptied first
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
