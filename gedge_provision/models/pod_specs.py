"""Pods as the API server has them: what each container asks for, and where the pod may run."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gedge_provision.models.cluster import Manifest, Metadata, Observed

__all__ = ["Amount", "PodContainer", "PodSpec", "Requirement", "RunningPod", "Toleration", "amount_of", "template_of"]

_UNITS = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)}
_UNITS |= {unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)}
_UNITS |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}


def _amount(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the object
    """Read every spelling that the API server may return, 1e3 too."""
    match = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(\w*)", str(value))
    return Decimal(match[1]) * _UNITS[match[2]] if match and match[2] in _UNITS else value


Amount = Annotated[Decimal, BeforeValidator(_amount)]
"""A quantity, in its unit: CPUs, bytes, pieces."""


def amount_of(text: str) -> Decimal:
    """Return a quantity of a node or pod as a number.

    Raises:
        ValueError: it is none.
    """
    value = _amount(text)
    if not isinstance(value, Decimal):
        raise ValueError(f"{text!r} is no quantity")  # noqa: TRY004 - text of the wrong form
    return value


class _Resources(Observed):
    requests: dict[str, Amount] = Field(default_factory=dict)
    limits: dict[str, Amount] = Field(default_factory=dict)


class PodContainer(Observed):
    """A container; an init container that is restarted always goes on running (sidecar)."""

    name: str
    resources: _Resources = Field(default_factory=_Resources)
    restart_policy: str = ""

    @property
    def requests(self) -> dict[str, Decimal]:
        """What it asks for: a limit counts where nothing is requested."""
        return self.resources.limits | self.resources.requests


class Toleration(Observed):
    """A taint that does not keep the pod off."""

    key: str = ""
    operator: Literal["Exists", "Equal", "Lt", "Gt"] = "Equal"
    value: str = ""
    effect: str = ""


class Requirement(Observed):
    """What a label of the node must be."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: tuple[str, ...] = ()


class _Term(Observed):
    match_expressions: tuple[Requirement, ...] = ()
    match_fields: tuple[Requirement, ...] = ()


class _Terms(Observed):
    node_selector_terms: tuple[_Term, ...] = ()


class _NodeAffinity(Observed):
    required: _Terms | None = Field(None, alias="requiredDuringSchedulingIgnoredDuringExecution")


class _Affinity(Observed):
    node_affinity: _NodeAffinity | None = None


class PodSpec(Observed):
    """The specification of a pod."""

    node_name: str = ""
    node_selector: dict[str, str] = Field(default_factory=dict)
    affinity: _Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()
    init_containers: tuple[PodContainer, ...] = ()
    containers: tuple[PodContainer, ...]
    overhead: dict[str, Amount] = Field(default_factory=dict)
    resources: _Resources | None = None

    @property
    def node_terms(self) -> tuple[_Term, ...]:
        """Terms of which a node must meet one; none where every node will do."""
        affinity = self.affinity and self.affinity.node_affinity
        return affinity.required.node_selector_terms if affinity and affinity.required else ()


class _Status(Observed):
    phase: str = "Pending"
    qos_class: str = ""


class RunningPod(Observed):
    """A pod of the cluster, or one that is to be."""

    metadata: Metadata
    spec: PodSpec
    status: _Status = Field(default_factory=_Status)

    @property
    def full_name(self) -> str:
        """Namespace and name."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def ended(self) -> bool:
        """Whether it holds nothing any more."""
        return self.status.phase in {"Succeeded", "Failed"}


def template_of(manifests: tuple[Manifest, ...]) -> RunningPod:
    """Return the pod that a service's controller makes copies of.

    Raises:
        ValueError: none of the objects makes pods.
    """
    for manifest in manifests:
        if "template" in manifest.get("spec", {}):
            template = manifest["spec"]["template"]
            name = {"name": manifest["metadata"]["name"], "namespace": manifest["metadata"].get("namespace", "")}
            return RunningPod.model_validate({**template, "metadata": {**template.get("metadata", {}), **name}})
    raise ValueError("no object of the service makes pods")
