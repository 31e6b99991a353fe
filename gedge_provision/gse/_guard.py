"""What stands before every request: bounds on its size, its time and its rate; one log line and figures of each."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gedge_provision.gse._metrics import Metrics
from gedge_provision.gse._problems import MEDIA_TYPE, ProblemError, problem_of
from gedge_provision.gse._settings import Settings

__all__ = ["Guard", "pattern_of"]

log = logging.getLogger("gedge.gse")

_LONGEST_PATH = 2048
_LARGEST_HEADER = 32 * 1024
_LARGE_BODY, _LARGE_BODIES = 16 * 1024, 8
_VERSIONS = {"1.0", "1.1"}
_CLOSE = {"Connection": "close"}
_BURST_S = 2
_FORGET_S, _FORGET_BYTES = 2.0, 8 * 1024 * 1024
_OPEN = {"/healthz", "/readyz", "/metrics"}
_SECURITY = {
    b"content-security-policy": b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"strict-transport-security": b"max-age=31536000",
    b"cache-control": b"no-store",
}


class Guard:
    """An ASGI application before the real one."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._in_flight = 0
        self._large = asyncio.Semaphore(_LARGE_BODIES)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._rate = RateLimitItemPerSecond(max(1, settings.rate * _BURST_S), _BURST_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send, self._metrics)
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        answer.when_begun = self._leave
        try:
            self._refuse(scope)
            body = await self._body(scope, receive)
            async with self._room(body):
                await self._app(scope, _Replay(body, receive), answer.send)
        except ProblemError as error:
            await answer.problem(error)
        except asyncio.CancelledError:
            raise
        except Exception:
            number = uuid.uuid4().hex[:12]
            log.exception("failure %s: %s %s", number, scope["method"], pattern_of(scope))
            await answer.problem(ProblemError("internal-error", f"the server failed; its log tells why: {number}"))
        finally:
            answer.ended()

    def _leave(self) -> None:
        self._in_flight -= 1
        self._metrics.in_flight.set(self._in_flight)

    def _refuse(self, scope: Scope) -> None:
        """Refuse what is not looked at any further."""
        if len(scope["raw_path"] or b"") + len(scope["query_string"]) > _LONGEST_PATH:
            raise ProblemError("too-large", f"path and query are longer than {_LONGEST_PATH} bytes")
        if scope["path"] in _OPEN:
            return
        _check_header(scope)
        if scope["http_version"] not in _VERSIONS:
            raise ProblemError("malformed-request", "this is not HTTP/1.1", headers=_CLOSE)
        if dict(scope["headers"]).get(b"content-encoding", b"identity").lower() != b"identity":
            raise ProblemError("unsupported-media-type", "the body is compressed", remedy="send it as it is")
        if self._in_flight > self._settings.in_flight:
            raise ProblemError("too-busy", f"more than {self._settings.in_flight} requests are under way")
        if self._settings.rate and not self._limiter.hit(self._rate, _caller(scope)):
            raise ProblemError("too-many-requests", f"a caller may make {self._settings.rate} requests a second")

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Take in the whole body, which is bounded in size and time."""
        lengths = [value for key, value in scope["headers"] if key == b"content-length"]
        chunked = any(key == b"transfer-encoding" for key, _ in scope["headers"])
        if lengths and chunked:  # RFC 9112, section 6.1: two servers on the way may read it differently
            detail = "the body has both Content-Length and Transfer-Encoding"
            raise ProblemError("malformed-request", detail, headers=_CLOSE)
        if lengths and lengths[0].isdigit() and int(lengths[0]) > self._settings.body_bytes:
            await self._forget(scope, receive)
            raise self._too_large()
        if not lengths and not chunked:
            return b""
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ProblemError("malformed-request", "the body ended too early")
                    pieces.append(message.get("body", b""))
                    size += len(pieces[-1])
                    if size > self._settings.body_bytes:
                        await self._forget(scope, receive)
                        raise self._too_large()
                    if not message.get("more_body"):
                        return b"".join(pieces)
        except TimeoutError:
            detail = f"the body did not come within {self._settings.body_s:g} s"
            raise ProblemError("timeout", detail, headers=_CLOSE) from None

    @asynccontextmanager
    async def _room(self, body: bytes) -> AsyncIterator[None]:
        """Let few large bodies be worked on at a time: what is made of one takes some hundred times its memory."""
        if len(body) <= _LARGE_BODY:
            yield
            return
        try:
            async with asyncio.timeout(self._settings.body_s):
                await self._large.acquire()
        except TimeoutError:
            raise ProblemError("too-busy", f"{_LARGE_BODIES} large bodies are worked on") from None
        try:
            yield
        finally:
            self._large.release()

    async def _forget(self, scope: Scope, receive: Receive) -> None:
        """Take in some more of a body that is too large: a client that is still sending would lose the answer."""
        if any(key == b"expect" for key, _ in scope["headers"]):
            return
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_FORGET_S):
                while size < _FORGET_BYTES:
                    message = await receive()
                    size += len(message.get("body", b""))
                    if not message.get("more_body"):
                        return

    def _too_large(self) -> ProblemError:
        detail = f"the body is larger than {self._settings.body_bytes} bytes"
        return ProblemError("too-large", detail, headers=_CLOSE)


class _Answer:
    """Sends an answer on, with headers for its security, and notes what became of it."""

    def __init__(self, scope: Scope, send: Send, metrics: Metrics) -> None:
        self._scope = scope
        self._send = send
        self._metrics = metrics
        self._began = time.monotonic()
        self._status = 0
        self._noted = False
        self.when_begun = _nothing

    async def send(self, message: Message) -> None:
        """Send a message on."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message = {**message, "headers": _secured(message.get("headers", ()))}
            self._note()
        await self._send(message)

    async def problem(self, error: ProblemError) -> None:
        """Answer by a problem; an answer that has begun is cut off, since it does not end."""
        if self._status:
            return
        problem, headers = problem_of(error, self._scope["path"])
        body = json.dumps(problem.model_dump()).encode(errors="replace")
        told = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
        told += [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        with suppress(OSError):
            await self.send({"type": "http.response.start", "status": problem.status, "headers": told})
            await self._send({"type": "http.response.body", "body": b"" if self._scope["method"] == "HEAD" else body})

    def ended(self) -> None:
        """The request is over, perhaps without an answer."""
        self._note()

    def _note(self) -> None:
        if self._noted:
            return
        self._noted = True
        self.when_begun()
        method, seconds = str(self._scope["method"]), time.monotonic() - self._began
        method = method if method in _METHODS else "other"
        self._metrics.requests.labels(method, pattern_of(self._scope), str(self._status)).inc()
        self._metrics.seconds.labels(method, pattern_of(self._scope)).observe(seconds)
        level = logging.DEBUG if self._scope["path"] in _OPEN else logging.INFO
        log.log(level, "%s %s %s %.1f ms", method, _printable(self._scope["path"]), self._status, seconds * 1000)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class _Replay:
    """Gives an application the body that was taken in, and then what the connection says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """Return the next message."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        while (message := await self._receive())["type"] == "http.request":
            pass
        return message


def _check_header(scope: Scope) -> None:
    try:
        bytes(scope["raw_path"] or b"").decode("ascii")
        bytes(scope["query_string"]).decode("ascii")
    except UnicodeDecodeError:
        raise ProblemError("malformed-request", "path and query must be ASCII, the rest percent-encoded") from None
    if b"%2f" in bytes(scope["raw_path"] or b"").lower():
        raise ProblemError("not-found", "there is no such path: a slash in it is encoded")
    if sum(key == b"authorization" for key, _ in scope["headers"]) > 1:
        raise ProblemError("malformed-request", "the header Authorization stands twice", remedy="keep one")
    if sum(len(key) + len(value) for key, value in scope["headers"]) > _LARGEST_HEADER:
        raise ProblemError("too-large", f"the header is larger than {_LARGEST_HEADER} bytes")


def pattern_of(scope: Mapping[str, Any]) -> str:
    """Return the pattern of a request's path: names are left out."""
    return str(getattr(scope.get("route"), "path", "") or "unknown")


def _secured(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    told = list(headers)
    known = {key.lower() for key, _ in told}
    return told + [(key, value) for key, value in _SECURITY.items() if key not in known]


def _caller(scope: Scope) -> str:
    """Return what is equal for requests of one caller: by the token's digest, or else by the address."""
    for key, value in scope["headers"]:
        if key == b"authorization":
            return hashlib.sha256(value).hexdigest()
    client = scope.get("client")
    return str(client[0]) if client else ""


def _printable(path: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in path)[:200]


def _nothing() -> None:
    """Do nothing."""
