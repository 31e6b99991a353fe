"""Against a server that speaks QMP as QEMU 11.1 does: the order of words on the line is the protocol's."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gedge_provision.adapters import lab_snapshots, qmp
from gedge_provision.models.errors import GedgeError

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Emulator:
    """Answers on a socket, one connection after the other, and remembers what it was told."""

    def __init__(self, path: Path, jobs: list[dict[str, Any]]) -> None:
        self.path, self.told, self._jobs = path, list[dict[str, Any]](), jobs
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def named(self, command: str) -> list[dict[str, Any]]:
        return [order["arguments"] for order in self.told if order["execute"] == command]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rw", encoding="utf-8") as stream:
                stream.write('{"QMP": {"version": {}, "capabilities": []}}\n')
                stream.flush()
                for line in stream:
                    order = json.loads(line)
                    self.told.append(order)
                    stream.write('{"event": "JOB_STATUS_CHANGE", "data": {}}\n')  # events come at any time
                    stream.write(json.dumps(self._answer(order)) + "\n")
                    stream.flush()

    def _answer(self, order: dict[str, Any]) -> dict[str, Any]:
        if order["execute"] == "query-block":
            drive = {"device": "d0", "inserted": {"node-name": "#block138", "file": "disk.qcow2"}}
            return {"return": [{"device": "cd0"}, drive]}
        if order["execute"] == "query-jobs":
            ours = self.told[-1 - 2 * len(self.named("query-jobs"))]["arguments"]["job-id"]
            state = self._jobs.pop(0)
            return {"return": [{"id": "other", "status": "running"}, *([{"id": ours, **state}] if state else [])]}
        if order["execute"] == "snapshot-delete":
            return {"error": {"class": "GenericError", "desc": "Device '#block138' is busy"}}
        return {"return": {}}
