"""What a container needs beyond CPU time and memory: CPUs of its own, computing devices, network devices."""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, model_validator

from gedge_provision.models.attachments import AddressWithPrefix, Namespace
from gedge_provision.models.base import Boolean, Integer
from gedge_provision.models.gpu_operator import Allocation, MigProfile
from gedge_provision.models.service._words import MISSPELLINGS, CamelCase, ObjectName
from gedge_provision.models.sriov import ResourceName

__all__ = [
    "Acceleration",
    "Communication",
    "CommunicationType",
    "Compute",
    "Mig",
    "TopologyPolicy",
]

TopologyPolicy = Literal["best-effort", "restricted", "single-numa-node"]
CommunicationType = Literal["SRIOV", "RDMA", "MACVLAN"]
_POLICIES: tuple[str, ...] = get_args(TopologyPolicy)
_TYPES: tuple[str, ...] = get_args(CommunicationType)
_WIDEST = 30  # shorter prefixes have a network and a broadcast address


def _awareness(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and value in _POLICIES):
        return value
    raise ValueError(
        f"{'nothing' if value is None else repr(value)} does not say how strictly the container is placed"
        f" -> use one of true, false, {', '.join(_POLICIES)}"
    )


def _listed(value: object) -> object:
    """Read SRIOV as [{type: SRIOV}], and one network as a list of one."""
    entries = value if isinstance(value, (list, tuple)) else [value]
    for entry in entries:
        if isinstance(entry, (dict, Communication)) or entry in _TYPES:
            continue
        raise ValueError(
            f"{'nothing' if entry is None else repr(entry)} is no kind of communication -> use one of"
            f" {', '.join(_TYPES)}; or {{type: SRIOV, network: NAME}}"
        )
    return [{"type": entry} if isinstance(entry, str) else entry for entry in entries]


def _of_a_host(address: str) -> str:
    try:
        interface = IPv4Interface(address)
    except ValueError:
        raise ValueError(f"{address!r} is no address with its prefix -> write it like 10.10.2.60/24") from None
    network = interface.network
    if network.prefixlen <= _WIDEST and interface.ip in {network.network_address, network.broadcast_address}:
        raise ValueError(
            f"{address} is the first (the network itself) or the last (broadcast) of its network -> use one between"
        )
    return address


PodAddress = Annotated[AddressWithPrefix, AfterValidator(_of_a_host)]


class Mig(CamelCase):
    """Parts of GPUs that are divided by MIG."""

    profile: MigProfile = Field(description="Size of the parts, as `nvidia-smi mig -lgip` names it: `1g.10gb`.")
    count: Annotated[Integer, Field(ge=1, le=64)] = Field(1, description="How many of them.")


class Compute(CamelCase):
    """A computing device: `{GPU: n}`, or `{MIG: {profile, count}}`."""

    gpu: Annotated[int, Field(ge=1, le=64, strict=True)] | None = Field(None, alias="GPU", description="Number of whole GPUs.")
    mig: Mig | None = Field(None, alias="MIG", description="Parts of GPUs.")
    shared: Boolean = Field(
        default=False, description="With `GPU`: shares of GPUs that others use too, where the site offers such."
    )
    allocation: Allocation | None = Field(
        None,
        description="How the device is asked for: `device-plugin` as a resource, `dra` by a claim. Unset: as the site "
        "file says, `device-plugin` without one.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.gpu is None) == (self.mig is None):
            raise ValueError("one device stands in an entry -> write {GPU: n}, or {MIG: {profile: 1g.10gb}}")
        if self.shared and self.gpu is None:
            raise ValueError("parts by MIG belong to one container -> leave shared out, or ask for {GPU: 1}")
        if self.shared and self.allocation == "dra":
            raise ValueError("a claim is for whole devices here -> leave shared out")
        return self


class Communication(CamelCase):
    """A network device of the container's own, and the network that it is on."""

    type: CommunicationType = Field(
        description="SRIOV: a virtual function; RDMA: remote direct memory access; MACVLAN: an interface on one of the "
        "node's."
    )
    network: ObjectName | None = Field(
        None,
        description="Secondary network, as the site file (networks.attachments) or a NetworkAttachmentDefinition names "
        "it. Unset: the device is counted and reserved, and the pod gets no further interface.",
    )
    namespace: Namespace | None = Field(
        None, description="Namespace of the network. Unset: as the site file says, else that of the service."
    )
    address: PodAddress | None = Field(
        None, description="The pod's address there, with its prefix, on networks that leave it to the pod."
    )
    vlan: Annotated[Integer, Field(ge=1, le=4094)] | None = Field(
        None, description="VLAN that the network must have in the site file; a pod cannot choose it."
    )
    resources: tuple[ResourceName, ...] | None = Field(
        None,
        description="Resources that stand for the device, one of each. Unset: as the site file says of the network, "
        "else what the type has by default.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.network is None:
            if self.type == "MACVLAN":
                raise ValueError("MACVLAN is nothing without a network -> write {type: MACVLAN, network: NAME}")
            for key in ("namespace", "address", "vlan"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key} is nothing without a network -> add network: NAME, or leave {key} out")
        return self


_Written = CommunicationType | Communication | tuple[CommunicationType | Communication, ...]
"""How communication may be written, for the JSON Schema."""


class Acceleration(CamelCase):
    """What the container needs beyond CPU time and memory."""

    topology_aware: Annotated[
        bool | TopologyPolicy, BeforeValidator(_awareness, json_schema_input_type=bool | TopologyPolicy)
    ] = Field(
        default=False,
        validation_alias=AliasChoices("topologyAware", *MISSPELLINGS),
        description="Whole CPUs of its own, on the NUMA node of its devices where the kubelet can; implies Guaranteed "
        "QoS. A policy asks for nodes whose topology manager is as strict, or stricter.",
    )
    compute: tuple[Compute, ...] = Field((), description="Devices, at most one entry of a kind.")
    communication: Annotated[tuple[Communication, ...], BeforeValidator(_listed, json_schema_input_type=_Written)] = (
        Field((), description="Network devices: a word, or a network with its settings, or a list of these.")
    )

    @property
    def policy(self) -> TopologyPolicy | None:
        """The policy of the topology manager that is asked for; None where any will do."""
        return None if isinstance(self.topology_aware, bool) else self.topology_aware
