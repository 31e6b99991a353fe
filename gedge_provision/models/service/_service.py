"""Documents: a service, a template, and a service that takes a template."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from gedge_provision.models.service._containers import Container, ContainerChange
from gedge_provision.models.service._scaling import Scaling
from gedge_provision.models.service._volumes import Volume
from gedge_provision.models.service._words import CamelCase, ObjectName, ServiceName
from gedge_provision.models.site import LabelKey, LabelValue

__all__ = [
    "Service",
    "ServiceDocument",
    "ServiceFile",
    "Template",
    "TemplateFile",
    "TemplatedService",
    "TemplatedServiceFile",
]


class _Common(CamelCase):
    replicas: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    scaling: Scaling | None = Field(
        None, description="Let the number of pods follow what they use, instead of `replicas`."
    )
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, description="Added to every object and pod.")
    node_selector: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, description="Labels that a node must have to run the service."
    )
    node_classes: tuple[ObjectName, ...] = Field(
        (), description="Classes of the site file whose nodes may run the service; unset: all."
    )
    depends_on: tuple[ServiceName, ...] = Field(
        (), description="Services of the same namespace that must be ready before this one is begun."
    )
    volumes: tuple[Volume, ...] = Field((), description="What the containers mount.")
    image_pull_secrets: tuple[ObjectName, ...] = Field(
        (), description="Secrets with the credentials for the images' registries."
    )


class TemplateService(_Common):
    """A service without its name."""

    containers: Annotated[tuple[Container, ...], Field(min_length=1, max_length=16)]


class Service(TemplateService):
    """A service: one or more identical pods of containers, reachable by its ports."""

    name: ServiceName

    @property
    def least_replicas(self) -> int:
        """How many pods it has at least."""
        return self.replicas if self.scaling is None else self.scaling.min

    def container_names(self) -> tuple[str, ...]:
        """Return the name of each container, in the order of the document."""
        return tuple(
            container.name or (self.name if index == 0 else f"{self.name}-{index + 1}")
            for index, container in enumerate(self.containers)
        )


class TemplatedService(_Common):
    """A service that takes a template; what stands here counts more."""

    name: ServiceName
    template: ServiceName = Field(description="Name of the template.")
    containers: Annotated[tuple[ContainerChange, ...], Field(max_length=16)] = Field(
        (), description="What differs from the template's containers, and further ones."
    )


class Template(CamelCase):
    """What several services have in common."""

    name: ServiceName = Field(description="By which services name it.")
    service: TemplateService


class ServiceFile(CamelCase):
    """A document that describes one service."""

    service: Service


class TemplatedServiceFile(CamelCase):
    """A document that describes one service by a template."""

    service: TemplatedService


class ServiceDocument(CamelCase):
    """A document that describes one service, by itself or by a template."""

    model_config = ConfigDict(title="ServiceFile")

    service: Service | TemplatedService


class TemplateFile(CamelCase):
    """A document that describes one template."""

    template: Template
