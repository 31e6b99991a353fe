"""Replicas that pass between document and autoscaler: the calls, against a stand-in server on loopback.

The server keeps one Deployment and the one rule that matters: of `spec.replicas`, who sets another value than its owner
without force gets the answer that was recorded from a real API server. What a real one makes of the calls:
tests/e2e/test_scaling.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from gedge_provision.adapters.kube import ConflictError, Kube, NotFoundError, connect
from gedge_provision.models.cluster import AUTOSCALER, Manifest
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.rollouts import Content, Strategy, Way
from gedge_provision.planning.manifests import render
from gedge_provision.services import load_service
from gedge_provision.services.rollout._stages import trial_ends
from gedge_provision.services.scaling import apply_handed_over, check_scale, delete_autoscaler, dry_apply, within_fit

FIXTURES = Path(__file__).parents[1] / "fixtures" / "services"
CONFLICT = json.loads((FIXTURES / "answers" / "conflict.json").read_text(encoding="utf-8"))
SCALING = load_service(FIXTURES / "scaling.yaml")
SCALED = render(SCALING, "default")
FIXED = render(SCALING.model_copy(update={"scaling": None, "replicas": 3}), "default")
HPA = "kube-controller-manager"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"


class Cluster(ThreadingHTTPServer):
    """What there is: the number of replicas and who owns it, by manager; and the calls that changed something."""

    replicas: int | None = None
    owners: set[str]
    autoscaler: Manifest | None = None
    metrics = 200
    calls: list[tuple[str, bool, int | None]]

    def start(self, replicas: int | None, *owners: str, autoscaler: Manifest | None = None) -> None:
        self.replicas, self.owners, self.autoscaler, self.calls = replicas, set(owners), autoscaler, []

    def deployment(self) -> Manifest:
        fields = {"f:spec": {"f:replicas": {}}}
        entries = [
            {"manager": one, "subresource": "scale" if one == HPA else "", "fieldsV1": fields}
            for one in sorted(self.owners)
        ]
        return {
            "kind": "Deployment",
            "metadata": {"name": "detector", "managedFields": entries},
            "spec": {"replicas": self.replicas},
        }

    def apply(self, manager: str, force: bool, dry: bool, body: Manifest) -> Manifest | None:
        """Apply as the API server does, as far as replicas go; None is a conflict."""
        wanted = body.get("spec", {}).get("replicas")
        others = self.owners - {manager}
        if wanted is not None and others and wanted != self.replicas and not force:
            return None
        if dry:
            return {**self.deployment(), "spec": {"replicas": wanted if wanted is not None else self.replicas or 1}}
        self.calls.append((manager, force, wanted))
        if wanted is None:
            had = manager in self.owners
            self.owners = others
            self.replicas = 1 if self.replicas is None or (had and not others) else self.replicas
        else:
            self.owners = {manager} | (others if wanted == self.replicas else set())
            self.replicas = wanted
        return self.deployment()


class Handler(BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/pods") and "metrics.k8s.io" in path:
            self._reply(self.server.metrics, {"items": [], "metadata": {}})
        elif path == AUTOSCALERS:
            found = [self.server.autoscaler] if self.server.autoscaler else []
            self._reply(200, {"items": found, "metadata": {}})
        elif path.startswith(AUTOSCALERS):
            self._reply(200 if self.server.autoscaler else 404, self.server.autoscaler or {})
        else:
            self._reply(404 if self.server.replicas is None else 200, self.server.deployment())

    def do_PATCH(self) -> None:
        query = {key: value[0] for key, value in parse_qs(urlsplit(self.path).query).items()}
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        done = self.server.apply(query["fieldManager"], query["force"] == "true", "dryRun" in query, body)
        self._reply(409, CONFLICT) if done is None else self._reply(200, done)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.autoscaler = None
        self._reply(200, {})

    def _reply(self, status: int, answer: Any) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(("127.0.0.1", 0), Handler) as running:
        running.start(None)
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def kube(cluster: Cluster, tmp_path: Path) -> Iterator[Kube]:
    path = tmp_path / "kubeconfig"
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{cluster.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with connect(path) as opened:
        yield opened


def test_a_new_one_begins_with_its_fewest_pods(kube: Kube, cluster: Cluster) -> None:
    apply_handed_over(kube, SCALED[0], SCALED, take_over=False)
    assert cluster.calls == [("gedge", False, None), ("gedge-scale", False, 2)]
    assert (cluster.replicas, cluster.owners) == (2, {"gedge-scale"})


def test_a_fixed_number_stays_when_scaling_comes(kube: Kube, cluster: Cluster) -> None:
    cluster.start(5, "gedge")
    apply_handed_over(kube, SCALED[0], SCALED, take_over=False)
    assert cluster.calls == [("gedge-scale", False, 5), ("gedge", False, None)]
    assert (cluster.replicas, cluster.owners) == (5, {"gedge-scale"})


@pytest.mark.parametrize("owner", [HPA, "gedge-scale", "kubectl"])
def test_the_same_document_again_leaves_the_number_alone(kube: Kube, cluster: Cluster, owner: str) -> None:
    cluster.start(7, owner)
    apply_handed_over(kube, SCALED[0], SCALED, take_over=False)
    assert cluster.calls == [("gedge", False, None)]
    assert (cluster.replicas, cluster.owners) == (7, {owner})


@pytest.mark.parametrize("owner", [HPA, "gedge-scale"])
def test_a_fixed_number_is_taken_back_and_nothing_else_is_forced(kube: Kube, cluster: Cluster, owner: str) -> None:
    cluster.start(7, owner)
    apply_handed_over(kube, FIXED[0], FIXED, take_over=False)
    assert cluster.calls == [("gedge-scale", True, 3), ("gedge", False, 3), ("gedge-scale", False, None)]
    assert (cluster.replicas, cluster.owners) == (3, {"gedge"})


def test_somebody_elses_number_or_autoscaler_is_a_conflict(kube: Kube, cluster: Cluster) -> None:
    cluster.start(7, "kubectl")
    with pytest.raises(ConflictError):
        apply_handed_over(kube, FIXED[0], FIXED, take_over=False)
    foreign = {**SCALED[-1], "metadata": {"name": "theirs", "namespace": "default"}}
    cluster.start(7, HPA, autoscaler=foreign)
    with pytest.raises(ConflictError):
        apply_handed_over(kube, FIXED[0], FIXED, take_over=False)
    assert cluster.calls == []


def test_a_dry_run_knows_what_will_be_handed_over_and_changes_nothing(kube: Kube, cluster: Cluster) -> None:
    cluster.start(7, HPA)
    live = cluster.deployment()
    assert dry_apply(kube, FIXED[0], live, FIXED, take_over=False)["spec"]["replicas"] == 3
    assert dry_apply(kube, SCALED[0], live, SCALED, take_over=False)["spec"]["replicas"] == 7
    cluster.start(5, "gedge")
    assert dry_apply(kube, SCALED[0], cluster.deployment(), SCALED, take_over=False)["spec"]["replicas"] == 5
    cluster.start(7, "kubectl")
    with pytest.raises(ConflictError):
        dry_apply(kube, FIXED[0], cluster.deployment(), FIXED, take_over=False)
    assert cluster.calls == []


def test_an_autoscaler_is_gone_before_the_number_is_set(kube: Kube, cluster: Cluster) -> None:
    cluster.start(5, HPA, autoscaler=SCALED[-1])
    delete_autoscaler(kube, "detector", "default")
    with pytest.raises(NotFoundError):
        kube.get(AUTOSCALER, "default", "detector")


@pytest.mark.parametrize(("way", "stage"), [("rolling", 0), ("blue-green", 1)])
def test_an_autoscaler_that_goes_goes_with_the_stage_that_sets_the_number(way: Way, stage: int) -> None:
    content = Content(SCALING.model_copy(update={"scaling": None, "replicas": 3}), FIXED)
    own = [(item["kind"], item["metadata"]["name"]) for item in SCALED]
    stages = trial_ends(content, Strategy(way), 2, own, [("Deployment", "detector-next")])
    gone = ("HorizontalPodAutoscaler", "detector")
    assert [index for index, one in enumerate(stages) if gone in one.deletes] == [stage]
    assert "Deployment" in {item["kind"] for item in stages[stage].manifests}


@pytest.mark.parametrize(
    ("status", "said"),
    [(200, ""), (404, "since the cluster has no metrics -> set kubernetes.metrics_server"), (503, "metrics answer")],
)
def test_a_cluster_without_metrics_is_told(kube: Kube, cluster: Cluster, status: int, said: str) -> None:
    cluster.metrics = status
    services, notes = within_fit(kube, [SCALING], "default", [])
    assert services == (SCALING,)
    assert [said in note for note in notes] == ([True] if said else [])


def test_a_number_of_pods_is_refused_to_what_scales_by_itself(kube: Kube) -> None:
    with pytest.raises(GedgeError, match="it scales by itself, from 2 to 8 pods; nothing was changed") as caught:
        check_scale(kube, SCALING, "default", 3)
    assert "change min and max of scaling in the document" in caught.value.remedy
