"""Limit ranges of a namespace: bounds and defaults of what its containers ask for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gedge_provision.adapters.kube import Kube
from gedge_provision.models.cluster import LIMIT_RANGE, Manifest

__all__ = ["Limit", "LimitRange", "apply_limit_range", "delete_limit_range", "list_limit_ranges", "read_limit_range"]

# Source: Kubernetes' apimachinery, resource.Quantity: each form that a cluster may tell, more than documents have.
_AMOUNT = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
Amounts = dict[str, Annotated[str, Field(pattern=_AMOUNT, max_length=64)]]


class _CamelCase(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Limit(_CamelCase):
    """Bounds of one kind of thing, in the words of Kubernetes (v1 LimitRange, spec.limits)."""

    type: Literal["Container", "Pod", "PersistentVolumeClaim"]
    max: Amounts = Field(default_factory=dict)
    min: Amounts = Field(default_factory=dict)
    default: Amounts = Field(default_factory=dict)
    default_request: Amounts = Field(default_factory=dict)
    max_limit_request_ratio: Amounts = Field(default_factory=dict)


class LimitRange(_CamelCase):
    """A limit range."""

    name: str = Field(examples=["app"])
    limits: tuple[Limit, ...] = Field(
        min_length=1, max_length=8, examples=[[{"type": "Container", "max": {"cpu": "2"}}]]
    )


def list_limit_ranges(kube: Kube, namespace: str) -> tuple[LimitRange, ...]:
    """Return the limit ranges of a namespace, by name."""
    return tuple(sorted(map(_read, kube.each(LIMIT_RANGE, namespace)), key=lambda one: one.name))


def read_limit_range(kube: Kube, namespace: str, name: str) -> LimitRange:
    """Return a limit range.

    Raises:
        NotFoundError: there is none of that name.
    """
    return _read(kube.get(LIMIT_RANGE, namespace, name))


def apply_limit_range(kube: Kube, namespace: str, wanted: LimitRange) -> LimitRange:
    """Create or replace a limit range, and return it as it then is.

    Raises:
        ConflictError: another field manager owns one of its fields.
    """
    manifest = {
        "apiVersion": LIMIT_RANGE.api_version,
        "kind": LIMIT_RANGE.name,
        "metadata": {"name": wanted.name, "namespace": namespace},
        "spec": {"limits": [one.model_dump(by_alias=True, exclude_defaults=True) for one in wanted.limits]},
    }
    return _read(kube.apply(manifest))


def delete_limit_range(kube: Kube, namespace: str, name: str) -> bool:
    """Delete a limit range; return whether there was one."""
    return kube.delete(LIMIT_RANGE, namespace, name)


def _read(item: Manifest) -> LimitRange:
    limits = tuple(Limit.model_validate(one) for one in item["spec"]["limits"])
    return LimitRange(name=item["metadata"]["name"], limits=limits)
