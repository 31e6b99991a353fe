"""Watches of clients: each gets the present list, and then every change; one that reads too slowly is dropped."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import threading
from collections.abc import AsyncIterator, Iterable, Iterator

from gedge_provision.adapters.kube import Kube
from gedge_provision.gse._feeds import Change, Feed, Subject
from gedge_provision.gse._metrics import Metrics
from gedge_provision.gse._problems import ProblemError, problem_of
from gedge_provision.gse._settings import Settings
from gedge_provision.models.errors import GedgeError

__all__ = ["Watch", "Watches"]

_BEHIND = 1000
"""So many changes may wait for a client."""

_PIECE = 16 * 1024
"""So many bytes are sent at once: a record of TLS."""


class Watches:
    """The watches of one server."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._lock = threading.Lock()
        self._feeds: dict[tuple[str, Subject, str | None], Feed] = {}
        self._open = 0
        self._numbers = itertools.count()

    def feed(self, token: str, kube: Kube, subject: Subject, namespace: str | None) -> Feed:
        """Return what a caller's watches follow; for a thread, since it may have to be read first.

        Raises:
            ProblemError: too many are followed.
            KubeError: the caller may not, or the API server does not answer.
        """
        key = (hashlib.sha256(token.encode()).hexdigest(), subject, namespace)
        with self._lock:
            self._feeds = {known: feed for known, feed in self._feeds.items() if not feed.over}
            self._metrics.upstream_watches.set(len(self._feeds))
            feed = self._feeds.get(key)
            if feed is None:
                if len(self._feeds) >= self._settings.upstream_watches:
                    raise ProblemError("too-busy", f"{len(self._feeds)} callers watch here already")
                feed = self._feeds[key] = Feed(kube, subject, namespace)
        feed.open()
        return feed

    def watch(self, feed: Feed, path: str) -> Watch:
        """Return a new watch of a client.

        Raises:
            ProblemError: too many are open.
        """
        if self._open >= self._settings.streams:
            raise ProblemError("too-busy", f"{self._open} watches are open here")
        return Watch(feed, next(self._numbers), path, self)

    def end(self) -> None:
        """End all of them, since the server does."""
        with self._lock:
            feeds = list(self._feeds.values())
        for feed in feeds:
            feed.end(ProblemError("too-busy", "the server is ending", remedy="watch again"))

    def begun(self) -> None:
        """A watch is open."""
        self._open += 1
        self._metrics.watches.set(self._open)

    def ended(self, *, dropped: bool) -> None:
        """A watch is over."""
        self._open -= 1
        self._metrics.watches.set(self._open)
        if dropped:
            self._metrics.dropped.inc()


class Watch:
    """One client's watch: an iterator of server-sent events, encoded."""

    def __init__(self, feed: Feed, number: int, path: str, watches: Watches) -> None:
        self._feed = feed
        self._number = number
        self._path = path
        self._watches = watches
        self._queue: asyncio.Queue[Change | GedgeError] = asyncio.Queue()
        self._dropped = False

    async def events(self) -> AsyncIterator[bytes]:
        """Yield events until the client leaves, reads too slowly, or nothing more can be told."""
        loop = asyncio.get_running_loop()

        def tell(change: Change | GedgeError) -> None:
            loop.call_soon_threadsafe(self._put, change)

        self._watches.begun()
        slow = False
        try:
            last, lines = self._feed.listen(self._number, tell)
            for piece in _pieces(last, lines):
                yield piece
            lines.clear()
            while not self._dropped:
                change = await self._queue.get()
                if isinstance(change, GedgeError):
                    yield _event("problem", last, json.dumps(problem_of(change, self._path)[0].model_dump()).encode())
                    return
                if change.number > last:
                    last = change.number
                    yield _event(change.type, change.number, change.line)
            slow = True
        finally:
            self._feed.leave(self._number)
            self._watches.ended(dropped=slow)

    def _put(self, change: Change | GedgeError) -> None:
        if self._queue.qsize() >= _BEHIND:
            self._dropped = True
            return
        self._queue.put_nowait(change)


def _pieces(number: int, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the present list in pieces: OpenSSL keeps as much memory as the largest piece took, for each client."""
    piece = b""
    for line in lines:
        piece += _event("added", number, line)
        if len(piece) >= _PIECE:
            yield piece
            piece = b""
    yield piece + _event("synced", number, b"{}")


def _event(type_: str, number: int, data: bytes) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (type_.encode(), number, data)
