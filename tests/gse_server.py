"""The GSE API server as its own process, as people start it: `gedge serve`."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import httpx

__all__ = ["SECRET", "TOKEN", "GseServer", "gse_server"]

# What must be in nothing that the server says.
TOKEN = "tellme-7c1f0e9b5d.of-a_caller~who+is/here"  # noqa: S105 - of nobody
SECRET = "c3dvcmRmaXNoLTQ3MTE"  # noqa: S105 - of nothing

_BEGIN_S, _END_S = 60.0, 40.0


@dataclass
class GseServer:
    """A server that runs.

    Attributes:
        url: where it answers, without a slash at the end.
        certificate: of it, which nobody signed; PEM.
        process: of it.
        output: everything it printed, line by line; standard error too.
    """

    url: str
    certificate: Path
    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)
    _told_to_end: bool = False

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def context(self) -> ssl.SSLContext:
        """What verifies its certificate."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def client(self, token: str = "", **more: Any) -> httpx.Client:
        """Return a client of a caller; with an empty token of nobody."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        settings: dict[str, Any] = {"timeout": 30, "headers": headers, "trust_env": False} | more
        return httpx.Client(base_url=self.url, verify=self.context, **settings)

    def stop(self) -> int:
        """End it as a service manager does; return its exit code."""
        if not self._told_to_end:
            self._told_to_end = True
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_END_S)

    def printed(self) -> str:
        """Return everything it printed until now."""
        return "".join(self.output)


@contextmanager
def gse_server(
    *options: str, kubeconfig: Path | None = None, state: Path | None = None, address: str = ""
) -> Iterator[GseServer]:
    """Start a server on a free port, and stop it at the end, which must be one in order (exit code 0).

    Args:
        options: further ones of `gedge serve`.
        kubeconfig: of the cluster; its credentials are not used.
        state: folder for the certificate; else one that goes away with the server.
        address: where it listens, if that is not the usual one.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = state or Path(made)
        cluster = ("--kubeconfig", str(kubeconfig)) if kubeconfig else ()
        command = [sys.executable, "-m", "gedge_provision", "serve", *cluster, "--port", "0", *options]
        command += ["--address", address] if address else []
        environment = os.environ | {"GEDGE_STATE_DIR": str(folder), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1
        )
        server = GseServer("", folder / "serve" / address / "certificate.pem", process)
        reader = Thread(target=_read, args=(server,), daemon=True)
        reader.start()
        try:
            server.url = _url(server)
            yield server
            code = server.stop()
            assert code == 0, f"the server ended with {code}:\n{server.printed()}"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            reader.join()
            assert process.stdout is not None
            process.stdout.close()


def _read(server: GseServer) -> None:
    assert server.process.stdout is not None
    for line in server.process.stdout:
        server.output.append(line)


def _url(server: GseServer) -> str:
    """Return the address that it prints, once it answers there."""
    end = time.monotonic() + _BEGIN_S
    while time.monotonic() < end and server.process.poll() is None:
        if found := re.search(r"(https://[^ ]+:\d+)/", server.printed()):
            with httpx.Client(verify=server.context, trust_env=False) as client:
                try:
                    client.get(f"{found[1]}/healthz")
                except httpx.TransportError:
                    pass
                else:
                    return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the server does not begin:\n{server.printed()}")
