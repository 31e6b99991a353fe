"""What a promise is, and what it is judged by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import yaml

from gedge_provision.models.attachments import Attachment
from gedge_provision.models.cluster import Metadata, NodeState
from gedge_provision.models.cpu_plan import CpuPlan, InfeasibleError
from gedge_provision.models.host_networks import HostNetworks
from gedge_provision.models.plan import Plan
from gedge_provision.models.probes import Probes
from gedge_provision.models.site import Node, NodeClass, Site
from gedge_provision.models.snapshot import Certificate, ClusterSnapshot, KubeletAnswer
from gedge_provision.models.sriov import SriovPolicy
from gedge_provision.models.topology import Topology
from gedge_provision.models.verification import Concern
from gedge_provision.planning.attachments import holders
from gedge_provision.planning.gpu_stack import Finding
from gedge_provision.planning.inventory import API_PORT, endpoint_port
from gedge_provision.planning.node_plans import plan_node

__all__ = ["Lack", "Look", "Needs", "NodeLook", "Promise", "Verdict", "listed", "verdict"]

Needs = Literal[
    "nothing", "cluster", "node", "kubelet", "certificate", "host", "first host", "networks", "node and networks"
]
"""What must have answered before a promise can be judged; the promise fails when it has not."""

_MOST = 8
_NO_CLUSTER = "check that the cluster runs and that this machine reaches it"
_NO_KUBELET = "look on the node: systemctl status kubelet, journalctl -u kubelet"
_NO_CERTIFICATE = (
    "look on the node: crictl ps -a, crictl logs of kube-apiserver; if it has expired: kubeadm certs renew all"
)


class Verdict(NamedTuple):
    """Whether a promise is kept, and what says so; a remedy where the finding has one of its own."""

    kept: bool
    evidence: str
    remedy: str = ""


class Lack(NamedTuple):
    """Why a promise cannot be judged, and what to do."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class Look:
    """What the promises of a cluster are judged by.

    Attributes:
        site: the site.
        plan: what an apply would change; of the hosts that could be looked at.
        snapshot: what the cluster shows.
        runtime_version: version of the container runtime in the catalog, with the v.
        host_problems: why a host could not be looked at, by host.
        networks: what hosts show of cards and secondary networks.
        probes: what probe pods found; None when none were asked for.
        topologies: what hosts tell of their topology, of those whose CPUs are planned.
        gpu: what is not well of the GPU operator's stack.
    """

    site: Site
    plan: Plan
    snapshot: ClusterSnapshot
    runtime_version: str
    host_problems: Mapping[str, str]
    networks: Mapping[str, HostNetworks]
    probes: Probes | None
    topologies: Mapping[str, Topology]
    gpu: Sequence[Finding]

    @property
    def endpoint(self) -> str:
        """The promised address of the API server, with its port."""
        return f"{self.site.api_address}:{endpoint_port(self.site)}"

    @property
    def first_host(self) -> str:
        """The control-plane node through which objects of the cluster are applied."""
        return self.site.with_role("control_plane")[0].name

    @cached_property
    def kubeadm(self) -> dict[str, Any]:
        """The ClusterConfiguration that kubeadm keeps in the cluster; empty when it is not there."""
        try:
            found = yaml.safe_load(self.snapshot.settings("kube-system", "kubeadm-config", "ClusterConfiguration"))
        except yaml.YAMLError:
            return {}
        return found if isinstance(found, dict) else {}

    def lacking(self, needs: Needs) -> Lack | None:
        """Return why something cannot be judged; None when it can."""
        if needs == "nothing":
            return None
        if needs == "first host":
            lack = self.lacking_host(self.first_host)
            return lack and Lack(f"{self.first_host}: {lack.reason}", lack.remedy)
        return Lack(self.snapshot.problem, _NO_CLUSTER) if self.snapshot.problem else None

    def lacking_host(self, name: str) -> Lack | None:
        """Return why a host could not be looked at; None when it was."""
        if name not in self.host_problems:
            return None
        reason, _, remedy = self.host_problems[name].partition(" -> ")  # what a run says may bring its remedy
        return Lack(reason, remedy or "see why: gedge plan")


@dataclass(frozen=True)
class NodeLook(Look):
    """What the promises of a node are judged by."""

    node: Node

    @property
    def node_class(self) -> NodeClass:
        """The class of the node."""
        return self.site.node_classes[self.node.node_class]

    @cached_property
    def _planned(self) -> CpuPlan | Lack | None:
        """The plan of the host; None where nothing is planned."""
        if self.site.cpu_intent(self.node) is None:
            return None
        topology = self.topologies.get(self.node.name)
        if topology is None:
            return self.lacking_host(self.node.name) or Lack(
                "its host does not tell its topology", "see why: gedge plan"
            )
        try:
            plan = plan_node(self.site, self.node, topology)
        except InfeasibleError as error:
            return Lack(error.problems[0].message, error.problems[0].remedy)
        return plan.cpus if plan else None

    @property
    def promised_kubelet(self) -> dict[str, Any]:
        """The fields of the KubeletConfiguration that the site file promises, written or planned."""
        planned = self._planned
        return planned.kubelet if isinstance(planned, CpuPlan) else self.node_class.kubelet.to_kubelet()

    @property
    def promised_pages(self) -> dict[int, int]:
        """The numbers of huge pages that its plan sets aside, by size in KiB; none on a container."""
        topology = self.topologies.get(self.node.name)
        if not isinstance(self._planned, CpuPlan) or topology is None or topology.container:
            return {}
        sizes = sorted({pages.size_kib for pages in self._planned.huge_pages})
        return {
            size: sum(pages.count for pages in self._planned.huge_pages if pages.size_kib == size) for size in sizes
        }

    @property
    def live(self) -> NodeState:
        """The node as the cluster has it; an empty one where it is missing."""
        return self.snapshot.node(self.node.name) or NodeState(metadata=Metadata(name=self.node.name))

    @property
    def kubelet(self) -> dict[str, Any]:
        """What the node's kubelet runs with."""
        return self.snapshot.kubelet(self.node.name)

    @property
    def policies(self) -> dict[str, SriovPolicy]:
        """The policies of the node whose virtual functions are made on the host, by name."""
        return {policy.name: policy for policy in self.node_class.sriov if policy.owner == "host"}

    @property
    def attachments(self) -> list[Attachment]:
        """The attachments that its pods may use."""
        return [one for one in self.site.networks.attachments if self.node.name in holders(self.site, one)]

    @property
    def host(self) -> HostNetworks:
        """What its host shows of cards and secondary networks."""
        return self.networks.get(self.node.name, HostNetworks())

    def lacking(self, needs: Needs) -> Lack | None:
        """Return why something cannot be judged; None when it can."""
        name = self.node.name
        if needs in ("host", "networks"):
            return self._silent_host(needs)
        if needs == "certificate":
            problem = self.certificate.problem
            return Lack(f"no certificate: {problem}", _NO_CERTIFICATE) if problem else None
        if reason := super().lacking(needs) or (
            self._silent_host("networks") if needs == "node and networks" else None
        ):
            return reason
        if needs in ("node", "kubelet", "node and networks") and self.snapshot.node(name) is None:
            return Lack("the node is not in the cluster", "gedge apply, or look at the kubelet of that host")
        return self._silent_kubelet() if needs == "kubelet" else None

    def _silent_kubelet(self) -> Lack | None:
        if isinstance(self._planned, Lack):
            return self._planned
        if self.kubelet:
            return None
        problem = self.snapshot.kubelets.get(self.node.name, KubeletAnswer(problem="not asked")).problem
        return Lack(f"the kubelet does not tell its configuration: {problem}", _NO_KUBELET)

    def _silent_host(self, needs: Needs) -> Lack | None:
        name = self.node.name
        if needs == "host":
            return self.lacking_host(name)
        if name in self.networks:
            return None
        return self.lacking_host(name) or Lack("its host does not tell of its networks", "see why: gedge plan")

    @property
    def certificate(self) -> Certificate:
        """What the node's API server shows."""
        place = f"{self.node.address}:{API_PORT}"
        return self.snapshot.certificates.get(place, Certificate(problem="not asked"))


AnyLook = TypeVar("AnyLook", bound=Look)


def _nothing_open(_look: Look) -> str:
    return ""


@dataclass(frozen=True)
class Promise(Generic[AnyLook]):
    """One promise.

    Attributes:
        id: stable name.
        concern: what it is about.
        meaning: what it promises, for any site.
        remedy: what to do when it is not kept.
        needs: what must have answered.
        text: what it promises of this site, in words.
        judge: tells whether it is kept; called when what it needs has answered.
        left_open: why this site promises nothing; empty when it does.
    """

    id: str
    concern: Concern
    meaning: str
    remedy: str
    needs: Needs
    text: Callable[[AnyLook], str]
    judge: Callable[[AnyLook], Verdict]
    left_open: Callable[[AnyLook], str] = _nothing_open


def verdict(wrong: Collection[str], evidence: str) -> Verdict:
    """Return that a promise is broken by what is wrong, or kept, with the evidence."""
    return Verdict(kept=False, evidence=listed(wrong)) if wrong else Verdict(kept=True, evidence=evidence)


def listed(things: Collection[str]) -> str:
    """Return things in one line; the first ones when they are many."""
    shown = list(things)[:_MOST]
    return "; ".join(shown) + (f"; and {len(things) - len(shown)} more" if len(things) > len(shown) else "")
