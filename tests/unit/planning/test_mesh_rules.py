from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gedge_provision.models.mesh import Mesh, UriKind
from gedge_provision.planning.mesh.rules import Rule, check_routes, host_rules, routed

PATHS = ["/", "/a", "/a/b", "/a/b/", "/a/c", "/ab", "/b", "/b/x/y", "/b/x/y/z"]
VERSIONS = ("v1", "v2", "v3")


def mesh_of(routes: list[tuple[list[tuple[str, str]], str, int | None]]) -> Mesh:
    """Return a mesh of one host: matches, subset and weight of each route."""
    data: dict[str, Any] = {
        "name": "m",
        "services": [{"name": "a", "template": "t", "labels": {"version": version}} for version in VERSIONS],
        "serviceRoutes": [
            {
                "name": f"r{index}",
                "match": [{"uri": {kind: value}} for kind, value in matches],
                "destination": {"host": "a", "subset": subset} | ({} if weight is None else {"weight": weight}),
            }
            for index, (matches, subset, weight) in enumerate(routes)
        ],
    }
    return Mesh.model_validate(data)


def rules_of(mesh: Mesh) -> tuple[Rule, ...]:
    (asked,) = routed(mesh, lambda _: None).values()
    return host_rules(asked)


def fits(kind: str, value: str, path: str) -> bool:
    """Tell whether a path is meant (HTTPPathMatch of the Gateway API: prefixes by elements, a last / says nothing)."""
    if kind == "exact":
        return path == value
    prefix = value.rstrip("/")
    return path in {value, prefix} or path.startswith(f"{prefix}/")


def by_the_document(mesh: Mesh, path: str) -> set[str]:
    """Return the versions that may answer: those of the first match that fits, and of all routes that share it."""
    asked = [
        (match.uri.kind, match.uri.value, route.destination.subset)
        for route in mesh.service_routes
        for match in route.match
    ]
    first = next(((kind, value) for kind, value, _ in asked if fits(kind, value, path)), None)
    return {subset for kind, value, subset in asked if (kind, value) == first}


def by_precedence(rules: tuple[Rule, ...], path: str) -> set[str]:
    """Return the versions that may answer in the Gateway API: an exact path, the longest prefix, the order."""

    def rank(match: tuple[UriKind, str]) -> tuple[int, int]:
        return (0 if match[0] == "exact" else 1, -len(match[1]))

    fitting = [(rank(match), rule) for rule in rules for match in rule.matches if fits(*match, path)]
    if not fitting:
        return set()
    return {one.subset for one in min(fitting, key=lambda entry: entry[0])[1].destinations}


def in_order(rules: tuple[Rule, ...], path: str) -> set[str]:
    """Return the versions that may answer where a data plane takes rules in their order."""
    for rule in rules:
        if any(fits(*match, path) for match in rule.matches):
            return {one.subset for one in rule.destinations}
    return set()


MATCHES = st.tuples(st.sampled_from(["exact", "prefix"]), st.sampled_from(PATHS))
ROUTES = st.lists(
    st.tuples(
        st.lists(MATCHES, min_size=1, max_size=3),
        st.sampled_from(VERSIONS),
        st.sampled_from([None, 1, 50]),
    ),
    min_size=1,
    max_size=5,
)


@given(ROUTES)
def test_what_is_not_refused_is_answered_as_the_document_says(
    routes: list[tuple[list[tuple[str, str]], str, int | None]],
) -> None:
    """Wherever the checks say nothing, precedence and order of the rules both give what the document promises."""
    mesh = mesh_of(routes)
    if list(check_routes(mesh, lambda _: None)):
        return
    rules = rules_of(mesh)
    for path in [*PATHS, "/a/b/c", "/zz", "/b/x", "/ab/c"]:
        wanted = by_the_document(mesh, path)
        assert by_precedence(rules, path) == wanted, path
        assert in_order(rules, path) == wanted, path


@given(ROUTES)
def test_what_is_refused_could_never_match_or_adds_up_to_nothing(
    routes: list[tuple[list[tuple[str, str]], str, int | None]],
) -> None:
    """No route is refused that would get a request that no earlier one gets."""
    mesh = mesh_of(routes)
    for problem in check_routes(mesh, lambda _: None):
        if "never match" not in problem.message:
            continue
        route, match = int(problem.path[2]), int(problem.path[4])
        uri = mesh.service_routes[route].match[match].uri
        earlier = [
            one.uri
            for index, other in enumerate(mesh.service_routes)
            for position, one in enumerate(other.match)
            if (index, position) < (route, match)
        ]
        for path in [*PATHS, "/a/b/c", "/zz", "/b/x", "/ab/c"]:
            if fits(uri.kind, uri.value, path):
                assert any(fits(one.kind, one.value, path) for one in earlier), path


def test_neighbouring_matches_with_the_same_destinations_are_one_rule() -> None:
    mesh = mesh_of([([("exact", "/a"), ("prefix", "/b")], "v1", None), ([("prefix", "/")], "v2", None)])
    assert [(rule.matches, [one.subset for one in rule.destinations]) for rule in rules_of(mesh)] == [
        ((("exact", "/a"), ("prefix", "/b")), ["v1"]),
        ((("prefix", "/"),), ["v2"]),
    ]


@pytest.mark.parametrize("uri", ["/a", "/a/"])
def test_a_last_slash_of_a_prefix_says_nothing(uri: str) -> None:
    mesh = mesh_of([([("prefix", "/a")], "v1", None), ([("prefix", uri)], "v2", None)])
    (problem,) = check_routes(mesh, lambda _: None)
    assert problem.message == "it can never match: route r0 takes prefix /a before"
