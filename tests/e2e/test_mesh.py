"""The mesh verbs on the lab's cluster, as a user types them: without a data plane, which the lab does not have."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

SAMPLE = Path(__file__).parents[2] / "examples" / "meshes" / "service-mesh2.json"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "meshes"
NODE = "gedgew01"
# Without the proxy that hosts of the lab have in their environment.
ASK = """\
env -i /usr/bin/python3 -c '
from urllib.request import urlopen
print(urlopen("{}", timeout=5).read().decode())'
"""
KINDS = "deployments,pods,services,configmaps"


def gedge(lab: LabCluster, *argv: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("gedge")), "mesh", *map(str, argv), "--site", str(lab.site_path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def done(lab: LabCluster, *argv: str | Path) -> Any:
    """Run a verb that must succeed, and return its JSON."""
    ended = gedge(lab, *argv, "-o", "json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def who_answers(lab: LabCluster, service: str, times: int = 1) -> set[str]:
    """Ask a Service of the cluster from a node, and return the services whose pods answer."""
    spec = json.loads(lab.kubectl("get", "service", service, "-o", "json"))["spec"]
    url = f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}/hostname"
    end = time.monotonic() + 20
    found: set[str] = set()
    while times:
        answer = lab.hosts[NODE].run(ASK.format(url), check=False).strip()
        if answer:
            found.add(answer.rsplit("-", 2)[0])
            times -= 1
        else:  # kube-proxy learns of a Service after the API server
            assert time.monotonic() < end, f"{url} does not answer"
            time.sleep(0.5)
    return found


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
    """Begin and end without meshes."""
    _delete_all(lab)
    yield
    _delete_all(lab)


def _delete_all(lab: LabCluster) -> None:
    for line in done(lab, "list"):
        done(lab, "delete", line["name"])


def left_over(lab: LabCluster) -> str:
    return lab.kubectl("get", KINDS, "-l", "app.kubernetes.io/managed-by=gedge", "-o", "name").strip()


def test_the_sample_answers_by_its_names_and_leaves_nothing(lab: LabCluster) -> None:
    applied = gedge(lab, "apply", SAMPLE, "-o", "json")
    assert applied.returncode == 0, applied.stderr
    assert "the cluster does not know the Gateway API" in applied.stderr
    first = json.loads(applied.stdout)
    assert first["changed"]
    assert first["left_out"] == ["product-8080", "details-8080"]
    assert who_answers(lab, "product") == who_answers(lab, "product-v1") == {"product-v1"}
    assert who_answers(lab, "details") == who_answers(lab, "details-v1") == {"details-v1"}
    assert first["urls"]
    for url in first["urls"]:
        assert answers(f"{url}/") == 200

    again = done(lab, "apply", SAMPLE)
    assert not again["changed"], again["changes"]

    status = done(lab, "status", "service-mesh2")
    assert status["ready"]
    assert not status["inside"]["routes"]
    assert "no data plane" in status["inside"]["detail"]
    assert not status["outside"]["routes"]
    (line,) = done(lab, "list")
    assert (line["name"], line["ready"], line["routes"]) == ("service-mesh2", True, False)

    assert done(lab, "delete", "service-mesh2")["deleted"]
    assert left_over(lab) == ""
    assert not done(lab, "delete", "service-mesh2")["deleted"]
    assert gedge(lab, "status", "service-mesh2").returncode == 1


def write(folder: Path, *versions: str, subset: str) -> Path:
    """Write the sample with these versions of details, all requests to which are for one of them."""
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    mesh = sample["serviceMesh"]
    mesh["services"] = [one for one in mesh["services"] if one["name"] == "product"] + [
        {"name": "details", "template": "bookinfo-details", "labels": {"version": version}} for version in versions
    ]
    mesh["serviceRoutes"][1]["destination"]["subset"] = subset
    for template in SAMPLE.parent.glob("template-*"):
        (folder / template.name).write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
    path = folder / "mesh.json"
    path.write_text(json.dumps(sample), encoding="utf-8")
    return path


def test_without_a_data_plane_requests_are_spread_until_a_version_is_taken_out(lab: LabCluster, tmp_path: Path) -> None:
    done(lab, "apply", write(tmp_path, "v1", "v2", subset="v2"))
    assert who_answers(lab, "details", times=30) == {"details-v1", "details-v2"}
    assert who_answers(lab, "details-v2", times=5) == {"details-v2"}
    changed = done(lab, "apply", write(tmp_path, "v2", subset="v2"))
    assert {"Deployment details-v1", "Service details-v1"} <= {
        f"{one['kind']} {one['name']}" for one in changed["changes"] if one["action"] == "deleted"
    }
    assert who_answers(lab, "details", times=5) == {"details-v2"}
    assert "details-v1" not in left_over(lab)


def test_definitions_of_the_gateway_api_alone_are_told_to_route_nothing(lab: LabCluster, tmp_path: Path) -> None:
    """A real API server takes the HTTPRoutes; that nobody follows them is what the status says."""
    done(lab, "apply", SAMPLE)
    definitions = (FIXTURES / "gateway-api.yaml").read_text(encoding="utf-8")
    lab.kubectl("apply", "-f", "-", stdin=definitions)
    try:
        lab.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", "-", stdin=definitions)
        missing = done(lab, "status", "service-mesh2")
        assert "HTTPRoutes of product, details are missing" in missing["inside"]["detail"]
        applied = done(lab, "apply", SAMPLE)
        made = {one["name"] for one in applied["changes"] if one["kind"] == "HTTPRoute" and one["action"] == "created"}
        assert made == {"product-8080", "details-8080"}
        assert not done(lab, "apply", SAMPLE)["changed"]
        status = done(lab, "status", "service-mesh2")
        assert status["ready"]
        assert not status["inside"]["routes"]
        assert "nobody has taken product-8080, details-8080" in status["inside"]["detail"]

        refused = tmp_path / "outside.yaml"
        refused.write_text((FIXTURES / "outside.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        ended = gedge(lab, "apply", refused, "--template", FIXTURES / "template-plain.yaml")
        assert ended.returncode == 1
        assert "gatewayClass traefik is asked for, and the cluster has no GatewayClass" in ended.stderr

        for path in sorted(FIXTURES.glob("*.rendered.yaml")):
            lab.kubectl(
                "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=path.read_text(encoding="utf-8")
            )
        done(lab, "delete", "service-mesh2")
        assert lab.kubectl("get", "httproutes", "-o", "name").strip() == ""
    finally:
        lab.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=definitions)
