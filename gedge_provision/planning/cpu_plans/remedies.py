"""Remedies that are followed, so that whoever makes every change that is told needs no second round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from gedge_provision.models.cpu_intent import CpuIntent
from gedge_provision.models.cpu_plan import Infeasible
from gedge_provision.models.kubelet import KubeletSettings

__all__ = ["changed", "follow"]

_ROUNDS = 10
"""How often remedies are followed at most: it ends where nothing new comes to light; random
intents needed four."""


def changed(
    intent: CpuIntent, settings: KubeletSettings, changes: Sequence[Mapping[str, Any]]
) -> tuple[CpuIntent, KubeletSettings]:
    """Return an intent and settings with changes made.

    Args:
        intent: as it is.
        settings: as they are.
        changes: values by place, as `Infeasible.change` has them.

    Raises:
        pydantic.ValidationError: the changes contradict each other.
    """
    documents = {
        "cpus": intent.model_dump(exclude_unset=True, mode="json"),
        "kubelet": settings.model_dump(exclude_unset=True, mode="json"),
    }
    for place, value in (item for change in changes for item in change.items()):
        *parents, name = place.split(".")
        section: dict[str, Any] = documents
        for parent in parents:
            section = section.setdefault(parent, {})
        if value is None:
            section.pop(name, None)
        else:
            section[name] = value
    return CpuIntent.model_validate(documents["cpus"]), KubeletSettings.model_validate(documents["kubelet"])


def follow(
    found: Sequence[Infeasible],
    intent: CpuIntent,
    settings: KubeletSettings,
    problems_of: Callable[[CpuIntent, KubeletSettings], Sequence[Infeasible]],
) -> tuple[Infeasible, ...]:
    """Return the problems, and those that come to light when their remedies are followed.

    Args:
        found: what is in the way now.
        intent: as it is.
        settings: as they are.
        problems_of: returns what is in the way of others.
    """
    told = {problem.message: problem for problem in found}
    latest = list(found)
    for _ in range(_ROUNDS):
        changes = [problem.change for problem in latest if problem.change]
        if not changes:
            break
        try:
            intent, settings = changed(intent, settings, changes)
        except ValidationError:
            break
        latest = [problem for problem in problems_of(intent, settings) if problem.message not in told]
        told |= {problem.message: replace(problem, message=f"then {problem.message}") for problem in latest}
    return tuple(told.values())
