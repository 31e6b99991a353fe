"""The acceptance report: one look at the hosts, one at the cluster, and what both say of the site file's promises."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.kube import Kube, KubeError, NotFoundError, connect
from gedge_provision.adapters.tls import read_certificate
from gedge_provision.models.changes import REACHABLE
from gedge_provision.models.cluster import (
    ADDRESS_POOL,
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    NETWORK_ATTACHMENT,
    NODE,
    NODE_METRICS,
    POD,
    SERVICE,
    Kind,
    Manifest,
)
from gedge_provision.models.host_networks import HostNetworks
from gedge_provision.models.plan import Plan
from gedge_provision.models.probes import Probes
from gedge_provision.models.progress import SILENT, Reporter, step
from gedge_provision.models.runs import RunFailedError
from gedge_provision.models.site import Site
from gedge_provision.models.snapshot import ClusterSnapshot, KubeletAnswer, MetricsAnswer, ServerAnswer
from gedge_provision.models.topology import Topology
from gedge_provision.models.verification import Report
from gedge_provision.planning.features import GPU, GSE_API_SERVER, METRICS_SERVER, MULTUS, site_features
from gedge_provision.planning.gpu_stack import Finding
from gedge_provision.planning.inventory import API_PORT, endpoint_port
from gedge_provision.planning.verification import host_problems, make_report
from gedge_provision.provisioning.gpu import gpu_findings
from gedge_provision.provisioning.gse_api_server import ask_gse_api_server
from gedge_provision.provisioning.plans import plan
from gedge_provision.provisioning.probes import probe as start_probes
from gedge_provision.provisioning.runs import look_closer
from gedge_provision.provisioning.sites import load_site, present_kubeconfig

__all__ = ["snapshot", "verify"]

_NAMESPACES = ("kube-system", "kube-flannel")
_CONFIG_MAPS = (("kube-system", "kubeadm-config"), ("kube-system", "coredns"), ("kube-flannel", "kube-flannel-cfg"))
_OWN_DEVICES = ("kube-system", "sriovdp-config")
_SERVICES = (("default", "kubernetes"), ("kube-system", "kube-dns"))
_AT_ONCE = 16
_ANSWER_S = 5.0


@dataclass(frozen=True)
class _HostLook:
    """What check mode found, and why hosts could not be looked at."""

    plan: Plan
    problems: Mapping[str, str] = field(default_factory=dict)


def verify(site_path: Path, reporter: Reporter = SILENT, *, probe: bool = False) -> Report:
    """Check every promise of a site file on the hosts and on the running cluster; nothing is changed.

    Hosts that cannot be looked at and a cluster that does not answer are failing checks, not errors.

    Args:
        site_path: the site file.
        reporter: receives each phase.
        probe: start pods that try each secondary network, and remove them.

    Raises:
        DocumentError: the site file is wrong.
        UsageError: the site has no kubeconfig here yet; another run is at work on the site.
        GedgeError: the artifact store lacks something, so that hosts cannot be compared with it.
    """
    site = load_site(site_path)
    kubeconfig = present_kubeconfig(site)
    digest = hashlib.sha256(site_path.read_bytes()).hexdigest()
    with step(reporter, "Ask the cluster"):
        found = snapshot(site, kubeconfig)
    hosts = _look_at_hosts(site, site_path, digest, reporter, again=not found.problem)
    networks, topologies = _look_closer(site, site_path, reporter)
    probes = _probe(site, kubeconfig, found.problem, reporter) if probe else None
    gpu = _gpu(site, kubeconfig, found.problem, reporter)
    runtime = load_catalog().artifact("containerd")
    return make_report(
        site,
        digest,
        hosts.plan,
        found,
        runtime_version=runtime.version if runtime else "",
        host_problems=hosts.problems,
        networks=networks,
        probes=probes,
        topologies=topologies,
        gpu=gpu,
    )


def _probe(site: Site, kubeconfig: Path, problem: str, reporter: Reporter) -> Probes:
    if problem or not site.networks.attachments:
        return Probes(problem=problem)
    with connect(kubeconfig) as kube:
        return start_probes(kube, site, reporter)


def _gpu(site: Site, kubeconfig: Path, problem: str, reporter: Reporter) -> tuple[Finding, ...]:
    if problem or GPU not in site_features(site):
        return ()
    with step(reporter, "Look at the GPU operator"), connect(kubeconfig) as kube:
        return gpu_findings(kube, site)


def _look_closer(
    site: Site, site_path: Path, reporter: Reporter
) -> tuple[dict[str, HostNetworks], dict[str, Topology]]:
    """Return what hosts show of secondary networks, and their topologies, where the site has use for them.

    Hosts that do not tell are missing.
    """
    planned = any(site.cpu_intent(node) is not None for node in site.nodes)
    if MULTUS not in site_features(site) and not planned:
        return {}, {}
    try:
        found = look_closer(site_path, reporter)
    except RunFailedError as error:
        found = error.result
    return (
        {name: HostNetworks.model_validate(told) for name, told in found.networks.items()},
        {name: Topology.model_validate(told) for name, told in found.topologies.items()},
    )


def _look_at_hosts(site: Site, site_path: Path, digest: str, reporter: Reporter, *, again: bool) -> _HostLook:
    """Look at every host in check mode; where one fails, once more (`again`) at those that did not fail.

    Without a cluster that answers a second look would fail as the first one did. Hosts that are only silent are left
    out by the look itself.
    """
    try:
        return _with_silent(plan(site_path, reporter), {})
    except RunFailedError as error:
        problems = host_problems(error.result, [node.name for node in site.nodes], of_all=not again)
    others = [node.name for node in site.nodes if node.name not in problems]
    nothing = Plan(site=site.name, site_sha256=digest)
    if not others:
        return _HostLook(nothing, problems)
    reporter.note(f"{', '.join(problems)} cannot be looked at; looking at the others")
    try:
        return _with_silent(plan(site_path, reporter, only=",".join(others)), problems)
    except RunFailedError as error:
        return _HostLook(nothing, problems | host_problems(error.result, others, of_all=True))


def _with_silent(found: Plan, problems: Mapping[str, str]) -> _HostLook:
    silent = {
        difference.node: difference.message for difference in found.differences if difference.concern == REACHABLE
    }
    return _HostLook(found, {**problems, **silent})


def snapshot(site: Site, kubeconfig: Path) -> ClusterSnapshot:
    """Return what a site's cluster shows now; why it does not answer is a part of that.

    Raises:
        UsageError: the kubeconfig is missing or broken.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    with connect(kubeconfig) as kube, ThreadPoolExecutor(_AT_ONCE) as pool:
        places = [(str(node.address), API_PORT) for node in site.with_role("control_plane")]
        if site.control_plane.virtual_ip is not None:
            places.append((str(site.control_plane.virtual_ip), endpoint_port(site)))
        shown = [pool.submit(read_certificate, address, port, kube.ca_file, _ANSWER_S) for address, port in places]
        certificates = {
            f"{address}:{port}": found.result() for (address, port), found in zip(places, shown, strict=True)
        }
        empty = ClusterSnapshot(taken=now, server=kube.server, certificates=certificates)
        try:
            objects = _objects(kube) | (_network_objects(kube) if MULTUS in site_features(site) else {})
            names = [item["metadata"]["name"] for item in objects["nodes"]]
            kubelets = dict(zip(names, pool.map(lambda name: _kubelet(kube, name), names), strict=True))
            version = kube.version()
            metrics = _metrics(kube) if METRICS_SERVER in site_features(site) else MetricsAnswer()
            server = ask_gse_api_server(kube, site) if GSE_API_SERVER in site_features(site) else ServerAnswer()
        except KubeError as error:
            return empty.model_copy(update={"problem": error.message})
    return ClusterSnapshot.model_validate(
        {
            **empty.model_dump(by_alias=True),
            **objects,
            "kubelets": kubelets,
            "version": version,
            "metrics": metrics,
            "gseApiServer": server,
        }
    )


def _objects(kube: Kube) -> dict[str, list[Manifest]]:
    return {
        "nodes": kube.find(NODE),
        "pods": [item for namespace in _NAMESPACES for item in kube.find(POD, namespace)],
        "daemonSets": [item for namespace in _NAMESPACES for item in kube.find(DAEMON_SET, namespace)],
        "deployments": [item for namespace in _NAMESPACES for item in kube.find(DEPLOYMENT, namespace)],
        "services": [item for place in _SERVICES if (item := _one(kube, SERVICE, place))],
        "configMaps": [item for place in (*_CONFIG_MAPS, _OWN_DEVICES) if (item := _one(kube, CONFIG_MAP, place))],
    }


def _network_objects(kube: Kube) -> dict[str, list[Manifest]]:
    return {"definitions": _all(kube, NETWORK_ATTACHMENT), "pools": _all(kube, ADDRESS_POOL)}


def _all(kube: Kube, kind: Kind) -> list[Manifest]:
    """Return all objects of a kind; none where the cluster does not know the kind."""
    try:
        return kube.find(kind)
    except NotFoundError:
        return []


def _one(kube: Kube, kind: Kind, place: tuple[str, str]) -> Manifest | None:
    try:
        return kube.get(kind, *place)
    except NotFoundError:
        return None


def _metrics(kube: Kube) -> MetricsAnswer:
    try:
        return MetricsAnswer(nodes=tuple(item["metadata"]["name"] for item in kube.find(NODE_METRICS)))
    except KubeError as error:
        return MetricsAnswer(problem=error.message)


def _kubelet(kube: Kube, node: str) -> KubeletAnswer:
    try:
        return KubeletAnswer(configuration=kube.kubelet_configuration(node))
    except KubeError as error:
        return KubeletAnswer(problem=error.message)
