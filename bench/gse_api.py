"""What the GSE API server adds: reads, a create and watches over it, beside the same calls on the Kubernetes API.

Run by `make bench`. A lab's cluster with many services on simulated nodes (kwok), `gedge serve` beside it, and two
clients on this machine with the same token: one asks the GSE API, the other makes the calls of Kubernetes that it is
made of. They take turns, request by request, so that both meet the same load. Then a thousand watches are open while
services change, one of them by a client that does not read.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import socket
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from rich.console import Console
from rich.table import Table

from bench import service_documents
from bench.labs import GEDGE, lab, run
from bench.services import Cluster, high_water_kib, program, simulated_nodes
from gedge_provision import services
from gedge_provision.models.progress import SILENT
from gedge_provision.provisioning import load_site
from gedge_provision.provisioning.sites import kubeconfig_path

LAB, NAMESPACE = "bench-gse", "bench"
ROOT = f"/namespaces/{NAMESPACE}"
MANAGED = "app.kubernetes.io/managed-by=gedge"


@dataclass
class Pair:
    """A call of the GSE API, and the calls of Kubernetes that it is made of; seconds that each took."""

    name: str
    ours: Callable[[httpx.Client, int], None]
    theirs: Callable[[httpx.Client, int], None]
    our_s: list[float] = field(default_factory=list)
    their_s: list[float] = field(default_factory=list)


def main() -> None:
    """Measure, print tables, and write the figures as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=500, help="how many services there are")
    parser.add_argument("--nodes", type=int, default=50, help="how many simulated nodes")
    parser.add_argument("--requests", type=int, default=300, help="of each kind")
    parser.add_argument("--watches", type=int, default=1000, help="open at the same time")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    run([GEDGE, "artifacts", "build", "kubectl", "kwok"])
    with tempfile.TemporaryDirectory() as folder, lab(LAB, workers=0) as site:
        run([GEDGE, "apply", "--site", str(site)])
        cluster = Cluster(kubeconfig_path(load_site(site)), program("kubectl", Path(folder)), Path(folder))
        with simulated_nodes(cluster, options.nodes):
            fill(cluster, options.services)
            token = make_token(cluster)
            with serving(cluster) as server, server.client(token) as ours, kubernetes(cluster, token) as theirs:
                pairs = measure(ours, theirs, options.requests)
                watched = asyncio.run(watch(server, cluster, token, options.watches))
    report(pairs, watched, options.json)


def fill(cluster: Cluster, count: int) -> None:
    """Apply the services that are listed."""
    folder = cluster.folder / "documents"
    service_documents.write(folder, count)
    cluster.ask("create", "namespace", NAMESPACE)
    with services.connect(cluster.kubeconfig) as kube:
        services.apply_services(kube, services.load_services([folder]), NAMESPACE, SILENT, timeout_s=1200)


def make_token(cluster: Cluster) -> str:
    """Return the token of a service account that may do everything."""
    cluster.ask("create", "serviceaccount", "bench", "--namespace", "default")
    role = ["--clusterrole=cluster-admin", "--serviceaccount=default:bench"]
    cluster.ask("create", "clusterrolebinding", "bench", *role)
    return cluster.ask("create", "token", "bench", "--namespace", "default", "--duration=4h").strip()


@dataclass(frozen=True)
class Server:
    """A `gedge serve` that runs."""

    url: str
    certificate: Path
    pid: int

    @property
    def context(self) -> ssl.SSLContext:
        """What verifies its certificate."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def client(self, token: str) -> httpx.Client:
        """Return a client that bears a token."""
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, verify=self.context, headers=bearer, timeout=60, trust_env=False)


@contextmanager
def serving(cluster: Cluster) -> Iterator[Server]:
    """Run `gedge serve` on the cluster; its log goes into a file."""
    state = cluster.folder / "state"
    argv = [GEDGE, "serve", "--kubeconfig", str(cluster.kubeconfig), "--port", "0", "--rate", "0"]
    environment = os.environ | {"GEDGE_STATE_DIR": str(state), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    log = (cluster.folder / "serve.log").open("w")
    with log, subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            url = next(found[1] for line in process.stdout if (found := re.search(r"(https://\S+:\d+)/", line)))
            server = Server(url, state / "serve" / "certificate.pem", process.pid)
            with server.client("") as client:
                while True:
                    try:
                        client.get("/healthz")
                    except httpx.TransportError:
                        time.sleep(0.1)
                    else:
                        break
            yield server
        finally:
            process.terminate()


@contextmanager
def kubernetes(cluster: Cluster, token: str) -> Iterator[httpx.Client]:
    """Give a client of the Kubernetes API that bears a token."""
    config = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    ca = cluster.folder / "ca.pem"
    ca.write_bytes(base64.b64decode(config["certificate-authority-data"]))
    context = ssl.create_default_context(cafile=str(ca))
    bearer = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=config["server"], verify=context, headers=bearer, timeout=60, trust_env=False) as client:
        yield client


def measure(ours: httpx.Client, theirs: httpx.Client, count: int) -> list[Pair]:
    """Make the calls in turns, the one that begins changing each time."""
    pairs = [
        Pair("list, 100 of the services", list_ours, list_theirs),
        Pair("list, all names", names_ours, names_theirs),
        Pair("get a status", status_ours, status_theirs),
        Pair("get a document", document_ours, document_theirs),
        Pair("create a template", create_ours, create_theirs),
        Pair("watch, to the first state", watch_ours, watch_theirs),
    ]
    for pair in pairs:
        for number in range(-5, count):
            turn = [(pair.ours, ours, pair.our_s), (pair.theirs, theirs, pair.their_s)]
            for call, client, seconds in turn if number % 2 else reversed(turn):
                began = time.perf_counter()
                call(client, number)
                if number >= 0:
                    seconds.append(time.perf_counter() - began)
    return pairs


def read(client: httpx.Client, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of an answer."""
    answer = client.get(path, params=query)
    answer.raise_for_status()
    return answer.json()


def of_kinds(client: httpx.Client, query: dict[str, str], *, all_kinds: bool = True) -> list[Any]:
    """List what services consist of, as the GSE API does: page by page."""
    found: list[Any] = []
    paths = [f"/apis/apps/v1{ROOT}/deployments", f"/apis/apps/v1{ROOT}/statefulsets"]
    if all_kinds:
        paths += [f"/api/v1{ROOT}/services", f"/apis/autoscaling/v2{ROOT}/horizontalpodautoscalers"]
    for path in paths:
        more = {"limit": "200"}
        while True:
            page = read(client, path, **query, **more)
            found += page["items"]
            following = page["metadata"].get("continue")
            if not following:
                break
            more["continue"] = following
    return found


def list_ours(client: httpx.Client, _: int) -> None:
    """List services."""
    read(client, f"/gse/v1{ROOT}/services", limit="100")


def list_theirs(client: httpx.Client, _: int) -> None:
    """List what services consist of."""
    of_kinds(client, {"labelSelector": MANAGED})


def names_ours(client: httpx.Client, _: int) -> None:
    """List names of services."""
    read(client, f"/gse/v1{ROOT}/services", limit="500", detail="name")


def names_theirs(client: httpx.Client, _: int) -> None:
    """List names of controllers."""
    partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    for kind in ("deployments", "statefulsets"):
        more = {"limit": "200", "labelSelector": MANAGED}
        while True:
            answer = client.get(f"/apis/apps/v1{ROOT}/{kind}", params=more, headers={"Accept": partial})
            following = answer.json()["metadata"].get("continue")
            if not following:
                break
            more["continue"] = following


def name_of(number: int) -> str:
    """Return the name of one of ten services."""
    return f"web-{number % 10 * 10 + 1:04}"


def status_ours(client: httpx.Client, number: int) -> None:
    """Show how a service does."""
    read(client, f"/gse/v1{ROOT}/services/{name_of(number)}/status")


def status_theirs(client: httpx.Client, number: int) -> None:
    """Show what a service consists of, its pods and its revisions."""
    query = {"labelSelector": f"gedge.dev/service={name_of(number)}"}
    of_kinds(client, query)
    read(client, f"/api/v1{ROOT}/pods", **query)
    read(client, f"/api/v1{ROOT}/configmaps", labelSelector=f"gedge.dev/revision-of={name_of(number)}")


def document_ours(client: httpx.Client, number: int) -> None:
    """Show a service's document."""
    read(client, f"/gse/v1{ROOT}/services/{name_of(number)}")


def document_theirs(client: httpx.Client, number: int) -> None:
    """Show a service's newest revision."""
    read(client, f"/api/v1{ROOT}/configmaps", labelSelector=f"gedge.dev/revision-of={name_of(number)}")
    read(client, f"/api/v1{ROOT}/configmaps/{name_of(number)}-revision-1")


def create_ours(client: httpx.Client, number: int) -> None:
    """Create a template."""
    document = {"template": {"name": f"t{number + 10}", "service": {"containers": [{"image": "app:1"}]}}}
    client.post(f"/gse/v1{ROOT}/templates", json=document).raise_for_status()


def create_theirs(client: httpx.Client, number: int) -> None:
    """Create a ConfigMap after a look at what there is."""
    name = f"u{number + 10}-template"
    read(client, f"/api/v1{ROOT}")
    client.get(f"/api/v1{ROOT}/configmaps/{name}")
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"template": "{}"}}
    client.patch(
        f"/api/v1{ROOT}/configmaps/{name}",
        params={"fieldManager": "bench"},
        content=json.dumps(manifest),
        headers={"Content-Type": "application/apply-patch+yaml"},
    ).raise_for_status()


def watch_ours(client: httpx.Client, _: int) -> None:
    """Open a watch, and read until the present state is told."""
    with client.stream("GET", "/gse/v1/watch/services", params={"namespace": NAMESPACE}) as answer:
        for line in answer.iter_lines():
            if line == "event: synced":
                return


def watch_theirs(client: httpx.Client, _: int) -> None:
    """List what services consist of, after which a client of Kubernetes watches."""
    of_kinds(client, {"labelSelector": MANAGED})


@dataclass
class Watched:
    """What a thousand watches took.

    Attributes:
        opened: so many were open.
        open_s: seconds until all had the present state.
        late_s: seconds from a change until each watch told it.
        memory_mib: of the server before, with all open, and after the changes.
        peak_mib: its most.
        dropped: watches that read too slowly and were ended.
    """

    opened: int = 0
    open_s: float = 0
    late_s: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    peak_mib: float = 0
    dropped: float = 0


async def watch(server: Server, cluster: Cluster, token: str, count: int) -> Watched:
    """Open watches, change services, and see when each tells of it; one client does not read."""
    told = Watched(memory_mib=[resident_mib(server.pid)])
    host, port = server.url.removeprefix("https://").split(":")
    request = (
        f"GET /gse/v1/watch/services?namespace={NAMESPACE} HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()
    seen: dict[str, list[float]] = {}
    context = server.context
    synced = asyncio.Semaphore(0)

    async def follow() -> None:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context, limit=2**20)
        writer.write(request)
        ready = False
        try:
            while line := await reader.readline():
                if line.startswith(b"event: synced"):
                    ready = True
                    synced.release()
                elif ready and line.startswith(b"data: {"):
                    name = json.loads(line[6:])["name"] if b'"name"' in line else ""
                    seen.setdefault(name, []).append(time.perf_counter())
        finally:
            writer.close()

    began = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for first in range(0, count, 50):  # so many handshakes at a time
        tasks += [asyncio.create_task(follow()) for _ in range(min(50, count - first))]
        for _ in range(min(50, count - first)):
            await synced.acquire()
    told.open_s, told.opened = time.perf_counter() - began, count
    told.memory_mib.append(resident_mib(server.pid))
    stuck = await asyncio.to_thread(stuck_client, host, int(port), context, request)
    for number in range(20):
        name = name_of(number)
        seen.pop(name, None)
        changed = time.perf_counter()
        await asyncio.to_thread(
            cluster.ask, "scale", "deployment", name, f"--replicas={4 + number // 10}", "--namespace", NAMESPACE
        )
        await asyncio.sleep(1)
        told.late_s += [moment - changed for moment in seen.get(name, [])[:count]]
    await asyncio.sleep(25)
    told.memory_mib.append(resident_mib(server.pid))
    told.peak_mib = high_water_kib(server.pid) / 1024
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    everything = ("scale", "deployment", "--all", "--replicas=5", "--namespace", NAMESPACE)
    await asyncio.to_thread(cluster.ask, *everything)  # more than what is on the way to the client that does not read
    await asyncio.sleep(25)
    async with httpx.AsyncClient(base_url=server.url, verify=context, trust_env=False) as client:
        figures = (await client.get("/metrics")).text
    told.dropped = float(
        next(line.split()[1] for line in figures.splitlines() if line.startswith("gse_streams_dropped_total"))
    )
    stuck.close()
    return told


def stuck_client(host: str, port: int, context: ssl.SSLContext, request: bytes) -> ssl.SSLSocket:
    """Ask, and read nothing; the kernels keep little of the answer on the way."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    plain.connect((host, port))
    stuck = context.wrap_socket(plain, server_hostname=host)
    stuck.sendall(request)
    return stuck


def resident_mib(pid: int) -> float:
    """Return a process's resident memory (proc(5), VmRSS)."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS"))


def percentile(values: list[float], share: float) -> float:
    """Return the value that so many of a hundred are not above."""
    return statistics.quantiles(values, n=100, method="inclusive")[int(share) - 1]


def report(pairs: list[Pair], watched: Watched, file: Path | None) -> None:
    """Print the figures, and write them."""
    columns = ("call", "GSE p50, ms", "p99, ms", "a second", "Kubernetes p50, ms", "p99, ms", "p99 ratio")
    table = Table(*columns, title="GSE API beside the Kubernetes API, one client, in turns")
    figures: dict[str, Any] = {}
    for pair in pairs:
        ours, theirs = ([percentile(taken, share) for share in (50, 99)] for taken in (pair.our_s, pair.their_s))
        ratio = ours[1] / theirs[1]
        rate = len(pair.our_s) / sum(pair.our_s)
        cells = [f"{1000 * one:.1f}" for one in ours] + [f"{rate:.0f}"] + [f"{1000 * one:.1f}" for one in theirs]
        table.add_row(pair.name, *cells, f"{ratio:.2f}")
        figures[pair.name] = {"ours_s": ours, "theirs_s": theirs, "p99_ratio": round(ratio, 2), "rate": round(rate, 1)}
    console = Console()
    console.print(table)
    late = [percentile(watched.late_s, share) for share in (50, 99)] if watched.late_s else [0.0, 0.0]
    before, opened, after = watched.memory_mib
    console.print(
        f"{watched.opened} watches: open after {watched.open_s:.1f} s; a change is told after {1000 * late[0]:.0f} ms"
        f" (p99 {1000 * late[1]:.0f} ms), kubectl included; {watched.dropped:.0f} too slow and dropped\n"
        f"memory of the server: {before:.0f} MiB before, {opened:.0f} MiB with all open, {after:.0f} MiB after 20"
        f" changes, at most {watched.peak_mib:.0f} MiB"
    )
    if file:
        figures["watches"] = {**vars(watched), "late_s": late}
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
