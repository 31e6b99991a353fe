from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service import Service
from gedge_provision.planning.acceleration import plan_resources, whole_cpus, without_acceleration


def service(*resources: dict[str, object]) -> Service:
    return Service.model_validate(
        {"name": "app", "containers": [{"image": "a:1", "resources": part} for part in resources]}
    )


@given(st.integers(min_value=1, max_value=10**6))
def test_rounding_gives_the_least_whole_number_of_cpus_that_is_enough(milli: int) -> None:
    cpus = whole_cpus(Quantity(f"{milli}m"))
    assert cpus - 1 < Decimal(milli) / 1000 <= cpus


@given(st.integers(min_value=1, max_value=512))
def test_whole_cpus_stay(cpus: int) -> None:
    assert whole_cpus(Quantity(cpus)) == cpus


@given(st.integers(min_value=1, max_value=10**6), st.integers(min_value=1, max_value=10**6))
def test_topology_aware_is_guaranteed_and_tells_every_rounding(main: int, side: int) -> None:
    planned = plan_resources(
        service(
            {"requests": {"cpu": f"{main}m", "memory": "1Gi"}, "acceleration": {"topologyAware": True}},
            {"requests": {"cpu": f"{side}m", "memory": "1Gi"}},
        )
    )
    assert all(part.requests == part.limits for part in planned)
    assert planned[0].requests["cpu"].amount % 1 == 0
    assert any("rounded up" in note for note in planned[0].notes) == (main % 1000 != 0)
    assert planned[1].requests["cpu"] == Quantity(f"{side}m")
    assert planned[1].notes


def test_limits_alone_are_enough_for_a_guarantee() -> None:
    planned = plan_resources(service({"limits": {"cpu": 2, "memory": "1Gi"}, "acceleration": {"topologyAware": True}}))
    assert planned[0].requests == planned[0].limits == {"cpu": Quantity(2), "memory": Quantity("1Gi")}


def test_devices_are_requested_and_limited_alike() -> None:
    (planned,) = plan_resources(service({"acceleration": {"compute": [{"GPU": 2}], "communication": "RDMA"}}))
    devices = {"nvidia.com/gpu": Quantity(2), "rdma/hca_shared_devices_a": Quantity(1)}
    assert planned.requests == planned.limits == devices


def test_without_acceleration_requests_stand_as_written() -> None:
    plain = without_acceleration(
        service(
            {
                "requests": {"cpu": "200m", "memory": "500Mi"},
                "acceleration": {"topologyAware": True, "compute": [{"GPU": 1}], "communication": "SRIOV"},
            }
        )
    )
    (planned,) = plan_resources(plain)
    assert {name: str(amount) for name, amount in planned.requests.items()} == {"cpu": "200m", "memory": "500Mi"}
    assert planned.limits == {}
    assert planned.notes == ()


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=0, max_value=10**9))
def test_sums_of_quantities_are_exact(one: int, other: int) -> None:
    assert Quantity(f"{one}m") + Quantity(f"{other}m") == Quantity(f"{one + other}m")
    assert Quantity(f"{one}Ki") + Quantity(other) == Quantity(one * 1024 + other)


@pytest.mark.parametrize("text", ["9" * 5000, "9223372036854775808", "10000Pi", "\u0663", "-1", "1e3", "NaN", ""])
def test_what_kubernetes_cannot_count_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match=r"quantity|can count"):
        Quantity(text)
