"""Containers of a service."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service._acceleration import Acceleration
from gedge_provision.models.service._probes import Probe
from gedge_provision.models.service._volumes import VolumeMount
from gedge_provision.models.service._words import (
    ByteAmount,
    CamelCase,
    Image,
    Key,
    Name,
    ObjectName,
    PortNumber,
    Text,
    VariableName,
)

__all__ = [
    "Amounts",
    "Container",
    "ContainerChange",
    "EnvFrom",
    "EnvSource",
    "EnvVar",
    "Port",
    "Protocol",
    "Resources",
]

Protocol = Literal["TCP", "UDP"]


class Port(CamelCase):
    """A port that a container listens on."""

    container_port: PortNumber
    protocol: Protocol = "TCP"
    external_port: PortNumber | None = Field(
        None, description="Port on the address of every node where the service answers; unset keeps it inside."
    )


class EnvFrom(CamelCase):
    """A Secret or ConfigMap whose keys are variables."""

    secret: ObjectName | None = Field(None, description="Name of a Secret.")
    config_map: ObjectName | None = Field(None, description="Name of a ConfigMap.")

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.secret is None) == (self.config_map is None):
            raise ValueError("one source is named -> write secret: NAME, or configMap: NAME")
        return self


class EnvSource(EnvFrom):
    """One key of a Secret or ConfigMap."""

    key: Key = Field(description="The key whose value is taken.")


class EnvVar(CamelCase):
    """An environment variable."""

    name: VariableName
    value: Text = ""
    value_from: EnvSource | None = Field(None, description="Where the value is; instead of `value`.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.value and self.value_from is not None:
            raise ValueError("value and valueFrom both say what it is -> keep one")
        return self


class Amounts(CamelCase):
    """CPU time, memory and disk space of one container."""

    cpu: Quantity | None = Field(None, description="CPU time, for example 200m; topologyAware rounds up to whole CPUs.")
    memory: ByteAmount | None = Field(None, description="Memory, for example 500Mi.")
    ephemeral_storage: ByteAmount | None = Field(
        None, description="Disk space of the node: logs, written layers, emptyDir."
    )
    hugepages_2mi: ByteAmount | None = Field(None, alias="hugepages-2Mi", description="Memory in pages of 2Mi.")
    hugepages_1gi: ByteAmount | None = Field(None, alias="hugepages-1Gi", description="Memory in pages of 1Gi.")

    def by_resource(self) -> dict[str, Quantity]:
        """Return what is given, in the words of Kubernetes."""
        values = {
            "cpu": self.cpu,
            "memory": self.memory,
            "ephemeral-storage": self.ephemeral_storage,
            "hugepages-2Mi": self.hugepages_2mi,
            "hugepages-1Gi": self.hugepages_1gi,
        }
        return {name: amount for name, amount in values.items() if amount is not None}


class Resources(CamelCase):
    """What one container asks for."""

    requests: Amounts = Field(default_factory=Amounts)
    limits: Amounts = Field(default_factory=Amounts)
    acceleration: Acceleration = Field(default_factory=Acceleration)


class ContainerBase(CamelCase):
    """Everything of a container but its image."""

    name: Name | None = Field(None, description="Unset: the service's name, followed by -2, -3 ... from the second on.")
    command: tuple[Text, ...] = Field((), description="Replaces the image's entry point.")
    args: tuple[Text, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = Field((), description="Secrets and ConfigMaps, each key of which is a variable.")
    ports: tuple[Port, ...] = ()
    resources: Resources = Field(default_factory=Resources)
    volume_mounts: tuple[VolumeMount, ...] = Field((), description="Volumes of the service that it sees.")
    readiness_probe: Probe | None = Field(
        None, description="Whether it may get requests; unset: whether its first TCP port accepts connections."
    )
    liveness_probe: Probe | None = Field(None, description="Whether it still works; else it is started anew.")
    startup_probe: Probe | None = Field(None, description="Whether it is up; until then the others wait.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When the image is fetched; unset: Always for the tag latest, else IfNotPresent."
    )


class Container(ContainerBase):
    """A container of the service."""

    image: Image


class ContainerChange(ContainerBase):
    """What a service says of a container of its template; found by `name`, without one by its place in the list."""

    image: Image | None = Field(None, description="Instead of the template's.")
