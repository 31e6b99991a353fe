"""The service verbs on the lab's cluster, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples" / "services"
RENDERED = Path(__file__).parents[1] / "fixtures" / "services"
SAMPLE = EXAMPLES / "service-app2.yaml"
PINNED = EXAMPLES / "app2-pinned.yaml"


def gedge(lab: LabCluster, *argv: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("gedge")), "service", *map(str, argv), "--site", str(lab.site_path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def answers(url: str) -> int:
    """Return the HTTP status of a URL, asking for 20 s: kube-proxy learns of a new address after the API server."""
    end = time.monotonic() + 20
    while True:
        try:
            return httpx.get(url, timeout=5, trust_env=False).status_code
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


@pytest.fixture(autouse=True)
def _clean(lab: LabCluster) -> Iterator[None]:
    """Begin and end without services."""
    _delete_all(lab)
    yield
    _delete_all(lab)


def _delete_all(lab: LabCluster) -> None:
    listed = gedge(lab, "list", "-o", "json")
    assert listed.returncode == 0, listed.stderr
    for line in json.loads(listed.stdout):
        done = gedge(lab, "delete", line["name"])
        assert done.returncode == 0, done.stderr


def test_the_sample_is_refused_by_what_no_node_has(lab: LabCluster) -> None:
    done = gedge(lab, "apply", SAMPLE)
    assert done.returncode == 3, done.stderr
    assert "nvidia.com/gpu: 1 is asked for, none is offered by" in done.stderr
    assert "intel.com/intel_sriov_netdevice: 1 is asked for, none is offered by" in done.stderr
    assert "--without-acceleration" in done.stderr
    assert "toploygyAware is read as topologyAware" in done.stderr
    assert "rounded up to 1" in done.stderr
    assert gedge(lab, "status", "app2").returncode == 1


def test_without_acceleration_it_answers_on_every_node_and_leaves_nothing(lab: LabCluster) -> None:
    done = gedge(lab, "apply", SAMPLE, "--without-acceleration", "-o", "json")
    assert done.returncode == 0, done.stderr
    applied = json.loads(done.stdout)
    assert applied["changed"]
    assert applied["qos"] == ["Burstable"]
    assert applied["urls"]
    for url in applied["urls"]:
        assert answers(f"{url}/") == 200

    again = gedge(lab, "apply", SAMPLE, "--without-acceleration", "-o", "json")
    assert again.returncode == 0, again.stderr
    assert not json.loads(again.stdout)["changed"]

    rival = gedge(lab, "apply", PINNED, "--dry-run")
    assert rival.returncode == 0, rival.stderr

    done = gedge(lab, "delete", "app2", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["deleted"]
    assert not json.loads(gedge(lab, "delete", "app2", "-o", "json").stdout)["deleted"]
    assert "app2" not in gedge(lab, "list").stdout
    for url in applied["urls"]:
        with pytest.raises(httpx.TransportError):
            httpx.get(url, timeout=3, trust_env=False)


def test_a_taken_external_port_is_refused(lab: LabCluster, tmp_path: Path) -> None:
    assert gedge(lab, "apply", SAMPLE, "--without-acceleration").returncode == 0
    rival = tmp_path / "rival.yaml"
    rival.write_text(PINNED.read_text(encoding="utf-8").replace("8081", "80"), encoding="utf-8")
    done = gedge(lab, "apply", rival)
    assert done.returncode == 1
    assert "external port 80/TCP is published by service app2" in done.stderr
    assert gedge(lab, "status", "app2-pinned").returncode == 1


def test_the_pinned_example_is_guaranteed(lab: LabCluster) -> None:
    done = gedge(lab, "apply", PINNED)
    assert done.returncode == 0, done.stderr
    status = json.loads(gedge(lab, "status", "app2-pinned", "-o", "json").stdout)
    assert status["ready"]
    assert [pod["qos"] for pod in status["pods"]] == ["Guaranteed"]
    for url in status["urls"]:
        assert answers(f"{url}/") == 200


def test_the_api_server_takes_whatever_is_rendered(lab: LabCluster) -> None:
    """The golden files of the unit tests, whole: a field that Kubernetes does not have is refused by it."""
    files = sorted(RENDERED.glob("*.rendered.yaml"))
    assert len(files) >= 10
    documents = "\n".join(file.read_text(encoding="utf-8") for file in files)
    lab.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=documents)


TEMPLATE = """\
template:
  name: web
  service:
    volumes:
      - {name: scratch, emptyDir: {size: 16Mi, medium: Memory}}
      - {name: settings, configMap: web-settings}
    containers:
      - image: k8s.gcr.io/echoserver:1.10
        ports: [{containerPort: 8080}]
        env:
          - {name: GREETING, valueFrom: {configMap: web-settings, key: greeting}}
        volumeMounts:
          - {name: scratch, mountPath: /scratch}
          - {name: settings, mountPath: /settings, readOnly: true}
        readinessProbe: {http: {path: /, port: 8080}, periodSeconds: 1}
        livenessProbe: {tcp: 8080}
        resources: {requests: {cpu: 50m, memory: 64Mi}}
"""
ON_TEMPLATE = """\
service:
  name: web-1
  template: web
  replicas: 2
  containers:
    - ports: [{containerPort: 8080, externalPort: 8097}]
"""


def test_a_service_on_a_template_has_its_volumes_values_and_probes(lab: LabCluster, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(TEMPLATE, encoding="utf-8")
    document = tmp_path / "web-1.yaml"
    document.write_text(ON_TEMPLATE, encoding="utf-8")
    lab.kubectl("create", "configmap", "web-settings", "--from-literal=greeting=hello")
    try:
        fitting = gedge(lab, "fit", document, "-o", "json")
        assert fitting.returncode == 0, fitting.stderr
        assert json.loads(fitting.stdout)["placed"] == 2
        done = gedge(lab, "apply", document, "-o", "json")
        assert done.returncode == 0, done.stderr
        for url in json.loads(done.stdout)["urls"]:
            assert answers(f"{url}/") == 200
        pods = json.loads(lab.kubectl("get", "pods", "-l", "gedge.dev/service=web-1", "-o", "json"))["items"]
        assert len(pods) == 2
        for pod in pods:
            (container,) = pod["spec"]["containers"]
            assert container["readinessProbe"]["httpGet"]["port"] == 8080
            assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/scratch", "/settings"}
        assert gedge(lab, "delete", "web-1").returncode == 0
    finally:
        lab.kubectl("delete", "configmap", "web-settings")


def test_replicas_that_do_not_fit_are_told_beforehand(lab: LabCluster, tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    text = (
        SAMPLE.read_text(encoding="utf-8")
        .replace("cpu: 200m", "cpu: 1")
        .replace("externalPort: 80", "externalPort: 8098")
    )
    large.write_text(text, encoding="utf-8")
    done = gedge(lab, "fit", large, "--without-acceleration", "--replicas", "50", "-o", "json")
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)
    assert 0 < found["placed"] < 50
    assert not found["fits"]
    (full,) = {tuple(one["kind"] for one in node["obstacles"]) for node in found["nodes"] if node["holds"]}
    assert full == ("taken",)
