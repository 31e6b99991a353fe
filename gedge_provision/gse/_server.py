"""The server process: TLS, bounds on connections, and an end that loses no request."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import threading
import time
from asyncio import sslproto
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gedge_provision.adapters.kube_callers import connect_callers
from gedge_provision.gse._app import create_app, drain
from gedge_provision.gse._guard import pattern_of
from gedge_provision.gse._problems import MEDIA_TYPE, ProblemError, problem_of
from gedge_provision.gse._settings import Settings
from gedge_provision.models.errors import UsageError

__all__ = ["LOG_LEVELS", "Certificate", "listen", "serve"]

log = logging.getLogger("gedge.gse")

LOG_LEVELS = ("critical", "error", "warning", "info", "debug")

_HEADER_S = 10.0
_HEADER_BYTES = 32 * 1024
_IDLE_S = 75
_READ_BYTES = _KEPT_BYTES = 16 * 1024
_END_S = 30
_LET_GO_S = 2.0
_STUCK_S = 20.0
_CONNECTIONS = 4000
_NO_HTTP = problem_of(
    ProblemError("malformed-request", f"this is no HTTP/1.1 request, or its header is above {_HEADER_BYTES} bytes"), ""
)[0].model_dump_json().encode()  # fmt: skip


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate and its key, PEM."""

    certificate: Path
    key: Path


class _Protocol(H11Protocol):
    """HTTP/1.1, whose request headers must come in time, and whose streams must be read."""

    _late: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None
    _lost = False

    def __init__(self, dropped: Callable[[], None], **settings: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(**settings)
        self._dropped = dropped

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Else half a MiB of answers is kept for a client that does not read them.
        transport.set_write_buffer_limits(_KEPT_BYTES)
        self._await_header()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._header_is_there()
        self._goes_on()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self._stuck or self.loop.call_later(_STUCK_S, self._cut_off)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._goes_on()

    def _goes_on(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _cut_off(self) -> None:
        self._dropped()
        log.info("%s: its client read too slowly, and was cut off", pattern_of(self.scope or {}))
        self.transport.abort()

    def shutdown(self) -> None:
        super().shutdown()
        self._let_go()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_header()  # the next request may have begun to come meanwhile
        self._let_go()

    def _let_go(self) -> None:
        """End a connection that is closing: clients that hold one for later do not answer the close of TLS."""
        if self.transport.is_closing():
            self.loop.call_later(_LET_GO_S, self._abort)

    def _abort(self) -> None:
        if not self._lost and not self.transport.get_write_buffer_size():
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the problem tells it
        """Answer what is no HTTP by a problem, if an answer can still be made, and close the connection."""
        begun = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not begun and self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = [("content-type", MEDIA_TYPE), ("content-length", str(len(_NO_HTTP))), ("connection", "close")]
            for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=_NO_HTTP), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self._close()

    def _await_header(self) -> None:
        """Give a header that has begun to come its time; between requests the connection may be idle for longer."""
        begun = bool(self.conn.trailing_data[0]) or self.cycle is None
        if not begun or (self.cycle is not None and not self.cycle.response_complete):
            self._header_is_there()
        elif self._late is None:
            self._late = self.loop.call_later(_HEADER_S, self._close)

    def _header_is_there(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
            self._let_go()


class _Server(uvicorn.Server):
    """Tells the application when it begins to end."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # In a thread: the signal may have come while this one holds a lock that it needs.
        threading.Thread(target=self._ending, name="ending", daemon=True).start()
        super().handle_exit(sig, frame)


def listen(address: str, port: int) -> socket.socket:
    """Return a socket for an address; it says that it is TCP, by which asyncio knows to send small answers at once.

    Args:
        address: where a server is to listen.
        port: where it is to listen; 0 takes a free one.

    Raises:
        UsageError: the address is taken, or none of this machine.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UsageError(
            f"{address}:{port} cannot be listened on: {error.strerror}", remedy="choose another one: --address, --port"
        ) from error
    return listener


def serve(settings: Settings, certificate: Certificate, listener: socket.socket, log_level: str = "info") -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are answered then, for half a minute at most.

    Args:
        settings: how the server is set up.
        certificate: what it shows.
        listener: where it listens, by `listen`.
        log_level: one of `LOG_LEVELS`.

    Raises:
        UsageError: the certificate is not usable.
    """
    _check(certificate)
    with connect_callers(settings.endpoint, settings.threads) as kubes:
        app = create_app(settings, kubes)
        config = uvicorn.Config(
            app,
            http=partial(_Protocol, app.state.metrics.dropped.inc),  # type: ignore[arg-type] # it makes protocols too
            ws="none",
            ssl_certfile=certificate.certificate,
            ssl_keyfile=certificate.key,
            access_log=False,
            server_header=False,
            log_config=_log_config(log_level),
            h11_max_incomplete_event_size=_HEADER_BYTES,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_END_S,
            limit_concurrency=_CONNECTIONS,
            proxy_headers=False,
        )
        # What asyncio keeps for each connection to read into; a quarter of a MiB would be a GiB of 4000 connections.
        sslproto.SSLProtocol.max_size = _READ_BYTES
        config.load()
        assert config.ssl is not None  # noqa: S101 - there is a certificate
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        server = _Server(config, partial(drain, app))
        # uvicorn raises the signal that ended it once more at the end: that is its ordinary end, with exit code 0.
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, server.handle_exit)
        server.run(sockets=[listener])


def _check(certificate: Certificate) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
    except OSError as error:
        raise UsageError(
            f"the certificate and its key are not usable: {error.strerror or error}",
            place=f"{certificate.certificate}, {certificate.key}",
            remedy="name two PEM files that belong together: --certificate, --key",
        ) from error


def _log_config(level: str) -> dict[str, Any]:
    """Return what logging does: one line each to standard error, with its time in UTC."""
    # uvicorn tells of each step of its start and end.
    quiet = "warning" if level == "info" else level
    loggers = {"uvicorn": {"level": quiet.upper()}, "gedge.gse": {"level": level.upper()}}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": _Formatter, "fmt": "%(asctime)s %(levelname)s %(message)s"}},
        "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["err"], "level": "WARNING"},
        "loggers": loggers,
    }


class _Formatter(logging.Formatter):
    """Times as RFC 3339 in UTC."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"
