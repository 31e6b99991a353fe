"""Looking at a cluster that does not answer is no error: the snapshot says why."""

from __future__ import annotations

from pathlib import Path
from socket import create_server

import yaml

from gedge_provision.models.site import Site
from gedge_provision.provisioning.verification import snapshot


def test_a_cluster_that_does_not_answer_is_a_snapshot_with_a_problem(tmp_path: Path) -> None:
    with create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]  # closed again: nobody answers there
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
    nodes = [{"name": "m1", "address": "127.0.0.1", "roles": ["control_plane"]}]
    found = snapshot(Site.model_validate({"name": "edge", "nodes": nodes}), kubeconfig)
    assert found.problem.startswith("no answer from the API server")
    assert found.server == f"https://127.0.0.1:{port}"
    assert found.nodes == ()
    assert set(found.certificates) == {"127.0.0.1:6443"}
