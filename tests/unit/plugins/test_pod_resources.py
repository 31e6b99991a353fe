"""What is read of the kubelet's pod-resources API and files, beside a server that has the API's own messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import descriptor_pb2, message_factory
from hypothesis import given
from hypothesis import strategies as st

from gedge_provision.models.alignment import KubeletPolicies
from gedge_provision.models.pod_resources import NodeResources
from plugins.module_utils import pod_resources, protobuf_wire
from plugins.module_utils.grpc_unary import CallError

# Out of k8s.io/kubelet/pkg/apis/podresources/v1/api.proto (0.36); DynamicResource stands for fields that nobody reads.
_PROTO = """
message AllocatableResourcesResponse {
  repeated ContainerDevices devices = 1; repeated int64 cpu_ids = 2; repeated ContainerMemory memory = 3;
}
message ListPodResourcesResponse { repeated PodResources pod_resources = 1; }
message PodResources { string name = 1; string namespace = 2; repeated ContainerResources containers = 3; }
message ContainerResources {
  string name = 1; repeated ContainerDevices devices = 2; repeated int64 cpu_ids = 3;
  repeated ContainerMemory memory = 4; repeated DynamicResource dynamic_resources = 5; double later = 99;
}
message ContainerMemory { string memory_type = 1; uint64 size = 2; TopologyInfo topology = 3; }
message ContainerDevices { string resource_name = 1; repeated string device_ids = 2; TopologyInfo topology = 3; }
message TopologyInfo { repeated NUMANode nodes = 1; }
message NUMANode { int64 ID = 1; }
message DynamicResource { string claim_name = 2; string claim_namespace = 3; }
"""


def _messages() -> dict[str, Any]:
    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {
        "string": kinds.TYPE_STRING,
        "int64": kinds.TYPE_INT64,
        "uint64": kinds.TYPE_UINT64,
        "double": kinds.TYPE_DOUBLE,
    }
    file = descriptor_pb2.FileDescriptorProto(name="podresources.proto", package="v1", syntax="proto3")
    for name, body in re.findall(r"message (\w+) \{([^}]*)\}", _PROTO):
        message = file.message_type.add(name=name)
        for repeated, kind, field_name, number in re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body):
            field = message.field.add(name=field_name, number=int(number))
            field.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            field.type = scalars.get(kind, kinds.TYPE_MESSAGE)
            if kind not in scalars:
                field.type_name = f".v1.{kind}"
    return {name.removeprefix("v1."): message for name, message in message_factory.GetMessages([file]).items()}


API = _messages()


def place(*nodes: int) -> Any:
    return API["TopologyInfo"](nodes=[API["NUMANode"](ID=node) for node in nodes])


def listed() -> Any:
    """Return pods as a kubelet lists them: each device by itself."""
    devices = [
        API["ContainerDevices"](resource_name=resource, device_ids=[name], topology=topology)
        for resource, name, topology in (
            ("intel.com/vf", "0000:41:10.2", place(1)),
            ("intel.com/vf", "0000:41:10.0", place(1)),
            ("intel.com/vf", "0000:01:10.0", place(0)),
            ("rdma/soft", "slot-1", None),
            ("rdma/soft", "slot-2", place(-1)),
        )
    ]
    owner = API["ContainerResources"](
        name="main",
        cpu_ids=[300, 2, 3],
        devices=devices,
        memory=[
            API["ContainerMemory"](memory_type="memory", size=5 * 2**30, topology=place(1, 0)),
            API["ContainerMemory"](memory_type="hugepages-1Gi", size=2**63, topology=place(1)),
        ],
        dynamic_resources=[API["DynamicResource"](claim_name="x", claim_namespace="y")],
        later=1.5,
    )
    pods = [API["PodResources"](name="owner", namespace="edge", containers=[owner])]
    pods += [
        API["PodResources"](
            name=f"sharer-{number}", namespace="größe", containers=[API["ContainerResources"](name="main")]
        )
        for number in range(3000)
    ]
    return API["ListPodResourcesResponse"](pod_resources=pods)


def allocatable() -> Any:
    devices = [API["ContainerDevices"](resource_name="intel.com/vf", device_ids=["0000:41:10.0"], topology=place(1))]
    memory = [API["ContainerMemory"](memory_type="memory", size=0, topology=place(0))]
    return API["AllocatableResourcesResponse"](cpu_ids=[1, 3, 2], devices=devices, memory=memory)


@pytest.fixture
def kubelet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A node's folder: a socket on which somebody has the API, and no state files yet."""
    for name in ("CPU_STATE", "MEMORY_STATE", "KUBELET_CONFIG", "POD_LOGS"):
        monkeypatch.setattr(pod_resources, name, str(tmp_path / name))
    answers = {"List": listed, "GetAllocatableResources": allocatable}
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(lambda _, __, answer=answer: answer().SerializeToString())
        for name, answer in answers.items()
    }
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1.PodResourcesLister", handlers),))
    server.add_insecure_port(f"unix:{tmp_path}/s")
    server.start()
    yield tmp_path
    server.stop(0).wait()


def test_pods_and_what_they_could_have_are_read(kubelet: Path) -> None:
    found = pod_resources.read_pod_resources(str(kubelet / "s"))
    assert len(found["pods"]) == 3001
    owner, sharer = found["pods"][:2]
    assert (owner["namespace"], owner["name"]) == ("edge", "owner")
    assert owner["containers"] == [
        {
            "name": "main",
            "cpus": "2-3,300",
            "memory": [
                {"kind": "hugepages-1Gi", "bytes": 2**63, "numa_nodes": [1]},
                {"kind": "memory", "bytes": 5 * 2**30, "numa_nodes": [0, 1]},
            ],
            "devices": [
                {"resource": "intel.com/vf", "numa_nodes": [0], "ids": ["0000:01:10.0"]},
                {"resource": "intel.com/vf", "numa_nodes": [1], "ids": ["0000:41:10.0", "0000:41:10.2"]},
                {"resource": "rdma/soft", "numa_nodes": [], "ids": ["slot-1", "slot-2"]},
            ],
        }
    ]
    assert sharer["namespace"] == "größe"
    assert sharer["containers"] == [{"name": "main", "cpus": "", "memory": [], "devices": []}]
    assert found["allocatable"] == {
        "cpus": "1-3",
        "memory": [{"kind": "memory", "bytes": 0, "numa_nodes": [0]}],
        "devices": [{"resource": "intel.com/vf", "numa_nodes": [1], "ids": ["0000:41:10.0"]}],
    }
    assert (found["cpu_state"], found["memory_state"], found["pod_names"], found["kubelet"]) == (None, None, {}, "")


def test_the_files_of_the_kubelet_are_read(kubelet: Path) -> None:
    entries = {"uid-1": {"main": "2-3", "init": "2"}}
    block = {"numaAffinity": [0], "type": "memory", "size": 1024}
    (kubelet / "CPU_STATE").write_text(
        json.dumps({"policyName": "static", "defaultCpuSet": "0-1", "entries": entries, "checksum": 1})
    )
    (kubelet / "MEMORY_STATE").write_text(
        json.dumps({"policyName": "Static", "machineState": {}, "entries": {"uid-1": {"main": [block]}}})
    )
    (kubelet / "KUBELET_CONFIG").write_text(
        "apiVersion: kubelet.config.k8s.io/v1beta1\ncpuManagerPolicy: static\ncpuManagerPolicyOptions:\n"
        '  full-pcpus-only: "true"\n  strict-cpu-reservation: "false"\nevictionHard:\n  memory.available: 100Mi\n'
        "reservedSystemCPUs: 0-1\nstaticPodURLHeader:\n  token: [secret]\ntopologyManagerPolicy: restricted"
    )
    for name in ("edge_owner_uid-1", "pods", "edge_owner_uid-0"):
        (kubelet / "POD_LOGS" / name).mkdir(parents=True)
    found = pod_resources.read_pod_resources(str(kubelet / "s"))
    assert "secret" not in found["kubelet"]
    assert found["pod_names"] == {"uid-0": "edge/owner", "uid-1": "edge/owner"}
    assert found["cpu_state"] == {"readable": True, "policy": "static", "shared": "0-1", "entries": entries}
    told = NodeResources.model_validate({**found, "kubelet": {}})
    assert told.cpu_state
    assert told.memory_state
    assert told.cpu_state.entries == {"uid-1": {"main": {2, 3}, "init": {2}}}
    (held,) = told.memory_state.entries["uid-1"]["main"]
    assert held.model_dump() == {"kind": "memory", "bytes": 1024, "numa_nodes": (0,)}  # type: ignore[union-attr]


def test_files_that_change_meanwhile_are_read_with_the_answer_that_goes_with_them(
    kubelet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    call = pod_resources.call

    def changing(path: str, method: str) -> bytes:
        asked.append(method)
        if len(asked) < 3:
            (kubelet / "CPU_STATE").write_text(json.dumps({"policyName": f"of call {len(asked)}"}))
        answer: bytes = call(path, method)
        return answer

    monkeypatch.setattr(pod_resources, "call", changing)
    found = pod_resources.read_pod_resources(str(kubelet / "s"))
    assert found["cpu_state"]["policy"] == "of call 2"
    assert [method.rpartition("/")[2] for method in asked] == ["List"] * 3 + ["GetAllocatableResources"]


def test_the_settings_are_told_in_the_kubelets_words() -> None:
    policies = KubeletPolicies.model_validate(
        {
            "cpuManagerPolicyOptions": {"full-pcpus-only": "true", "strict-cpu-reservation": "false"},
            "topologyManagerScope": "pod",
            "reservedSystemCPUs": "0-1",
        }
    )
    assert policies == KubeletPolicies(cpu_options=("full-pcpus-only",), scope="pod", reserved=frozenset({0, 1}))


def test_lists_of_settings_are_told_as_kubeadm_writes_them() -> None:
    """Items of a list stand at the beginning of the line there."""
    written = """\
kubeReserved:
  cpu: 500m
  memory: 1Gi
memoryManagerPolicy: Static
nodeStatusReportFrequency: 0s
reservedMemory:
- limits:
    memory: 612Mi
  numaNode: 0
- limits:
    memory: 512Mi
  numaNode: 1
rotateCertificates: true
systemReserved:
  cpu: 600m
topologyManagerPolicyOptions:
  prefer-closest-numa-nodes: "true"
"""
    told = pod_resources.settings_in(written)
    assert "rotateCertificates" not in told
    assert "nodeStatus" not in told
    assert KubeletPolicies.model_validate(yaml.safe_load(told)) == KubeletPolicies(
        memory="Static",
        reserved_cpus=2,
        reserved_memory={0: {"memory": 612 * 2**20}, 1: {"memory": 512 * 2**20}},
        topology_options=("prefer-closest-numa-nodes",),
    )


@pytest.mark.parametrize("content", ["broken", "[]", ""])
def test_a_state_that_is_none_is_told(content: str, kubelet: Path) -> None:
    (kubelet / "CPU_STATE").write_text(content)
    state = pod_resources.read_pod_resources(str(kubelet / "s"))["cpu_state"]
    assert state == {"readable": False, "policy": "", "shared": "", "entries": {}}


def test_a_kubelet_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="No such file"):
        pod_resources.read_pod_resources(str(tmp_path / "s"))


@given(st.binary())
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        found = protobuf_wire.fields(data)
    except ValueError:
        return
    assert all(isinstance(number, int) for number in found)
    for read in (protobuf_wire.text, protobuf_wire.texts, protobuf_wire.unsigned):
        read(found, 1)


@given(st.lists(st.integers(min_value=-(2**63), max_value=2**63 - 1)), st.integers(min_value=0, max_value=2**64 - 1))
def test_numbers_are_read_as_the_library_writes_them(numbers: list[int], size: int) -> None:
    written = API["ContainerResources"](cpu_ids=numbers).SerializeToString()
    assert protobuf_wire.integers(protobuf_wire.fields(written), 3) == numbers
    written = API["ContainerMemory"](size=size).SerializeToString()
    assert protobuf_wire.unsigned(protobuf_wire.fields(written), 2) == size


def test_a_message_that_is_cut_off_is_refused() -> None:
    whole = listed().SerializeToString()
    with pytest.raises(ValueError, match="cut off"):
        pod_resources.pods_in(whole[:-1])
