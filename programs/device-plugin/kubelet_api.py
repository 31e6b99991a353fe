"""The kubelet's device plugin API v1beta1: messages and calls.

Messages are built from the text below when the program starts. Code that protoc generates runs only with a protobuf
library of about its own age, and Debian's is older than those that the generators of today support.
"""

from __future__ import annotations

import re
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, message_factory

__all__ = ["MESSAGES", "VERSION", "plugin_handlers", "register_call"]

VERSION = "v1beta1"

# Out of k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1/api.proto; fields that nothing here uses are left out. There
# envs is a map, which is the same on the wire as its repeated entries.
_PROTO = """
message Empty { }
message DevicePluginOptions { bool pre_start_required = 1; bool get_preferred_allocation_available = 2; }
message RegisterRequest {
  string version = 1; string endpoint = 2; string resource_name = 3; DevicePluginOptions options = 4;
}
message NUMANode { int64 ID = 1; }
message TopologyInfo { repeated NUMANode nodes = 1; }
message Device { string ID = 1; string health = 2; TopologyInfo topology = 3; }
message ListAndWatchResponse { repeated Device devices = 1; }
message ContainerAllocateRequest { repeated string devices_ids = 1; }
message AllocateRequest { repeated ContainerAllocateRequest container_requests = 1; }
message DeviceSpec { string container_path = 1; string host_path = 2; string permissions = 3; }
message CDIDevice { string name = 1; }
message Variable { string key = 1; string value = 2; }
message ContainerAllocateResponse {
  repeated Variable envs = 1; repeated DeviceSpec devices = 3; repeated CDIDevice cdi_devices = 5;
}
message AllocateResponse { repeated ContainerAllocateResponse container_responses = 1; }
message PreStartContainerRequest { repeated string devices_ids = 1; }
message PreStartContainerResponse { }
message PreferredAllocationRequest { }
message PreferredAllocationResponse { }
"""

_PLUGIN_CALLS = {
    "GetDevicePluginOptions": ("Empty", "DevicePluginOptions"),
    "ListAndWatch": ("Empty", "ListAndWatchResponse"),
    "Allocate": ("AllocateRequest", "AllocateResponse"),
    "PreStartContainer": ("PreStartContainerRequest", "PreStartContainerResponse"),
    "GetPreferredAllocation": ("PreferredAllocationRequest", "PreferredAllocationResponse"),
}
_STREAM = "ListAndWatch"


def _messages() -> dict[str, Any]:
    field_types = descriptor_pb2.FieldDescriptorProto
    scalars = {
        "bool": field_types.TYPE_BOOL,
        "int64": field_types.TYPE_INT64,
        "string": field_types.TYPE_STRING,
    }
    file = descriptor_pb2.FileDescriptorProto(name="deviceplugin.proto", package=VERSION, syntax="proto3")
    for name, body in re.findall(r"message (\w+) \{([^}]*)\}", _PROTO):
        message = file.message_type.add(name=name)
        for repeated, kind, field_name, number in re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body):
            field = message.field.add(name=field_name, number=int(number))
            field.label = field_types.LABEL_REPEATED if repeated else field_types.LABEL_OPTIONAL
            field.type = scalars.get(kind, field_types.TYPE_MESSAGE)
            if kind not in scalars:
                field.type_name = f".{VERSION}.{kind}"
    return {name.removeprefix(f"{VERSION}."): message for name, message in message_factory.GetMessages([file]).items()}


MESSAGES = _messages()
"""Message classes by name."""


def register_call(channel: grpc.Channel) -> grpc.UnaryUnaryMultiCallable[Any, Any]:
    """Return the call that tells the kubelet of a plugin (RegisterRequest -> Empty)."""
    return channel.unary_unary(
        f"/{VERSION}.Registration/Register",
        request_serializer=MESSAGES["RegisterRequest"].SerializeToString,
        response_deserializer=MESSAGES["Empty"].FromString,
    )


def plugin_handlers(service: object) -> grpc.GenericRpcHandler:
    """Return the handlers of the calls that the kubelet makes; `service` has a method by each call's name."""
    handlers = {}
    for name, (request, response) in _PLUGIN_CALLS.items():
        kind = grpc.unary_stream_rpc_method_handler if name == _STREAM else grpc.unary_unary_rpc_method_handler
        handlers[name] = kind(
            getattr(service, name),
            request_deserializer=MESSAGES[request].FromString,
            response_serializer=MESSAGES[response].SerializeToString,
        )
    return grpc.method_handlers_generic_handler(f"{VERSION}.DevicePlugin", handlers)
