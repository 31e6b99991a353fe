"""What a run would do: shown before it, saved, and compared with the world again when it is applied."""

from __future__ import annotations

from typing import Literal

from gedge_provision.models.base import Document
from gedge_provision.models.changes import Change, Difference

__all__ = ["CONSENTS", "Consent", "ConsentFlag", "HostPlan", "Plan"]

ConsentFlag = Literal["drain-ok", "kubelet-restart-ok", "reboot-ok", "removal-ok"]
"""What somebody can agree to: the options of `gedge apply`, without dashes."""

CONSENTS: dict[ConsentFlag, str] = {
    "drain-ok": "kubelet_drain_ok",
    "kubelet-restart-ok": "kubelet_restart_ok",
    "reboot-ok": "node_reboot_ok",
    "removal-ok": "node_removal_ok",
}
"""The variables of the playbooks that say so."""


class HostPlan(Document):
    """What happens on one host, and to the cluster's objects through it, in this order."""

    host: str
    changes: tuple[Change, ...]


class Consent(Document):
    """A disruptive step that stops a run unless somebody agrees.

    Attributes:
        host: where.
        flag: option of `gedge apply` that agrees, without dashes; a saved plan that is applied agrees too.
        reason: what is disruptive.
        pods: namespace/name of the pods that it moves or may disturb.
        obstacles: what would keep pods from being moved, so that the run would end there.
    """

    host: str
    flag: ConsentFlag
    reason: str
    pods: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


class Plan(Document):
    """Everything that an apply would do, nothing that depends on when it was asked.

    Attributes:
        format: version of this form.
        site: name of the site.
        site_sha256: digest of the site file.
        only: the nodes and concerns that it is limited to, separated by commas; None for all.
        source: whether the hosts were looked at (live), or what is remembered of them (record).
        hosts: those with changes, in the order of the site file.
        consents: what has to be agreed to.
        differences: what of the running nodes differs from the site file and would not be put right.
        unanswered: why the pods beside the consents are not known; empty when they are.
        expected_s: how long it takes, in seconds, as far as former runs tell.
    """

    format: Literal[1] = 1
    site: str
    site_sha256: str
    only: str | None = None
    source: Literal["live", "record"] = "live"
    hosts: tuple[HostPlan, ...] = ()
    consents: tuple[Consent, ...] = ()
    differences: tuple[Difference, ...] = ()
    unanswered: str = ""
    expected_s: int = 0

    @property
    def size(self) -> int:
        """Number of changes."""
        return sum(len(host.changes) for host in self.hosts)
