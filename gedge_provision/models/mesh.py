"""Service mesh documents: versions of services under one name, and which requests go to which version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gedge_provision.models.base import Boolean, Integer
from gedge_provision.models.service import (
    CamelCase,
    Name,
    ObjectName,
    PortNumber,
    Service,
    ServiceName,
    TemplatedService,
)
from gedge_provision.models.wording import Form

__all__ = [
    "VERSION",
    "Destination",
    "LoadedMesh",
    "Match",
    "Mesh",
    "MeshFile",
    "MeshService",
    "MeshVersion",
    "Route",
    "Uri",
    "UriKind",
]

VERSION = "version"
"""The label that tells versions of a service apart; its value is the subset of a destination."""

UriKind = Literal["exact", "prefix", "regex"]
_MOST_CHARACTERS = 1024  # of a path in a HTTPRoute
_HEAVIEST = 1_000_000  # weight in a HTTPRoute
# What RE2, the engine of most data planes, does not have (its documentation, "Syntax").
_NOT_IN_RE2 = re.compile(r"\(\?(?:[=!]|<[=!]|\()|(?<!\\)(?:\\\\)*\\[1-9]")


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error} -> mend it, or use prefix or exact") from None
    if _NOT_IN_RE2.search(text):
        raise ValueError(
            f"{text!r} looks around or back, which data planes cannot -> use what RE2 knows, or several routes"
        )
    return text


# Source: HTTPPathMatch of the Gateway API, which refuses other values of Exact and PathPrefix.
UriPath = Annotated[
    str,
    Field(max_length=_MOST_CHARACTERS),
    Form(
        r"(?!.*//)(?!.*/\.\.?(/|$))(?!.*%2[fF])/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*",
        "path of a URL",
        "begin it with /, and leave out spaces, '?', '#', '//', '%2F' and parts that are . or ..",
    ),
]
UriExpression = Annotated[
    str, Field(min_length=1, max_length=_MOST_CHARACTERS), AfterValidator(_expression)
]  # of a whole path
Weight = Annotated[Integer, Field(ge=0, le=_HEAVIEST)]


class Uri(CamelCase):
    """Which paths of URLs."""

    prefix: UriPath | None = Field(None, description="This path and all below it; / is every path.")
    exact: UriPath | None = Field(None, description="This path alone.")
    regex: UriExpression | None = Field(
        None, description="Paths that match as a whole; the dialect is that of the data plane, most have RE2."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("prefix", "exact", "regex") if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"a match says its paths in one way, this one in {' and '.join(given) or 'none'}"
            raise ValueError(f"{said} -> write one of prefix: /PATH, exact: /PATH, regex: EXPRESSION")
        return self

    @property
    def kind(self) -> UriKind:
        """How the paths are said."""
        return "prefix" if self.prefix is not None else "exact" if self.exact is not None else "regex"

    @property
    def value(self) -> str:
        """The path or expression; a prefix without the / at its end, which says nothing."""
        if self.prefix is not None:
            return self.prefix.rstrip("/") or "/"
        return self.exact or self.regex or ""


class Match(CamelCase):
    """Which requests."""

    uri: Uri


class Destination(CamelCase):
    """Where requests go."""

    host: ServiceName = Field(description="Name of a service of the mesh: by which others ask for it.")
    subset: Name = Field(description="Its version that answers: the value of the label version.")
    port: PortNumber | None = Field(None, description="containerPort on which it is asked; unset: its only TCP port.")
    weight: Weight | None = Field(
        None, description="Share of the requests, beside the weights of the other routes with the same match."
    )


class Route(CamelCase):
    """Requests to one name, and the version that they go to."""

    name: Name
    match: Annotated[tuple[Match, ...], Field(min_length=1)] = Field(description="Requests that one of these fits.")
    destination: Destination


class MeshService(TemplatedService):
    """One version of a service: a service on a template, with the label version."""

    external_access: Boolean = Field(default=False, description="Reachable from outside the cluster.")

    @property
    def version(self) -> str:
        """Its version; empty where the label is missing."""
        return self.labels.get(VERSION, "")


class Mesh(CamelCase):
    """Services that call each other by name, in versions."""

    name: ServiceName
    gateway_class: ObjectName | None = Field(
        None,
        description="GatewayClass of the data plane that takes requests from outside and routes them. Unset: they "
        "are spread over all versions, on the address of every node.",
    )
    services: Annotated[tuple[MeshService, ...], Field(min_length=1)] = Field(
        description="Versions of services; those of one name are one service to others."
    )
    service_routes: tuple[Route, ...] = Field((), description="The first that fits a request to its host counts.")

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of its services, each once, in the order of the document."""
        return tuple(dict.fromkeys(service.name for service in self.services))


class MeshFile(CamelCase):
    """A document that describes one service mesh."""

    service_mesh: Mesh


@dataclass(frozen=True)
class MeshVersion:
    """A version of a service, on its template.

    Attributes:
        host: the name by which others ask for it.
        version: its version.
        external_access: whether its host is reachable from outside.
        service: the service that runs it, named HOST-VERSION.
    """

    host: str
    version: str
    external_access: bool
    service: Service


@dataclass(frozen=True)
class LoadedMesh:
    """A mesh whose services stand on their templates.

    Attributes:
        document: what was written.
        versions: one for each of the document's services, in its order.
    """

    document: Mesh
    versions: tuple[MeshVersion, ...]

    @property
    def name(self) -> str:
        """The mesh's name."""
        return self.document.name

    def of(self, host: str) -> tuple[MeshVersion, ...]:
        """Return the versions of a host."""
        return tuple(version for version in self.versions if version.host == host)
