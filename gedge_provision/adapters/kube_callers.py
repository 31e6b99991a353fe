"""The Kubernetes API for callers who bring their own tokens: many of them on one cluster, and no power of ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gedge_provision.adapters.kube import Call, Kube, KubeError, UnreachableError, check_there, client_settings
from gedge_provision.models.errors import UsageError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from kubernetes.client.rest import RESTResponse

__all__ = ["CallerKubes", "Endpoint", "connect_callers", "endpoint_of"]

_DOUBT_S = 30.0
_DOUBTFUL = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


@dataclass(frozen=True)
class Endpoint:
    """Where a cluster answers: its API server, and the certificates of its CA (None means those of this machine)."""

    server: str
    ca_file: Path | None


class _Doubt:
    """Whether the API server was away a moment ago.

    While it starts it may refuse what it allows a second later, since it has not read users and roles yet.
    """

    def __init__(self) -> None:
        self._until = time.monotonic() + _DOUBT_S

    def lost(self) -> None:
        """A call had no answer."""
        self._until = time.monotonic() + _DOUBT_S

    @property
    def is_there(self) -> bool:
        """Whether a refusal may be one of a server that is starting."""
        return time.monotonic() < self._until


class _CallerKube(Kube):
    """A cluster as a caller sees it."""

    def __init__(self, client: ApiClient, endpoint: Endpoint, token: str, doubt: _Doubt) -> None:
        super().__init__(client, endpoint.server, endpoint.ca_file, token)
        self._doubt = doubt

    def _once(self, call: Call, read_s: float) -> RESTResponse:
        try:
            return self._called(call, read_s)
        except UnreachableError:
            self._doubt.lost()
            raise
        except KubeError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._doubt.lost()
            if error.status not in _DOUBTFUL or not self._doubt.is_there:
                raise
        # As nobody: of an unknown token it says 401 there too.
        if not Kube(self._client, self.server, self.ca_file).is_ready():
            raise UnreachableError("the API server is starting", place=self.server, remedy="ask again in a moment")
        return self._called(call, read_s)


class CallerKubes:
    """Connections to one cluster for many callers: they share sockets, and each call bears its caller's own token."""

    def __init__(self, client: ApiClient, endpoint: Endpoint) -> None:
        self._client = client
        self._doubt = _Doubt()
        self.endpoint = endpoint

    def of(self, token: str) -> Kube:
        """Return the cluster as the bearer of a token sees it; with an empty one as nobody."""
        return _CallerKube(self._client, self.endpoint, token, self._doubt)


def endpoint_of(kubeconfig: Path, context: str | None = None) -> Endpoint:
    """Return where the cluster of a kubeconfig answers; its users are not read.

    Args:
        kubeconfig: the file.
        context: one of its contexts; the current one if left out.

    Raises:
        UsageError: the kubeconfig is missing or broken, or it has no such context.
    """
    import yaml  # noqa: PLC0415 - see kube.connect
    from kubernetes import config  # noqa: PLC0415 - see kube.connect

    check_there(kubeconfig)
    settings = client_settings()
    try:
        document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        known = [str(one["name"]) for one in document["contexts"]]
        document["users"] = []
        for entry in document["clusters"]:
            _make_absolute(entry["cluster"], kubeconfig.parent)
        if context is None or context in known:
            config.load_kube_config_from_dict(document, context, settings, persist_config=False)  # type: ignore[no-untyped-call]
    except Exception as error:  # the loader lets every kind of exception through
        raise UsageError(
            f"this is no usable kubeconfig ({type(error).__name__})",
            place=str(kubeconfig),
            remedy="fetch it again: gedge kubeconfig --fetch",
        ) from error
    if context is not None and context not in known:
        raise UsageError(
            f"there is no context {context}", place=str(kubeconfig), remedy=f"choose one of {', '.join(known)}"
        )
    return Endpoint(str(settings.host), Path(settings.ssl_ca_cert) if settings.ssl_ca_cert else None)


@contextmanager
def connect_callers(endpoint: Endpoint, connections: int) -> Iterator[CallerKubes]:
    """Open a cluster for callers.

    Args:
        endpoint: where it answers.
        connections: how many are kept open between calls; more are opened while there are more calls.
    """
    from kubernetes import client  # noqa: PLC0415 - see kube.connect

    settings = client_settings()
    settings.host = endpoint.server
    settings.ssl_ca_cert = str(endpoint.ca_file) if endpoint.ca_file else None
    settings.connection_pool_maxsize = connections
    with client.ApiClient(settings) as opened:
        yield CallerKubes(opened, endpoint)


def _make_absolute(cluster: dict[str, Any], folder: Path) -> None:
    file = cluster.get("certificate-authority")
    if file:
        cluster["certificate-authority"] = str(folder / file)
