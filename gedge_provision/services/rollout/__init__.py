"""Rollouts of services: revisions that are kept in the cluster, brought in, tried, taken back."""

from gedge_provision.services.rollout._apply import Applied, apply_service, apply_services
from gedge_provision.services.rollout._delete import delete_service
from gedge_provision.services.rollout._history import (
    HistoryLine,
    read_diff,
    read_history,
    running_service,
    wanted_service,
)
from gedge_provision.services.rollout._later import (
    pause_service,
    promote_service,
    restart_service,
    resume_service,
    rollback_service,
    scale_service,
)
from gedge_provision.services.rollout._telling import says_sent

__all__ = [
    "Applied",
    "HistoryLine",
    "apply_service",
    "apply_services",
    "delete_service",
    "pause_service",
    "promote_service",
    "read_diff",
    "read_history",
    "restart_service",
    "resume_service",
    "rollback_service",
    "running_service",
    "says_sent",
    "scale_service",
    "wanted_service",
]
