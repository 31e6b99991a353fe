"""A GSE API server on a cluster in memory, for all tests of a process; each test begins with an empty cluster."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gse_server import SECRET, TOKEN, GseServer, gse_server
from kube_server import NODE, Cluster, serving_cluster


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Path]]:
    cluster = Cluster()
    with serving_cluster(cluster, tmp_path_factory.mktemp("cluster")) as kubeconfig:
        yield cluster, kubeconfig


@pytest.fixture
def cluster(_kept: tuple[Cluster, Path]) -> Cluster:
    """The cluster, as it is when nothing has happened yet."""
    kept = _kept[0]
    kept.begin_anew()
    kept.objects["/api/v1/nodes/gedgew01"] = copy.deepcopy(NODE)
    return kept


@pytest.fixture
def kubeconfig(_kept: tuple[Cluster, Path]) -> Path:
    return _kept[1]


@pytest.fixture(scope="session")
def _running(_kept: tuple[Cluster, Path]) -> Iterator[GseServer]:
    with gse_server("--rate", "0", kubeconfig=_kept[1]) as server:
        yield server
    said = server.printed()
    for word in (TOKEN, SECRET, "Traceback", "failure "):
        at = said.find(word)
        assert at < 0, said[max(0, at - 500) : at + 3000]


@pytest.fixture
def server(_running: GseServer, cluster: Cluster) -> GseServer:  # noqa: ARG001 - the cluster is emptied first
    return _running


@pytest.fixture
def client(server: GseServer) -> Iterator[httpx.Client]:
    """A caller who may do everything."""
    with server.client(TOKEN) as opened:
        yield opened
