"""Against a server that says what QEMU's QMP reference has it say."""

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
            ids = [told["arguments"]["job-id"] for told in self.told if "job-id" in told.get("arguments", {})]
            state = self._jobs.pop(0) if len(self._jobs) > 1 else self._jobs[0]
            return {"return": [{"id": "other", "status": "running"}, *([{"id": ids[-1], **state}] if state else [])]}
        if order["execute"] == "snapshot-delete" and not self._jobs:
            return {"error": {"class": "GenericError", "desc": "Device '#block138' is busy"}}
        return {"return": {}}


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Start one whose job is found in these states, look by look."""
    made: list[Emulator] = []

    def start(*jobs: dict[str, Any]) -> Emulator:
        made.append(Emulator(tmp_path / "qmp.sock", list(jobs)))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_a_snapshot_is_a_job_that_is_waited_for_and_dismissed(emulator: Callable[..., Emulator]) -> None:
    qemu = emulator({"status": "running"}, {"status": "concluded"})
    lab_snapshots.save(qemu.path, "d0", "a@11.1.3@00")
    (saved,) = qemu.named("snapshot-save")
    assert saved.pop("job-id") == qemu.named("job-dismiss")[0]["id"]
    assert saved == {"tag": "a@11.1.3@00", "vmstate": "#block138", "devices": ["#block138"]}
    assert len(qemu.named("query-jobs")) == 2


def test_what_is_put_back_goes_on(emulator: Callable[..., Emulator]) -> None:
    qemu = emulator({"status": "concluded"})
    lab_snapshots.load(qemu.path, "d0", "a@11.1.3@00")
    words = [order["execute"] for order in qemu.told if order["execute"] != "qmp_capabilities"]
    assert words == ["query-block", "snapshot-load", "query-jobs", "job-dismiss", "cont"]


def test_what_qemu_says_of_a_job_that_fails_is_told(emulator: Callable[..., Emulator]) -> None:
    said = "Snapshot 'a@11.1.3@00' does not exist in one or more devices"
    qemu = emulator({"status": "concluded", "error": said})
    with pytest.raises(GedgeError, match=f"QEMU cannot do snapshot-load: {said}"):
        lab_snapshots.load(qemu.path, "d0", "a@11.1.3@00")
    assert qemu.named("job-dismiss")
    assert not qemu.named("cont")


def test_a_command_that_qemu_refuses(emulator: Callable[..., Emulator]) -> None:
    qemu = emulator()
    with pytest.raises(GedgeError, match="QEMU refuses snapshot-delete: Device '#block138' is busy"):
        lab_snapshots.delete(qemu.path, "d0", "a@11.1.3@00")


def test_a_job_that_is_gone(emulator: Callable[..., Emulator]) -> None:
    qemu = emulator({})
    with pytest.raises(GedgeError, match="QEMU has lost its job snapshot-save"):
        qmp.run_job(qemu.path, "snapshot-save")


def test_a_job_that_takes_too_long(emulator: Callable[..., Emulator]) -> None:
    qemu = emulator({"status": "running"})
    with pytest.raises(GedgeError, match=r"QEMU has not done snapshot-save after 0\.3 s"):
        qmp.run_job(qemu.path, "snapshot-save", 0.3)


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(GedgeError, match="monitor does not answer"):
        lab_snapshots.version(tmp_path / "qmp.sock")
