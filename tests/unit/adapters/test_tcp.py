from __future__ import annotations

import socket

from gedge_provision.adapters.tcp import answers


def test_a_port_answers_or_it_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answers("127.0.0.1", port, 5)
    assert not answers("127.0.0.1", port, 0.3)
