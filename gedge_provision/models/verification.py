"""The acceptance report: each promise of a site file, and whether the running cluster keeps it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime

from gedge_provision.models.base import Document

__all__ = ["Check", "Concern", "Counts", "Report", "Status"]

Concern = Literal[
    "cluster",
    "control plane",
    "node",
    "kubelet",
    "network",
    "dns",
    "host",
    "sriov",
    "attachments",
    "gpu",
    "emulated gpus",
    "metrics",
    "gse",
]
Status = Literal["pass", "fail", "not-applicable"]


class Check(Document):
    """One promise and whether it is kept.

    Attributes:
        id: which promise; the same in every report.
        node: of which node; empty when it is of the cluster.
        concern: what it is about.
        promise: what the site file promises, in words.
        status: pass, fail, or not-applicable where the site file leaves it open.
        evidence: what was found; why it is not applicable.
        remedy: what to do; empty unless it fails.
    """

    id: str
    node: str
    concern: Concern
    promise: str
    status: Status
    evidence: str
    remedy: str = ""


class Counts(Document):
    """How many checks ended how."""

    passed: int
    failed: int
    not_applicable: int


class Report(Document):
    """All checks of a site at one moment.

    Attributes:
        format: version of this form.
        site: name of the site.
        site_sha256: digest of the site file.
        cluster_version: version of the API server, with the v; empty when it did not answer.
        checked_at: when; not a part of what was found.
        counts: how many checks ended how.
        checks: those of the cluster, then those of each node in the order of the site file.
    """

    format: Literal[1] = 1
    site: str
    site_sha256: str
    cluster_version: str
    checked_at: AwareDatetime
    counts: Counts
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that fail."""
        return tuple(check for check in self.checks if check.status == "fail")

    @property
    def findings(self) -> dict[str, Any]:
        """Everything but the time: two reports with equal findings say the same."""
        return self.model_dump(exclude={"checked_at"})
