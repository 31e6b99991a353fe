"""How many pods of a service fit, where each owns CPUs or devices: bounds of its scaling. Pure."""

from __future__ import annotations

from gedge_provision.models.errors import NotFittingError
from gedge_provision.models.fit import ServiceFit
from gedge_provision.models.pod_specs import template_of
from gedge_provision.models.service import Service
from gedge_provision.models.wording import counted
from gedge_provision.planning.fit import ask_of
from gedge_provision.planning.manifests import render

__all__ = ["fitting_bounds", "is_pinned", "refuse_more"]


def is_pinned(service: Service) -> bool:
    """Tell whether each pod of a service owns CPUs or devices, so that only so many fit."""
    ask = ask_of(template_of(render(service, "default")))
    return bool(ask.cpus or ask.devices)


def fitting_bounds(service: Service, found: ServiceFit) -> tuple[Service, str]:
    """Return a scaling service whose most pods all fit, and what is to be told of that (empty where all fit).

    Args:
        service: it has scaling, and each of its pods owns CPUs or devices.
        found: how its most pods fit.

    Raises:
        NotFittingError: not even its fewest pods fit.
    """
    scaling = service.scaling
    if scaling is None or found.placed >= scaling.max:
        return service, ""
    if found.placed < scaling.min:
        raise _does_not_fit(service, found, scaling.min, f"lower scaling.min to {found.placed}" if found.placed else "")
    note = (
        f"{service.name} scales to {found.placed} pods, not to {scaling.max}: more do not fit, since each owns CPUs or "
        "devices -> add nodes, or end what else holds them, then apply again"
    )
    return service.model_copy(update={"scaling": scaling.model_copy(update={"max": found.placed})}), note


def refuse_more(service: Service, found: ServiceFit, replicas: int) -> None:
    """Make sure that so many pods of a service fit.

    Raises:
        NotFittingError: they do not.
    """
    if found.placed < replicas:
        raise _does_not_fit(service, found, replicas, f"ask for {found.placed}" if found.placed else "")


def _does_not_fit(service: Service, found: ServiceFit, wanted: int, least: str) -> NotFittingError:
    lines = [
        f"  {node.node}: {node.holds} of them; for one more {node.obstacles[0].text}"
        for node in found.nodes
        if node.obstacles
    ]
    fits = f"{counted(found.placed, 'pod')} of {wanted} {'fits' if found.placed == 1 else 'fit'}"
    return NotFittingError(
        "\n".join([f"{fits} beside what runs; nothing was changed", *lines]),
        place=service.name,
        remedy="; or ".join(filter(None, (least, "add nodes, or end what else holds CPUs and devices"))),
    )
