"""What is kept of a run: how it was asked for, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from gedge_provision.models.plan import ConsentFlag

__all__ = ["RunRecord", "RunRequest", "RunState"]

RunState = Literal["successful", "failed", "canceled", "timeout", "killed", "running"]
"""How a run ended: killed ones had no chance to say so; running is the one that holds the site."""


@dataclass(frozen=True)
class RunRequest:
    """How a run was asked for.

    Attributes:
        verb: apply, plan, look (at networks), topology, pods, reset or kubeconfig.
        check: whether it only looked.
        only: node names and concerns, separated by commas; None for all.
        consents: what was agreed to.
        site_sha256: digest of the site file.
        pid: the process that ran it.
    """

    verb: str
    check: bool
    only: str | None
    consents: tuple[ConsentFlag, ...]
    site_sha256: str
    pid: int

    @property
    def changes_hosts(self) -> bool:
        """Whether it may be continued."""
        return self.verb in ("apply", "reset") and not self.check


@dataclass(frozen=True)
class RunRecord:
    """A run of the past, or the present one.

    Attributes:
        id: name of its folder.
        request: how it was asked for.
        began: when.
        state: how it ended.
        seconds: how long it took, None when it did not end.
        changed: number of changed things, None when it did not end.
        folder: journal.log, output.log and timings.json are there.
    """

    id: str
    request: RunRequest
    began: datetime
    state: RunState
    seconds: float | None
    changed: int | None
    folder: Path
