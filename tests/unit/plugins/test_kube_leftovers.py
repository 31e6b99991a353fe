"""Whose labels and annotations of nodes are taken back when an operator goes."""

from __future__ import annotations

from plugins.module_utils.kube_leftovers import described, objects_of, owned

META = {
    "name": "w1",
    "labels": {"nvidia.com/gpu.present": "true", "nvidia.com/mig.config": "all-1g.10gb", "feature.x/pci": "true"},
    "managedFields": [
        {"manager": "gedge", "fieldsV1": {"f:metadata": {"f:labels": {"f:nvidia.com/mig.config": {}}}}},
        {"manager": "nfd-master", "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:feature.x/pci": {}}}}},
        {"manager": "kubelet", "subresource": "status", "fieldsV1": {"f:status": {}}},
    ],
}


def test_keys_are_of_their_field_managers() -> None:
    assert owned(META, "labels", ["gedge"]) == {"nvidia.com/mig.config"}
    assert "feature.x/pci" in owned(META, "labels", ["nfd-master"])
    assert owned(META, "annotations", ["gedge", "nfd-master"]) == set()


def test_objects_are_asked_for_in_the_version_that_is_stored() -> None:
    versions = [{"name": "v1alpha1", "storage": False}, {"name": "v1", "storage": True}]
    spec = {"group": "nvidia.com", "names": {"plural": "clusterpolicies"}, "versions": versions}
    assert objects_of({"spec": spec}) == "/apis/nvidia.com/v1/clusterpolicies"


def test_what_goes_is_told_as_kubectl_writes_it() -> None:
    told = described(["clusterpolicies.nvidia.com"], [("w1", "labels", "nvidia.com/gpu.present")])
    assert [(one["kind"], one["name"], one["action"]) for one in told] == [
        ("CustomResourceDefinition", "clusterpolicies.nvidia.com", "remove"),
        ("label", "w1 nvidia.com/gpu.present", "remove"),
    ]
