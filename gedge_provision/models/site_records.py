"""What this machine remembers of a site: its hosts, what was installed on them, and the site file that was applied."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gedge_provision.models.base import Document
from gedge_provision.models.changes import Change
from gedge_provision.models.site import Role, Site

__all__ = ["HostRecord", "SiteRecord"]


class HostRecord(Document):
    """A host that a run has worked on.

    Attributes:
        connection: how Ansible reaches it; no secrets (keys are paths).
        control_plane: whether it is a control-plane node.
        node_class: its class.
        made: how what is installed on it came there, in that order.
        facts: what it told of itself (CPUs, memory in MiB, distribution, cgroup version ...).
        topology: what it told of its topology, when a plan was computed from it.
    """

    connection: dict[str, Any]
    control_plane: bool
    node_class: str
    made: tuple[Change, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)
    topology: dict[str, Any] = Field(default_factory=dict)


class SiteRecord(Document):
    """What is remembered of a site; empty before its first run.

    Attributes:
        hosts: by name; one that the site file no longer has leaves the cluster with the next run.
        site: the site as the last whole and successful run applied it.
        images: references of the catalog's images, by name, of that run.
        artifacts: SHA-256 by name, by role, of that run.
    """

    hosts: dict[str, HostRecord] = Field(default_factory=dict)
    site: Site | None = None
    images: dict[str, str] = Field(default_factory=dict)
    artifacts: dict[Role, dict[str, str]] = Field(default_factory=dict)
