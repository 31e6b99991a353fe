"""A rollout under way, and how it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal

from gedge_provision.models.errors import GedgeError
from gedge_provision.models.rollouts import Revision, RevisionState
from gedge_provision.planning.manifests import INVENTORY_LABEL, REVISION
from gedge_provision.planning.readiness import Readiness, Snapshot
from gedge_provision.services.rollout._stages import Stage

__all__ = ["Next", "Outcome", "Rollout", "Settings"]

Next = Callable[[], None]
"""What the engine does when a piece of work in a thread has ended: only its own thread changes rollouts."""

Outcome = Literal["", "ready", "on trial", "rolled back", "failed", "not begun", "paused", "superseded"]
"""How a rollout ended; empty while it has not."""


@dataclass(frozen=True)
class Settings:
    """How rollouts are carried out.

    Attributes:
        timeout_s: seconds without any headway after which a service has failed.
        take_over: overwrite what other field managers own.
        rollback: go back to the revision that ran when one fails.
    """

    timeout_s: float = 120
    take_over: bool = False
    rollback: bool = True


@dataclass
class Rollout:
    """The rollout of one service; what stands after the first line of attributes changes while it goes on.

    Attributes:
        name: of the service.
        stages: what it consists of.
        content: the revision, to keep when it is begun; None for one that is kept already, or is none.
        revision: the revision, once it is kept.
        number: its number.
        running: the revision that ran before.
        aim: what the revision is when all stages are ready.
        depends_on: services that must be ready before it begins.
        begin: keeps the revision; called once, before the first stage.
        known: revisions that there were before.
        told: what the first stage changes, in words.
        idle: nothing differs: only wait.
    """

    name: str
    stages: Sequence[Stage]
    revision: Revision | None
    running: Revision | None = None
    aim: RevisionState = "good"
    depends_on: tuple[str, ...] = ()
    begin: Callable[[], Revision] | None = None
    known: tuple[Revision, ...] = ()
    told: str = ""
    idle: bool = False

    outcome: Outcome = ""
    error: GedgeError | None = None
    position: int = 0
    going_back: bool = False
    qos: tuple[str, ...] = ()
    busy: Future[Next] | None = None
    waiting: bool = False
    settled_at: float = 0
    since: float = 0
    progress: object = None
    seen: dict[str, tuple[Snapshot, Readiness]] = field(default_factory=dict)

    @property
    def detail(self) -> str:
        """How far it is, in a few words."""
        late = [readiness.detail for _, readiness in self.seen.values() if not readiness.ready]
        return (late or [readiness.detail for _, readiness in self.seen.values()] or [""])[0]

    @property
    def stage(self) -> Stage:
        """The stage that it is at."""
        return self.stages[self.position]

    def forget(self) -> None:
        """Let go of what only a rollout under way needs: a run of many services keeps no more than their outcomes."""
        self.stages, self.begin, self.known, self.seen, self.progress = (), None, (), {}, None

    def expected(self) -> dict[str, str]:
        """Return the revision that the controller of each service of this stage has, by the service's name."""
        numbers = {}
        for manifest in self.stage.manifests:
            number = manifest["metadata"].get("annotations", {}).get(REVISION)
            if number:
                numbers[manifest["metadata"]["labels"][INVENTORY_LABEL]] = number
        return numbers
