"""What several unit tests share."""

from __future__ import annotations

import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class _Registry(BaseHTTPRequestHandler):
    """The reading half of an image registry, over the unpacked OCI archive `layout`."""

    layout: Path

    def do_GET(self) -> None:
        blob = self.layout / "blobs" / "sha256" / self.path.rsplit(":", 1)[-1]
        if self.path != "/v2/" and not blob.is_file():
            self.send_error(404)
            return
        content = b"{}" if self.path == "/v2/" else blob.read_bytes()
        kind = (
            "application/vnd.oci.image.manifest.v1+json" if "/manifests/" in self.path else "application/octet-stream"
        )
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        pass


@dataclass(frozen=True)
class Served:
    """An image that a registry on the loopback serves."""

    reference: str
    digest: str
    manifest: Path


@pytest.fixture
def serve_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Served]]:
    """Give a function that serves the image of an OCI archive."""
    with ExitStack() as stack:

        def serve(archive: Path) -> Served:
            layout = tmp_path / "layout"
            with tarfile.open(archive) as tar:
                tar.extractall(layout, filter="data")
            digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"].removeprefix("sha256:")
            handler = type("OurRegistry", (_Registry,), {"layout": layout})
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            place = f"127.0.0.1:{server.server_port}"
            (tmp_path / "registries.conf").write_text(f'[[registry]]\nlocation = "{place}"\ninsecure = true\n')
            monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
            return Served(f"{place}/demo:1", digest, layout / "blobs" / "sha256" / digest)

        yield serve
