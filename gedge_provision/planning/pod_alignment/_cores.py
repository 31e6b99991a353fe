"""Whether the CPUs that containers own are whole cores, online, and not the system's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gedge_provision.models.alignment import KubeletPolicies
from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.pod_alignment import ContainerHolding, Remark
from gedge_provision.models.topology import Topology

__all__ = ["core_remarks"]

_FULL = "full-pcpus-only"
_ANEW = "drain the node, remove /var/lib/kubelet/cpu_manager_state and restart the kubelet"
_NEW_POD = "delete the pod, so that the kubelet places it anew: an option counts for pods that come after it"


def core_remarks(
    holdings: Sequence[ContainerHolding], topology: Topology, policies: KubeletPolicies, reserved: frozenset[int]
) -> Iterator[Remark]:
    """Yield what is wrong with the CPUs of each container."""
    owners = {cpu: holding for holding in holdings for cpu in holding.cpus}
    for holding in holdings:
        if holding.init:
            continue
        pod = holding.full_name
        if taken := holding.cpus & reserved:
            yield Remark(
                severity="error",
                kind="reserved",
                pod=pod,
                container=holding.container,
                message=f"owns CPUs {format_cpuset(taken)}, which are reserved for the system",
                remedy=_ANEW,
            )
        if gone := holding.cpus - topology.online:
            yield Remark(
                severity="error",
                kind="offline",
                pod=pod,
                container=holding.container,
                message=f"owns CPUs {format_cpuset(gone)}, which are not online",
                remedy=f"bring them online, or {_ANEW}",
            )
        of_pod = {cpu for cpu, owner in owners.items() if owner.full_name == pod}
        if torn := topology.siblings_of(holding.cpus) - of_pod:
            yield _torn(holding, torn, owners, reserved, full=_FULL in policies.cpu_options)


def _torn(
    holding: ContainerHolding,
    torn: frozenset[int],
    owners: dict[int, ContainerHolding],
    reserved: frozenset[int],
    *,
    full: bool,
) -> Remark:
    users: dict[str, set[int]] = {}
    for cpu in sorted(torn):
        owner = owners.get(cpu)
        name = f"owned by {owner.full_name}" if owner else "the system's" if cpu in reserved else "shared"
        users.setdefault(name, set()).add(cpu)
    told = ", ".join(f"{format_cpuset(cpus)} {name}" for name, cpus in users.items())
    return Remark(
        severity="error" if full else "note",
        kind="half-core",
        pod=holding.full_name,
        container=holding.container,
        message=f"owns CPUs {format_cpuset(holding.cpus)} without the other threads of their cores: {told}"
        + (f", against {_FULL}" if full else ""),
        remedy=_NEW_POD if full else f"ask for whole cores; {_FULL} (cpus: {{profile: pinned}}) refuses all else",
    )
