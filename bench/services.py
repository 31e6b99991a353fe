"""How long many services take through `gedge` beside `kubectl apply` and `kubectl wait`, as ratios, and their memory.

Run by `make bench`. One container node is the control plane; the nodes that the services go to are simulated by kwok:
what counts is the rollout and not the start of containers. The same services are applied three ways, each into a
namespace of its own: their rendered manifests by `kubectl apply` (client side, as is usual) and `kubectl wait`, their
documents by `gedge service apply`, and by the Python API. The order turns round after each round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from bench import service_documents
from bench.labs import GEDGE, lab, run
from gedge_provision import artifacts, services
from gedge_provision.models.progress import SILENT
from gedge_provision.planning.manifests import render
from gedge_provision.provisioning import load_site
from gedge_provision.provisioning.sites import kubeconfig_path

LAB = "bench-services"
SIMULATION = Path(__file__).with_name("simulated_nodes.yml")
SELECTOR = ",".join(f"{key}={value}" for key, value in service_documents.SIMULATED.items())
TIMEOUT_S = 1200
SETTLE_S = 60
LOOK_S = 0.05
KUBECTL, CLI, API = "kubectl apply, wait", "gedge service apply", "Python API"


@dataclass(frozen=True)
class Cluster:
    """Where services are applied.

    Attributes:
        kubeconfig: of its administrator.
        kubectl: the program.
        folder: for files of the measurement.
    """

    kubeconfig: Path
    kubectl: Path
    folder: Path

    def command(self, *words: str) -> list[str]:
        """Return the words of a kubectl command."""
        return [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), *words]

    def ask(self, *words: str, script: str = "") -> str:
        """Run kubectl and return what it prints."""
        return run(self.command(*words), script)


@dataclass(frozen=True)
class Taken:
    """What one way of applying took: `memory_mib` is the peak of its process, 0 where that is not measured."""

    seconds: float
    memory_mib: float = 0


def main() -> None:
    """Measure, print a table, and write the figures as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=500, help="how many services")
    parser.add_argument("--nodes", type=int, default=50, help="how many simulated nodes")
    parser.add_argument("--rounds", type=int, default=2, help="repeat, and take the median of each")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    run([GEDGE, "artifacts", "build", "kubectl", "kwok"])
    with tempfile.TemporaryDirectory() as folder, lab(LAB, workers=0) as site:
        run([GEDGE, "apply", "--site", str(site)])
        cluster = Cluster(kubeconfig_path(load_site(site)), program("kubectl", Path(folder)), Path(folder))
        with simulated_nodes(cluster, options.nodes):
            rounds = [measure(cluster, number, options.services) for number in range(options.rounds)]
            fewer = {
                name: in_namespace(cluster, f"bench-fewer-{index}", options.services // 5, way).memory_mib
                for index, (name, way) in enumerate([(KUBECTL, by_kubectl), (CLI, by_cli)])
            }
    report(options.services, rounds, fewer, options.json)


def measure(cluster: Cluster, number: int, count: int) -> dict[str, Taken]:
    """Take one round; the order alternates, so that no way always has the warmer caches."""
    ways = [(KUBECTL, by_kubectl), (CLI, by_cli), (API, by_api)]
    return {
        name: in_namespace(cluster, f"bench-{number}-{ways.index((name, way))}", count, way)
        for name, way in (ways if number % 2 == 0 else reversed(ways))
    }


def in_namespace(cluster: Cluster, namespace: str, count: int, way: Callable[[Cluster, str, Path], Taken]) -> Taken:
    """Apply services into a new namespace, make sure that all are up, and wait until the namespace is gone."""
    folder = cluster.folder / namespace
    service_documents.write(folder, count)
    cluster.ask("create", "namespace", namespace)
    taken = way(cluster, namespace, folder)
    # A Deployment whose strategy lets one pod be away is Available without it: what lacks then is outside the time.
    ends = time.monotonic() + SETTLE_S
    while (up := available(cluster, namespace)) != count:
        if time.monotonic() > ends:
            raise SystemExit(f"{up} of {count} services are up in {namespace}: nothing was measured")
        time.sleep(1)
    cluster.ask("delete", "namespace", namespace, f"--timeout={TIMEOUT_S}s")
    return taken


def available(cluster: Cluster, namespace: str) -> int:
    """Return how many Deployments have all of their pods."""
    found = json.loads(cluster.ask("get", "deployments", "--namespace", namespace, "--output", "json"))["items"]
    return sum(one["status"].get("availableReplicas") == one["spec"]["replicas"] for one in found)


def by_kubectl(cluster: Cluster, namespace: str, folder: Path) -> Taken:
    """Apply what the documents are rendered to; rendering is not part of the time."""
    manifests = [one for service in services.load_services([folder]) for one in render(service, namespace)]
    file = cluster.folder / f"{namespace}.yaml"
    file.write_text(yaml.safe_dump_all(manifests), encoding="utf-8")
    applied = watched(cluster.command("apply", "--filename", str(file)))
    condition = ["--for=condition=Available", f"--timeout={TIMEOUT_S}s"]
    waited = watched(cluster.command("wait", "deployments", "--all", "--namespace", namespace, *condition))
    return Taken(applied.seconds + waited.seconds, max(applied.memory_mib, waited.memory_mib))


def by_cli(cluster: Cluster, namespace: str, folder: Path) -> Taken:
    """Apply the folder of the documents."""
    where = ["--kubeconfig", str(cluster.kubeconfig), "--namespace", namespace, "--timeout", str(TIMEOUT_S)]
    return watched([GEDGE, "service", "apply", str(folder), *where])


def by_api(cluster: Cluster, namespace: str, folder: Path) -> Taken:
    """Load the documents and apply them, as a program does."""
    began = time.monotonic()
    loaded = services.load_services([folder])
    with services.connect(cluster.kubeconfig) as kube:
        services.apply_services(kube, loaded, namespace, SILENT, timeout_s=TIMEOUT_S)
    return Taken(time.monotonic() - began)


def watched(argv: list[str]) -> Taken:
    """Run a program, and look at the peak of its memory; end the benchmark when it fails.

    The kernel's `ru_maxrss` of a child begins with what it was forked from (this process); VmHWM is the program's own.
    """
    began = time.monotonic()
    peak_kib = 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        process = subprocess.Popen(argv, stdout=printed, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                peak_kib = max(peak_kib, high_water_kib(process.pid))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_S)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        seconds = time.monotonic() - began
        if process.returncode != 0:
            printed.seek(0)
            raise SystemExit(f"{' '.join(argv[:4])} failed:\n{printed.read()[-2000:]}")
    return Taken(seconds, peak_kib / 1024)


def high_water_kib(pid: int) -> int:
    """Return the peak of a process's resident memory (proc(5), VmHWM), 0 when it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


@contextmanager
def simulated_nodes(cluster: Cluster, count: int) -> Iterator[None]:
    """Have kwok simulate nodes that are ready."""
    log = cluster.folder / "kwok.log"
    argv = [str(program("kwok", cluster.folder)), "--kubeconfig", str(cluster.kubeconfig), "--config", str(SIMULATION)]
    with log.open("w") as output:
        # In a session of its own: ^C is for the benchmark, which still needs it to end the pods.
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        nodes = service_documents.nodes(count)
        cluster.ask("create", "--filename", "-", script=yaml.safe_dump_all(nodes))
        try:
            for condition in ("condition=Ready", "jsonpath={.spec.podCIDR}"):
                cluster.ask("wait", "nodes", "--selector", SELECTOR, f"--for={condition}", "--timeout=120s")
            # The cluster's own pods come to these nodes too, before anything is measured.
            cluster.ask("rollout", "status", "daemonset/kube-proxy", "--namespace", "kube-system", "--timeout=120s")
            cluster.ask("wait", "pods", "--all", "--all-namespaces", "--for=condition=Ready", "--timeout=120s")
        except SystemExit as error:
            raise SystemExit(f"{error}\nkwok said:\n{log.read_text(encoding='utf-8')[-2000:]}") from None
        yield
    finally:
        process.terminate()
        process.wait()


def program(name: str, folder: Path) -> Path:
    """Return a program of the artifact store, made executable."""
    (stored,) = artifacts.resolve(artifacts.load_catalog(), artifacts.default_store(), [name])
    path = folder / name
    path.write_bytes(stored.path.read_bytes())
    path.chmod(0o755)
    return path


def report(count: int, rounds: list[dict[str, Taken]], fewer: dict[str, float], file: Path | None) -> None:
    """Print the medians and ratios, and write them; `fewer` is the memory in MiB with a fifth of the services."""
    seconds = {way: statistics.median(one[way].seconds for one in rounds) for way in (KUBECTL, CLI, API)}
    memory = {way: max(one[way].memory_mib for one in rounds) for way in (KUBECTL, CLI)}
    ratios = {way: seconds[way] / seconds[KUBECTL] for way in seconds}
    a_hundred = {way: (memory[way] - fewer[way]) / (count - count // 5) * 100 for way in memory}
    table = Table("way", "rounds, s", "median, s", "ratio", "peak memory", title=f"{count} services, simulated nodes")
    for way, median in seconds.items():
        each = ", ".join(f"{one[way].seconds:.1f}" for one in rounds)
        peak = f"{memory[way]:.0f} MiB" if way in memory else ""
        table.add_row(way, each, f"{median:.1f}", f"{ratios[way]:.2f}", peak)
    Console().print(table)
    for way, more in a_hundred.items():
        few, many = f"{fewer[way]:.0f} MiB with {count // 5}", f"{memory[way]:.0f} MiB with {count}"
        print(f"memory of {way}: {few}, {many}; {more:.1f} MiB for each further 100 services")
    if file:
        figures = {
            "services": count,
            "seconds": seconds,
            "ratios": {way: round(ratio, 2) for way, ratio in ratios.items()},
            "memory_mib": memory | {f"{way}, {count // 5}": taken for way, taken in fewer.items()},
            "memory_mib_a_hundred": {way: round(more, 1) for way, more in a_hundred.items()},
        }
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
