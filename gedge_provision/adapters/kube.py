"""The one door to the Kubernetes API: thin, typed calls with timeouts. Its errors: kube_errors."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from gedge_provision.adapters.kube_errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    GoneError,
    KubeError,
    NotFoundError,
    UnreachableError,
    refusal,
)
from gedge_provision.adapters.kube_exec import Executed, execute
from gedge_provision.adapters.kube_logs import LogPieces
from gedge_provision.models.cluster import (
    APPLIED_KINDS,
    EVENT,
    NODE,
    POD,
    SELF_SUBJECT_REVIEW,
    SERVICE,
    Kind,
    Manifest,
    WatchEvent,
)
from gedge_provision.models.errors import UsageError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.client.rest import RESTResponse

__all__ = [
    "FIELD_MANAGER",
    "BusyError",
    "Call",
    "ConflictError",
    "Executed",
    "ForbiddenError",
    "GoneError",
    "Kube",
    "KubeError",
    "LogPieces",
    "NotFoundError",
    "UnreachableError",
    "check_there",
    "client_settings",
    "connect",
]

FIELD_MANAGER = "gedge"
"""Under which name our fields are kept by server-side apply."""

_CONNECT_S, _READ_S = 5.0, 30.0
_PAGE = 200
_WHOLE = "application/json, */*"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_LARGEST_OK = 299
_BUSY_S, _BUSY_TRIES = 1.0, 10


@dataclass(frozen=True)
class Call:
    """What is asked of the API server."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Manifest | str | None = None
    content_type: str = "application/json"
    accept: str = _WHOLE


class Kube:
    """Calls to one cluster; made by `connect`."""

    def __init__(self, client: ApiClient, server: str, ca_file: Path | None = None, token: str = "") -> None:
        """Take a client; with a `token` that counts, and nothing that the client has of its own."""
        self._client = client
        self.server = server
        self.ca_file = ca_file
        self._token = token

    def user(self) -> tuple[str, tuple[str, ...]]:
        """Return as whom the API server knows us: the name, and the groups."""
        review = {"apiVersion": SELF_SUBJECT_REVIEW.api_version, "kind": SELF_SUBJECT_REVIEW.name, "metadata": {}}
        info = self.create(SELF_SUBJECT_REVIEW, review)["status"]["userInfo"]
        return str(info.get("username", "")), tuple(info.get("groups") or ())

    def is_ready(self) -> bool:
        """Tell whether the API server says that it is ready; nobody must be known for that."""
        try:
            answer: bytes = self._called(Call("GET", "/readyz"), _CONNECT_S).read()  # type: ignore[no-untyped-call]
        except KubeError:
            return False
        return answer == b"ok"

    def ask_server(self, namespace: str, service: str, path: str) -> str:
        """Return what a server in the cluster answers at a path, through the API server; its port is named https.

        Raises:
            KubeError: it does not answer, or refuses.
        """
        call = Call("GET", f"{_path(SERVICE, namespace, f'https:{service}:https')}/proxy{path}")
        with self._told():
            text: str = self._called(call, _READ_S).read().decode(errors="replace")  # type: ignore[no-untyped-call]
        return text

    def version(self) -> str:
        """Return the version of the API server, with the v."""
        return str(self._json(Call("GET", "/version"))["gitVersion"])

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest:
        """Return an object.

        Raises:
            NotFoundError: there is none.
        """
        return self._json(Call("GET", _path(kind, namespace, name)))

    def find(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: str = "",
        metadata_only: bool = False,
    ) -> list[Manifest]:
        """Return all objects of a kind.

        Args:
            kind: the kind.
            namespace: None means all namespaces.
            labels: labels that they must have.
            fields: a field selector.
            metadata_only: leave everything else at the server.
        """
        return list(self.each(kind, namespace, labels=labels, fields=fields, metadata_only=metadata_only))

    def each(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        fields: str = "",
        metadata_only: bool = False,
    ) -> Iterator[Manifest]:
        """Yield all objects of a kind, of which one page at a time is in memory; see `find`."""
        query = {"limit": str(_PAGE)} | _selector(labels)
        if fields:
            query["fieldSelector"] = fields
        for items, _ in self._pages(kind, namespace, query, _METADATA if metadata_only else _WHOLE):
            yield from items

    def listed(
        self, kind: Kind, namespace: str | None = None, *, labels: Mapping[str, str] | None = None
    ) -> tuple[list[Manifest], str]:
        """Return all objects of a kind, and the version of that list, from which `watch` goes on; see `find`."""
        pages = list(self._pages(kind, namespace, {"limit": str(_PAGE)} | _selector(labels)))
        return [item for items, _ in pages for item in items], pages[-1][1]

    def watch(
        self,
        kind: Kind,
        version: str,
        limit_s: float,
        namespace: str | None = None,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> Iterator[WatchEvent]:
        """Yield what happens to the objects of a kind after a version of their list; bookmarks only bring a version.

        It ends when the server ends it, `limit_s` seconds are over or the connection breaks: go on from the version
        of the last event.

        Args:
            kind: the kind.
            version: of the list.
            limit_s: after so many seconds it ends.
            namespace: None means all namespaces.
            labels: labels that they must have.

        Raises:
            GoneError: the version is too old: list again.
        """
        from kubernetes.watch.watch import iter_resp_lines  # noqa: PLC0415 - see connect
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see connect

        seconds = max(1, math.ceil(limit_s))
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        path = _path(kind, namespace)
        asked = query | {"resourceVersion": version} | _selector(labels)
        response = self._answer(Call("GET", path, asked), read_s=seconds + _READ_S)
        try:
            for line in iter_resp_lines(response.response):  # type: ignore[no-untyped-call]
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise refusal(event["object"].get("code", 0), json.dumps(event["object"]), path, "watch")
                yield WatchEvent(event["type"], event["object"])
        except (HTTPError, OSError, ValueError):  # broken in mid-air, perhaps in mid-line
            return
        finally:
            response.response.close()
            response.response.release_conn()

    def _pages(
        self, kind: Kind, namespace: str | None, query: dict[str, str], accept: str = _WHOLE
    ) -> Iterator[tuple[list[Manifest], str]]:
        """Yield the objects of each page, and the version of the list."""
        following = ""
        while True:
            asked = query | ({"continue": following} if following else {})
            page = self._json(Call("GET", _path(kind, namespace), asked, accept=accept))
            # The items of a list come without kind and apiVersion, or with those of metadata; null means none.
            items = [{**item, "apiVersion": kind.api_version, "kind": kind.name} for item in page["items"] or ()]
            following = page["metadata"].get("continue", "")
            yield items, str(page["metadata"].get("resourceVersion", ""))
            if not following:
                return

    def apply(
        self,
        manifest: Manifest,
        *,
        subresource: str = "",
        dry_run: bool = False,
        take_over: bool = False,
        manager: str = FIELD_MANAGER,
    ) -> Manifest:
        """Create or change an object by server-side apply and return it as it then is.

        Args:
            manifest: the fields that we own.
            subresource: for example status.
            dry_run: let the API server check and compute it without storing it.
            take_over: make fields ours that another field manager owns with another value.
            manager: under which name the fields are kept; what it applied before and leaves out now goes away.

        Raises:
            ConflictError: (without take_over) another field manager owns one of the fields with another value.
        """
        kind = APPLIED_KINDS[manifest["kind"]]
        metadata = manifest["metadata"]
        path = _path(kind, metadata.get("namespace"), metadata["name"])
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": str(take_over).lower()}
        if dry_run:
            query["dryRun"] = "All"
        path = f"{path}/{subresource}" if subresource else path
        return self._json(Call("PATCH", path, query, json.dumps(manifest), "application/apply-patch+yaml"))

    def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create an object that must not be there yet, and return it.

        Raises:
            ConflictError: there is one of that name.
        """
        return self._json(Call("POST", _path(kind, manifest["metadata"].get("namespace")), body=manifest))

    def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str | None]) -> None:
        """Set annotations of an object; None takes one away.

        Raises:
            NotFoundError: there is no such object.
        """
        body = {"metadata": {"annotations": dict(annotations)}}
        self._json(Call("PATCH", _path(kind, namespace, name), body=body, content_type="application/merge-patch+json"))

    def execute(self, namespace: str, pod: str, container: str, command: Sequence[str], limit_s: float) -> Executed:
        """Run a program in a container and return what it printed; from any number of threads.

        Args:
            namespace: the pod's namespace.
            pod: the pod.
            container: the container.
            command: the program and its arguments.
            limit_s: seconds after which the connection is given up; the program is not ended by that.

        Raises:
            UnreachableError: the connection broke, or the limit is over.
            KubeError: the program could not be started.
        """
        place = f"{self.server}{_path(POD, namespace, pod)}/exec"
        return execute(self._client, place, container, command, limit_s)

    def delete(self, kind: Kind, namespace: str, name: str) -> bool:
        """Delete an object after what it owns; return whether there was one."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
        try:
            self._json(Call("DELETE", _path(kind, namespace, name), body=options))
        except NotFoundError:
            return False
        return True

    def pod_warnings(self, namespace: str) -> list[Manifest]:
        """Return the warnings about pods of a namespace, oldest first."""
        return self.warnings(namespace, POD)

    def warnings(self, namespace: str, kind: Kind) -> list[Manifest]:
        """Return the warnings about objects of a kind in a namespace, oldest first."""
        found = self.find(EVENT, namespace, fields=f"involvedObject.kind={kind.name},type=Warning")
        return sorted(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))

    def pod_log(self, namespace: str, pod: str, container: str, *, lines: int, previous: bool = False) -> str:
        """Return the end of a container's log.

        Args:
            namespace: the pod's namespace.
            pod: the pod.
            container: the container.
            lines: how many lines at most.
            previous: of the run before the present one.
        """
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        return self._text(Call("GET", f"{_path(POD, namespace, pod)}/log", query))

    def follow_log(self, namespace: str, pod: str, query: Mapping[str, str], limit_s: float) -> LogPieces:
        """Ask for a container's log at once, and return it as it comes, in pieces of any size.

        Args:
            namespace: the pod's namespace.
            pod: the pod.
            query: of the API's path /log: container, follow, tailLines, previous.
            limit_s: seconds without a word after which it ends.
        """
        return LogPieces(self._answer(Call("GET", f"{_path(POD, namespace, pod)}/log", query), read_s=limit_s))

    def kubelet_configuration(self, node: str) -> Manifest:
        """Return the KubeletConfiguration that a node's kubelet runs with (its /configz, through the API server)."""
        configuration: Manifest = self._json(Call("GET", f"{_path(NODE, None, node)}/proxy/configz"))["kubeletconfig"]
        return configuration

    def _json(self, call: Call) -> Manifest:
        document: Manifest = json.loads(self._text(call))
        return document

    def _text(self, call: Call) -> str:
        response = self._answer(call)
        with self._told():
            text: str = response.read().decode(errors="replace")  # type: ignore[no-untyped-call]
        return text

    def _answer(self, call: Call, read_s: float = _READ_S) -> RESTResponse:
        """Make a call and return its answer once it begins to come, after some tries where the API server is busy.

        Source: client-go's rest.Request, which asks ten times, after the second that the server's Retry-After says.
        """
        again = Retrying(
            retry=retry_if_exception_type(BusyError),
            wait=wait_fixed(_BUSY_S),
            stop=stop_after_attempt(_BUSY_TRIES),
            reraise=True,
        )
        return again(self._once, call, read_s)

    def _once(self, call: Call, read_s: float) -> RESTResponse:
        """Make one call, and what a kind of connection does about its answer."""
        return self._called(call, read_s)

    def _called(self, call: Call, read_s: float) -> RESTResponse:
        """Make one call: the only place that meets the untyped client."""
        headers = {"Accept": call.accept, "Content-Type": call.content_type, "User-Agent": FIELD_MANAGER}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        with self._told():
            ready = self._client.param_serialize(
                call.method, call.path, query_params=list(call.query.items()), header_params=headers,
                auth_settings=[] if self._token else ["BearerToken"],
            )  # fmt: skip
            limits = (_CONNECT_S, read_s)
            response = self._client.call_api(ready[0], ready[1], ready[2], call.body, _request_timeout=limits)
            if response.status > _LARGEST_OK:
                text = response.read().decode(errors="replace")  # type: ignore[no-untyped-call]
                raise refusal(response.status, text, f"{self.server}{call.path}", call.method)
        return response

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the exceptions of the client into ours."""
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415 - see connect
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see connect

        try:
            yield
        except (ApiException, HTTPError, OSError) as error:
            foreign = "CERTIFICATE_VERIFY_FAILED" in str(error)
            raise UnreachableError(
                f"no answer from the API server: {_cause(error)}",
                place=self.server,
                remedy="this kubeconfig is of another cluster, or the cluster was made anew: fetch it again"
                if foreign
                else "check that the cluster runs and that this machine reaches the address",
            ) from error


@contextmanager
def connect(kubeconfig: Path) -> Iterator[Kube]:
    """Open the cluster that a kubeconfig's current context names.

    Raises:
        UsageError: the kubeconfig is missing or broken.
    """
    # The client takes 0.6 s to import: only commands that talk to a cluster pay for it.
    from kubernetes import client, config  # noqa: PLC0415

    check_there(kubeconfig)
    settings = client_settings()
    try:
        config.load_kube_config(str(kubeconfig), client_configuration=settings, persist_config=False)  # type: ignore[no-untyped-call]
    except Exception as error:  # the loader lets every kind of exception through
        raise UsageError(
            f"this is no usable kubeconfig ({type(error).__name__})",
            place=str(kubeconfig),
            remedy="fetch it again: gedge kubeconfig --fetch",
        ) from error
    with client.ApiClient(settings) as opened:
        yield Kube(opened, str(settings.host), Path(settings.ssl_ca_cert) if settings.ssl_ca_cert else None)


def client_settings() -> Configuration:
    """Return what every client has: one try for each call, and no warnings of its own."""
    from kubernetes import client  # noqa: PLC0415 - see connect

    # Its warnings about every retry are ours to tell, as one error.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    settings = client.Configuration()
    settings.retries = False
    return settings


def check_there(kubeconfig: Path) -> None:
    """Make sure that a kubeconfig is a file.

    Raises:
        UsageError: it is not.
    """
    if not kubeconfig.is_file():
        raise UsageError(
            "no such kubeconfig",
            place=str(kubeconfig),
            remedy="install the cluster first (gedge apply), or name one by --kubeconfig",
        )


def _selector(labels: Mapping[str, str] | None) -> dict[str, str]:
    return {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())} if labels else {}


def _path(kind: Kind, namespace: str | None, name: str = "") -> str:
    root = f"/apis/{kind.api_version}" if "/" in kind.api_version else f"/api/{kind.api_version}"
    scope = f"/namespaces/{quote(namespace, safe='')}" if kind.namespaced and namespace else ""
    return f"{root}{scope}/{kind.plural}" + (f"/{quote(name, safe='')}" if name else "")


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    said = getattr(reason, "args", ())[-1:]
    # urllib3's errors have a connection before their words, and show both as Python does.
    text = (said[0] if said and isinstance(said[0], str) else str(reason)).strip()
    return text.splitlines()[-1] if text else type(error).__name__
