"""Our gRPC client against gRPC's own server, and against servers that behave badly."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from plugins.module_utils.grpc_unary import (
    ACK,
    CONNECTION,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    RST_STREAM,
    SETTINGS,
    STREAM,
    CallError,
    call,
    frame,
)

Serve = Callable[[Callable[[bytes, grpc.ServicerContext], bytes]], str]
Behave = Callable[[Callable[[socket.socket], None]], str]
MIB = 2**20


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a function that starts a server of one method, on a socket."""
    path = str(tmp_path / "s")
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_send_message_length", -1)])

    def start(method: Callable[[bytes, grpc.ServicerContext], bytes]) -> str:
        handler = grpc.unary_unary_rpc_method_handler(method)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1.Lister", {"List": handler}),))
        server.add_insecure_port(f"unix:{path}")
        server.start()
        return path

    yield start
    server.stop(0).wait()


@pytest.mark.parametrize("size", [0, 1, 16_000, 70_000, 3 * MIB, 12 * MIB])
def test_an_answer_of_any_size_arrives_whole(size: int, serve: Serve) -> None:
    answer = bytes(number % 251 for number in range(min(size, 5000))) * (size // 5000 + 1)
    path = serve(lambda request, _: request + answer[:size])
    assert call(path, "v1.Lister/List", b"asked") == b"asked" + answer[:size]


def test_one_call_after_the_other(serve: Serve) -> None:
    path = serve(lambda request, _: request)
    assert [call(path, "v1.Lister/List", bytes([number])) for number in range(20)] == [bytes([n]) for n in range(20)]


def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit")
    raise AssertionError


def test_a_refusal_is_told(serve: Serve) -> None:
    path = serve(refuse)
    with pytest.raises(CallError, match="the call was refused"):
        call(path, "v1.Lister/List")


def test_a_method_that_does_not_exist_is_refused(serve: Serve) -> None:
    path = serve(lambda request, _: request)
    with pytest.raises(CallError, match="the call was refused"):
        call(path, "v1.Lister/Get")


def test_an_answer_that_is_too_long_is_not_taken(serve: Serve) -> None:
    path = serve(lambda _, __: bytes(17 * MIB))
    with pytest.raises(CallError, match="longer than 16 MiB"):
        call(path, "v1.Lister/List")


def test_a_server_that_does_not_answer_is_left(serve: Serve) -> None:
    done = threading.Event()
    path = serve(lambda _, __: bytes(done.wait(30)))
    with pytest.raises(CallError, match=r"no answer within 0\.3 s"):
        call(path, "v1.Lister/List", timeout_s=0.3)
    done.set()


def test_nobody_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="No such file or directory"):
        call(str(tmp_path / "s"), "v1.Lister/List")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left"))
    with pytest.raises(CallError, match="Connection refused"):
        call(str(tmp_path / "left"), "v1.Lister/List")


@pytest.fixture
def behave(tmp_path: Path) -> Iterator[Behave]:
    """Give a function that lets a peer do something with one connection."""
    path = str(tmp_path / "s")
    threads = []

    def start(what: Callable[[socket.socket], None]) -> str:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()

        def work() -> None:
            with listener, listener.accept()[0] as connection:
                connection.settimeout(10)
                what(connection)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return path

    yield start
    for thread in threads:
        thread.join()


def message(content: bytes) -> bytes:
    return struct.pack(">BI", 0, len(content)) + content


def sent(*parts: bytes) -> Callable[[socket.socket], None]:
    """Return a peer that sends this, whatever it is asked, and waits for the end."""

    def work(connection: socket.socket) -> None:
        connection.sendall(b"".join(parts))
        with suppress(ConnectionError):  # a client that has heard enough goes without reading on
            while connection.recv(65536):
                pass

    return work


def test_pings_and_settings_are_answered_while_the_answer_comes_in_pieces(behave: Behave) -> None:
    heard = []

    def peer(connection: socket.socket) -> None:
        connection.sendall(frame(SETTINGS, 0, CONNECTION, b"") + frame(PING, 0, CONNECTION, b"12345678"))
        wanted = [frame(SETTINGS, ACK, CONNECTION, b""), frame(PING, ACK, CONNECTION, b"12345678")]
        received = b""
        while not all(one in received for one in wanted):
            received += connection.recv(65536)
        heard.extend(wanted)
        whole = message(b"answer")
        padded = b"\x03" + whole[2:7] + b"\0" * 3
        for part in (
            frame(HEADERS, 0, STREAM, b"\x88"),
            frame(DATA, 0, STREAM, whole[:2]),
            frame(DATA, PADDED, STREAM, padded),
            frame(PING, ACK, CONNECTION, b"87654321"),
            frame(GOAWAY, 0, CONNECTION, struct.pack(">II", STREAM, 0)),
            frame(99, 0, STREAM, b"of a later version"),
            frame(DATA, 0, STREAM, whole[7:]),
            frame(HEADERS, END_STREAM, STREAM, b""),
        ):
            for byte in part:
                connection.send(bytes([byte]))

    assert call(behave(peer), "v1.Lister/List") == b"answer"
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not speak HTTP/2"),
        ([frame(RST_STREAM, 0, STREAM, struct.pack(">I", 11))], "breaks the call off .HTTP/2 error 11."),
        ([frame(GOAWAY, 0, CONNECTION, struct.pack(">II", 0, 2))], "ends the connection .HTTP/2 error 2."),
        ([frame(DATA, END_STREAM, STREAM, message(b"all")[:-1])], "not one whole message"),
        ([frame(DATA, END_STREAM, STREAM, message(b"a") * 2)], "not one whole message"),
        ([frame(DATA, END_STREAM, STREAM, b"\x01" + message(b"compressed")[1:])], "not one whole message"),
        ([frame(DATA, PADDED, STREAM, b"\x09abc")], "all padding"),
        ([frame(HEADERS, END_STREAM, STREAM, b"")], "the call was refused"),
    ],
)
def test_what_is_no_answer_is_told(parts: list[bytes], why: str, behave: Behave) -> None:
    with pytest.raises(CallError, match=why):
        call(behave(sent(*parts)), "v1.Lister/List", timeout_s=10)


def test_a_connection_that_closes_is_told(behave: Behave) -> None:
    def peer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(frame(SETTINGS, 0, CONNECTION, b"")[:5])

    with pytest.raises(CallError, match="closed the connection before it answered"):
        call(behave(peer), "v1.Lister/List")


def test_a_peer_that_talks_for_ever_is_left(behave: Behave) -> None:
    end = time.monotonic() + 20

    def peer(connection: socket.socket) -> None:
        with suppress(OSError):  # the client goes
            while time.monotonic() < end:
                connection.sendall(frame(PING, ACK, CONNECTION, b"12345678"))
                time.sleep(0.02)

    with pytest.raises(CallError, match="no answer within"):
        call(behave(peer), "v1.Lister/List", timeout_s=0.5)
    assert time.monotonic() < end
