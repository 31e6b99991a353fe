"""What the GSE API server of a site tells of itself: to `gedge verify`, and at the end of `gedge apply`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kube_server import serving

from gedge_provision.adapters.ansible import _Recorder
from gedge_provision.adapters.run_records import Journal
from gedge_provision.cli import _ui
from gedge_provision.cli.site import show_run
from gedge_provision.models.progress import SILENT
from gedge_provision.models.runs import RunResult, Server
from gedge_provision.models.site import Site
from gedge_provision.provisioning.gse_api_server import ask_gse_api_server

SPACE = "/api/v1/namespaces/kube-system"
READY = f"{SPACE}/services/https%3Agse-api-server%3Ahttps/proxy/readyz"
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/gse-api-server"
NOTES = {
    "gedge.dev/certificate-sha256": "AB:CD",
    "gedge.dev/certificate-not-after": "2028-11-29T00:00:00+00:00",
}
TOLD = {
    "server": "GSE API server",
    "urls": ["https://192.0.2.1:9443", "https://192.0.2.2:9443"],
    "fingerprint": "AB:CD",
    "not_after": "2028-11-29T10:00:00+00:00",
}


def site(**section: Any) -> Site:
    nodes = [
        {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"]},
        {"name": "w1", "address": "192.0.2.2"},
    ]
    return Site.model_validate({"name": "edge", "nodes": nodes, "gse_api_server": section})


def objects(*, ready: bool) -> dict[str, Any]:
    template = {"metadata": {"annotations": NOTES}}
    made = {"metadata": {"name": "gse-api-server", "namespace": "kube-system"}, "spec": {"template": template}}
    return {DEPLOYMENT: made} | ({READY: {"status": "ok"}} if ready else {})


def test_a_server_that_is_ready_tells_its_certificate(tmp_path: Path) -> None:
    asked = []

    def look(address: str, port: int, _limit_s: float) -> str:
        asked.append((address, port))
        return "AB:CD" if address.endswith(".1") else ""

    with serving(objects(ready=True), tmp_path) as kube:
        found = ask_gse_api_server(kube, site(external_port=9443), look)
    assert asked == [("192.0.2.1", 9443), ("192.0.2.2", 9443)]
    assert not found.problem
    assert found.shown == {"192.0.2.1:9443": "AB:CD"}
    assert found.fingerprint == "AB:CD"
    assert found.not_after is not None
    assert found.not_after.year == 2028


def test_one_that_is_not_ready_or_not_there_says_why(tmp_path: Path) -> None:
    with serving(objects(ready=False), tmp_path) as kube:
        found = ask_gse_api_server(kube, site())
    assert "not found" in found.problem
    assert found.fingerprint == "AB:CD"
    assert found.shown == {}
    with serving({}, tmp_path) as kube:
        found = ask_gse_api_server(kube, site())
    assert found.problem
    assert not found.fingerprint


def result(folder: Path, *servers: Server) -> RunResult:
    return RunResult("successful", 1.0, (), {}, {}, (), (), {}, folder, servers=servers)


def test_a_run_tells_at_its_end_where_the_server_is_and_what_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(tmp_path)
    recorder = _Recorder(SILENT, journal)
    done = {"host": "m1", "task": "t", "res": {"ansible_facts": {"gedge_serving_certificate": TOLD}}}
    recorder({"event": "runner_on_ok", "event_data": done})
    journal.close()
    (server,) = recorder.servers
    show_run(result(tmp_path, server), _ui.Output.TEXT, check=False)
    printed = capsys.readouterr().out
    assert "GSE API server: https://192.0.2.1:9443, https://192.0.2.2:9443\n" in printed
    assert "  certificate SHA-256 AB:CD, until 2028-11-29\n" in printed
    show_run(result(tmp_path, server), _ui.Output.JSON, check=False)
    assert json.loads(capsys.readouterr().out)["servers"] == [TOLD]
    show_run(result(tmp_path, server), _ui.Output.TEXT, check=True)
    assert "SHA-256" not in capsys.readouterr().out
