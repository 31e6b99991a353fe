"""Promises of the cluster as a whole."""

from __future__ import annotations

from gedge_provision.models.snapshot import Certificate
from gedge_provision.planning.verification._promise import Look, Promise, Verdict, verdict

__all__ = ["CLUSTER"]

_APPLY = "put it right: gedge apply"
_NOT_READY = {None: "none", False: "not ready"}
_INSTALL_ONLY = "it is decided at the install: write what the cluster has, or reset and apply again"


def _endpoint(look: Look) -> Verdict:
    wanted = f"https://{look.endpoint}"
    if look.snapshot.problem:
        return Verdict(kept=False, evidence=look.snapshot.problem)
    if look.snapshot.server != wanted:
        return Verdict(kept=False, evidence=f"the kubeconfig names {look.snapshot.server}")
    named = look.kubeadm.get("controlPlaneEndpoint", "nothing")
    return Verdict(named == look.endpoint, f"it answers; nodes are told {named}")


def _virtual_ip(look: Look) -> Verdict:
    found = look.snapshot.certificates.get(look.endpoint, Certificate(problem="not asked"))
    return Verdict(not found.problem, found.problem or "it answers there with a certificate of the cluster's CA")


def _version(look: Look) -> Verdict:
    return Verdict(
        look.snapshot.version == f"v{look.site.kubernetes.version}", f"the API server is {look.snapshot.version}"
    )


def _name(look: Look) -> Verdict:
    found = look.kubeadm.get("clusterName", "unknown")
    return Verdict(found == look.site.name, f"its name is {found}")


def _nodes(look: Look) -> Verdict:
    names = {node.name for node in look.site.nodes}
    return verdict(
        [f"{node.name} is not in the site file" for node in look.snapshot.nodes if node.name not in names],
        f"{len(look.snapshot.nodes)} nodes, all of the site file",
    )


def _etcd(look: Look) -> Verdict:
    labels = {"tier": "control-plane", "component": "etcd"}
    ready = {name: look.snapshot.pod_ready(name, "kube-system", labels) for name in look.snapshot.pods_by_node}
    wanted = {node.name for node in look.site.with_role("control_plane")}
    wrong = [f"{name}: {_NOT_READY[ready.get(name)]}" for name in sorted(wanted) if not ready.get(name)]
    wrong += [f"{name}: not promised" for name in sorted(set(ready) - wanted) if ready[name] is not None]
    return verdict(wrong, f"{len(wanted)} of {len(wanted)} ready")


def _objects(look: Look) -> Verdict:
    changes = [change for host in look.plan.hosts for change in host.changes]
    # Labels and taints have their own checks.
    wrong = [f"to do: {change}" for change in changes if change.kind[:1].isupper()]
    return verdict(wrong, "as applied")


CLUSTER: tuple[Promise[Look], ...] = (
    Promise(
        "api-endpoint", "cluster",
        "The API server answers at the promised address, and the nodes are told that address.",
        "check that the cluster runs and that this machine reaches it; an old kubeconfig: gedge kubeconfig --fetch",
        "nothing",
        lambda look: f"the API server answers at https://{look.endpoint}", _endpoint,
    ),
    Promise(
        "api-virtual-ip", "cluster", "The virtual address answers with a certificate of the cluster's CA.",
        "look at keepalived and haproxy on the control-plane nodes", "nothing",
        lambda look: f"the virtual address {look.endpoint} answers", _virtual_ip,
        lambda look: "" if look.site.control_plane.virtual_ip else "the site has no virtual address",
    ),
    Promise(
        "api-version", "cluster", "The API server has the version of the site file.",
        "write the version that runs, or use the gedge release of the other one", "cluster",
        lambda look: f"Kubernetes v{look.site.kubernetes.version}", _version,
    ),
    Promise(
        "cluster-name", "cluster", "The cluster has the name of the site.", _INSTALL_ONLY, "cluster",
        lambda look: f"the cluster's name is {look.site.name}", _name,
    ),
    Promise(
        "cluster-nodes", "cluster", "The cluster has no node that the site file does not name.",
        "write the node into the site file, or remove it: kubectl drain, kubectl delete node", "cluster",
        lambda _: "no node but those of the site file", _nodes,
    ),
    Promise(
        "cluster-objects", "cluster", "Check mode finds nothing to do about the objects that we apply (flannel's).",
        _APPLY, "first host",
        lambda _: "the objects that we apply are as applied", _objects,
    ),
    Promise(
        "etcd-members", "cluster", "A ready etcd runs on each control-plane node, and nowhere else.",
        "look at etcd on the node: crictl logs; kubectl -n kube-system get pods -l component=etcd", "cluster",
        lambda look: f"{len(look.site.with_role('control_plane'))} etcd, one on each control-plane node", _etcd,
    ),
)  # fmt: skip
