"""The page of commands is the program's, and exit codes and streams are what it says, tried by processes."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from types import ModuleType
from typing import Any

import pytest
import yaml
from typer.main import get_command

from gedge_provision.cli._main import app
from gedge_provision.cli.plans import DRIFTED
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.runs import RunInterruptedError

ROOT = Path(__file__).resolve().parents[3]
GEDGE = Path(sys.executable).with_name("gedge")
SERVICE = ROOT / "examples" / "services" / "service-app2.yaml"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("commands_page", ROOT / "docs" / "commands_page.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = _load()
COMMANDS = {path: (command, context) for path, command, context in PAGE.commands(get_command(app), "gedge", None)}


def test_the_page_is_current() -> None:
    assert PAGE.PAGE.read_text(encoding="utf-8") == PAGE.page(), "make it again: python docs/commands_page.py"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_everything_that_it_takes_is_explained(path: str) -> None:
    command, context = COMMANDS[path]
    assert command.help
    rows = PAGE.parameters(command, context)
    assert len(rows) == len(command.params)
    for name, meaning in rows:
        assert meaning.split("[")[0].strip(), f"{path}: {name} has no help"


def _exit_codes(error: type[GedgeError]) -> set[int]:
    return {error.exit_code}.union(*map(_exit_codes, error.__subclasses__()))


def test_the_page_has_every_exit_code() -> None:
    assert set(PAGE.EXIT_CODES) == {0, DRIFTED, RunInterruptedError.exit_code, *_exit_codes(GedgeError)}


class Cluster(BaseHTTPRequestHandler):
    """A cluster of one node without devices; it never answers who asks for what is in the namespace `slow`."""

    def do_GET(self) -> None:
        server: Any = self.server
        if "/namespaces/slow/" in self.path:
            server.asked.set()
            server.end.wait()
            return
        condition = {"type": "Ready", "status": "True"}
        allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        node = {"metadata": {"name": "w1"}, "status": {"conditions": [condition], "allocatable": allocatable}}
        items = [node] if self.path.startswith("/api/v1/nodes") else []
        text = json.dumps({"metadata": {}, "items": items}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cluster() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Cluster) as server:
        server.asked, server.end = Event(), Event()  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.end.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path: Path, cluster: Any) -> Path:
    """Folders of this test alone, a kubeconfig of the cluster, and one of a cluster that is off."""
    for name, port in (("on", cluster.server_port), ("off", 1)):
        config = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (tmp_path / name).write_text(yaml.safe_dump(config), encoding="utf-8")
    return tmp_path


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let children receive ^C, also where these tests run in the background of a script, which ignores it."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def start(home: Path, *words: str | Path) -> subprocess.Popen[str]:
    folders = {"GEDGE_STATE_DIR": str(home / "state"), "GEDGE_CACHE_DIR": str(home / "cache")}
    return subprocess.Popen(
        [GEDGE, *words],
        env={**os.environ, **folders, "no_proxy": "*"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


TRIED: dict[int, tuple[tuple[str | Path, ...], str]] = {
    0: (("service", "list", "--kubeconfig", "HOME/on"), "no service in namespace default"),
    1: (("service", "list", "--kubeconfig", "HOME/off"), "no answer from the API server"),
    2: (("service", "list", "--kubeconfig", "HOME/none"), "no such kubeconfig"),
    3: (("service", "apply", SERVICE, "--kubeconfig", "HOME/on"), "nvidia.com/gpu"),
    130: (("service", "list", "--kubeconfig", "HOME/on", "--namespace", "slow"), ""),
}


def test_every_exit_code_is_tried() -> None:
    assert set(TRIED) == set(PAGE.EXIT_CODES)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("code", TRIED)
def test_exit_codes_and_streams(code: int, home: Path, cluster: Any) -> None:
    words, said = TRIED[code]
    with start(home, *(str(word).replace("HOME", str(home)) for word in words)) as process:
        if not said:
            assert cluster.asked.wait(60)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    answer, other = (out, err) if code == 0 else (err, out)
    assert said in answer
    assert other == ""


@pytest.mark.parametrize(
    "words", [("--version",), ("schema", "site"), ("runs", "list", "--output", "json"), ("--help",)]
)
def test_answers_go_to_standard_output_and_nothing_else_is_said(words: tuple[str, ...], home: Path) -> None:
    with start(home, *words) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out
