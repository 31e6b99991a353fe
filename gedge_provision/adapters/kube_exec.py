"""Programs in containers, through the API server: a WebSocket of its own for each, with a time limit."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gedge_provision.adapters.kube_errors import KubeError, UnreachableError, refusal

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["Executed", "execute"]

_CONNECT_S = 15.0
_SLICE_S = 1.0


@dataclass(frozen=True)
class Executed:
    """How a program ended, and what it printed."""

    code: int
    output: str
    errors: str


def execute(client: ApiClient, place: str, container: str, command: Sequence[str], limit_s: float) -> Executed:
    """Run a program in a container.

    The client's own helper replaces a method of the shared client for the time of a call, and takes ^C for an answer of
    the server; hence its WebSocket alone.

    Args:
        client: where and as whom.
        place: URL of the pod's exec.
        container: the container.
        command: the program and its arguments.
        limit_s: seconds after which the connection is given up.

    Raises:
        UnreachableError: the connection broke, or the limit is over.
        KubeError: the program could not be started.
    """
    from websocket import WebSocketException  # noqa: PLC0415 - only commands that talk to a cluster pay for it

    end = time.monotonic() + limit_s
    try:
        stream = _open(client, place, container, command)
        try:
            return _followed(stream, place, command[0], end)
        finally:
            stream.close()
    except (WebSocketException, OSError, ValueError) as error:
        raise _refused(error, place) from error


def _open(client: ApiClient, place: str, container: str, command: Sequence[str]) -> Any:  # noqa: ANN401 - the client has no types
    import websocket  # noqa: PLC0415 - see execute
    from kubernetes.stream.ws_client import WSClient, get_websocket_url  # noqa: PLC0415 - see execute

    websocket.setdefaulttimeout(_CONNECT_S)  # the client passes none: it would wait for ever
    query = [("container", container), ("stdout", "true"), ("stderr", "true"), ("command", list(command))]
    headers: dict[str, str] = {}
    client.update_params_for_auth(headers, [], ["BearerToken"], place, "GET", None)
    url = get_websocket_url(place, query)  # type: ignore[no-untyped-call]
    return WSClient(client.configuration, url, headers, capture_all=False)  # type: ignore[no-untyped-call]


def _followed(stream: Any, place: str, program: str, end: float) -> Executed:  # noqa: ANN401 - as above
    output: list[str] = []
    errors: list[str] = []
    status: list[str] = []
    while stream.is_open():
        left = end - time.monotonic()
        if left <= 0:
            raise UnreachableError(
                f"{program} in the pod has not ended in time", place=place, remedy="the node may be too busy: try again"
            )
        stream.update(timeout=min(left, _SLICE_S))
        output.append(stream.read_channel(1))
        errors.append(stream.read_channel(2))
        status.append(stream.read_channel(3))
    return Executed(_code("".join(status), place), "".join(output), "".join(errors))


def _code(status: str, place: str) -> int:
    """Return the exit code in the status that ends the stream (metav1.Status)."""
    if not status:
        raise UnreachableError("the connection to the pod broke", place=place, remedy="try again")
    found: dict[str, Any] = json.loads(status)
    if found.get("status") == "Success":
        return 0
    causes = (found.get("details") or {}).get("causes") or []
    code = next((cause["message"] for cause in causes if cause.get("reason") == "ExitCode"), None)
    if code is None:
        raise KubeError(str(found.get("message") or "the program could not be started"), place=place)
    return int(code)


def _refused(error: Exception, place: str) -> KubeError:
    code, body = getattr(error, "status_code", 0), getattr(error, "resp_body", None)
    if code:  # the API server refused to open the stream
        text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
        return refusal(code, text, place, "exec")
    message = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UnreachableError(f"no connection to the pod: {message}", place=place, remedy="try again")
