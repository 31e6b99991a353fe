"""The GSE API server with its page, for a cluster on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from live_cluster import LiveCluster

from gedge_provision.adapters.kube_callers import Endpoint, connect_callers
from gedge_provision.gse import Settings, create_app

__all__ = ["serving"]


@contextmanager
def serving(cluster: LiveCluster, port: int = 0) -> Iterator[str]:
    """Serve the page and the API of a cluster, and give the address."""
    settings = Settings(endpoint=Endpoint(cluster.server, None), rate=0)
    with connect_callers(settings.endpoint, 8) as kubes:
        app = create_app(settings, kubes)
        config = uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
