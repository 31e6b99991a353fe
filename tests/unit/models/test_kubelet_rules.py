"""Rules of the kubelet: words and names. That they are those of the kubelet is told by tests/kubelet_rules."""

from __future__ import annotations

from typing import Any

import pytest

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.kubelet_names import load_kubelet_names
from gedge_provision.models.kubelet_rules import raw_refusals, site_words


def test_the_names_are_of_the_version_in_the_catalog() -> None:
    """To renew them: python tests/kubelet_judge.py."""
    assert load_catalog().products["kubernetes"].version.startswith(f"v{load_kubelet_names().version}.")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cpuManagerPolicie": "static"}, "no field cpuManagerPolicie -> did you mean cpuManagerPolicy?"),
        ({"authentication": {"x509": {"clientCAFiles": "/x"}}}, "no field authentication.x509.clientCAFiles -> did"),
        ({"xyz": 1}, "no field xyz -> take it out"),
        ({"featureGates": {"NodeSwaps": True}}, "no feature gate 'NodeSwaps' -> did you mean NodeSwap?"),
        ({"featureGates": {"NodeSwap": "true"}}, "featureGates.NodeSwap is the text 'true', where the kubelet wants"),
        ({"imageGCHighThresholdPercent": 80.5}, "is 80.5, where the kubelet wants a whole number -> write digits"),
        ({"registerWithTaints": [{"key": "a", "efect": "NoSchedule"}]}, "no field registerWithTaints[0].efect -> did"),
        ({"syncFrequency": "1 minute"}, "where the kubelet wants a time with its unit -> write it like 10s or 1m30s"),
        ({"reservedMemory": [{"limits": {"memory": True}}]}, "reservedMemory[0].limits.memory is true, where"),
        ({"memoryThrottlingFactor": "0.9"}, "memoryThrottlingFactor is the text '0.9', where the kubelet wants a numb"),
        ({"clusterDNS": {"a": "b"}}, "clusterDNS is a mapping, where the kubelet wants a list -> write [ONE, OTHER]"),
    ],
)
def test_slips_of_the_pen_are_told(fields: dict[str, Any], words: str) -> None:
    (refusal,) = raw_refusals(fields, load_kubelet_names())
    assert words in str(refusal)


def test_what_a_kubelet_takes_is_let_through() -> None:
    fields = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failSwapOn": False,
        "syncFrequency": "1m30s",
        "memorySwap": {"swapBehavior": "LimitedSwap"},
        "logging": {"flushFrequency": 5, "options": {"text": {"infoBufferSize": "1Mi"}}},
        "registerWithTaints": [{"key": "a", "effect": "NoSchedule"}],
        "featureGates": {"KubeletInUserNamespace": True, "AllBeta": True},
        "kubeReserved": None,
        "staticPodURLHeader": {"a": ["b"]},
    }
    assert raw_refusals(fields, load_kubelet_names()) == ()


def test_fields_are_named_as_in_the_site_file() -> None:
    said = "set kubeReserved.cpu, reservedSystemCPUs or topologyManagerPolicyOptions; reservedMemory[0].limits.memory"
    wanted = "set kube_reserved.cpu, reserved_system_cpus or topology_manager_policy_options; reserved_memory[0].memory"
    assert site_words(said) == wanted
