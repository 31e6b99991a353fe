"""The GSE API server on the lab's cluster: who may do what, the same as the command line, an API server that dies."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from gse_server import GseServer, gse_server
from typer.main import get_command

from gedge_provision.cli.mesh import app as mesh_app
from gedge_provision.cli.service import app as service_app
from gedge_provision.gse import openapi_document

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

IMAGE = "k8s.gcr.io/echoserver:1.10"
NODE = "gedgew01"
MESH = Path(__file__).parents[2] / "examples" / "meshes" / "service-mesh2.json"
YAML = {"Content-Type": "application/yaml"}
USERS = ("admin", "editor", "viewer", "guest", "nobody")
_PERMISSIONS = "x-gse-permissions"


def document(name: str = "app", **more: Any) -> dict[str, Any]:
    small = {"requests": {"cpu": "10m", "memory": "32Mi"}}
    container = {"image": IMAGE, "ports": [{"containerPort": 8080}], "resources": small, **more}
    return {"service": {"name": name, "replicas": 2, "containers": [container]}}


@contextmanager
def namespaces(lab: LabCluster, *names: str) -> Iterator[None]:
    try:
        for name in names:
            lab.kubectl("create", "namespace", name)
        yield
    finally:
        # Those that a test makes have the names of these, with an end.
        made = [f"{name}-new" for name in names]
        lab.kubectl("delete", "namespace", *names, *made, "--ignore-not-found", "--wait=true")


@contextmanager
def account(lab: LabCluster, name: str, *grants: str) -> Iterator[str]:
    """Make a service account with grants (words of kubectl create), and give its token."""
    namespace, made = "default", []
    try:
        lab.kubectl("create", "serviceaccount", name, "-n", namespace)
        made.append(f"serviceaccount {name} -n {namespace}")
        for number, grant in enumerate(grants):
            kind, *words = grant.split()
            binding = f"{name}-{number}"
            where = [word for word in words if word.startswith("--namespace")]
            lab.kubectl("create", kind, binding, *words, f"--serviceaccount={namespace}:{name}")
            made.append(" ".join([kind, binding, *where]))
        yield lab.kubectl("create", "token", name, "-n", namespace, "--duration=2h").strip()
    finally:
        for one in reversed(made):
            lab.kubectl("delete", *one.split(), "--ignore-not-found")


def ready(client: httpx.Client, namespace: str, name: str, seconds: float = 120) -> dict[str, Any]:
    """Wait until a service is ready and its rollout has ended."""
    end = time.monotonic() + seconds
    while True:
        answer = client.get(f"/gse/v1/namespaces/{namespace}/services/{name}/status")
        found: dict[str, Any] = answer.json()
        if answer.status_code == 200 and found["ready"] and not found["rollout"]:
            return found
        assert time.monotonic() < end, found
        time.sleep(0.5)


def until(there: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.5)


# --- who may do what -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """An operation, with a request that may be made."""

    id: str
    method: str
    path: str
    body: Any
    needs: tuple[str, ...]

    @classmethod
    def every(cls, namespace: str) -> list[Operation]:
        """Return all operations; those that delete come last."""
        found = []
        for pattern, methods in openapi_document()["paths"].items():
            for method, told in methods.items():
                if _PERMISSIONS in told:
                    request = _request(namespace, told["operationId"], pattern)
                    found.append(cls(told["operationId"], method.upper(), *request, tuple(told[_PERMISSIONS])))
        return sorted(found, key=lambda one: one.method == "DELETE")


def _request(namespace: str, operation: str, pattern: str) -> tuple[str, Any]:
    app = document("matrix")
    bodies: dict[str, Any] = {
        "put_limit_range": {"name": "matrix", "limits": [{"type": "Container", "max": {"cpu": "64"}}]},
        "patch_service": {"labels": {"team": "b"}},
        "scale": {"replicas": 1},
        "rollback": {},
        "apply_many": {"documents": [app]},
        "create_template": {"from_service": "matrix", "name": "made"},
        "put_template": {"template": {"name": "matrix", "service": {"containers": [{"image": "app:2"}]}}},
        "put_mesh": json.loads(MESH.read_text(encoding="utf-8")),
    }
    body = bodies.get(operation)
    if operation in {"create_service", "put_service", "check_body", "render_document", "fit_document", "schedule_hint"}:
        body = app
    if operation == "create_service":
        body = document("another")
    place = {"make_namespace": f"{namespace}-new", "delete_namespace": f"{namespace}-gone"}.get(operation, namespace)
    name = "on-trial" if operation == "promote_service" else "matrix"
    if "/meshes" in pattern:
        name = "service-mesh2"
    path = pattern.replace("{namespace}", place).replace("{node}", NODE).replace("{name}", name)
    if operation in {"create_service", "put_service", "patch_service", "apply_many"}:
        path += "?dry_run=true"
    if operation == "put_mesh":
        path += "?dry_run=true&without_acceleration=true"
    if operation == "watch_services":
        path += f"?namespace={place}"
    return path, body


def allowed(lab: LabCluster, users: tuple[str, ...], needs: list[str], namespace: str) -> set[tuple[str, str]]:
    """Ask kubectl auth can-i; return user and need of each yes."""
    questions = [(user, need) for user in users for need in needs]
    lines = ["export KUBECONFIG=/etc/kubernetes/admin.conf KUBECACHEDIR=/tmp/gse-kubectl NO_PROXY='*' no_proxy='*'"]
    for user, need in questions:
        verb, what, *scope = need.split()
        resource, _, sub = what.partition("/")
        argv = ["kubectl", "auth", "can-i", verb, resource, f"--as=system:serviceaccount:default:gse-{user}"]
        argv += [f"--subresource={sub}"] if sub else []
        argv += ["--all-namespaces"] if scope else ["-n", namespace]
        lines.append(f"{shlex.join(argv)} 2>/dev/null || true")
    lines.append("rm -rf /tmp/gse-kubectl")
    answers = lab.hosts["gedgem01"].run("\n".join(lines), timeout=300).split()
    assert len(answers) == len(questions), answers
    return {question for question, answer in zip(questions, answers, strict=True) if answer == "yes"}


def test_rbac_decides(lab: LabCluster) -> None:
    """Five kinds of users x all operations: forbidden is what `kubectl auth can-i` says no to, and nothing else."""
    namespace = "gse-matrix"
    nodes = "clusterrolebinding --clusterrole=gse-nodes"
    with (
        namespaces(lab, namespace, f"{namespace}-gone"),
        cluster_role(lab, "gse-nodes", "--verb=get,list,watch", "--resource=nodes"),
        account(lab, "gse-admin", "clusterrolebinding --clusterrole=cluster-admin") as admin,
        account(lab, "gse-editor", "clusterrolebinding --clusterrole=edit", nodes) as editor,
        account(lab, "gse-viewer", "clusterrolebinding --clusterrole=view", nodes) as viewer,
        account(lab, "gse-guest", f"rolebinding --clusterrole=edit --namespace={namespace}") as guest,
        account(lab, "gse-nobody") as nobody,
        gse_server("--rate", "0", kubeconfig=lab.kubeconfig) as server,
    ):
        tokens = dict(zip(USERS, (admin, editor, viewer, guest, nobody), strict=True))
        operations = Operation.every(namespace)
        needs = sorted({need for one in operations for need in one.needs})
        yes = allowed(lab, USERS, needs, namespace)
        with server.client(admin) as client:
            prepare(client, namespace)
        wrong = []
        for operation in operations:
            allows = {user: all((user, need) in yes for need in operation.needs) for user in USERS}
            # Those who may not come first: they meet what is still to be done.
            for user, may in sorted(allows.items(), key=lambda one: one[1]):
                status, text = asked(server, tokens[user], operation)
                if (status == 403) == may or status in {401, 500, 503}:
                    wrong.append(f"{user} {operation.id}: {status}, can-i says {may}: {text[:300]}")
        assert not wrong, "\n".join(wrong)
        with server.client() as client:
            shown = client.get("/metrics").text + server.printed()
        assert not [user for user, token in tokens.items() if token in shown]
        assert {user for user in USERS if (user, "create configmaps") in yes} == {"admin", "editor", "guest"}


@contextmanager
def cluster_role(lab: LabCluster, name: str, *words: str) -> Iterator[None]:
    lab.kubectl("create", "clusterrole", name, *words)
    try:
        yield
    finally:
        lab.kubectl("delete", "clusterrole", name)


def prepare(client: httpx.Client, namespace: str) -> None:
    """Bring up what the requests of the matrix are about: two revisions of one service, and another on trial."""
    place = f"/gse/v1/namespaces/{namespace}"
    for name in ("matrix", "on-trial"):
        client.put(f"{place}/services/{name}", json=document(name)).raise_for_status()
    for name in ("matrix", "on-trial"):
        ready(client, namespace, name)
    client.put(
        f"{place}/services/matrix", json=document("matrix", env=[{"name": "SECOND", "value": "1"}])
    ).raise_for_status()
    trial = document("on-trial", env=[{"name": "SECOND", "value": "1"}])
    client.put(f"{place}/services/on-trial?blue_green=true", json=trial).raise_for_status()
    ready(client, namespace, "matrix")
    until(lambda: client.get(f"{place}/services/on-trial/history").json()[-1]["state"] == "on trial")
    template = {"template": {"name": "matrix", "service": {"containers": [{"image": "app:1"}]}}}
    client.put(f"{place}/templates/matrix", json=template).raise_for_status()
    mesh = keep_mesh_templates(client, namespace)
    client.put(f"{place}/meshes/service-mesh2?without_acceleration=true", json=mesh).raise_for_status()
    until(lambda: _has_ended(client.get(f"{place}/meshes/service-mesh2/status")))
    limits = {"name": "matrix", "limits": [{"type": "Container", "max": {"cpu": "64"}}]}
    client.put(f"{place}/limit-ranges/matrix", json=limits).raise_for_status()


def keep_mesh_templates(client: httpx.Client, namespace: str) -> Any:
    """Have a namespace keep the templates that lie beside the mesh's document, and return that."""
    for path in MESH.parent.glob("*"):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "template" in data:
            client.post(f"/gse/v1/namespaces/{namespace}/templates", json=data).raise_for_status()
    return json.loads(MESH.read_text(encoding="utf-8"))


def asked(server: GseServer, token: str, operation: Operation) -> tuple[int, str]:
    with (
        server.client(token, timeout=90) as client,
        client.stream(operation.method, operation.path, json=operation.body) as answer,
    ):
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer.status_code, ""
        return answer.status_code, answer.read().decode()


# --- the same as the command line ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Faces:
    """The command line in one namespace, and the API in another."""

    lab: LabCluster
    client: httpx.Client
    folder: Path

    def both(self, words: str, method: str, path: str, body: Any = None, **query: Any) -> tuple[Any, Any]:
        """Do the same by both, side by side, and return what they say."""
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(self.cli, *words.split())
            answer = self.http(method, path, body, **query)
            return told.result(), answer

    def cli(self, *words: str | Path) -> Any:
        gedge = str(Path(sys.executable).with_name("gedge"))
        where = ["-n", _CLI, "--kubeconfig", str(self.lab.kubeconfig)]
        placed = where if words[1] not in {"check", "render"} else ["-n", _CLI] if words[1] == "render" else []
        output = [] if words[1] in {"diff", "pause"} else ["-o", "json"]
        done = subprocess.run(
            [gedge, *map(str, words), *placed, *output],
            capture_output=True, text=True, check=False, timeout=240, cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if output else done.stdout

    def http(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = self.client.request(method, f"/gse/v1/namespaces/{_HTTP}/{path}", json=body, params=query)
        assert answer.status_code < 400, answer.text
        if answer.status_code == 202:
            self.settled(answer.headers["Location"])
            return None
        if answer.headers.get("content-type") != "application/json":
            return answer.text
        told = answer.json()
        return told["items"] if (method, path) in {("GET", "services"), ("GET", "meshes")} else told

    def settled(self, path: str) -> None:
        """Wait until what goes on after an answer has ended."""
        until(lambda: _has_ended(self.client.get(path)))


def _has_ended(answer: httpx.Response) -> bool:
    if answer.status_code == 404:
        return True
    told = answer.json()
    return bool(told["ready"]) and not re.search(r"rolling out|promoting|going back", told.get("rollout", ""))


_CLI, _HTTP = "gse-cli", "gse-http"


def alike(told: Any) -> Any:
    """Return what both faces must tell alike: without namespaces, times, names of pods and their addresses."""
    if isinstance(told, str):
        return re.sub(r"-[0-9a-f]{6,10}-\w{5}\b", "-POD", told.replace(_CLI, "NS").replace(_HTTP, "NS"))
    if isinstance(told, list):
        return [alike(one) for one in told]
    if isinstance(told, dict):
        return {key: alike(value) for key, value in told.items() if key not in _EACH_ITS_OWN and value is not None}
    return told


_EACH_ITS_OWN = {"created", "address", "node", "restarts", "file", "dry_run", "changed"}


def services_by_both(faces: Faces) -> Iterator[tuple[str, Any, Any]]:
    """Yield each verb with what both faces say of it."""
    one, two = document(), document(env=[{"name": "SECOND", "value": "1"}])
    for name, told in (("first", one), ("second", two)):
        (faces.folder / f"{name}.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    both = faces.both
    checked, answer = both("service check first.yaml", "POST", "check", one)
    yield "check", checked[0], answer
    yield "render", *both("service render first.yaml", "POST", "render", one)
    yield "fit", *both("service fit first.yaml", "POST", "fit", one)
    planned, answer = both("service apply first.yaml --dry-run", "POST", "services", one, dry_run="true")
    yield "apply", planned, answer
    both("service apply first.yaml", "POST", "services", one)
    yield "list", *both("service list", "GET", "services")
    yield "status", *both("service status app", "GET", "services/app/status")
    both("service apply second.yaml", "PUT", "services/app", two)
    yield "history", *both("service history app", "GET", "services/app/history")
    yield "diff", *both("service diff app", "GET", "services/app/diff")
    both("service rollback app", "POST", "services/app/rollback", {})
    yield "rollback", *both("service history app", "GET", "services/app/history")
    both("service scale app 1", "POST", "services/app/scale", {"replicas": 1})
    yield "scale", *both("service status app", "GET", "services/app/status")
    for verb in ("pause", "resume", "restart"):
        both(f"service {verb} app", "POST", f"services/app/{verb}")
        yield verb, *both("service status app", "GET", "services/app/status")
    both("service apply second.yaml --blue-green", "PUT", "services/app", two, blue_green="true")
    both("service promote app", "POST", "services/app/promote")
    yield "promote", *both("service history app", "GET", "services/app/history")
    both("service delete app", "DELETE", "services/app")
    yield "delete", *both("service list", "GET", "services")


def meshes_by_both(faces: Faces) -> Iterator[tuple[str, Any, Any]]:
    """Yield each verb on meshes with what both faces say of it."""
    mesh = keep_mesh_templates(faces.client, _HTTP)
    name = mesh["serviceMesh"]["name"]
    plain, cli, http = "--without-acceleration", faces.cli, faces.http
    checked = cli("mesh", "check", MESH)[0]
    yield "check", checked | {"kind": "mesh"}, http("POST", "check", mesh)
    yield "render", cli("mesh", "render", MESH, plain), http("POST", "render", mesh, without_acceleration="true")
    # One after the other: the mesh is published on a port of every node.
    cli("mesh", "apply", MESH, plain)
    listed, status = cli("mesh", "list"), cli("mesh", "status", name)
    cli("mesh", "delete", name)
    gone = cli("mesh", "list")
    http("PUT", f"meshes/{name}", mesh, without_acceleration="true")
    answer = http("GET", "meshes")
    yield "apply", listed, answer
    yield "list", listed, answer
    yield "status", status, http("GET", f"meshes/{name}/status")
    http("DELETE", f"meshes/{name}")
    yield "delete", gone, http("GET", "meshes")


def verbs_of(app: Any) -> set[str]:
    return set(get_command(app).commands)  # type: ignore[attr-defined]


def test_both_faces_do_the_same(lab: LabCluster, tmp_path: Path) -> None:
    """Every verb on services and meshes, by the command line and over HTTP."""
    grant = "clusterrolebinding --clusterrole=cluster-admin"
    with (
        namespaces(lab, _CLI, _HTTP),
        account(lab, "gse-parity", grant) as token,
        gse_server("--rate", "0", kubeconfig=lab.kubeconfig) as server,
        server.client(token, timeout=120) as client,
    ):
        faces = Faces(lab, client, tmp_path)
        for by_both, app in ((services_by_both, service_app), (meshes_by_both, mesh_app)):
            done = set()
            for verb, cli, http in by_both(faces):
                assert alike(http) == alike(cli), (verb, alike(http), alike(cli))
                done.add(verb)
            assert done == verbs_of(app)


Ask = Callable[[httpx.Client], httpx.Response]


# --- an API server that dies -----------------------------------------------------------------------------------------


def load(
    server: GseServer, token: str, ended: threading.Event, ask: Callable[[httpx.Client], httpx.Response]
) -> Counter[str]:
    """Ask without a pause until the end; return how often which kind of answer came."""
    answers: Counter[str] = Counter()
    with server.client(token, timeout=60) as client:
        while not ended.is_set():
            answer = ask(client)
            kind = str(answer.status_code)
            if answer.status_code == 503 and not answer.headers.get("retry-after", "").isdigit():
                kind = "503 without Retry-After"
            answers[kind] += 1
    return answers


def test_an_api_server_that_dies_under_load(lab: LabCluster) -> None:
    """While it is killed and comes back, every answer is a success or 503 with Retry-After; the server goes on."""
    namespace = "gse-dies"
    place = f"/gse/v1/namespaces/{namespace}"
    kept = {"template": {"name": "one", "service": {"containers": [{"image": "a:1"}]}}}
    asks: list[Ask] = [
        lambda client: client.get(f"{place}/services"),
        lambda client: client.get("/gse/v1/nodes"),
        lambda client: client.get(f"{place}/services/app/status"),
        lambda client: client.post(f"{place}/services?dry_run=true", json=document("other")),
        lambda client: client.put(f"{place}/templates/one", json=kept),
        lambda client: client.get("/gse/v1/whoami"),
    ]
    with (
        namespaces(lab, namespace),
        account(lab, "gse-load", "clusterrolebinding --clusterrole=cluster-admin") as token,
        gse_server("--rate", "0", kubeconfig=lab.kubeconfig) as server,
        server.client(token) as client,
    ):
        client.put(f"{place}/services/app", json=document()).raise_for_status()
        ready(client, namespace, "app")
        ended = threading.Event()
        counts: list[Counter[str]] = [Counter() for _ in asks]

        def run(index: int) -> None:
            counts[index] = load(server, token, ended, asks[index])

        threads = [threading.Thread(target=run, args=(index,)) for index in range(len(asks))]
        for thread in threads:
            thread.start()
        try:
            time.sleep(3)
            lab.hosts["gedgem01"].run("crictl stop -t 0 $(crictl ps --name kube-apiserver -q) >/dev/null")
            time.sleep(5)
            until(lambda: client.get("/readyz").status_code == 200)
            time.sleep(3)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        wrong = [f"{index}: {count}" for index, count in enumerate(counts) if count.keys() - {"200", "201", "503"}]
        told = [line for line in server.output if not re.search(r" (200|201|503) [0-9.]+ ms$", line)]
        assert not wrong, f"{wrong}\n{''.join(told)}"
        assert all(count["503"] for count in counts), counts
        assert client.get(f"{place}/services/app/status").json()["ready"]
