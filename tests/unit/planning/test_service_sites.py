from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gedge_provision.models.service import Service, ServiceFile
from gedge_provision.models.site import Site
from gedge_provision.planning.acceleration import plan_resources, whole_cpus
from gedge_provision.planning.service_site_checks import check_on_site
from gedge_provision.planning.service_sites import on_site, unplaced_notes

VF = "intel.com/intel_sriov_netdevice"
PLANT = Path(__file__).parents[2] / "fixtures" / "services" / "site.yml"


def site(**changes: Any) -> Site:
    return Site.model_validate(yaml.safe_load(PLANT.read_text(encoding="utf-8")) | changes)


def service(*containers: dict[str, Any], **parts: Any) -> Service:
    entries = [{"image": "a:1", "resources": resources} for resources in containers]
    return Service.model_validate({"name": "app", "containers": entries, **parts})


def pinned(cpu: Any, **acceleration: Any) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": "1Gi"}, "acceleration": {"topologyAware": True, **acceleration}}


def cpus(found: Service) -> list[str]:
    return [str(planned.requests["cpu"]) for planned in plan_resources(found)]


@given(st.integers(1, 64_000), st.integers(1, 64_000))
def test_owned_cpus_are_whole_cores_and_every_rounding_is_told(main: int, side: int) -> None:
    asked = service(pinned(f"{main}m"), {"limits": {"cpu": f"{side}m", "memory": "1Gi"}})
    placed = on_site(asked, site())
    first, second = (planned.requests["cpu"].amount for planned in plan_resources(placed.service))
    assert first % 2 == 0
    assert Decimal(main) / 1000 <= first < Decimal(main) / 1000 + 2
    # A part of a CPU comes from those that all pods share, and stays.
    assert second == (Decimal(side) / 1000 if side % 1000 else -(-side // 2000) * 2)
    told = [note for note in placed.notes if "rounded up" in note]
    assert len(told) == (whole_cpus_differ(main) + (side % 1000 == 0 and side % 2000 != 0))


def whole_cpus_differ(milli: int) -> bool:
    """Tell whether whole CPUs are not whole cores of two threads yet."""
    return -(-milli // 1000) % 2 != 0


def test_nodes_without_whole_cores_change_nothing() -> None:
    asked = service(pinned("200m"), nodeClasses=["plain"])
    placed = on_site(asked, site())
    assert cpus(placed.service) == ["1"]
    assert placed.notes == ()


@pytest.mark.parametrize(
    ("selector", "cpu"),
    [
        ({"kubernetes.io/hostname": "gedgew02"}, "1"),
        ({"kubernetes.io/hostname": "gedgew01"}, "2"),
        ({"gedge.dev/node-class": "plain"}, "1"),
        ({"example.org/found-by-others": "yes"}, "2"),  # who has it, the site file does not say
    ],
)
def test_labels_that_the_site_file_decides_narrow_the_nodes(selector: dict[str, str], cpu: str) -> None:
    assert cpus(on_site(service(pinned("200m"), nodeSelector=selector), site()).service) == [cpu]


def test_the_threads_of_an_emulated_node_are_known() -> None:
    data = yaml.safe_load(PLANT.read_text(encoding="utf-8"))
    lab = {"subnet": "192.168.40.0/24", "emulated": {"gedgew01": {"threads": 1}}}
    placed = on_site(service(pinned(1)), Site.model_validate({**data, "lab": lab}))
    assert cpus(placed.service) == ["1"]


@pytest.mark.parametrize(
    ("policy", "classes"),
    [("best-effort", ("ai", "plain")), ("restricted", ("ai",)), ("single-numa-node", ("ai",))],
)
def test_a_policy_chooses_the_classes_that_are_as_strict(policy: str, classes: tuple[str, ...]) -> None:
    asked = service(pinned(2, topologyAware=policy))
    assert list(check_on_site(ServiceFile(service=asked), site())) == []
    assert on_site(asked, site()).service.node_classes == classes
    assert [policy in note for note in unplaced_notes(asked)] == [True]


def test_no_policy_leaves_all_nodes() -> None:
    assert on_site(service(pinned(2)), site()).service.node_classes == ()
    assert unplaced_notes(service(pinned(2))) == []


@pytest.mark.parametrize(
    ("entry", "resources", "namespace"),
    [
        ({"type": "SRIOV", "network": "sriov-net1", "address": "10.1.2.3/24"}, VF, "default"),
        ({"type": "SRIOV", "network": "fast"}, "nvidia.com/cx6_rdma", "vision"),
        ({"type": "RDMA", "network": "fast"}, "nvidia.com/cx6_rdma", "vision"),
        ({"type": "RDMA", "network": "cameras"}, "rdma/plant", "default"),
        ({"type": "MACVLAN", "network": "cameras"}, "", "default"),
        ({"type": "MACVLAN", "network": "by-hand", "resources": []}, "", None),
        ({"type": "SRIOV", "network": "fast", "resources": ["a.org/b"]}, "a.org/b", "vision"),
    ],
)  # fmt: skip
def test_networks_bring_their_resources(entry: dict[str, Any], resources: str, namespace: str | None) -> None:
    asked = service({"acceleration": {"communication": entry}})
    assert list(check_on_site(ServiceFile(service=asked), site())) == []
    placed = on_site(asked, site()).service
    (planned,) = plan_resources(placed)
    assert " ".join(planned.requests) == resources
    assert placed.containers[0].resources.acceleration.communication[0].namespace == namespace


def test_software_rdma_comes_beside_the_function_that_it_is_on() -> None:
    data = yaml.safe_load(PLANT.read_text(encoding="utf-8"))
    data["networks"]["attachments"][0]["rdma"] = "soft"
    asked = service({"acceleration": {"communication": {"type": "RDMA", "network": "sriov-net1"}}})
    (planned,) = plan_resources(on_site(asked, Site.model_validate(data)).service)
    assert set(planned.requests) == {"intel.com/intel_sriov_netdevice", "rdma/soft_rdma"}


def test_a_word_alone_keeps_its_resource() -> None:
    asked = service({"acceleration": {"communication": "SRIOV", "compute": [{"GPU": 1}]}})
    (planned,) = plan_resources(on_site(asked, site()).service)
    assert set(planned.requests) == {"intel.com/intel_sriov_netdevice", "nvidia.com/gpu"}
    assert planned.claims == ()


def test_one_intent_becomes_a_claim_or_a_resource() -> None:
    asked = service({"acceleration": {"compute": [{"GPU": 2}]}})
    claims = yaml.safe_load(PLANT.with_name("site-claims.yml").read_text(encoding="utf-8"))
    (planned,) = plan_resources(on_site(asked, Site.model_validate(claims)).service)
    assert planned.requests == {}
    assert [(claim.device_class, claim.count) for claim in planned.claims] == [("gpu.nvidia.com", 2)]


def test_a_placed_service_stays_as_it_is() -> None:
    asked = service(
        pinned(
            "200m", topologyAware="restricted", compute=[{"GPU": 1}], communication={"type": "RDMA", "network": "fast"}
        )
    )
    once = on_site(asked, site())
    again = on_site(once.service, site())
    assert again.service == once.service
    assert again.notes == ()


def test_two_networks_of_one_name_need_a_namespace() -> None:
    data = yaml.safe_load(PLANT.read_text(encoding="utf-8"))
    data["networks"]["attachments"].append({**data["networks"]["attachments"][2], "namespace": "vision"})
    there = Site.model_validate(data)
    asked = service({"acceleration": {"communication": {"type": "MACVLAN", "network": "cameras"}}})
    (problem,) = check_on_site(ServiceFile(service=asked), there)
    assert "several namespaces" in problem.message
    assert "default, vision" in problem.remedy


@pytest.mark.parametrize(
    ("network", "compute", "said"),
    [
        ({"type": "RDMA", "network": "fast"}, [], "no RDMA, and no class shares RDMA devices"),
        ({"type": "SRIOV", "network": "cameras"}, [], "is of type macvlan"),
        ({"type": "MACVLAN", "network": "cameras"}, [{"MIG": {"profile": "1g.10gb"}}], "parts by their profile"),
    ],
)
def test_what_the_site_cannot_give(network: dict[str, Any], compute: list[Any], said: str) -> None:
    data = yaml.safe_load(PLANT.read_text(encoding="utf-8"))
    del data["gpu_operator"], data["node_classes"]["ai"]["shared_rdma"]
    del data["node_classes"]["ai"]["sriov"][1]["rdma"]
    asked = service({"acceleration": {"communication": network, "compute": compute}})
    (problem,) = check_on_site(ServiceFile(service=asked), Site.model_validate(data))
    assert said in problem.message
    assert problem.remedy


def test_a_service_whose_amounts_alone_make_it_guaranteed_owns_cpus_too() -> None:
    limits = {"limits": {"cpu": 3, "memory": "1Gi"}}
    placed = on_site(service(limits), site())
    (planned,) = plan_resources(placed.service)
    assert whole_cpus(planned.limits["cpu"]) == 4
    assert on_site(service({"requests": {"cpu": 3, "memory": "1Gi"}}), site()).notes == ()
