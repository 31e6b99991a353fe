"""Functions that pods have are not taken from them; with consent the node is drained, changed and comes back.

Last but one by its name: it leaves a node with fewer functions than the site file promises.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from lab_cluster import done, planned
from pods import VF, Pod, create, ready, remove

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = pytest.mark.hardware

MANAGER, NODE, OTHER = "gedgem01", "gedgew01", "gedgew02"


def with_functions(site: dict[str, Any], vfs: int) -> dict[str, Any]:
    """Return the site with another number of functions on the first emulated node."""
    changed = copy.deepcopy(site)
    changed["node_classes"]["emulated-1"]["sriov"][0]["vfs"] = vfs
    return changed


def offered(lab: EmulatedLab, node: str) -> str:
    return lab.kubectl("get", "node", node, "-o", f"jsonpath={{.status.allocatable.{VF.replace('.', chr(92) + '.')}}}")


@pytest.fixture
def _no_pods(lab: EmulatedLab) -> Iterator[None]:
    yield
    remove(lab, "deployments", "pods")


@pytest.mark.long
@pytest.mark.usefixtures("_no_pods")
def test_functions_of_pods_change_after_a_drain_with_consent(lab: EmulatedLab) -> None:
    holder = Pod("holder", NODE, [{"name": "sriov-range"}], cpus=2, vfs=1)
    alone = Pod("alone", NODE, [{"name": "sriov-range"}], vfs=1)
    create(lab, holder.deployment(), alone.manifest())
    lab.kubectl("wait", "--for=condition=Available", "deployment/holder", "--timeout=150s", timeout=200)
    ready(lab, "alone")
    before = lab.configured()
    lab.write(with_functions(lab.promised, 2))

    refused = lab.gedge("apply", "--drain-ok", code=1)
    assert "default/alone" in refused.stderr, "nothing would create this pod again"
    lab.kubectl("delete", "pod", "alone", "--timeout=90s")
    refused = lab.gedge("apply", code=1)
    assert "--drain-ok" in refused.stderr
    assert "default/holder-" in refused.stderr
    assert lab.configured() == before, "nothing was changed"

    plan = lab.plan()
    assert ("drain", "node", NODE) in planned(plan)[NODE]
    # What fits on it is told by an annotation, which its manager writes; the other node stays as it is.
    assert planned(plan)[MANAGER] == [("change", "annotation", f"{NODE} gedge.dev/alignment")]
    assert set(planned(plan)) == {MANAGER, NODE}
    assert [(asked["host"], asked["flag"]) for asked in plan["consents"]] == [(NODE, "drain-ok")]
    result = json.loads(lab.gedge("apply", "--drain-ok", "--output", "json").stdout)
    assert done(result) == planned(plan)
    assert (offered(lab, NODE), offered(lab, OTHER)) == ("4", "8")
    lab.kubectl("wait", "--for=condition=Available", "deployment/holder", "--timeout=150s", timeout=200)
