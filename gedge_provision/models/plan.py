"""What a run would do: shown before it, saved, and compared with the world again when it is applied."""

from __future__ import annotations

from typing import Literal

from gedge_provision.models.base import Document
from gedge_provision.models.changes import Change, Difference

__all__ = ["Consent", "HostPlan", "Plan"]


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
        pods: namespace/name of the pods that it may disturb, as far as the cluster can be asked.
    """

    host: str
    flag: str
    reason: str
    pods: tuple[str, ...] = ()


class Plan(Document):
    """Everything that an apply would do, nothing that depends on when it was asked.

    Attributes:
        format: version of this form.
        site: name of the site.
        site_sha256: digest of the site file.
        limit: the nodes that it is limited to, None for all.
        hosts: those with changes, in the order of the site file.
        consents: what has to be agreed to.
        differences: what of the running nodes differs from the site file and would not be put right.
    """

    format: Literal[1] = 1
    site: str
    site_sha256: str
    limit: str | None = None
    hosts: tuple[HostPlan, ...] = ()
    consents: tuple[Consent, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def size(self) -> int:
        """Number of changes."""
        return sum(len(host.changes) for host in self.hosts)
