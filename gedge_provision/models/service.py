"""The service document: what a service developer writes, in the platform's own words (camelCase, root `service:`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gedge_provision.models.base import Document
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.site import LabelKey, LabelValue
from gedge_provision.models.wording import Form

__all__ = [
    "MISSPELLINGS",
    "Acceleration",
    "Communication",
    "Compute",
    "Container",
    "EnvVar",
    "Port",
    "Protocol",
    "Resources",
    "Service",
    "ServiceFile",
]

MISSPELLINGS = {"toploygyAware": "topologyAware"}
"""Spellings in the platform's own documents that are accepted, each with the right one."""

Protocol = Literal["TCP", "UDP"]
Communication = Literal["SRIOV", "RDMA"]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
_LETTERS = "use lower-case letters, digits and '-', first a letter, last no '-'"
Name = Annotated[str, Form(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "name", f"{_LETTERS}; at most 63")]
# Room for "-external" and for the ends that Kubernetes adds to the names of ReplicaSets and pods.
ServiceName = Annotated[str, Form(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", "name for a service", f"{_LETTERS}; at most 40")]
Image = Annotated[str, Form(r"\S{1,512}", "image", "write it like registry.example/app:1.0, without spaces")]
VariableName = Annotated[
    str, Form(r"[A-Za-z_][A-Za-z0-9_.-]*", "name of a variable", "use letters, digits, '_', '.', '-', first no digit")
]


def _text(value: object) -> object:
    if isinstance(value, (bool, int, float)):
        raise ValueError(f"{value!r} is read as a {type(value).__name__}, not as text -> write it in quotes")  # noqa: TRY004
    return value


Text = Annotated[str, BeforeValidator(_text)]


class _CamelCase(Document):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=False)


class Port(_CamelCase):
    """A port that a container listens on."""

    container_port: PortNumber
    protocol: Protocol = "TCP"
    external_port: PortNumber | None = Field(
        None, description="Port on the address of every node where the service answers; unset keeps it inside."
    )


class EnvVar(_CamelCase):
    """An environment variable."""

    name: VariableName
    value: Text = ""


class Amounts(_CamelCase):
    """CPU time and memory of one container."""

    cpu: Quantity | None = Field(None, description="CPU time, for example 200m; topologyAware rounds up to whole CPUs.")
    memory: Quantity | None = Field(None, description="Memory, for example 500Mi.")


class Compute(_CamelCase):
    """A computing device."""

    gpu: Annotated[int, Field(ge=1, le=64)] = Field(alias="GPU", description="Number of whole GPUs.")


class Acceleration(_CamelCase):
    """What the container needs beyond CPU time and memory."""

    topology_aware: bool = Field(
        default=False,
        validation_alias=AliasChoices("topologyAware", *MISSPELLINGS),
        description="Whole CPUs of its own, on the NUMA node of its devices where the kubelet can; "
        "implies Guaranteed QoS.",
    )
    compute: tuple[Compute, ...] = Field((), description="Devices, at most one entry of a kind.")
    communication: Communication | None = Field(None, description="A network device of its own.")


class Resources(_CamelCase):
    """What one container asks for."""

    requests: Amounts = Field(default_factory=Amounts)
    limits: Amounts = Field(default_factory=Amounts)
    acceleration: Acceleration = Field(default_factory=Acceleration)


class Container(_CamelCase):
    """A container of the service."""

    image: Image
    name: Name | None = Field(None, description="Unset: the service's name, followed by -2, -3 ... from the second on.")
    command: tuple[Text, ...] = Field((), description="Replaces the image's entry point.")
    args: tuple[Text, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[Port, ...] = ()
    resources: Resources = Field(default_factory=Resources)


class Service(_CamelCase):
    """A service: one or more identical pods of containers, reachable by its ports."""

    name: ServiceName
    containers: Annotated[tuple[Container, ...], Field(min_length=1, max_length=16)]
    replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, description="Added to every object and pod.")
    node_selector: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, description="Labels that a node must have to run the service."
    )

    def container_names(self) -> tuple[str, ...]:
        """Return the name of each container, in the order of the document."""
        return tuple(
            container.name or (self.name if index == 0 else f"{self.name}-{index + 1}")
            for index, container in enumerate(self.containers)
        )


class ServiceFile(_CamelCase):
    """A document that describes one service."""

    service: Service
