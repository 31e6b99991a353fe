"""Wrong requests, two hundred and more: each gets a problem or a closed connection, and the server goes on."""

from __future__ import annotations

import json
import re
import select
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from gse_server import TOKEN, GseServer
from gse_wrong_requests import CLOSED, HEAVY, JSON, NS, SERVICES, TABLE, Wrong, document, request
from kube_server import Cluster

pytestmark = pytest.mark.usefixtures("cluster")

_LIMIT_S, _DRIP_S = 40.0, 0.5


def exchange(server: GseServer, data: bytes, again: bytes = b"") -> bytes:
    """Send bytes over TLS, and return everything that comes until the connection is closed.

    Args:
        server: where to.
        data: what is sent.
        again: what is sent each half second after that.
    """
    came = b""
    end, due = time.monotonic() + _LIMIT_S, time.monotonic() + _DRIP_S
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=_LIMIT_S) as plain,
        server.context.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        sock.settimeout(0)
        while time.monotonic() < end:
            try:
                if data:
                    data = data[sock.send(data) :]
            except ssl.SSLWantWriteError:
                pass
            except OSError:
                data = again = b""  # refused before all of it was sent
            try:
                piece = sock.recv(65_536)
                if not piece:
                    return came
                came += piece
            except ssl.SSLWantReadError:
                select.select([sock], [sock] if data else [], [], 0.1)
            except OSError:
                return came
            if again and time.monotonic() > due:
                data, due = data + again, due + _DRIP_S
    raise AssertionError(f"the connection is still open after {_LIMIT_S} s")


def looked_at(came: bytes) -> int:
    """Return the status of an answer after a look at it: a problem, well formed, that tells nothing of the inside."""
    if not came:
        return CLOSED
    head, _, body = came.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    status = int(lines[0].split()[1])
    assert "content-type: application/problem+json" in lines, came[:1000]
    problem = json.loads(body) if body else None
    if problem is not None:
        assert problem["status"] == status
        assert problem["detail"]
    assert len(came) < 64 * 1024
    for word in (b"Traceback", b"site-packages", b'File "', TOKEN.encode()):
        assert word not in came
    return status


def test_there_are_two_hundred_of_different_kinds() -> None:
    names = [one.name for one in TABLE]
    assert len(names) >= 200
    assert len(set(names)) == len(names)
    assert len({one.data for one in TABLE}) == len(TABLE)


@pytest.mark.parametrize("wrong", TABLE, ids=[one.name for one in TABLE])
def test_a_wrong_request_is_refused_in_order(server: GseServer, cluster: Cluster, wrong: Wrong) -> None:
    before = dict(cluster.objects)
    assert looked_at(exchange(server, wrong.data)) in wrong.expected
    assert cluster.objects == before
    assert server.process.poll() is None


def test_what_is_much_to_judge_stops_nothing(server: GseServer, client: httpx.Client) -> None:
    """Sixteen at a time of those that take most: others are served, and memory stays far below the pods' 512 MiB."""
    bodies = [json.dumps(body).encode() for body in HEAVY.values()] * 6
    status = Path(f"/proc/{server.process.pid}/status")
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(exchange, server, request("POST", f"{NS}/check", body, JSON)) for body in bodies]
        while not all(one.done() for one in asked):
            assert client.get("/healthz").status_code == 200
            time.sleep(0.05)
    assert {looked_at(one.result()) for one in asked} <= {422, 503}
    peak_kib = int(re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))[1])  # type: ignore[index]
    assert peak_kib < 350 * 1024


def test_the_server_still_answers(client: httpx.Client, server: GseServer) -> None:
    assert client.get("/gse/v1/whoami").json() == {"username": "somebody", "groups": ["people"]}
    assert "Traceback" not in server.printed()


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\nHost: gse\r\n\r\n", b"\x16\x03\x01\x00\xff\x01\x00", bytes(range(256)), b"\x80\x2e\x01"],
    ids=["HTTP without TLS", "half a hello", "noise", "SSL 2"],
)  # fmt: skip
def test_what_is_no_tls_is_closed(server: GseServer, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=_LIMIT_S) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        try:
            while sock.recv(4096):
                pass
        except ConnectionError:
            pass
    assert server.process.poll() is None


def test_what_comes_slowly_is_closed_and_others_are_served(server: GseServer, client: httpx.Client) -> None:
    good = json.dumps(document()).encode()
    chunked = ("-Content-Length", "Transfer-Encoding: chunked")
    slow = {
        "nothing": (b"", b"", CLOSED),
        "header": (b"GET /gse/v1/nodes HTTP/1.1\r\nHost: gse\r\n", b"X-A: b\r\n", CLOSED),
        "request line": (b"GET /gse", b"/", CLOSED),
        "body": (request("POST", SERVICES, good, JSON)[: -len(good)], b" ", 408),
        "chunks": (request("POST", SERVICES, b"", JSON, chunked), b"1\r\n \r\n", 408),
    }
    with ThreadPoolExecutor(len(slow)) as pool:
        answers = {name: pool.submit(exchange, server, begin, again) for name, (begin, again, _) in slow.items()}
        while not all(answer.done() for answer in answers.values()):
            assert client.get("/gse/v1/whoami").status_code == 200
            time.sleep(0.5)
    found = {name: looked_at(answer.result()) for name, answer in answers.items()}
    assert found == {name: expected for name, (_, _, expected) in slow.items()}
