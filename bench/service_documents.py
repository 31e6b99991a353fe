"""Documents of many services of ten kinds, and the simulated nodes that can hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

__all__ = ["SIMULATED", "nodes", "services", "templates", "write"]

SIMULATED = {"bench.gedge.dev/simulated": "true"}
"""Label of simulated nodes: the services ask for it, and kwok (simulated_nodes.yml) takes these nodes only."""

_IMAGE = "bench.invalid/app:1.0"  # nobody fetches it
_FIRST_PORT = 20000  # below the range of node ports
_CPU, _GIB = 32, 128
_PODS = 110  # Kubernetes' limit for a node
_GPUS, _FUNCTIONS, _RDMA = 8, 32, 32
_REPLICAS = 3

Document = dict[str, Any]


def services(count: int) -> list[Document]:
    """Return documents of that many services: ten kinds in turn, each with one, two and three replicas in turn."""
    kinds = (_worker, _web, _published, _sidecar, _pinned, _gpu, _sriov, _rdma, _templated, _pipeline)
    found = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        told = kind(number)
        common = {
            "name": f"{kind.__name__.removeprefix('_')}-{number:04}",
            "replicas": 1 + number // len(kinds) % _REPLICAS,
            "nodeSelector": dict(SIMULATED),
        }
        found.append({"service": common | told})
    return found


def templates() -> list[Document]:
    """Return the templates that the services are made on."""
    probe = {"http": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}
    sizes = {"small": ("200m", "128Mi"), "large": ("1", "512Mi")}
    return [
        {
            "template": {
                "name": name,
                "service": {
                    "labels": {"size": name},
                    "containers": [
                        {
                            "image": _IMAGE,
                            "ports": [{"containerPort": 8080}],
                            "readinessProbe": probe,
                            "resources": _asks(cpu, memory),
                        }
                    ],
                },
            }
        }
        for name, (cpu, memory) in sizes.items()
    ]


def write(folder: Path, count: int) -> list[Path]:
    """Write the documents of services, YAML and JSON in turn, and of their templates; return those of services."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in templates():
        (folder / f"template-{document['template']['name']}.json").write_text(json.dumps(document), encoding="utf-8")
    found = []
    for number, document in enumerate(services(count)):
        suffix = "json" if number % 5 == 0 else "yaml"
        path = folder / f"{document['service']['name']}.{suffix}"
        text = json.dumps(document) if suffix == "json" else yaml.safe_dump(document, sort_keys=False)
        path.write_text(text, encoding="utf-8")
        found.append(path)
    return found


def nodes(count: int) -> list[Document]:
    """Return simulated nodes: every second one with GPUs, the others with virtual functions and RDMA devices."""
    found = []
    for number in range(count):
        offers = {"cpu": str(_CPU), "memory": f"{_GIB}Gi", "pods": str(_PODS)}
        offers |= (
            {"nvidia.com/gpu": str(_GPUS)}
            if number % 2 == 0
            else {"intel.com/intel_sriov_netdevice": str(_FUNCTIONS), "rdma/hca_shared_devices_a": str(_RDMA)}
        )
        # 198.18.0.0/15 is for benchmarks (RFC 2544): nobody is there.
        address = {"type": "InternalIP", "address": f"198.18.{number // 250}.{number % 250 + 1}"}
        found.append(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": f"simulated-{number:03}", "labels": dict(SIMULATED)},
                "status": {"capacity": offers, "allocatable": offers, "addresses": [address]},
            }
        )
    return found


def _worker(number: int) -> Document:
    variables = [{"name": "QUEUE", "value": f"q{number % 7}"}, {"name": "MODE", "value": "batch"}]
    command = {"command": ["/app"], "args": ["--queue", f"q{number % 7}"]}
    return {"containers": [_container("100m", "64Mi") | command | {"env": variables}]}


def _web(number: int) -> Document:
    probes = {
        "readinessProbe": {"http": {"path": "/ready", "port": 8080}, "periodSeconds": 2},
        "livenessProbe": {"tcp": 8080, "failureThreshold": 5},
    }
    return {
        "labels": {"tier": f"t{number % 3}"},
        "containers": [_container("200m", "128Mi") | _port(8080) | probes],
    }


def _published(number: int) -> Document:
    protocol = "TCP" if number // 10 % 2 == 0 else "UDP"
    return {"containers": [_container("200m", "128Mi") | _port(9000, protocol, external=_FIRST_PORT + number)]}


def _sidecar(_number: int) -> Document:
    mount = {"volumeMounts": [{"name": "logs", "mountPath": "/logs"}]}
    shipper = {"name": "shipper", "image": "bench.invalid/shipper:2.1", "resources": _asks("50m", "32Mi")}
    return {
        "volumes": [{"name": "logs", "emptyDir": {"size": "64Mi"}}],
        "containers": [_container("200m", "128Mi") | _port(8080) | mount, shipper | mount],
    }


def _pinned(_number: int) -> Document:
    return {"containers": [_container("500m", "256Mi", topologyAware=True) | _port(8080)]}


def _gpu(_number: int) -> Document:
    return {"containers": [_container("2", "1Gi", topologyAware=True, compute=[{"GPU": 1}]) | _port(8080)]}


def _sriov(_number: int) -> Document:
    return {"containers": [_container("1", "256Mi", topologyAware=True, communication="SRIOV")]}


def _rdma(_number: int) -> Document:
    return {"containers": [_container("500m", "256Mi", communication="RDMA") | _port(18515)]}


def _templated(number: int) -> Document:
    if number // 10 % 2 == 0:
        return {"template": "small"}
    changed = {"image": "bench.invalid/app:1.1"} | _port(8080, external=_FIRST_PORT + number)
    return {"template": "large", "containers": [changed]}


def _pipeline(number: int) -> Document:
    stages = [
        {
            "name": stage,
            "image": f"bench.invalid/{stage}:3.{number % 4}",
            "env": [{"name": "STAGE", "value": stage}],
            "startupProbe": {"exec": ["/bin/started"], "failureThreshold": 30},
            "resources": _asks("100m", "64Mi"),
        }
        | _port(7000 + position)
        for position, stage in enumerate(("decode", "detect", "encode"))
    ]
    return {"containers": stages}


def _container(cpu: str, memory: str, **acceleration: object) -> Document:
    resources = _asks(cpu, memory) | ({"acceleration": acceleration} if acceleration else {})
    return {"image": _IMAGE, "resources": resources}


def _asks(cpu: str, memory: str) -> Document:
    return {"requests": {"cpu": cpu, "memory": memory}}


def _port(port: int, protocol: str = "TCP", external: int | None = None) -> Document:
    told = {"containerPort": port, "protocol": protocol}
    return {"ports": [told | ({"externalPort": external} if external else {})]}
