"""The GSE API server in the lab: where it runs and as what, its certificate, rights, and changes under load."""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from gedge_provision.adapters import certificates

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

PORT = 9443
SECTION = "gse_api_server: {external_port: 9443%s}\n"
APP = ("-n", "kube-system", "-l", "app=gse-api-server")
SERVICES = "/gse/v1/namespaces/default/services"
LIMIT_S = 180
ACCOUNTS = ("looks", "edits", "nobody")
LOOK = """
import os
mounts = [line.split() for line in open("/proc/1/mounts")]
print(os.getuid(), os.getgid())
print([one[3].split(",")[0] for one in mounts if one[1] == "/"][-1])
print(os.path.exists("/var/run/secrets/kubernetes.io"))
try:
    open("/anything", "w")
except OSError as error:
    print(error.strerror)
"""


def switched(lab: LabCluster, site_without: str, section: str) -> dict[str, Any]:
    """Apply the site with a section, and wait until the pods of the server are new and ready."""
    lab.site_path.write_text(site_without + section, encoding="utf-8")
    result = lab.apply()
    rolled_out(lab)
    return result


def rolled_out(lab: LabCluster) -> None:
    words = ("rollout", "status", "deployment/gse-api-server", "-n", "kube-system", f"--timeout={LIMIT_S}s")
    lab.kubectl(*words, timeout=LIMIT_S + 20)


@pytest.fixture(scope="module")
def site_without(lab: LabCluster) -> str:
    """The site file without the server."""
    return lab.site_path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def installed(lab: LabCluster, site_without: str) -> Iterator[dict[str, Any]]:
    """The server in the cluster, by the run that brought it there; nothing of it is left afterwards."""
    try:
        yield switched(lab, site_without, SECTION % "")
    finally:
        lab.site_path.write_text(site_without, encoding="utf-8")
        lab.apply()
    kinds = "deployments,services,secrets,configmaps,serviceaccounts,poddisruptionbudgets,clusterroles"
    assert not lab.kubectl("get", kinds, "-A", "-l", "gedge.dev/role=gse_api_server", "-o", "name").strip()
    assert not lab.plan()["hosts"]


@pytest.fixture(scope="module")
def callers(lab: LabCluster, installed: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Tokens of service accounts: that may look, that may edit, that may nothing."""
    assert installed["status"] == "successful"
    try:
        for name in ACCOUNTS:
            lab.kubectl("create", "serviceaccount", f"gse-{name}")
        for name, role in (("looks", "gedge-viewer"), ("edits", "gedge-editor")):
            account = f"--serviceaccount=default:gse-{name}"
            lab.kubectl("create", "rolebinding", f"gse-{name}", f"--clusterrole={role}", account)
        yield {name: lab.kubectl("create", "token", f"gse-{name}").strip() for name in ACCOUNTS}
    finally:
        made = [f"gse-{name}" for name in ACCOUNTS]
        lab.kubectl("delete", "rolebinding,serviceaccount", *made, "--ignore-not-found")


def pods(lab: LabCluster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lab.kubectl("get", "pods", *APP, "-o", "json"))["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def ready(pod: dict[str, Any]) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"]["conditions"])


def shown(address: str) -> str:
    """Return the fingerprint of the certificate that a node shows."""
    pem = ssl.get_server_certificate((address, PORT), timeout=20)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest().hex(":").upper()


def client(address: str, fingerprint: str) -> urllib3.HTTPSConnectionPool:
    """Return a client of one connection that trusts one certificate, and tries nothing twice."""
    return urllib3.HTTPSConnectionPool(
        address, PORT, maxsize=1, block=True, retries=False, cert_reqs="CERT_NONE", assert_fingerprint=fingerprint,
        timeout=30,
    )  # fmt: skip


def ask(pool: urllib3.HTTPSConnectionPool, token: str, path: str = SERVICES) -> int:
    return pool.request("GET", path, headers={"Authorization": f"Bearer {token}"}).status


def addresses(lab: LabCluster) -> list[str]:
    return [host.address for host in lab.hosts.values()]


def test_two_pods_are_ready_on_two_nodes(lab: LabCluster, installed: dict[str, Any]) -> None:
    assert installed["status"] == "successful"
    found = pods(lab)
    assert [ready(pod) for pod in found] == [True, True]
    assert len({pod["spec"]["nodeName"] for pod in found}) == 2


@pytest.mark.usefixtures("installed")
def test_it_is_nobody_in_its_container_and_can_write_nothing(lab: LabCluster) -> None:
    name = pods(lab)[0]["metadata"]["name"]
    said = lab.kubectl("exec", "-n", "kube-system", name, "--", "/usr/bin/python3", "-c", LOOK).splitlines()
    assert said == ["65532 65532", "ro", "False", "Read-only file system"]


@pytest.mark.usefixtures("installed")
def test_the_strictest_pod_security_admits_its_pods(lab: LabCluster) -> None:
    found = json.loads(lab.kubectl("get", "deployment", "gse-api-server", "-n", "kube-system", "-o", "json"))
    spec = {**found["spec"]["template"]["spec"], "serviceAccountName": "default", "serviceAccount": "default"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": "gse-strict"}, "spec": spec}
    try:
        lab.kubectl("create", "namespace", "gse-strict")
        lab.kubectl("label", "namespace", "gse-strict", "pod-security.kubernetes.io/enforce=restricted")
        asked = ("create", "--dry-run=server", "-f", "-", "-o", "name")
        assert lab.kubectl(*asked, stdin=json.dumps(pod)).strip() == "pod/probe"
        spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        assert "pod/probe" not in lab.kubectl(*asked, stdin=json.dumps(pod), check=False)
    finally:
        lab.kubectl("delete", "namespace", "gse-strict", "--ignore-not-found", "--wait=false")


def test_the_fingerprint_that_is_told_is_the_one_that_every_node_shows(
    lab: LabCluster, installed: dict[str, Any]
) -> None:
    (server,) = installed["servers"]
    assert server["urls"] == [f"https://{address}:{PORT}" for address in addresses(lab)]
    assert {shown(address) for address in addresses(lab)} == {server["fingerprint"]}
    printed = lab.gedge("apply").stdout
    assert f"certificate SHA-256 {server['fingerprint']}" in printed
    report = json.loads(lab.gedge("verify", "--output", "json").stdout)
    checks = {check["id"]: check for check in report["checks"] if check["concern"] == "gse"}
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(
        ("gse-pods", "gse-answers", "gse-certificate"), "pass"
    )
    assert server["fingerprint"] in checks["gse-certificate"]["evidence"]


def test_a_bound_account_sees_services_and_another_one_is_refused(
    lab: LabCluster, installed: dict[str, Any], callers: dict[str, str]
) -> None:
    (server,) = installed["servers"]
    for address in addresses(lab):
        with client(address, server["fingerprint"]) as pool:
            assert ask(pool, callers["looks"]) == 200
            assert ask(pool, callers["nobody"]) == 403
            assert ask(pool, callers["looks"], "/gse/v1/namespaces/kube-system/services") == 403
            assert ask(pool, "no-token-of-anybody") == 401
            for name, namespace, status in (
                ("edits", "default", 200), ("edits", "kube-public", 403), ("looks", "default", 403)
            ):  # fmt: skip
                assert put(pool, callers[name], f"/gse/v1/namespaces/{namespace}/services/edited") == status


def put(pool: urllib3.HTTPSConnectionPool, token: str, path: str) -> int:
    """Return the status of a rollout that is only tried."""
    document = {"service": {"name": "edited", "containers": [{"image": "registry.example/app:1"}]}}
    headers = {"Authorization": f"Bearer {token}"}
    return pool.request("PUT", f"{path}?dry_run=true", json=document, headers=headers).status


def keep_asking(address: str, fingerprint: str, token: str, stop: Event, *, anew: bool) -> Counter[str]:
    """Ask all the time, on one connection or on a new one each time, and count what comes back."""
    answers: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {token}"} | ({"Connection": "close"} if anew else {})
    with client(address, fingerprint) as pool:
        while not stop.wait(0.1):
            try:
                found = pool.request("GET", SERVICES, headers=headers)
                answers[str(found.status)] += 1
            except urllib3.exceptions.HTTPError as error:
                answers[f"{type(error).__name__}: {error}"] += 1
    return answers


def under_load(lab: LabCluster, fingerprint: str, token: str) -> tuple[Event, ThreadPoolExecutor, list[Any]]:
    stop = Event()
    workers = ThreadPoolExecutor(4)
    places = [addresses(lab)[0], addresses(lab)[-1]]
    asking = [
        workers.submit(keep_asking, address, fingerprint, token, stop, anew=anew)
        for address in places
        for anew in (True, False)
    ]
    return stop, workers, asking


def test_no_request_is_lost_while_its_pods_are_replaced(
    lab: LabCluster, installed: dict[str, Any], callers: dict[str, str]
) -> None:
    (server,) = installed["servers"]
    former = {pod["metadata"]["name"] for pod in pods(lab)}
    stop, workers, asking = under_load(lab, server["fingerprint"], callers["looks"])
    with workers:
        try:
            time.sleep(2)
            lab.kubectl("rollout", "restart", "deployment/gse-api-server", "-n", "kube-system")
            rolled_out(lab)
            lab.kubectl("wait", "--for=delete", *APP[:2], *(f"pod/{name}" for name in sorted(former)), "--timeout=60s")
            time.sleep(2)
        finally:
            stop.set()
    answers = sum((one.result() for one in asking), Counter[str]())
    assert set(answers) == {"200"}, answers
    assert answers["200"] > 100
    assert not former & {pod["metadata"]["name"] for pod in pods(lab)}


@pytest.mark.usefixtures("installed")
def test_a_certificate_of_the_site_takes_the_place_of_the_made_one(
    lab: LabCluster, site_without: str, tmp_path: Path
) -> None:
    own = certificates.self_signed("edge", addresses(lab), datetime.now(UTC))
    (tmp_path / "own.pem").write_bytes(own.certificate)
    (tmp_path / "own.key").write_bytes(own.key)
    files = f", certificate: {tmp_path}/own.pem, key: {tmp_path}/own.key"
    result = switched(lab, site_without, SECTION % files)
    assert result["servers"][0]["fingerprint"] == certificates.fingerprint(own.certificate)
    changed = {f"{change['action']} {change['kind']}" for one in result["changes"].values() for change in one}
    assert changed == {"change Secret", "change Deployment"}
    # Nodes learn a moment later that a pod is going.
    end = time.monotonic() + 20
    while {shown(address) for address in addresses(lab)} != {certificates.fingerprint(own.certificate)}:
        assert time.monotonic() < end
        time.sleep(0.5)
    key = own.key.decode().splitlines()[1:-1]
    records = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in Path(result["folder"]).rglob("*")
        if path.is_file()
    ]
    assert not [line for line in key for text in records if line in text]
    assert not lab.apply()["changes"]
    back = switched(lab, site_without, SECTION % "")
    assert back["servers"][0]["fingerprint"] != certificates.fingerprint(own.certificate)
