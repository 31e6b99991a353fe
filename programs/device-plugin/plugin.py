"""Serving the kubelet, and registering again whenever it starts anew."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
from answers import Answers
from kubelet_api import MESSAGES, VERSION, plugin_handlers, register_call

__all__ = ["Plugin"]

_log = logging.getLogger(__name__)

_WORKERS = 8  # one is taken by each stream; a kubelet that starts anew opens its next one before the old one has ended
_CALL_SECONDS = 30


@dataclass(frozen=True)
class Plugin:
    """A device plugin beside a kubelet.

    Attributes:
        folder: where the kubelet has kubelet.sock and expects those of plugins.
        endpoint: the name of its own socket there.
        resource: the name under which pods ask for it.
        seconds: how often the kubelet's socket is looked at.
    """

    folder: Path
    endpoint: str
    resource: str
    seconds: float

    def run(self, answers: Answers, stopping: threading.Event) -> None:
        """Serve until `stopping` is set."""
        while not stopping.is_set():
            kubelet = _identity(self.folder / "kubelet.sock")
            if kubelet is None:
                _log.info("waiting for the kubelet's socket in %s", self.folder)
                self._wait(stopping, None)
                continue
            # gRPC removes what a killed predecessor left under this name.
            server = grpc.server(ThreadPoolExecutor(_WORKERS), handlers=[plugin_handlers(answers)])
            server.add_insecure_port(f"unix:{self.folder / self.endpoint}")
            server.start()
            try:
                if self._register():
                    self._wait(stopping, kubelet)
                else:
                    stopping.wait(self.seconds)
            finally:
                if stopping.is_set():
                    answers.stop()
                server.stop(1).wait()
                (self.folder / self.endpoint).unlink(missing_ok=True)

    def _register(self) -> bool:
        request = MESSAGES["RegisterRequest"](version=VERSION, endpoint=self.endpoint, resource_name=self.resource)
        with grpc.insecure_channel(f"unix:{self.folder / 'kubelet.sock'}") as channel:
            try:
                register_call(channel)(request, timeout=_CALL_SECONDS)
            except grpc.RpcError as error:
                _log.warning("the kubelet does not take %s: %s; trying again", self.resource, error.details())
                return False
        _log.info("registered %s", self.resource)
        return True

    def _wait(self, stopping: threading.Event, kubelet: tuple[int, int] | None) -> None:
        """Wait until the kubelet has another socket; it also removes those of plugins when it starts."""
        own = self.folder / self.endpoint
        while not stopping.wait(self.seconds):
            if _identity(self.folder / "kubelet.sock") != kubelet or (kubelet and not own.exists()):
                _log.info("the kubelet has another socket")
                return


def _identity(socket: Path) -> tuple[int, int] | None:
    try:
        found = socket.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
