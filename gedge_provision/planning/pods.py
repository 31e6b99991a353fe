"""Which pods a disruptive step on a node moves or may disturb. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gedge_provision.models.cluster import Manifest
from gedge_provision.models.plan import ConsentFlag

__all__ = ["disturbed_pods", "drain_obstacles"]

_MIRROR = "kubernetes.io/config.mirror"
_ENDED = ("Succeeded", "Failed")


def disturbed_pods(pods: Iterable[Manifest], disturbed: Mapping[str, Sequence[ConsentFlag]]) -> dict[str, list[str]]:
    """Return pods as namespace/name by node.

    A node that is drained or removed loses all but those of DaemonSets and static ones; where only the kubelet
    restarts, those of class Guaranteed may lose the CPUs that they own.
    """
    found: dict[str, list[str]] = {node: [] for node in disturbed}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node in found and _runs(pod) and _counts(pod, disturbed[node]):
            found[node].append(_name(pod))
    return found


def drain_obstacles(
    pods: Iterable[Manifest], budgets: Sequence[Manifest], disturbed: Mapping[str, Sequence[ConsentFlag]]
) -> dict[str, list[str]]:
    """Return by node what `kubectl drain` would refuse: pods without a controller, spent disruption budgets.

    Args:
        pods: all pods.
        budgets: all PodDisruptionBudgets.
        disturbed: what consent is asked for, by node.
    """
    found: dict[str, list[str]] = {node: [] for node in disturbed}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node not in found or not _moved_by(disturbed[node]) or not (_runs(pod) and _moves(pod)):
            continue
        name = _name(pod)
        if not any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences", [])):
            found[node].append(f"nothing would create pod {name} again -> delete it, or let a controller own it")
        found[node] += [
            f"PodDisruptionBudget {budget['metadata']['name']} does not let pod {name} go -> add replicas, or change it"
            for budget in budgets
            if budget["metadata"]["namespace"] == pod["metadata"]["namespace"]
            and budget.get("status", {}).get("disruptionsAllowed") == 0
            and _selects(budget["spec"].get("selector"), pod["metadata"].get("labels", {}))
        ]
    return found


def _selects(selector: Manifest | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a LabelSelector selects; an empty one selects everything, none nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_fulfils(rule, labels) for rule in selector.get("matchExpressions", []))


def _fulfils(rule: Manifest, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(rule["key"]), rule.get("values", [])
    answers = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return answers[rule["operator"]]


def _name(pod: Manifest) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _runs(pod: Manifest) -> bool:
    return pod["status"].get("phase") not in _ENDED


def _moved_by(flags: Sequence[ConsentFlag]) -> bool:
    return "drain-ok" in flags or "removal-ok" in flags


def _counts(pod: Manifest, flags: Sequence[ConsentFlag]) -> bool:
    if tuple(flags) == ("kubelet-restart-ok",):
        return bool(pod["status"].get("qosClass") == "Guaranteed")
    return _moves(pod)


def _moves(pod: Manifest) -> bool:
    """Tell whether a drain moves a pod: not a static one, not one of a DaemonSet."""
    meta = pod["metadata"]
    owners = {owner["kind"] for owner in meta.get("ownerReferences", [])}
    return _MIRROR not in meta.get("annotations", {}) and "DaemonSet" not in owners
