"""A chart server on this machine with one chart of ours, for tests."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

__all__ = ["ChartServer", "chart_server", "pack_chart"]


class ChartServer:
    """A running server; `stop` makes it unreachable."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.port = int(server.server_port)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        pass


def pack_chart(chart: Path, folder: Path) -> None:
    """Write the archive of a chart and the index of its server, as helm's `package` and `repo index` do."""
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    name = f"{about['name']}-{about['version']}.tgz"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in sorted(chart.rglob("*")):
            if path.is_file():
                tar.add(path, f"{about['name']}/{path.relative_to(chart)}")
    (folder / name).write_bytes(buffer.getvalue())
    entry = about | {"urls": [name], "digest": hashlib.sha256(buffer.getvalue()).hexdigest()}
    index = {"apiVersion": "v1", "entries": {about["name"]: [entry]}}
    (folder / "index.yaml").write_text(yaml.safe_dump(index), encoding="utf-8")


@contextmanager
def chart_server(chart: Path, folder: Path, address: str) -> Iterator[ChartServer]:
    """Serve a chart from a folder, on an address of this machine, until the block ends."""
    pack_chart(chart, folder)
    server = ChartServer(ThreadingHTTPServer((address, 0), partial(_Quiet, directory=str(folder))))
    try:
        yield server
    finally:
        server.stop()
