"""The device plugin for software RDMA as its own process, beside the kubelet's half of the API."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from device_plugins import SECONDS, Plugin, health
from device_plugins import Machine as AnyMachine

NAME = "soft-rdma-device-plugin"
RESOURCE = "rdma/soft_rdma"

needs_devices = pytest.mark.skipif(os.geteuid() != 0, reason="makes device nodes: run as root")


class Machine(AnyMachine):
    """A node with a folder for the verbs devices."""

    def __init__(self, root: Path) -> None:
        self.verbs = root / "dev"
        super().__init__(root, NAME, {"verbs": self.verbs})
        for folder in (self.verbs, self.sysfs / "class" / "infiniband"):
            folder.mkdir(parents=True)

    def add_devices(self) -> None:
        os.mknod(self.verbs / "rdma_cm", 0o666 | stat.S_IFCHR, os.makedev(1, 3))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.end()


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
        assert health(next(answers)) == [("soft-rdma-0", "Unhealthy"), ("soft-rdma-1", "Unhealthy")]
        with pytest.raises(grpc.RpcError) as caught:
            plugin.allocate("soft-rdma-1")
        assert "rdma_cm is missing -> load the kernel modules" in str(caught.value)
        machine.add_devices()
        assert health(next(answers)) == [("soft-rdma-0", "Healthy"), ("soft-rdma-1", "Healthy")]
        (container,) = plugin.allocate("soft-rdma-1").container_responses
        folder = str(machine.verbs)
        assert [(d.host_path, d.container_path, d.permissions) for d in container.devices] == [(folder, folder, "rw")]
        # RDMA hardware turns up: a pod with software RDMA could open it.
        (machine.sysfs / "class/infiniband/mlx5_0/device").mkdir(parents=True)
        assert {state for _, state in health(next(answers))} == {"Unhealthy"}
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=SECONDS)
        assert [health(answer) for answer in answers] == [[]]
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
