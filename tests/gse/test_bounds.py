"""Bounds: rate, size, slow ends; how the server ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gse_server import GseServer, gse_server
from kube_server import Cluster
from typer.testing import CliRunner

from gedge_provision.adapters.certificates import fingerprint
from gedge_provision.cli import _ui
from gedge_provision.cli._main import app
from gedge_provision.models.errors import UsageError

APP = "/gse/v1/namespaces/default/services/app"
SERVICE = {"service": {"name": "app", "containers": [{"image": "app:1"}]}}
POD = "/api/v1/namespaces/default/pods/app-1"


@pytest.fixture
def limited(cluster: Cluster, kubeconfig: Path) -> Iterator[GseServer]:  # noqa: ARG001 - the cluster is emptied first
    with gse_server("--rate", "5", kubeconfig=kubeconfig) as server:
        yield server


@pytest.fixture
def own(cluster: Cluster, kubeconfig: Path) -> Iterator[GseServer]:  # noqa: ARG001 - the cluster is emptied first
    with gse_server("--rate", "0", kubeconfig=kubeconfig) as server:
        yield server


def test_a_caller_who_asks_too_often_is_told_to_wait_and_others_are_not(limited: GseServer) -> None:
    with limited.client("busy") as busy, limited.client("calm") as calm:
        answers = [busy.get("/gse/v1/problems") for _ in range(30)]
        refused = [answer for answer in answers if answer.status_code == 429]
        served = [answer for answer in answers if answer.status_code == 200]
        assert len(served) >= 10  # bursts of two seconds
        assert refused
        assert refused[0].headers["retry-after"] == "1"
        assert refused[0].json()["type"] == "/gse/v1/problems/too-many-requests"
        assert calm.get("/gse/v1/problems").status_code == 200
        assert all(busy.get("/healthz").status_code == 200 for _ in range(15))  # probes are not counted
        end = time.monotonic() + 20
        while busy.get("/gse/v1/problems").status_code == 429:
            assert time.monotonic() < end
            time.sleep(0.5)


def test_callers_without_a_token_are_counted_by_address(limited: GseServer) -> None:
    with limited.client() as nobody:
        assert 429 in {nobody.get("/gse/v1/problems").status_code for _ in range(30)}
    with limited.client("somebody") as somebody:
        assert somebody.get("/gse/v1/problems").status_code == 200


def test_a_body_just_within_the_bound_is_taken(client: httpx.Client) -> None:
    most = 512 * 1024
    padded = json.dumps(SERVICE).encode().ljust(most)
    headers = {"Content-Type": "application/json"}
    check = "/gse/v1/namespaces/default/check"
    assert client.post(check, content=padded, headers=headers).status_code == 200
    assert client.post(check, content=padded + b" ", headers=headers).status_code == 413
    assert client.post(check, content=iter([padded[:1000], padded[1000:]]), headers=headers).status_code == 200
    chunks = iter([padded, b" "])
    assert client.post(check, content=chunks, headers=headers).status_code == 413


def test_it_ends_in_order_while_logs_and_watches_are_open(own: GseServer, cluster: Cluster) -> None:
    labels = {"app.kubernetes.io/managed-by": "gedge", "gedge.dev/service": "app"}
    cluster.objects[POD] = {
        "metadata": {"name": "app-1", "namespace": "default", "labels": labels},
        "spec": {"nodeName": "gedgew01", "containers": [{"name": "app"}]},
    }
    cluster.logs[POD] = [b"first\n"]
    with own.client("t") as client:
        client.put(APP, json=SERVICE)
        with (
            client.stream("GET", f"{APP}/logs", params={"follow": "true"}) as log,
            client.stream("GET", "/gse/v1/watch/services") as watch,
        ):
            lines, events = log.iter_lines(), watch.iter_lines()
            assert next(lines) == "first"
            assert next(events) == "event: added"
            began = time.monotonic()
            ending = threading.Thread(target=own.stop)
            ending.start()
            assert list(lines) == []  # both end as answers end, not by a broken connection
            assert [line for line in events if line.startswith("event")][-1] == "event: problem"
            ending.join()
    assert own.process.returncode == 0
    assert time.monotonic() - began < 15


def test_a_request_in_flight_is_answered_while_it_ends(own: GseServer, cluster: Cluster) -> None:
    slow = threading.Event()

    def hold(_method: str, path: str, _token: str) -> int:
        if path == "/api/v1/nodes":
            slow.set()
            time.sleep(2)
        return 0

    cluster.refuses = hold
    answers: list[int] = []

    def ask() -> None:
        with own.client("t") as client:
            answers.append(client.get("/gse/v1/nodes").status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    assert slow.wait(20)
    assert own.stop() == 0
    asking.join()
    assert answers == [200]


def test_it_begins_again_with_the_same_certificate(cluster: Cluster, kubeconfig: Path, tmp_path: Path) -> None:
    cluster.begin_anew()
    pems = []
    for _ in range(2):
        with gse_server(kubeconfig=kubeconfig, state=tmp_path) as server:
            pems.append(server.certificate.read_text(encoding="utf-8"))
            assert fingerprint(pems[-1].encode()) in server.printed()
            assert (tmp_path / "serve" / "key.pem").stat().st_mode & 0o777 == 0o600
    refused = CliRunner().invoke(
        app,
        ["serve", "--kubeconfig", str(kubeconfig), "--address", "nowhere.invalid"],
        env={"GEDGE_STATE_DIR": str(tmp_path)},
    )
    assert isinstance(refused.exception, UsageError)
    with gse_server(kubeconfig=kubeconfig, state=tmp_path, address="127.0.0.2") as server:
        other = server.certificate.read_text(encoding="utf-8")
    assert pems[0] == pems[1] == (tmp_path / "serve" / "certificate.pem").read_text(encoding="utf-8") != other


def test_no_part_of_a_fingerprint_is_taken_for_a_picture() -> None:
    with _ui.console.capture() as shown:
        _ui.console.print("1C:AB:F5:AE:00", markup=False)
    assert shown.get() == "1C:AB:F5:AE:00\n"
