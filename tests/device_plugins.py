"""The kubelet's half of the device plugin API, for tests of device plugins as processes of their own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

import grpc

from gedge_provision.adapters.locations import content_dir
from gedge_provision.adapters.programs import pack_program, read_programs

LIBRARY = "device-plugin"
SECONDS = 60


def _api() -> Any:
    spec = importlib.util.spec_from_file_location("api", content_dir() / "programs" / LIBRARY / "kubelet_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


API = _api()


class Kubelet:
    """The kubelet's half: takes registrations on kubelet.sock, and calls plugins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registered: Queue[Any] = Queue()
        self.refusals = 0
        self.start()

    def start(self) -> None:
        handler = grpc.unary_unary_rpc_method_handler(
            self._register,
            request_deserializer=API.MESSAGES["RegisterRequest"].FromString,
            response_serializer=API.MESSAGES["Empty"].SerializeToString,
        )
        self.server = grpc.server(ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("v1beta1.Registration", {"Register": handler}),)
        )
        self.server.add_insecure_port(f"unix:{self.folder}/kubelet.sock")
        self.server.start()

    def restart(self) -> None:
        """Start anew; as the real one, remove the sockets of plugins first."""
        self.stop()
        for socket in self.folder.iterdir():
            socket.unlink()
        self.start()

    def stop(self) -> None:
        self.server.stop(0).wait()

    def _register(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self.refusals:
            self.refusals -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        self.registered.put(request)
        return API.MESSAGES["Empty"]()


class Machine:
    """A node with a kubelet's folder and a sysfs, and a plugin on it."""

    def __init__(self, root: Path, name: str, where: dict[str, Path]) -> None:
        self.kubelet_folder, self.sysfs = root / "k", root / "sys"
        for folder in (self.kubelet_folder, self.sysfs):
            folder.mkdir(parents=True)
        self.program = root / name
        pack_program(read_programs(content_dir() / "programs", {name: LIBRARY})[name], self.program)
        places = {"kubelet": self.kubelet_folder, "sysfs": self.sysfs, **where}
        self.where = [f"--{option}={path}" for option, path in places.items()]
        self.kubelet = Kubelet(self.kubelet_folder)
        self.process: subprocess.Popen[str] | None = None

    def run(self, *arguments: str) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, self.program, *self.where, *arguments], stderr=subprocess.PIPE, text=True
        )
        return self.process

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.kubelet.stop()


class Plugin:
    """The plugin as the kubelet sees it after a registration."""

    def __init__(self, machine: Machine, request: Any) -> None:
        self.channel = grpc.insecure_channel(f"unix:{machine.kubelet_folder}/{request.endpoint}")

    def call(self, name: str, request: str, response: str, **fields: Any) -> Any:
        call = self.channel.unary_unary(
            f"/v1beta1.DevicePlugin/{name}",
            request_serializer=API.MESSAGES[request].SerializeToString,
            response_deserializer=API.MESSAGES[response].FromString,
        )
        return call(API.MESSAGES[request](**fields), timeout=SECONDS)

    def watch(self) -> Any:
        call = self.channel.unary_stream(
            "/v1beta1.DevicePlugin/ListAndWatch",
            request_serializer=API.MESSAGES["Empty"].SerializeToString,
            response_deserializer=API.MESSAGES["ListAndWatchResponse"].FromString,
        )
        return call(API.MESSAGES["Empty"](), timeout=SECONDS)

    def allocate(self, *ids: str) -> Any:
        container = API.MESSAGES["ContainerAllocateRequest"](devices_ids=ids)
        return self.call("Allocate", "AllocateRequest", "AllocateResponse", container_requests=[container])


def health(answer: Any) -> list[tuple[str, str]]:
    return [(device.ID, device.health) for device in answer.devices]
