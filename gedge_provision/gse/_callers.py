"""Who asks: the bearer token of a request, and the cluster as its bearer sees it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request, Response
from fastapi.security.utils import get_authorization_scheme_param

from gedge_provision.adapters.kube import Kube
from gedge_provision.adapters.kube_callers import CallerKubes
from gedge_provision.gse._problems import ProblemError
from gedge_provision.gse._settings import Settings
from gedge_provision.gse._work import Work
from gedge_provision.models.progress import Reporter
from gedge_provision.models.site import Site

__all__ = ["Asked", "Caller", "KubeOf", "token_of"]

T = TypeVar("T")

# RFC 6750, section 2.1: b64token.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_LONGEST = 16 * 1024


@dataclass(frozen=True)
class _Caller:
    """A caller; its token is never shown."""

    token: str
    kube: Kube

    def __repr__(self) -> str:
        return "Caller(...)"


def token_of(request: Request) -> str:
    """Return the bearer token of a request.

    Raises:
        ProblemError: there is none.
    """
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    if scheme.lower() != "bearer" or not token:
        raise ProblemError("unauthenticated", "the request has no bearer token")
    if len(token) > _LONGEST or not _TOKEN.fullmatch(token):
        raise ProblemError("unauthenticated", "this is no bearer token")
    return token


def _caller(request: Request) -> _Caller:
    token = token_of(request)
    kubes: CallerKubes = request.app.state.kubes
    return _Caller(token, kubes.of(token))


def _kube(request: Request) -> Kube:
    return _caller(request).kube


KubeOf = Annotated[Kube, Depends(_kube)]


@dataclass(frozen=True)
class _Asked:
    """A request that may change something: whose cluster it is, and the answer that is being made."""

    kube: Kube
    request: Request
    response: Response

    @property
    def site(self) -> Site | None:
        """What adds to documents."""
        settings: Settings = self.request.app.state.settings
        return settings.site

    def begin(self, run: Callable[[Reporter], T], linger_s: float, *, at_once: bool = False) -> T | None:
        """Begin work that may go on after the answer; see `Work.begin`."""
        work: Work = self.request.app.state.work
        caller = hashlib.sha256(token_of(self.request).encode()).hexdigest()
        return work.begin(run, caller, linger_s, at_once=at_once)


def _asked(kube: KubeOf, request: Request, response: Response) -> _Asked:
    return _Asked(kube, request, response)


Caller = Annotated[_Caller, Depends(_caller)]
Asked = Annotated[_Asked, Depends(_asked)]
