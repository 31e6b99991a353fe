"""The site file: the one description of a site, from which inventories, plans and labs are computed."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from gedge_provision.models.addresses import IPv4Address, IPv4Network
from gedge_provision.models.attachments import Attachment
from gedge_provision.models.base import Boolean, Document, Integer
from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.emulated_gpus import EmulatedGpus
from gedge_provision.models.emulation import EmulatedNode
from gedge_provision.models.gpu import GpuIntent, NodeGpu
from gedge_provision.models.gpu_operator import GpuOperator
from gedge_provision.models.gse_api_server import GseApiServer
from gedge_provision.models.kubelet import KubeletSettings
from gedge_provision.models.paths import HomePath, MountPoint
from gedge_provision.models.sriov import SharedRdma, SriovPolicy
from gedge_provision.models.wording import Form

__all__ = [
    "Artifacts",
    "ControlPlane",
    "Flannel",
    "Kubernetes",
    "Lab",
    "Networks",
    "Node",
    "NodeClass",
    "Role",
    "Rollout",
    "Site",
    "Ssh",
    "Taint",
]

_LETTERS = "use lower-case letters, digits and '-', first and last no '-'"
DnsLabel = Annotated[str, Form(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "name", f"{_LETTERS}; at most 63")]
DnsName = Annotated[str, Form(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", "DNS name", f"{_LETTERS}, and '.' between")]
SiteName = Annotated[str, Form(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", "name for a site", f"{_LETTERS}; at most 32")]
Version = Annotated[str, Form(r"\d+\.\d+\.\d+", "exact version", "write all three numbers, without v: 1.36.4")]
Role = Literal["control_plane", "worker"]
Port = Annotated[Integer, Field(ge=1, le=65535)]
SshHost = Annotated[str, Form(r"[^\s-]\S*", "name or address for SSH", "write it without spaces, first no '-'")]
Registry = Annotated[str, Form(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", "registry", "write its host: docker.io")]
MirrorUrl = Annotated[str, Form(r"https?://[^\s/\"]+(/[^\s\"]*)?", "URL of a mirror", "begin it with https://")]


_PART = r"[1-9]\d*|([1-9]\d?|100)%"


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_user(name: str) -> str:
    if not re.fullmatch(r"[^\s\"'-][^\s\"']*", name):
        raise ValueError(f"{name!r} is no name of a user -> write it without spaces and quotes, first no '-'")
    return name


def _check_label_key(key: str) -> str:
    prefix, _, name = key.rpartition("/")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", name) or (
        prefix and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", prefix)
    ):
        raise ValueError(f"{key!r} is no label key -> write it like gedge.dev/accelerator")
    return key


def _check_label_value(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", value):
        raise ValueError(f"{value!r} is no label value -> use at most 63 letters, digits, '-', '_', '.'")
    return value


LabelKey = Annotated[str, AfterValidator(_check_label_key)]
LabelValue = Annotated[str, AfterValidator(_check_label_value)]


# What GRUB and the shells on its way read as more than text is left out; so is what decides which system boots.
KernelArgument = Annotated[
    str,
    Form(
        r"(?!(BOOT_IMAGE|init|initrd|rdinit|ro|root|rw)(=|$))[A-Za-z0-9_][A-Za-z0-9_.-]*(=[A-Za-z0-9_.,:/@%+=~-]+)?",
        "kernel argument to set here",
        "write NAME or NAME=VALUE, without spaces and quotes; root, init and the like are the host's own",
    ),
]


class Taint(Document):
    """A taint that the node registers with."""

    key: LabelKey
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Kubernetes(Document):
    """Which Kubernetes the site runs."""

    version: Version = Field("1.36.4", description="Exact version, without the v.")
    metrics_server: Boolean = Field(
        default=False, description="Run metrics-server, which services need to scale, and `kubectl top`."
    )


class Flannel(Document):
    """The management network between pods."""

    backend: Literal["vxlan", "host-gw"] = Field("vxlan", description="host-gw needs all nodes on one layer-2 network.")
    vni: Annotated[Integer, Field(ge=1, le=16777215)] = Field(1, description="VXLAN network id.")
    port: Port = Field(8472, description="VXLAN UDP port.")


class Networks(Document):
    """Address ranges; none may overlap another or hold a node's address."""

    pods: IPv4Network = Field(ipaddress.IPv4Network("10.244.0.0/16"), description="Every node takes a /24 of it.")
    services: IPv4Network = ipaddress.IPv4Network("10.96.0.0/16")
    dns_domain: DnsName = "cluster.local"
    flannel: Flannel = Field(default_factory=Flannel)
    multus: Boolean = Field(
        default=False,
        description="Install Multus also when this file has no attachments, SR-IOV policies or shared RDMA devices.",
    )
    attachments: tuple[Attachment, ...] = Field((), description="Secondary networks of pods.")
    test_tools: Boolean | None = Field(
        None,
        description="Have the image with network test tools on the nodes, for measurements and probe pods; unset means "
        "where Multus is.",
    )


class ControlPlane(Document):
    """How clients reach the API server."""

    virtual_ip: IPv4Address | None = Field(
        None, description="Address that keepalived moves between the control-plane nodes; required with three of them."
    )
    virtual_router_id: Annotated[Integer, Field(ge=1, le=255)] = Field(
        51, description="VRRP router id; must be unique on the layer-2 network."
    )
    extra_sans: tuple[DnsName, ...] = Field((), description="More names and addresses in the API server's certificate.")


class Ssh(Document):
    """How the controller reaches the hosts."""

    user: Annotated[str, StringConstraints(min_length=1), AfterValidator(_check_user)] = "root"
    port: Port = 22
    private_key: str | None = Field(
        None, description="Path of the key; unset leaves the choice to ssh (agent, config)."
    )
    known_hosts: str | None = Field(None, description="Path of the known_hosts file; unset means the user's own.")
    become: Boolean = Field(default=False, description="Become root by sudo; needed unless user is root.")


class Artifacts(Document):
    """Where the hosts take their artifacts from."""

    host_path: MountPoint | None = Field(
        None,
        description="Folder on every host where the artifact store is mounted (USB disk, NFS, lab); "
        "unset means that the controller copies what a host lacks over SSH.",
    )


class Rollout(Document):
    """How changes that disturb pods go over the nodes of a cluster that runs: one node first, then batches."""

    max_unavailable: Annotated[
        str,
        Form(_PART, "number of nodes", "write 1, 3 or 25%"),
        BeforeValidator(_number_as_text),
        WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^({_PART})$"}]}),
    ] = Field("1", description="Most nodes of a batch: a number, or a part of those to be changed (`25%`).")
    drain: Boolean = Field(default=True, description="Move a node's pods away before its kubelet restarts.")


class NodeClass(Document):
    """What nodes of one kind have in common."""

    kubelet: KubeletSettings = Field(
        default_factory=KubeletSettings,
        description="Settings of the kubelet; what is written here counts more than the profile of `cpus`.",
    )
    cpus: CpuIntent | None = Field(
        None,
        description="Have CPUs, memory and interrupts of each host planned from its topology; unset leaves all to "
        "`kubelet`.",
    )
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    kernel_arguments: tuple[KernelArgument, ...] = Field(
        (),
        description="Arguments that the kernel boots with, in their order, beside those that the hosts have: "
        "`isolcpus=managed_irq,2-7`. A change reboots the host, with consent.",
    )
    sriov: tuple[SriovPolicy, ...] = Field((), description="Virtual functions of network cards.")
    shared_rdma: tuple[SharedRdma, ...] = Field((), description="RDMA devices that pods share.")
    gpu: GpuIntent | None = Field(None, description="NVIDIA GPUs of the nodes; unset: they have none.")
    emulated_gpus: tuple[EmulatedGpus, ...] = Field(
        (),
        description="GPUs that are emulated, for trying out requests, alignment and health without one; nodes with a "
        "real GPU refuse them.",
    )


class Node(Document):
    """One host."""

    name: DnsLabel = Field(description="Host name and node name.")
    address: IPv4Address = Field(description="Address that the other nodes reach it by.")
    roles: Annotated[tuple[Role, ...], Field(min_length=1)] = ("worker",)
    node_class: str = Field("default", description="A key of node_classes.")
    cpus: CpuIntent | None = Field(None, description="Instead of that of its class.")
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, description="Added to those of the class.")
    gpu: NodeGpu | None = Field(None, description="What differs from `gpu` of its class.")
    ssh_host: SshHost | None = Field(None, description="Name or address for SSH where it differs from address.")


class Lab(Document):
    """Marks a site whose hosts are nodes on this machine, made by `gedge lab up`."""

    subnet: IPv4Network = Field(description="Network of the nodes; its first address is this machine.")
    base: Literal["debian12", "debian13"] = Field("debian12", description="Debian of the container nodes.")
    emulated: dict[DnsLabel, EmulatedNode] = Field(
        default_factory=dict,
        description="Nodes, by name, that are QEMU guests with emulated hardware (Debian 13) instead of containers.",
    )


class Site(Document):
    """A site: hosts, their classes, networks and versions."""

    name: SiteName
    kubernetes: Kubernetes = Field(default_factory=Kubernetes)
    networks: Networks = Field(default_factory=Networks)
    control_plane: ControlPlane = Field(default_factory=ControlPlane)
    ssh: Ssh = Field(default_factory=Ssh)
    artifacts: Artifacts = Field(default_factory=Artifacts)
    registry_mirrors: dict[Registry, Annotated[tuple[MirrorUrl, ...], Field(min_length=1)]] = Field(
        default_factory=dict, description="Mirrors by registry: URLs that containerd asks before the registry itself."
    )
    rollout: Rollout = Field(default_factory=Rollout)
    gpu_operator: GpuOperator | None = Field(
        None, description="The NVIDIA GPU operator; unset means its defaults where a class has `gpu`."
    )
    gse_api_server: GseApiServer | None = Field(
        None, description="The GSE API server in the cluster: services over HTTP, and a web page; unset means none."
    )
    kubeconfig: HomePath | None = Field(
        None,
        description="Where the administrator's kubeconfig is written; unset means the state folder of the user.",
    )
    node_classes: dict[DnsLabel, NodeClass] = Field(default_factory=lambda: {"default": NodeClass()})
    nodes: Annotated[tuple[Node, ...], Field(min_length=1)]
    lab: Lab | None = None

    def cpu_intent(self, node: Node) -> CpuIntent | None:
        """Return what is asked of the CPUs of a node; None where nothing is planned."""
        return node.cpus or self.node_classes[node.node_class].cpus

    def owns_cpus(self, node: Node) -> bool:
        """Tell whether pods own CPUs on a node: the kubelet's CPU manager is static, by its profile or by itself."""
        intent = self.cpu_intent(node)
        policy = self.node_classes[node.node_class].kubelet.cpu_manager_policy
        return policy == "static" or (intent is not None and intent.profile != "shared")

    def with_role(self, role: Role) -> tuple[Node, ...]:
        """Return the nodes of a role, in the order of the file."""
        return tuple(node for node in self.nodes if role in node.roles)

    @property
    def api_address(self) -> ipaddress.IPv4Address:
        """The address of the API server: the virtual one, else that of the only control-plane node."""
        return self.control_plane.virtual_ip or self.with_role("control_plane")[0].address
