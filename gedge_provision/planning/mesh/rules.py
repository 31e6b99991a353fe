"""Which requests go where: a document's routes as rules, and routes that could never match.

In a document the first route that fits counts, in the Gateway API the one that says the path most closely (exact, then
the longest prefix). Both give the same answer unless a route stands behind one that takes all of its paths; such routes
are refused, so that rules in the document's order hold for data planes of either kind.

Source: HTTPRouteRule.matches of the Gateway API v1 (precedence; that of regular expressions is the data plane's own).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.mesh import Destination, Mesh, Route, UriKind
from gedge_provision.planning.mesh.names import PortOf

__all__ = ["Asked", "Rule", "check_routes", "host_rules", "routed", "takes_all"]

_MOST_RULES, _MOST_MATCHES, _MOST_DESTINATIONS = 16, 64, 16  # of a HTTPRoute


@dataclass(frozen=True)
class Asked:
    """Paths that a route asks for, and where they stand in the document."""

    kind: UriKind
    value: str
    path: Path
    route: Route

    @property
    def key(self) -> tuple[UriKind, str]:
        """What is equal where the same requests are meant."""
        return self.kind, self.value

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


@dataclass(frozen=True)
class Rule:
    """Paths that go to the same destinations."""

    matches: tuple[tuple[UriKind, str], ...]
    destinations: tuple[Destination, ...]


def routed(mesh: Mesh, port_of: PortOf) -> dict[tuple[str, int | None], tuple[Asked, ...]]:
    """Return what is asked for of each host and port, in the order of the document."""
    found: dict[tuple[str, int | None], list[Asked]] = {}
    for index, route in enumerate(mesh.service_routes):
        asked = found.setdefault((route.destination.host, port_of(route)), [])
        for position, match in enumerate(route.match):
            path = ("serviceMesh", "serviceRoutes", index, "match", position, "uri")
            asked.append(Asked(match.uri.kind, match.uri.value, path, route))
    return {key: tuple(asked) for key, asked in found.items()}


def host_rules(asked: Sequence[Asked]) -> tuple[Rule, ...]:
    """Return the rules for a port of a host, in the order of the document."""
    rules: list[Rule] = []
    for key, sharing in _by_key(asked).items():
        destinations = tuple(one.route.destination for one in sharing)
        if rules and rules[-1].destinations == destinations:
            rules[-1] = Rule((*rules[-1].matches, key), destinations)
        else:
            rules.append(Rule((key,), destinations))
    return tuple(rules)


def takes_all(asked: Sequence[Asked]) -> bool:
    """Tell whether no request to the host is left over."""
    return any(one.key == ("prefix", "/") for one in asked)


def check_routes(mesh: Mesh, port_of: PortOf) -> Iterator[Problem]:
    """Yield routes that could never match, and weights that do not add up."""
    for (host, _), asked in routed(mesh, port_of).items():
        for index, one in enumerate(asked):
            yield from _shadowed(one, asked[:index])
        for sharing in _by_key(asked).values():
            yield from _weights(sharing)
        yield from _limits(host, asked)


def _by_key(asked: Sequence[Asked]) -> dict[tuple[UriKind, str], list[Asked]]:
    found: dict[tuple[UriKind, str], list[Asked]] = {}
    for one in asked:
        found.setdefault(one.key, []).append(one)
    return found


def _shadowed(one: Asked, earlier: Sequence[Asked]) -> Iterator[Problem]:
    for former in earlier:
        who = "this route" if former.route is one.route else f"route {former.route.name}"
        if former.key == one.key:
            if former.route is one.route:
                yield Problem(one.path, f"{one} stands twice in this route", "keep one")
                return
            if former.route.destination.weight is None or one.route.destination.weight is None:
                yield Problem(
                    one.path,
                    f"it can never match: {who} takes {one} before",
                    "take one of them out, or give both destinations a weight, which shares the requests",
                )
                return
        elif _covers(former, one):
            yield Problem(
                one.path,
                f"it can never match: {who} takes {former} before, and {one} is in that",
                "write it before that one, or take it out",
            )
            return


def _covers(former: Asked, later: Asked) -> bool:
    """Tell whether the earlier takes every path of the later; of two expressions nobody can."""
    if later.kind == "regex":
        return former.key == ("prefix", "/")
    if former.kind == "prefix":
        return later.value == former.value or later.value.startswith(former.value.rstrip("/") + "/")
    return former.kind == "regex" and later.kind == "exact" and re.fullmatch(former.value, later.value) is not None


def _weights(sharing: Sequence[Asked]) -> Iterator[Problem]:
    destinations = [one.route.destination for one in sharing]
    if all(destination.weight == 0 for destination in destinations):
        yield Problem(
            _destination(sharing[-1], "weight"),
            f"every weight for {sharing[-1]} is 0, and requests go nowhere",
            "give one destination a weight above 0",
        )
    seen: dict[str, str] = {}
    for one in sharing:
        subset = one.route.destination.subset
        if subset in seen and seen[subset] != one.route.name:
            yield Problem(
                _destination(one, "subset"),
                f"{subset} is the destination of route {seen[subset]} for {one} already",
                "write one weight for each version",
            )
        seen.setdefault(subset, one.route.name)


def _destination(one: Asked, key: str) -> Path:
    return (*one.path[:3], "destination", key)


def _limits(host: str, asked: Sequence[Asked]) -> Iterator[Problem]:
    rules = host_rules(asked)
    too_many = (
        len(rules) > _MOST_RULES
        or any(len(rule.matches) > _MOST_MATCHES for rule in rules)
        or sum(len(rule.matches) for rule in rules) > 2 * _MOST_MATCHES
        or any(len(rule.destinations) > _MOST_DESTINATIONS for rule in rules)
    )
    if too_many:
        yield Problem(
            asked[-1].path[:3],
            f"the routes to {host} are more than one HTTPRoute takes: {_MOST_RULES} rules, {_MOST_MATCHES} matches in a"
            f" rule, {2 * _MOST_MATCHES} in all, {_MOST_DESTINATIONS} versions that share",
            "say paths that go to one version by a shorter prefix, or one after the other in one route",
        )
