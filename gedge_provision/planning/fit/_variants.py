"""The largest variant of a pod that fits where the pod itself does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from gedge_provision.models.pod_specs import RunningPod
from gedge_provision.planning.fit._asks import guaranteed, requests_of
from gedge_provision.planning.fit._scheduler import spelled

__all__ = ["largest_variant", "with_amounts"]

Amounts = dict[str, Decimal]
Fits = Callable[[RunningPod], bool]
_CPU = "cpu"
_STEP = {_CPU: Decimal("0.001")}
_MIB = Decimal(2**20)


def largest_variant(pod: RunningPod, free: Amounts, threads: int, fits: Fits) -> tuple[str, RunningPod] | None:
    """Return in words what could be asked for instead, and that pod; None where less of everything does not fit either.

    One resource is lessened where that is enough, in the container that asks most of it; else several, devices last.

    Args:
        pod: what does not fit.
        free: what the node has left of each resource.
        threads: CPUs of a core.
        fits: whether a pod fits.
    """
    asked = _largest_asks(pod)
    singles = [(name, amount) for name in asked if (amount := _most(pod, {}, name, free, threads, fits)) is not None]
    if singles:
        words = ", or ".join(_words(name, amount, asked[name]) for name, amount in singles)
        return words, with_amounts(pod, {singles[0][0]: singles[0][1]})
    chosen = {name: least for name in asked if (least := _least(name, threads)) is not None and least < asked[name]}
    if not chosen or not fits(with_amounts(pod, chosen)):
        return None
    for name in sorted(chosen, key=lambda name: ("/" not in name, name)):
        rest = {other: amount for other, amount in chosen.items() if other != name}
        most = asked[name] if fits(with_amounts(pod, rest)) else _most(pod, rest, name, free, threads, fits)
        chosen[name] = chosen[name] if most is None else most
    less = {name: amount for name, amount in chosen.items() if amount != asked[name]}
    return " and ".join(_words(name, less[name], asked[name]) for name in asked if name in less), with_amounts(
        pod, less
    )


def with_amounts(pod: RunningPod, amounts: Amounts) -> RunningPod:
    """Return the pod with other amounts, each in the container that asks most of it; 0 is not to ask."""
    containers = list(pod.spec.containers)
    for name, amount in amounts.items():
        place = _where(pod, name)
        resources = containers[place].resources
        parts = {
            part: {key: value for key, value in {**found, name: amount}.items() if value}
            for part, found in (("requests", resources.requests), ("limits", resources.limits))
            if name in found
        }
        changed = resources.model_copy(update=parts)
        containers[place] = containers[place].model_copy(update={"resources": changed})
    return pod.model_copy(update={"spec": pod.spec.model_copy(update={"containers": tuple(containers)})})


def _where(pod: RunningPod, name: str) -> int:
    return max(
        range(len(pod.spec.containers)), key=lambda place: pod.spec.containers[place].requests.get(name, Decimal(0))
    )


def _largest_asks(pod: RunningPod) -> Amounts:
    """Return what may be lessened, CPUs and memory first: what the container that asks most of it asks for."""
    names = sorted({name for one in pod.spec.containers for name in one.requests}, key=lambda name: ("/" in name, name))
    found = {name: pod.spec.containers[_where(pod, name)].requests.get(name, Decimal(0)) for name in names}
    return {name: amount for name, amount in found.items() if amount > 0}


def _least(name: str, threads: int) -> Decimal | None:
    """Return the least that a pod may ask for: no device, a core, some memory; None where nothing is known of it."""
    return Decimal(0) if "/" in name else {_CPU: Decimal(threads), "memory": _MIB}.get(name)


def _most(  # noqa: PLR0913, PLR0917 - what is changed, and within what
    pod: RunningPod, others: Amounts, name: str, free: Amounts, threads: int, fits: Fits
) -> Decimal | None:
    """Return the largest amount of a resource with which the pod fits; None where no amount helps."""
    base = with_amounts(pod, others)
    for amount in _candidates(base, name, free, threads, fits):
        if fits(with_amounts(base, {name: amount})):
            return amount
    return None


def _candidates(pod: RunningPod, name: str, free: Amounts, threads: int, fits: Fits) -> Iterator[Decimal]:
    asked = pod.spec.containers[_where(pod, name)].requests[name]
    whole = "/" in name or (name == _CPU and asked == int(asked) and guaranteed(pod))
    if whole:
        least = 0 if "/" in name else 1
        # Whole cores may be one CPU more.
        top = int(asked) + (threads - 1 if name == _CPU else 0)
        yield from (Decimal(number) for number in range(top, least - 1, -1) if number != asked)
        return
    short = requests_of(pod).get(name, Decimal(0)) - free.get(name, Decimal(0))
    free_for_it = asked - max(short, Decimal(0))
    if 0 < free_for_it < asked:
        yield _rounded(name, free_for_it)
    if name == "memory" and free_for_it > 0:  # what is free is not all on the NUMA nodes that a kubelet may take
        yield from _halved(pod, name, free_for_it, fits)


def _halved(pod: RunningPod, name: str, asked: Decimal, fits: Fits) -> Sequence[Decimal]:
    """Return the largest amount of memory, in MiB, that a kubelet gives from its NUMA nodes."""
    low, high = 0, int(asked / _MIB)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(with_amounts(pod, {name: middle * _MIB})) else (low, middle)
    return [low * _MIB] if low else []


def _rounded(name: str, amount: Decimal) -> Decimal:
    if name in _STEP:
        return amount // _STEP[name] * _STEP[name]
    return amount // _MIB * _MIB if amount >= _MIB else amount


def _words(name: str, amount: Decimal, asked: Decimal) -> str:
    if "/" in name and amount == 0:
        return f"no {name}"
    if name == _CPU and amount == int(amount) and asked == int(asked):
        return f"{amount} {'CPU' if amount == 1 else 'CPUs'} instead of {asked}"
    if "/" in name:
        return f"{amount} {name} instead of {asked}"
    less = asked - amount
    return f"{spelled(name, less)} less {name} ({spelled(name, amount)})"
