"""Checks by host and concern, with what fails first: the order of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gedge_provision.models.verification import Check, Report, Status

__all__ = ["Group", "grouped"]

_ORDER: dict[Status, int] = {"fail": 0, "pass": 1, "not-applicable": 2}


@dataclass(frozen=True)
class Group:
    """Checks that stand together; those of a host in groups by concern."""

    title: str
    checks: tuple[Check, ...]
    groups: tuple[Group, ...] = ()

    def count(self, status: Status) -> int:
        """Return how many of its checks ended so."""
        return sum(check.status == status for check in self.checks)


def grouped(report: Report) -> list[Group]:
    """Return a group for the cluster and each host; groups and checks that fail come first, then their own order."""
    hosts = []
    for node in dict.fromkeys(check.node for check in report.checks):
        checks = [check for check in report.checks if check.node == node]
        concerns = [
            Group(concern, _sorted([check for check in checks if check.concern == concern]))
            for concern in dict.fromkeys(check.concern for check in checks)
        ]
        hosts.append(Group(node or "the cluster", tuple(checks), _failing_first(concerns)))
    return list(_failing_first(hosts))


def _failing_first(groups: Sequence[Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups, key=lambda group: group.count("fail") == 0))


def _sorted(checks: Sequence[Check]) -> tuple[Check, ...]:
    return tuple(sorted(checks, key=lambda check: _ORDER[check.status]))
