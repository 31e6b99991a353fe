"""Whether a service fits: node by node, and all of its replicas."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

__all__ = ["NodeFit", "Obstacle", "ObstacleKind", "ServiceFit"]

ObstacleKind = Literal[
    "not-ready",
    "cordoned",
    "taint",
    "label",
    "not-offered",
    "not-enough",
    "taken",
    "TopologyAffinityError",
    "SMTAlignmentError",
    "UnexpectedAdmissionError",
]
"""`not-enough`: a node offers less than is asked; `taken`: it offers enough, and other pods have it. The last three are
the reasons that a kubelet gives."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Obstacle(_Told):
    """What keeps a pod off a node.

    Attributes:
        kind: what it is.
        text: the sentence, for the node: `cpu: 2 is asked for, none is offered`.
        joint: how the sentence goes on where names of nodes follow: ` by`.
    """

    kind: ObstacleKind
    text: str
    joint: str = Field(" on", exclude=True)

    @property
    def phrase(self) -> str:
        """The sentence up to the names of nodes."""
        return f"{self.text}{self.joint}"


class NodeFit(_Told):
    """What a node is to a service.

    Attributes:
        node: its name.
        holds: how many of the replicas it takes now.
        empty_holds: whether it took one if no other pod were there.
        obstacles: what keeps the next replica off; none where it takes all of them.
        largest: what fits instead of the first replica: `4 CPUs instead of 6`; empty where one fits, or nothing would.
    """

    node: str
    holds: int
    empty_holds: bool
    obstacles: tuple[Obstacle, ...] = ()
    largest: str = ""


class ServiceFit(_Told):
    """What a cluster is to a service.

    Attributes:
        service: its name.
        replicas: how many are to fit.
        nodes: the nodes.
        notes: what is not known, and how it gets known.
    """

    service: str
    replicas: int
    nodes: tuple[NodeFit, ...]
    notes: tuple[str, ...] = ()

    model_config = ConfigDict(extra="ignore")  # what was computed is computed again

    @computed_field  # type: ignore[prop-decorator]
    @property
    def placed(self) -> int:
        """How many replicas fit now."""
        return min(self.replicas, sum(node.holds for node in self.nodes))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def fits(self) -> bool:
        """Whether all replicas fit now."""
        return self.placed == self.replicas
