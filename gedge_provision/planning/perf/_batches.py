"""Which pods fit side by side: by CPUs and devices that are free, and by cards that serve one kind at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from gedge_provision.models.cluster import Manifest, NodeState
from gedge_provision.models.perf import PerfSettings, Problem
from gedge_provision.models.quantities import Quantity
from gedge_provision.planning.attachments import pod_resources
from gedge_provision.planning.perf._paths import Ends, NetPath
from gedge_provision.planning.perf._steps import Pair

__all__ = ["free_resources", "make_batches", "make_pairs"]

Amounts = Mapping[str, Decimal]
_CPU = "cpu"
_ENDED = ("Succeeded", "Failed")


def free_resources(node: NodeState, pods: Iterable[Manifest]) -> dict[str, Decimal]:
    """Return CPUs and devices of a node that no pod has asked for."""
    counted = {name: text for name, text in node.status.allocatable.items() if name == _CPU or "/" in name}
    free = {name: Quantity(text).amount for name, text in counted.items()}
    for pod in pods:
        if pod["spec"].get("nodeName") != node.name or pod.get("status", {}).get("phase") in _ENDED:
            continue
        for container in pod["spec"]["containers"]:
            for name, text in container.get("resources", {}).get("requests", {}).items():
                if name in free:
                    free[name] -= Quantity(text).amount
    return free


def make_pairs(paths: Sequence[NetPath], settings: PerfSettings) -> tuple[Pair, ...]:
    """Return the pods' pairs of all paths, pinned and unpinned as the settings say."""
    both = [(path, pinning) for path in paths for pinning in settings.pinnings]
    return tuple(Pair(number, path, pinning) for number, (path, pinning) in enumerate(both))


def make_batches(
    pairs: Sequence[Pair], ends: Ends, free: Mapping[str, Amounts], pinned_cpus: int
) -> tuple[tuple[tuple[Pair, ...], ...], tuple[Problem, ...]]:
    """Return pairs in batches whose pods fit side by side, and those that do not fit alone.

    Args:
        pairs: the pairs.
        ends: the nodes.
        free: what each node has left, by its name.
        pinned_cpus: CPUs of each pod that owns its own.
    """
    batches: list[list[Pair]] = []
    problems = []
    for pair in pairs:
        lack = _lack([pair], ends, free, pinned_cpus)
        if lack:
            problems.append(
                Problem(
                    path=pair.path.name,
                    pinning=pair.pinning,
                    what="left out",
                    message=lack,
                    remedy="free it (pods that have asked for it count), choose other nodes, or ask for less",
                )
            )
            continue
        room = next((one for one in batches if not _lack([*one, pair], ends, free, pinned_cpus)), None)
        if room is None:
            batches.append([pair])
        else:
            room.append(pair)
    return tuple(tuple(batch) for batch in batches), tuple(problems)


def _lack(batch: Sequence[Pair], ends: Ends, free: Mapping[str, Amounts], pinned_cpus: int) -> str:
    """Return what keeps the pods of a batch from running side by side; empty when nothing does."""
    kinds: dict[str, set[str]] = {}
    for pair in batch:
        attachment = pair.path.attachment
        if attachment is not None and attachment.master:
            kinds.setdefault(attachment.master, set()).add(attachment.type)
        alone = bool(pair.path.addresses) or (attachment is not None and attachment.device)
        if alone and sum(one.path.name == pair.path.name for one in batch) > 1:
            return f"interface or addresses of {pair.path.name} are for one pair at a time"
    for master, types in kinds.items():
        if len(types) > 1:  # the kernel lets an interface have children of one kind
            return f"{master} carries {' or '.join(sorted(types))}, not both at once"
    sides = Counter((ends.client.name, ends.server.name))
    for node, pods in sides.items():
        wanted = _wanted(batch, pinned_cpus)
        for name, amount in wanted.items():
            left = free.get(node, {}).get(name, Decimal(0))
            if amount * pods > left:
                return f"its pods need {amount * pods} {name} on {node}, {max(left, Decimal(0)).normalize():f} free"
    return ""


def _wanted(batch: Sequence[Pair], pinned_cpus: int) -> Amounts:
    wanted: Counter[str] = Counter()
    for pair in batch:
        if pair.pinning == "pinned":
            wanted[_CPU] += pinned_cpus
        if pair.path.attachment is not None:
            wanted.update(pod_resources(pair.path.attachment))
    return {name: Decimal(amount) for name, amount in wanted.items()}
