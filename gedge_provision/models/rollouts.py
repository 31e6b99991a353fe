"""Revisions of a service, and in which way one takes the place of another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gedge_provision.models.cluster import Manifest
from gedge_provision.models.service import Service

__all__ = ["Content", "Revision", "RevisionState", "Strategy", "Way"]

Way = Literal["rolling", "canary", "blue-green"]
"""How new pods take the place of old ones: one after the other, a share of them first, or all at one moment."""

RevisionState = Literal["rolling out", "on trial", "promoting", "good", "going back", "failed", "superseded"]
"""How far a revision is.

`rolling out`: applied, and not ready yet; `on trial`: a canary, or a preview beside what runs; `promoting`: it takes
over after its trial; `good`: was ready, the newest of these is what runs; `going back`: failed, and the one that ran
takes its place again; `failed`: taken back, or left where there was none to go back to; `superseded`: another one came
before it was ready.
"""


@dataclass(frozen=True)
class Strategy:
    """How a revision is brought in.

    Attributes:
        way: the way.
        percent: of a canary, how much of the service it is, 1 to 99.
    """

    way: Way = "rolling"
    percent: int = 0

    def __str__(self) -> str:
        return f"{self.way} {self.percent}%" if self.percent else self.way


@dataclass(frozen=True)
class Revision:
    """A revision of a service, without its content.

    Attributes:
        service: name of the service.
        number: 1 is the first.
        state: how far it is.
        strategy: how it was brought in.
        reason: why it failed.
        digest: of its manifests: equal for equal ones.
        created: when it was applied first.
    """

    service: str
    number: int
    state: RevisionState
    strategy: Strategy
    reason: str
    digest: str
    created: datetime | None

    @property
    def unfinished(self) -> bool:
        """Whether its rollout was begun and has not ended."""
        return self.state in {"rolling out", "promoting", "going back"}


@dataclass(frozen=True)
class Content:
    """What a revision consists of: the document with everything that was added to it, and what was made of that."""

    service: Service
    manifests: tuple[Manifest, ...]
