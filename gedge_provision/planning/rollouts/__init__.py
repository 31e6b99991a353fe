"""Rollouts of services: their revisions, the order among services, trials beside what runs, differences. Pure."""

from gedge_provision.planning.rollouts._differences import differences, unified
from gedge_provision.planning.rollouts._order import dependency_order
from gedge_provision.planning.rollouts._revisions import (
    KEPT,
    REVISION_OF,
    before,
    content_of,
    current,
    digest_of,
    read_revision,
    revision_manifest,
    revision_name,
    surplus,
    told_state,
)
from gedge_provision.planning.rollouts._trials import (
    TRIAL_OF,
    Trial,
    preview_traffic,
    refuse_trial,
    trial_name,
    trial_of,
)

__all__ = [
    "KEPT",
    "REVISION_OF",
    "TRIAL_OF",
    "Trial",
    "before",
    "content_of",
    "current",
    "dependency_order",
    "differences",
    "digest_of",
    "preview_traffic",
    "read_revision",
    "refuse_trial",
    "revision_manifest",
    "revision_name",
    "surplus",
    "told_state",
    "trial_name",
    "trial_of",
    "unified",
]
