"""One unary gRPC call over a unix socket. Standard library only, Python 3.8 and later.

Just as much of HTTP/2 (RFC 9113) and HPACK (RFC 7541) as a question with a short answer needs: request headers go as
literals that nobody indexes, response headers are not read. So why a server refuses is not known, only that it does.
"""

from __future__ import annotations

import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
CONNECTION, STREAM = 0, 1
NO_PUSH, INITIAL_WINDOW = 2, 4
"""Names of settings: ENABLE_PUSH, INITIAL_WINDOW_SIZE."""
WIDEST, FIRST_WINDOW = 2**31 - 1, 2**16 - 1
LARGEST_FRAME = 2**14
LARGEST_MESSAGE = 16 * 2**20
"""Of a node with hundreds of pods and devices; gRPC's own clients take a quarter of it."""
HEADER, PREFIX = 9, 5
"""Bytes before a frame, and before a message."""
LONGEST_TEXT = 126
"""What one byte of length holds in HPACK."""


class CallError(Exception):
    """The call brought no answer; the text says why."""


def call(path, method, request=b"", timeout_s=10.0):
    """Call a method and return the bytes of the answer.

    Args:
        path: of the socket.
        method: as `v1.PodResourcesLister/List`.
        request: the message, encoded.
        timeout_s: for all of it.

    Raises:
        CallError: nobody listens, it does not end in time, it is refused, or the other side speaks something else.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        peer = Peer(connection, time.monotonic() + timeout_s)
        try:
            peer.connect(path)
            peer.ask(method, request)
            return peer.answer()
        except socket.timeout:
            raise CallError("no answer within %g s" % timeout_s) from None
        except OSError as error:
            raise CallError(error.strerror or str(error)) from None


class Peer:
    """The other side of a connection."""

    def __init__(self, connection, deadline):
        self.connection = connection
        self.deadline = deadline

    def connect(self, path):
        self._in_time()
        self.connection.connect(path)

    def ask(self, method, request):
        """Send the request, with windows so wide that the answer needs no further ones."""
        settings = struct.pack(">HIHI", NO_PUSH, 0, INITIAL_WINDOW, WIDEST)
        headers = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/" + method),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        )
        message = struct.pack(">BI", 0, len(request)) + request
        self._send(
            PREFACE,
            frame(SETTINGS, 0, CONNECTION, settings),
            frame(WINDOW_UPDATE, 0, CONNECTION, struct.pack(">I", WIDEST - FIRST_WINDOW)),
            frame(HEADERS, END_HEADERS, STREAM, b"".join(literal(*header) for header in headers)),
            frame(DATA, END_STREAM, STREAM, message),
        )

    def answer(self):
        """Read frames until the answer has ended, and return its message."""
        received = bytearray()
        while True:
            kind, flags, stream, payload = self._frame()
            if kind == SETTINGS and not flags & ACK:
                self._send(frame(SETTINGS, ACK, CONNECTION, b""))
            elif kind == PING and not flags & ACK:
                self._send(frame(PING, ACK, CONNECTION, payload))
            elif kind == GOAWAY and number_at(payload, 0) & WIDEST < STREAM:
                raise CallError("the other side ends the connection (HTTP/2 error %d)" % number_at(payload, 4))
            elif kind == RST_STREAM and stream == STREAM:
                raise CallError("the other side breaks the call off (HTTP/2 error %d)" % number_at(payload, 0))
            elif kind == DATA and stream == STREAM:
                received += unpadded(flags, payload)
                if len(received) > PREFIX + LARGEST_MESSAGE:
                    raise CallError("the answer is longer than %d MiB" % (LARGEST_MESSAGE >> 20))
            if kind in (DATA, HEADERS) and stream == STREAM and flags & END_STREAM:
                return message_in(bytes(received))

    def _frame(self):
        head = self._receive(HEADER)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        if length > LARGEST_FRAME:
            raise CallError("what answers there does not speak HTTP/2")
        return kind, flags, number_at(head, 5) & WIDEST, self._receive(length)

    def _receive(self, size):
        received = b""
        while len(received) < size:
            self._in_time()
            part = self.connection.recv(size - len(received))
            if not part:
                raise CallError("the other side closed the connection before it answered")
            received += part
        return received

    def _send(self, *frames):
        self._in_time()
        self.connection.sendall(b"".join(frames))

    def _in_time(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        self.connection.settimeout(left)


def frame(kind, flags, stream, payload):
    """Return a frame."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """Return a header as a literal with a literal name, never Huffman-coded (RFC 7541, 6.2.2)."""
    parts = [text.encode("ascii") for text in (name, value)]
    if max(map(len, parts)) > LONGEST_TEXT:
        raise ValueError("the header %s is longer than %d bytes" % (name, LONGEST_TEXT))
    return b"\0" + b"".join(bytes([len(part)]) + part for part in parts)


def unpadded(flags, payload):
    """Return the payload of a DATA frame without its padding."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise CallError("the other side sends a frame that is all padding")
    return payload[1 : len(payload) - payload[0]]


def message_in(received):
    """Return the one message of a stream that has ended; a server that refuses sends none."""
    if not received:
        raise CallError("the call was refused")
    if len(received) < PREFIX or received[0] != 0 or len(received) != PREFIX + number_at(received, 1):
        raise CallError("the answer is not one whole message")
    return received[PREFIX:]


def number_at(payload, place):
    """Return the 32-bit number at a place; 0 where the frame is too short for one."""
    return int.from_bytes(payload[place : place + 4], "big")
