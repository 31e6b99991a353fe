"""What the scheduler looks at: state of the node, taints, labels, and amounts.

Source: Kubernetes documentation, "Taints and Tolerations" and "Assigning Pods to Nodes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from gedge_provision.models.cluster import NodeState, Taint
from gedge_provision.models.fit import Obstacle
from gedge_provision.models.pod_specs import Requirement, RunningPod, Toleration, amount_of
from gedge_provision.planning.fit._asks import requests_of

__all__ = ["spelled", "unfit", "usage"]

_BLOCKING_EFFECTS = ("NoSchedule", "NoExecute")
_PODS = "pods"
_BINARY = ((2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki"))
_MOST_DIGITS = 5


def usage(pods: Sequence[RunningPod]) -> dict[str, Decimal]:
    """Return what pods take of a node altogether."""
    used = {_PODS: Decimal(len(pods))}
    for pod in pods:
        for name, amount in requests_of(pod).items():
            used[name] = used.get(name, Decimal(0)) + amount
    return used


def unfit(pod: RunningPod, node: NodeState, used: Mapping[str, Decimal]) -> Iterator[Obstacle]:
    """Yield what makes the scheduler leave a node out.

    Args:
        pod: the pod to place.
        node: the node.
        used: what other pods have of it.
    """
    if not node.ready:
        yield Obstacle(kind="not-ready", text="not ready", joint=":")
    if node.spec.unschedulable:
        yield Obstacle(kind="cordoned", text="cordoned", joint=":")
    else:
        for taint in node.spec.taints:
            # Those of the node controller follow from readiness and cordoning, which are said already.
            ours = not taint.key.startswith("node.kubernetes.io/")
            if taint.effect in _BLOCKING_EFFECTS and ours and not _tolerated(taint, pod.spec.tolerations):
                yield Obstacle(kind="taint", text=f"taint {taint} keeps pods off", joint="")
    for key, value in pod.spec.node_selector.items():
        if node.metadata.labels.get(key) != value:
            yield Obstacle(kind="label", text=f"label {key}={value} is missing")
    if not _meets_a_term(pod, node):
        yield Obstacle(kind="label", text=_unmet(pod, node), joint=":")
    yield from _short(pod, node, used)


def _short(pod: RunningPod, node: NodeState, used: Mapping[str, Decimal]) -> Iterator[Obstacle]:
    for name, amount in {**requests_of(pod), _PODS: Decimal(1)}.items():
        if not amount:
            continue
        asked = f"{name}: {spelled(name, amount)} is asked for"
        offered = node.status.allocatable.get(name)
        if offered is None:
            if name != _PODS:
                yield Obstacle(kind="not-offered", text=f"{asked}, none is offered", joint=" by")
            continue
        whole = amount_of(offered)
        if whole < amount:
            yield Obstacle(kind="not-enough", text=f"{asked}, only {offered} is offered", joint=" by")
        elif whole - used.get(name, Decimal(0)) < amount:
            free = spelled(name, max(whole - used.get(name, Decimal(0)), Decimal(0)))
            yield Obstacle(kind="taken", text=f"{asked}, {free} of {offered} is free")


def spelled(name: str, amount: Decimal) -> str:
    """Return an amount as Kubernetes writes it: 200m, 500Mi, 2."""
    if amount == amount.to_integral_value():
        number = int(amount)
        if name.startswith(("memory", "ephemeral-storage", "hugepages-")):
            unit = next(((size, unit) for size, unit in _BINARY if number and number % size == 0), None)
            if unit is None and len(str(number)) > _MOST_DIGITS:
                unit = (2**20, "Mi")
            return f"{number // unit[0]}{unit[1]}" if unit else str(number)
        return str(number)
    return f"{int(amount * 1000)}m"


def _tolerated(taint: Taint, tolerations: Sequence[Toleration]) -> bool:
    return any(
        one.effect in {"", taint.effect}
        and one.key in {"", taint.key}
        and (one.operator == "Exists" or (one.key != "" and one.value == taint.value))
        for one in tolerations
    )


def _meets_a_term(pod: RunningPod, node: NodeState) -> bool:
    terms = pod.spec.node_terms
    return not terms or any(
        all(_met(one, node.metadata.labels.get(one.key)) for one in term.match_expressions)
        and all(_met(one, node.name) for one in term.match_fields)
        and bool(term.match_expressions or term.match_fields)
        for term in terms
    )


def _unmet(pod: RunningPod, node: NodeState) -> str:
    """Say which label is another one than the node affinity asks for, where it is one choice that it leaves."""
    if len(pod.spec.node_terms) == 1:
        for one in pod.spec.node_terms[0].match_expressions:
            value = node.metadata.labels.get(one.key)
            if one.operator == "In" and not _met(one, value):
                return f"label {one.key} is {value or 'missing'}, not {' or '.join(one.values)}"
    return "its labels match no term of the node affinity"


def _met(wanted: Requirement, value: str | None) -> bool:
    if wanted.operator == "In":
        return value in wanted.values
    if wanted.operator == "NotIn":
        return value not in wanted.values
    if wanted.operator in {"Exists", "DoesNotExist"}:
        return (value is not None) == (wanted.operator == "Exists")
    try:
        number, limit = int(value or ""), int(wanted.values[0])
    except (ValueError, IndexError):
        return False
    return number > limit if wanted.operator == "Gt" else number < limit
