"""A look into an image against a stand-in API server on loopback: what is made and read, and that nothing is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from gedge_provision import api
from gedge_provision.models.errors import GedgeError

SITE = """\
name: seoul-1
kubeconfig: KUBECONFIG
node_classes:
  plain: {}
  ai: {gpu: {driver: preinstalled, driver_version: '550.54.15'}}
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
"""
LOG = "gedge-image-report 1\nenv CUDA_VERSION 12.4.1\nkernel NVRM version: x Kernel Module  535.54.03  x\nend\n"
READY = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"cpu": "8", "nvidia.com/gpu": "1"}}
NO_SHELL = {"reason": "StartError", "exitCode": 128, "message": 'exec: "sh": executable file not found in $PATH'}


class Server(ThreadingHTTPServer):
    """Keeps what is created; `states` are what the pod is at each look at it, the last one for ever."""

    def __init__(self, states: list[dict[str, Any]], log: str, kept: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.states, self.log, self.kept = states, log, kept
        self.pod: dict[str, Any] = {}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/api/v1/nodes":
            items = [{"metadata": {"name": name}, "status": READY} for name in ("m1", "w1")]
            self.reply({"metadata": {}, "items": items})
        elif path.endswith(("/pods", "/events")):
            self.reply({"metadata": {}, "items": []})
        elif path.endswith("/serviceaccounts/default"):
            self.reply({})
        elif path.endswith("/log"):
            self.reply(self.server.log)
        elif path in self.server.kept:
            states = self.server.states
            state = states.pop(0) if len(states) > 1 else states[0]
            self.reply(self.server.kept[path] | ({"status": state} if "/pods/" in path else {}))
        else:
            self.reply({}, 404)

    def do_POST(self) -> None:
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.kept[f"{urlsplit(self.path).path}/{made['metadata']['name']}"] = made
        if made["kind"] == "Pod":
            self.server.pod = made
        self.reply(made, 201)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        gone = urlsplit(self.path).path
        self.server.kept = {path: made for path, made in self.server.kept.items() if not path.startswith(gone)}
        self.reply({})

    def reply(self, what: dict[str, Any] | str, status: int = 200) -> None:
        content = (what if isinstance(what, str) else json.dumps(what)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Cluster:
    """A site whose API server the stand-in is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: list[tuple[Server, Thread]] = []

    def check(
        self, states: list[dict[str, Any]], log: str = LOG, kept: dict[str, Any] | None = None, **options: Any
    ) -> api.ImageCheck:
        server = Server(states, log, dict(kept or {}))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.servers.append((server, thread))
        config = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (self.folder / "kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")
        site = self.folder / "site.yml"
        site.write_text(SITE.replace("KUBECONFIG", str(self.folder / "kubeconfig")), encoding="utf-8")
        return api.check_image(site, "example/app:1", **options)

    @property
    def last(self) -> Server:
        return self.servers[-1][0]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("GEDGE_STATE_DIR", str(tmp_path / "state"))
    made = Cluster(tmp_path)
    yield made
    for server, thread in made.servers:
        server.shutdown()
        thread.join()
        server.server_close()


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "image", "state": state}]}


def failed(terminated: dict[str, Any]) -> dict[str, Any]:
    return {"phase": "Failed", "containerStatuses": [{"name": "image", "state": {"terminated": terminated}}]}


def test_a_look_waits_for_the_image_and_leaves_nothing(cluster: Cluster) -> None:
    found = cluster.check([waiting("ContainerCreating"), waiting("ErrImagePull"), {"phase": "Succeeded"}])
    assert (found.report.cuda, found.report.node, found.report.driver) == (("12.4.1",), "w1", "535.54.03")
    (answer,) = found.classes
    assert (answer.node_class, answer.driver, answer.answer) == ("ai", "550.54.15", "fits")
    assert "the kernel of w1 has driver 535.54.03" in "".join(answer.notes)
    assert found.fits
    assert cluster.last.kept == {}
    assert "nvidia.com/gpu" not in str(cluster.last.pod)


def test_a_look_on_a_gpu_asks_for_one(cluster: Cluster) -> None:
    gpu = "gpu 550.54.15, 9.0, NVIDIA H100\nend\n"
    found = cluster.check([{"phase": "Succeeded"}], LOG.replace("end\n", gpu), on_gpu=True)
    assert cluster.last.pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert [one.name for one in found.report.gpus] == ["NVIDIA H100"]


@pytest.mark.parametrize(
    ("states", "log", "said"),
    [
        ([failed(NO_SHELL)], LOG, "the image has no shell"),
        ([waiting("ImagePullBackOff", "not found")], LOG, "the node does not get the image: not found"),
        ([waiting("ContainerCreating")], LOG, "when the time is over"),
        ([{"phase": "Succeeded"}], "gedge-image-report 1\n", "did not come to its end"),
    ],
)
def test_an_image_that_tells_nothing_leaves_nothing(
    cluster: Cluster, states: list[dict[str, Any]], log: str, said: str
) -> None:
    with pytest.raises(GedgeError, match=said) as caught:
        cluster.check(states, log, timeout_s=1)
    assert caught.value.place == "example/app:1"
    assert caught.value.remedy
    assert cluster.last.kept == {}


def test_a_foreign_namespace_of_the_name_is_left_alone(cluster: Cluster) -> None:
    foreign = {"/api/v1/namespaces/gedge-gpu-check": {"metadata": {"name": "gedge-gpu-check"}}}
    with pytest.raises(GedgeError, match="not ours"):
        cluster.check([{"phase": "Succeeded"}], kept=foreign)
    assert cluster.last.kept == foreign
