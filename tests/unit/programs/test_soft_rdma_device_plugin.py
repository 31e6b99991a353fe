"""The device plugin for software RDMA as its own process, beside the kubelet's half of the API."""

from __future__ import annotations

import importlib.util
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

import grpc
import pytest

from gedge_provision.adapters.locations import content_dir
from gedge_provision.adapters.programs import pack_program, read_programs

NAME = "soft-rdma-device-plugin"
RESOURCE = "rdma/soft_rdma"
SECONDS = 60

needs_devices = pytest.mark.skipif(os.geteuid() != 0, reason="makes device nodes: run as root")


def _api() -> Any:
    spec = importlib.util.spec_from_file_location("api", content_dir() / "programs" / NAME / "kubelet_api.py")
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
    """Folders of a node, and the plugin on it."""

    def __init__(self, root: Path) -> None:
        self.kubelet_folder, self.verbs, self.sysfs = root / "k", root / "dev", root / "sys"
        for folder in (self.kubelet_folder, self.verbs, self.sysfs / "class" / "infiniband"):
            folder.mkdir(parents=True)
        self.program = root / NAME
        pack_program(read_programs(content_dir() / "programs", [NAME])[NAME], self.program)
        self.kubelet = Kubelet(self.kubelet_folder)
        self.process: subprocess.Popen[str] | None = None

    def run(self, *arguments: str) -> subprocess.Popen[str]:
        where = [f"--kubelet={self.kubelet_folder}", f"--verbs={self.verbs}", f"--sysfs={self.sysfs}"]
        self.process = subprocess.Popen(
            [sys.executable, self.program, *where, *arguments], stderr=subprocess.PIPE, text=True
        )
        return self.process

    def add_devices(self) -> None:
        os.mknod(self.verbs / "rdma_cm", 0o666 | stat.S_IFCHR, os.makedev(1, 3))

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.kubelet.stop()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.end()


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

    def allocate(self) -> Any:
        container = API.MESSAGES["ContainerAllocateRequest"](devices_ids=["soft-rdma-1"])
        return self.call("Allocate", "AllocateRequest", "AllocateResponse", container_requests=[container])


def _health(answer: Any) -> list[tuple[str, str]]:
    return [(device.ID, device.health) for device in answer.devices]


@needs_devices
def test_it_registers_tells_health_and_gives_the_folder(machine: Machine) -> None:
    process = machine.run("--devices=2")
    request = machine.kubelet.registered.get(timeout=SECONDS)
    assert (request.version, request.resource_name) == ("v1beta1", RESOURCE)
    plugin = Plugin(machine, request)
    with plugin.channel:
        options = plugin.call("GetDevicePluginOptions", "Empty", "DevicePluginOptions")
        assert not options.pre_start_required
        assert not options.get_preferred_allocation_available
        answers = plugin.watch()
        assert _health(next(answers)) == [("soft-rdma-0", "Unhealthy"), ("soft-rdma-1", "Unhealthy")]
        with pytest.raises(grpc.RpcError) as caught:
            plugin.allocate()
        assert "rdma_cm is missing -> load the kernel modules" in str(caught.value)
        machine.add_devices()
        assert _health(next(answers)) == [("soft-rdma-0", "Healthy"), ("soft-rdma-1", "Healthy")]
        (container,) = plugin.allocate().container_responses
        folder = str(machine.verbs)
        assert [(d.host_path, d.container_path, d.permissions) for d in container.devices] == [(folder, folder, "rw")]
        # RDMA hardware turns up: a pod with software RDMA could open it.
        (machine.sysfs / "class/infiniband/mlx5_0/device").mkdir(parents=True)
        assert {health for _, health in _health(next(answers))} == {"Unhealthy"}
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, log
    assert "RDMA hardware (mlx5_0)" in log
    assert not (machine.kubelet_folder / request.endpoint).exists()


def test_it_registers_again_with_a_kubelet_that_starts_anew(machine: Machine) -> None:
    machine.run()
    first = machine.kubelet.registered.get(timeout=SECONDS)
    machine.kubelet.restart()
    again = machine.kubelet.registered.get(timeout=SECONDS)
    assert again == first
    plugin = Plugin(machine, again)
    with plugin.channel:
        assert len(next(plugin.watch()).devices) == 16
    # The kubelet only cleans the folder.
    (machine.kubelet_folder / first.endpoint).unlink()
    assert machine.kubelet.registered.get(timeout=SECONDS) == first


def test_it_waits_for_a_kubelet_and_tries_again_after_a_refusal(machine: Machine) -> None:
    machine.kubelet.stop()
    (machine.kubelet_folder / "kubelet.sock").unlink(missing_ok=True)
    process = machine.run("--resource=example.org/links")
    assert process.stderr is not None
    assert "waiting for the kubelet's socket" in process.stderr.readline()
    machine.kubelet.refusals = 1
    machine.kubelet.start()
    assert machine.kubelet.registered.get(timeout=SECONDS).resource_name == "example.org/links"
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "does not take example.org/links: not yet; trying again" in log


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--resource=soft_rdma", "is no resource name -> write DOMAIN/NAME"),
        ("--resource=rdma/../x", "is no resource name"),
        ("--devices=0", "is no number from 1 to 1000"),
        ("--devices=many", "is no number"),
    ],
)
def test_wrong_arguments_are_told(machine: Machine, argument: str, message: str) -> None:
    process = machine.run(argument)
    _, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert message in stderr
