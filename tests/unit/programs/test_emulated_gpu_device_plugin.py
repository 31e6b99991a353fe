"""The device plugin for emulated GPUs as its own process, beside the kubelet's half of the API."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from device_plugins import SECONDS, Machine, Plugin, health

NAME = "emulated-gpu-device-plugin"
GPU = "nvidia.com/gpu"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes device nodes: run as root")


class Node(Machine):
    """A node with two NUMA nodes, and folders for what the plugin makes."""

    def __init__(self, root: Path) -> None:
        self.folder, self.cdi = root / "emulated" / "gpus", root / "cdi"
        super().__init__(root, NAME, {"folder": self.folder, "cdi": self.cdi})
        for number in (0, 1):
            (self.sysfs / f"devices/system/node/node{number}").mkdir(parents=True)

    def emulate(self, *resources: dict[str, Any]) -> Any:
        return self.run(f"--resources={json.dumps(list(resources))}")

    def registered(self) -> Any:
        return self.kubelet.registered.get(timeout=SECONDS)

    def card(self, vendor: str, kind: str) -> None:
        device = self.sysfs / "bus/pci/devices/0000:41:00.0"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "class").write_text(f"{kind}\n")

    def counts(self, resource: str, *ids: str) -> None:
        told = {"Data": {"PodDeviceEntries": None, "RegisteredDevices": {resource: list(ids)}}, "Checksum": 1}
        (self.kubelet_folder / "kubelet_internal_checkpoint").write_text(json.dumps(told))

    def tell(self, text: str) -> None:
        (self.folder / "health.json").write_text(text)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.end()


def places(answer: Any) -> dict[str, list[int]]:
    return {device.ID: [one.ID for one in device.topology.nodes] for device in answer.devices}


def variables(container: Any) -> dict[str, str]:
    return {one.key: one.value for one in container.envs}


def ended(process: Any) -> str:
    """Return the log of a plugin that was told to end, and did so in order."""
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, log
    return str(log)


def test_gpus_are_told_with_their_numa_nodes_and_given_as_harmless_files(node: Node) -> None:
    process = node.emulate({"resource": GPU, "count": 3, "numa_nodes": [0, 1]})
    request = node.registered()
    assert (request.version, request.resource_name, request.endpoint) == ("v1beta1", GPU, "emulated-gpu-0.sock")
    plugin = Plugin(node, request)
    with plugin.channel:
        options = plugin.call("GetDevicePluginOptions", "Empty", "DevicePluginOptions")
        assert not options.get_preferred_allocation_available
        answers = plugin.watch()
        first = next(answers)
        assert places(first) == {"emulated-gpu-0": [0], "emulated-gpu-1": [1], "emulated-gpu-2": [0]}
        assert {state for _, state in health(first)} == {"Healthy"}
        (container,) = plugin.allocate("emulated-gpu-1", "emulated-gpu-2").container_responses
        assert variables(container) == {
            "GEDGE_EMULATED_GPU": "emulated-gpu-1,emulated-gpu-2",
            "NVIDIA_VISIBLE_DEVICES": "emulated-gpu-1,emulated-gpu-2",
        }
        assert [(one.container_path, one.permissions) for one in container.devices] == [
            ("/dev/emulated-gpu-1", "rw"),
            ("/dev/emulated-gpu-2", "rw"),
        ]
        for one in container.devices:
            found = Path(one.host_path).stat()
            assert stat.S_ISCHR(found.st_mode)
            assert found.st_rdev == os.makedev(1, 3)
            assert stat.S_IMODE(found.st_mode) == 0o666
        assert not container.cdi_devices
        assert not node.cdi.exists()
        with pytest.raises(grpc.RpcError, match=r"nvidia\.com/gpu has no emulated device GPU-1"):
            plugin.allocate("GPU-1")
        log = ended(process)
        assert [health(answer) for answer in answers] == [[]]  # the kubelet counts none of them any more
    assert "INFO emulated GPUs: registered nvidia.com/gpu" in log
    assert all("emulated" in line.lower() for line in log.splitlines())
    assert not node.folder.exists()
    assert not (node.kubelet_folder / request.endpoint).exists()


def test_cdi_where_it_is_asked_for(node: Node) -> None:
    process = node.emulate({"resource": GPU, "count": 2, "cdi": True}, {"resource": "amd.com/gpu"})
    requests = {one.resource_name: one for one in (node.registered(), node.registered())}
    plugin = Plugin(node, requests[GPU])
    with plugin.channel:
        assert places(next(plugin.watch())) == {"emulated-gpu-0": [], "emulated-gpu-1": []}
        (container,) = plugin.allocate("emulated-gpu-0").container_responses
        assert [one.name for one in container.cdi_devices] == ["gedge.dev/emulated-gpu=emulated-gpu-0"]
        assert not container.devices
    other = Plugin(node, requests["amd.com/gpu"])
    with other.channel:
        (container,) = other.allocate("emulated-gpu-2").container_responses
        assert variables(container) == {"GEDGE_EMULATED_GPU": "emulated-gpu-2"}
    (file,) = node.cdi.iterdir()
    specification = json.loads(file.read_text())
    assert "emulated" in file.name
    assert specification["kind"] == "gedge.dev/emulated-gpu"
    assert [one["name"] for one in specification["devices"]] == ["emulated-gpu-0", "emulated-gpu-1"]
    (made,) = specification["devices"][0]["containerEdits"]["deviceNodes"]
    assert (made["path"], made["major"], made["minor"]) == ("/dev/emulated-gpu-0", 1, 3)
    assert stat.S_ISCHR(Path(made["hostPath"]).stat().st_mode)
    ended(process)
    assert list(node.cdi.iterdir()) == []


def test_parts_of_gpus_as_mig_and_as_time_slices(node: Node) -> None:
    mig, shared = "nvidia.com/mig-1g.5gb", "nvidia.com/gpu.shared"
    node.emulate(
        {"resource": mig, "count": 1, "slices": 2, "numa_nodes": [1]}, {"resource": shared, "count": 2, "slices": 2}
    )
    plugins = {one.resource_name: Plugin(node, one) for one in (node.registered(), node.registered())}
    with plugins[mig].channel, plugins[shared].channel:
        watch = plugins[shared].watch()
        assert places(next(plugins[mig].watch())) == {"emulated-gpu-0-mig-0": [1], "emulated-gpu-0-mig-1": [1]}
        assert list(places(next(watch))) == [
            "emulated-gpu-1::0",
            "emulated-gpu-1::1",
            "emulated-gpu-2::0",
            "emulated-gpu-2::1",
        ]
        (container,) = plugins[mig].allocate("emulated-gpu-0-mig-1").container_responses
        assert variables(container)["NVIDIA_VISIBLE_DEVICES"] == "emulated-gpu-0-mig-1"
        # Two slices of one GPU are one GPU to a container, as with the real plugin.
        (container,) = plugins[shared].allocate("emulated-gpu-1::0", "emulated-gpu-1::1").container_responses
        assert variables(container)["NVIDIA_VISIBLE_DEVICES"] == "emulated-gpu-1"
        assert [one.container_path for one in container.devices] == ["/dev/emulated-gpu-1"]
        node.tell('{"emulated-gpu-1": "Unhealthy"}')
        assert [name for name, state in health(next(watch)) if state == "Unhealthy"] == [
            "emulated-gpu-1::0",
            "emulated-gpu-1::1",
        ]
        node.tell('{"emulated-gpu-2::1": "Unhealthy"}')
        assert [name for name, state in health(next(watch)) if state == "Unhealthy"] == ["emulated-gpu-2::1"]


def test_health_goes_and_comes_back_within_two_seconds(node: Node) -> None:
    process = node.emulate({"resource": GPU, "count": 2})
    plugin = Plugin(node, node.registered())
    with plugin.channel:
        answers = plugin.watch()
        next(answers)
        told = json.loads((node.folder / "health.json").read_text())
        assert told == {"emulated-gpu-0": "Healthy", "emulated-gpu-1": "Healthy"}
        for state in ("Unhealthy", "Healthy"):
            node.tell(json.dumps(told | {"emulated-gpu-1": state}))
            since = time.monotonic()
            assert health(next(answers)) == [("emulated-gpu-0", "Healthy"), ("emulated-gpu-1", state)]
            assert time.monotonic() - since < 2
        # What is wrong changes nothing, and what comes right after it counts.
        node.tell(json.dumps({"emulated-gpu-0": "Unhealthy"}))
        assert health(next(answers))[0] == ("emulated-gpu-0", "Unhealthy")
        for wrong in ('{"emulated-gpu-0"', '{"nvidia0": "Healthy"}', '{"emulated-gpu-0": ["Healthy"]}'):
            node.tell(wrong)
            time.sleep(3)
        (node.folder / "health.json").unlink()
        assert health(next(answers)) == [("emulated-gpu-0", "Healthy"), ("emulated-gpu-1", "Healthy")]
        log = ended(process)
    assert log.count("health stays as it was -> write") == 3
    assert "names nvidia0, which nothing here is called" in log
    assert "says of emulated-gpu-0 neither Healthy nor Unhealthy" in log
    assert "2 devices of nvidia.com/gpu; Unhealthy: emulated-gpu-1" in log


def test_it_registers_again_with_a_kubelet_that_starts_anew(node: Node) -> None:
    node.emulate({"resource": GPU, "count": 2})
    first = node.registered()
    node.tell('{"emulated-gpu-0": "Unhealthy"}')
    node.kubelet.restart()
    again = node.registered()
    assert again == first
    plugin = Plugin(node, again)
    with plugin.channel:
        assert health(next(plugin.watch())) == [("emulated-gpu-0", "Unhealthy"), ("emulated-gpu-1", "Healthy")]


def test_health_stays_when_the_plugin_is_killed(node: Node) -> None:
    process = node.emulate({"resource": GPU, "cdi": True})
    node.registered()
    node.tell('{"emulated-gpu-0": "Unhealthy"}')
    process.kill()
    process.communicate()
    assert list(node.cdi.iterdir())
    process = node.emulate({"resource": GPU})
    plugin = Plugin(node, node.registered())
    with plugin.channel:
        assert health(next(plugin.watch())) == [("emulated-gpu-0", "Unhealthy")]
    # CDI is not asked for any more.
    assert list(node.cdi.iterdir()) == []
    ended(process)


def refused(process: Any) -> str:
    _, log = process.communicate(timeout=SECONDS)
    assert process.returncode == 1, log
    assert "emulated GPUs" in log
    return str(log)


@pytest.mark.parametrize("kind", ["0x030000", "0x030200", "0x120000"])
def test_a_node_with_a_real_gpu_is_refused(node: Node, kind: str) -> None:
    node.card("0x10de", kind)
    log = refused(node.emulate({"resource": GPU}))
    assert "this node has a real device of nvidia.com (0000:41:00.0)" in log
    assert "-> take emulated_gpus out of its node class" in log
    assert node.kubelet.registered.empty()
    assert not node.folder.exists()


@pytest.mark.parametrize(("vendor", "kind"), [("0x10de", "0x040300"), ("0x1234", "0x030000")])
def test_other_devices_are_not_taken_for_gpus(node: Node, vendor: str, kind: str) -> None:
    node.card(vendor, kind)
    node.emulate({"resource": GPU})
    assert node.registered().resource_name == GPU


def test_a_resource_of_another_plugin_is_refused(node: Node) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(node.kubelet_folder / "nvidia-gpu.sock"))
        server.listen()
        log = refused(node.emulate({"resource": GPU}))
    assert "nvidia.com/gpu is offered by another device plugin (nvidia-gpu.sock)" in log
    # What its plugin left behind when it was killed is no plugin.
    node.emulate({"resource": GPU})
    assert node.registered().resource_name == GPU


def test_devices_that_the_kubelet_counts_already_are_refused(node: Node) -> None:
    node.counts("example.com/gpu", "GPU-8dcd427f")
    log = refused(node.emulate({"resource": "example.com/gpu"}))
    assert "(the kubelet counts GPU-8dcd427f) -> emulate another resource, or remove that plugin" in log
    node.counts("example.com/gpu", "emulated-gpu-0")
    node.emulate({"resource": "example.com/gpu"})
    assert node.registered().resource_name == "example.com/gpu"


def test_a_real_device_that_comes_later_ends_the_emulation(node: Node) -> None:
    process = node.emulate({"resource": GPU, "cdi": True})
    request = node.registered()
    node.card("0x10de", "0x030200")
    assert "this node has a real device" in refused(process)
    assert not node.folder.exists()
    assert list(node.cdi.iterdir()) == []
    assert not (node.kubelet_folder / request.endpoint).exists()


def test_a_numa_node_that_is_not_there_is_refused(node: Node) -> None:
    log = refused(node.emulate({"resource": GPU, "numa_nodes": [3]}))
    assert "this node has no NUMA node 3, and nvidia.com/gpu is to be there -> correct numa_nodes; it has 0, 1" in log


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ("nvidia.com/gpu", "not JSON"),
        ("[]", "no resources -> write a list"),
        ('["nvidia.com/gpu"]', "is no resource -> write an object"),
        ('[{"resource": "gpu"}]', "is no resource name -> write DOMAIN/NAME"),
        ('[{"resource": "nvidia.com/gpu", "number": 2}]', "is no resource -> write an object"),
        ('[{"resource": "nvidia.com/gpu", "count": 0}]', "cannot be emulated -> count and slices"),
        ('[{"resource": "nvidia.com/gpu", "count": true}]', "cannot be emulated"),
        ('[{"resource": "nvidia.com/gpu", "count": 40, "slices": 40}]', "at most 1000 devices"),
        ('[{"resource": "nvidia.com/gpu", "numa_nodes": ["0"]}]', "are no numbers of NUMA nodes"),
        ('[{"resource": "nvidia.com/gpu"}, {"resource": "nvidia.com/gpu"}]', "stands twice"),
    ],
)
def test_wrong_resources_are_told(node: Node, resources: str, message: str) -> None:
    process = node.run(f"--resources={resources}")
    _, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert message in " ".join(stderr.split())
