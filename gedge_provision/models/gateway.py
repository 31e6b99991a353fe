"""What a cluster tells of the Gateway API: classes of data planes, and which of them took a route."""

from __future__ import annotations

from pydantic import Field

from gedge_provision.models.cluster import Metadata, Observed

__all__ = ["GatewayClassState", "GatewayState", "RouteState"]


class _Condition(Observed):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int = 0


class _Conditions(Observed):
    conditions: tuple[_Condition, ...] = ()

    def says(self, kind: str, generation: int) -> bool:
        """Tell whether a condition is true of the object as it is now."""
        return any(
            one.type == kind and one.status == "True" and one.observed_generation in (0, generation)
            for one in self.conditions
        )

    def against(self, *kinds: str) -> str:
        """Return what one of these conditions says where it is false, else nothing."""
        return next(
            (f"{one.reason}: {one.message}" for one in self.conditions if one.type in kinds and one.status == "False"),
            "",
        )


class _ClassSpec(Observed):
    controller_name: str = ""


class GatewayClassState(Observed):
    """A GatewayClass."""

    metadata: Metadata
    spec: _ClassSpec = Field(default_factory=_ClassSpec)
    status: _Conditions = Field(default_factory=_Conditions)

    @property
    def accepted(self) -> bool:
        """Whether its controller answers for it."""
        return self.status.says("Accepted", self.metadata.generation)


class _Address(Observed):
    value: str = ""


class _GatewayStatus(_Conditions):
    addresses: tuple[_Address, ...] = ()


class _Listener(Observed):
    port: int = 0


class _GatewaySpec(Observed):
    listeners: tuple[_Listener, ...] = ()


class GatewayState(Observed):
    """A Gateway."""

    metadata: Metadata
    spec: _GatewaySpec = Field(default_factory=_GatewaySpec)
    status: _GatewayStatus = Field(default_factory=_GatewayStatus)

    @property
    def programmed(self) -> bool:
        """Whether its data plane says that it takes requests."""
        return self.status.says("Programmed", self.metadata.generation)


class _Parent(Observed):
    kind: str = "Gateway"
    name: str


class _RouteParent(_Conditions):
    parent_ref: _Parent
    controller_name: str = ""


class _RouteSpec(Observed):
    parent_refs: tuple[_Parent, ...] = ()


class _RouteStatus(Observed):
    parents: tuple[_RouteParent, ...] = ()


class RouteState(Observed):
    """A HTTPRoute."""

    metadata: Metadata
    spec: _RouteSpec = Field(default_factory=_RouteSpec)
    status: _RouteStatus = Field(default_factory=_RouteStatus)

    @property
    def controllers(self) -> tuple[str, ...]:
        """The controllers that say that they route by it: it is accepted, and all that it names is there."""
        return tuple(
            parent.controller_name
            for parent in self.status.parents
            if all(parent.says(kind, self.metadata.generation) for kind in ("Accepted", "ResolvedRefs"))
        )

    @property
    def refusal(self) -> str:
        """Why a controller does not route by it; empty where none has said so."""
        return next(filter(None, (parent.against("Accepted", "ResolvedRefs") for parent in self.status.parents)), "")

    @property
    def outside(self) -> bool:
        """Whether it is for requests from outside."""
        return any(parent.kind == "Gateway" for parent in self.spec.parent_refs)
