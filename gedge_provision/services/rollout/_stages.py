"""What a rollout sends to the cluster, in stages: the next one begins when the services of one are ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gedge_provision.adapters.kube import ForbiddenError, Kube
from gedge_provision.models.cluster import AUTOSCALER, CONTROLLER_KINDS, DEPLOYMENT, SERVICE, STATEFUL_SET, Manifest
from gedge_provision.models.rollouts import Content, Strategy
from gedge_provision.planning import rollouts
from gedge_provision.planning.manifests import INVENTORY_LABEL, MANAGED, REVISION, external_name, ingress_status
from gedge_provision.services.scaling import apply_handed_over, delete_autoscaler

__all__ = ["Address", "Stage", "address", "carry_out", "controller", "replace_all", "trial_begins", "trial_ends"]

Address = tuple[str, str]
"""Kind and name of an object."""

_CONTROLLERS = {DEPLOYMENT.name, STATEFUL_SET.name}


@dataclass(frozen=True)
class Stage:
    """A step of a rollout.

    Attributes:
        manifests: what is applied, in this order.
        deletes: what is deleted then.
        waits: the services that must be ready at its end.
        settles: whether traffic goes another way by it: nodes learn of that a little later, and pods that it went to
            before must stay so long.
    """

    manifests: tuple[Manifest, ...] = ()
    deletes: tuple[Address, ...] = ()
    waits: tuple[str, ...] = ()
    settles: bool = False


def address(manifest: Manifest) -> Address:
    """Return kind and name of an object."""
    return manifest["kind"], manifest["metadata"]["name"]


def controller(manifests: Sequence[Manifest]) -> Manifest:
    """Return the Deployment or StatefulSet among the objects of a service."""
    return next(item for item in manifests if item["kind"] in _CONTROLLERS)


def replace_all(content: Content, number: int, own: Sequence[Address], trial: Sequence[Address]) -> list[Stage]:
    """Return the stages that make a revision all that there is of a service.

    Args:
        content: the revision.
        number: its number.
        own: what there is of the service now.
        trial: what there is of its trials.
    """
    manifests = _stamped(content.manifests, number)
    wanted = {address(item) for item in manifests}
    stages = [Stage(manifests, tuple(item for item in own if item not in wanted), (content.service.name,))]
    return [*stages, Stage(deletes=tuple(trial))] if trial else stages


def trial_begins(trial: rollouts.Trial, number: int, running: tuple[Content, int]) -> list[Stage]:
    """Return the stages that bring a trial in beside the revision that runs (its content and number).

    A canary replaces a share of the pods. With an autoscaler the pods that run stay as many as it wants.
    """
    manifests = _stamped(trial.manifests, number)
    content, running_number = running
    name = content.service.name
    fixed = controller(content.manifests)
    if trial.stays is None or "replicas" not in fixed["spec"]:
        return [Stage(manifests, (), (trial.name, name))]
    fewer = {**fixed, "spec": {**fixed["spec"], "replicas": trial.stays}}
    return [Stage((*manifests, *_stamped([fewer], running_number)), (), (trial.name, name))]


def trial_ends(
    content: Content, strategy: Strategy, number: int, own: Sequence[Address], trial: Sequence[Address]
) -> list[Stage]:
    """Return the stages by which the revision on trial takes over: see `replace_all`.

    The traffic goes to a preview first, at one moment, and back to the pods of the service when these are updated.
    """
    stages = replace_all(content, number, own, trial)
    if strategy.way != "blue-green":
        return stages
    manifests = _stamped(content.manifests, number)
    services = tuple(item for item in manifests if item["kind"] == SERVICE.name)
    others = tuple(item for item in manifests if item["kind"] != SERVICE.name)
    # An autoscaler that goes would take back the number of pods that the revision sets.
    scalers = tuple(item for item in stages[0].deletes if item[0] == AUTOSCALER.name)
    rest = tuple(item for item in stages[0].deletes if item not in scalers)
    return [
        Stage(rollouts.preview_traffic(content, strategy), settles=True),
        Stage(others, scalers, waits=(content.service.name,)),
        Stage(services, rest, settles=True),
        Stage(deletes=tuple(trial)),
    ]


def carry_out(  # noqa: PLR0913 - where, what and how
    kube: Kube,
    namespace: str,
    stage: Stage,
    addresses: tuple[str, ...] | None,
    *,
    take_over: bool,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Apply and delete what a stage has; external ports are published on these addresses.

    Args:
        kube: the cluster.
        namespace: of the service.
        stage: the stage.
        addresses: of the nodes; None where the user may not list them.
        take_over: overwrite what other field managers own.
        stop: whether to stop between two objects.

    Raises:
        ForbiddenError: the user may not; to publish a port nodes must be listed.
    """
    for kind, name in stage.deletes:
        if kind == AUTOSCALER.name:
            delete_autoscaler(kube, name, namespace)
    for manifest in stage.manifests:
        if stop():
            return
        name = manifest["metadata"]["name"]
        external = name == external_name(manifest["metadata"]["labels"][INVENTORY_LABEL])
        if external and addresses is None:
            raise ForbiddenError(
                "external ports are published on nodes, and you may not list them",
                place=f"{namespace}/{name}",
                remedy="use a kubeconfig whose user may list nodes",
            )
        apply_handed_over(kube, manifest, stage.manifests, take_over=take_over)
        if external and addresses is not None:
            kube.apply(ingress_status(name, namespace, addresses), subresource="status", take_over=take_over)
    for kind, name in stage.deletes:
        if kind != AUTOSCALER.name:
            kube.delete(CONTROLLER_KINDS[kind], namespace, name)


def owned_by(manifest: Manifest, service: str) -> bool:
    """Tell whether an object belongs to a service."""
    labels = manifest["metadata"].get("labels", {})
    return bool(labels.items() >= {**MANAGED, INVENTORY_LABEL: service}.items())


def _stamped(manifests: Sequence[Manifest], number: int) -> tuple[Manifest, ...]:
    """Return the objects, whose controller says which revision it has."""
    return tuple(_with_number(item, number) if item["kind"] in _CONTROLLERS else item for item in manifests)


def _with_number(manifest: Manifest, number: int) -> Manifest:
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), REVISION: str(number)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}
