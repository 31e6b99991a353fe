"""Rollouts against a server that keeps objects: revisions, the way back, trials, order. Pods are those of e2e."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kube_server import NODE, Objects, serving

from gedge_provision import services
from gedge_provision.adapters.kube import BusyError, ConflictError, Kube, NotFoundError
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.progress import SilentReporter
from gedge_provision.models.rollouts import Strategy
from gedge_provision.models.service import Service
from gedge_provision.services import rollout

APPS = "/apis/apps/v1/namespaces/default"
CORE = "/api/v1/namespaces/default"
CANARY, BLUE_GREEN = Strategy("canary", 25), Strategy("blue-green")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look every twentieth of a second."""
    monkeypatch.setattr(rollout._engine, "_POLL_S", 0.05)
    monkeypatch.setattr(rollout._engine, "_SETTLE_S", 0.05)


@pytest.fixture
def objects() -> Objects:
    return {"/api/v1/nodes/gedgew01": NODE}


@pytest.fixture
def kube(objects: Objects, tmp_path: Path) -> Iterator[Kube]:
    with serving(objects, tmp_path) as opened:
        yield opened


def service(image: str = "app:1", name: str = "app", port: int = 80, **more: Any) -> Service:
    """Return a service of four pods with a port."""
    container = {"image": image, "ports": [{"containerPort": port}]}
    return Service.model_validate({"name": name, "replicas": 4, "containers": [container], **more})


def image(objects: Objects, name: str = "app") -> str:
    """Return what the pods of a service are made of now."""
    template = objects[f"{APPS}/deployments/{name}"]["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def states(kube: Kube) -> list[tuple[int, str, bool]]:
    """Return number and state of each revision, and which one runs."""
    return [(line.number, line.state, line.runs) for line in services.read_history(kube, "app")]


def apply(kube: Kube, wanted: Service, strategy: Strategy = Strategy()) -> services.Applied:  # noqa: B008 - frozen
    return services.apply_service(kube, wanted, timeout_s=0.1, strategy=strategy)


def test_every_change_is_a_revision_and_the_same_again_is_none(kube: Kube) -> None:
    assert apply(kube, service("app:1")).revision == 1
    assert apply(kube, service("app:2")).revision == 2
    again = apply(kube, service("app:2"))
    assert (again.revision, again.changed, again.state) == (2, False, "ready")
    assert states(kube) == [(1, "good", False), (2, "good", True)]
    first, second = services.read_history(kube, "app")
    assert first.differences == ()
    assert second.differences == ("containers[0].image: 'app:1', now 'app:2'",)
    assert "\n-      - image: app:1\n+      - image: app:2\n" in services.read_diff(kube, "app")
    assert services.read_diff(kube, "app", old=2, new=2) == ""


def test_what_does_not_get_ready_is_taken_back(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    with pytest.raises(GedgeError, match=r"not ready after 0\.1 s[^$]*revision 1 runs again"):
        apply(kube, service("broken", port=81))
    assert image(objects) == "app:1"
    assert objects[f"{CORE}/services/app"]["spec"]["ports"][0]["port"] == 80
    assert states(kube) == [(1, "good", True), (2, "failed", False)]
    assert "not ready" in services.read_history(kube, "app")[1].reason
    # The former document is what runs, the failed one is tried anew under its number.
    assert not apply(kube, service("app:1")).changed
    with pytest.raises(GedgeError, match="revision 1 runs again"):
        apply(kube, service("broken", port=81))
    assert states(kube) == [(1, "good", True), (2, "failed", False)]


def test_a_first_revision_stays_where_there_is_nothing_to_go_back_to(kube: Kube, objects: Objects) -> None:
    with pytest.raises(GedgeError, match=r"not ready after 0\.1 s without headway: 0/4 ready, waiting for pods\n->"):
        apply(kube, service("broken"))
    assert image(objects) == "broken"
    assert states(kube) == [(1, "failed", False)]
    assert apply(kube, service("app:1")).revision == 2


def test_what_somebody_changed_comes_back_and_stays_what_runs(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    apply(kube, service("app:2"))
    objects[f"{APPS}/deployments/app"]["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    again = apply(kube, service("app:2"))
    assert (again.changed, again.revision, image(objects)) == (True, 2, "app:2")
    assert states(kube) == [(1, "good", False), (2, "good", True)]


def test_without_rollback_it_stays(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    (applied,) = services.apply_services(kube, [service("broken")], timeout_s=0.1, rollback=False)
    assert (applied.state, image(objects)) == ("failed", "broken")
    assert states(kube) == [(1, "good", True), (2, "failed", False)]


def test_an_earlier_revision_comes_back_as_a_new_one(kube: Kube, objects: Objects) -> None:
    with pytest.raises(NotFoundError):
        services.rollback_service(kube, "app")
    apply(kube, service("app:1"))
    with pytest.raises(UsageError, match="no good revision before"):
        services.rollback_service(kube, "app", timeout_s=0.1)
    apply(kube, service("app:2"))
    assert services.rollback_service(kube, "app", timeout_s=0.1).revision == 3
    assert image(objects) == "app:1"
    assert services.rollback_service(kube, "app", to=2, timeout_s=0.1).revision == 4
    assert image(objects) == "app:2"
    with pytest.raises(UsageError, match="revision 9 is not kept"):
        services.rollback_service(kube, "app", to=9)
    assert services.running_service(kube, "app") == service("app:2")


def test_ten_revisions_are_kept(kube: Kube) -> None:
    for number in range(13):
        apply(kube, service(f"app:{number}"))
    assert [number for number, _, _ in states(kube)] == list(range(4, 14))


def test_a_canary_takes_a_share_and_then_all(kube: Kube, objects: Objects) -> None:
    with pytest.raises(UsageError, match="nothing yet"):
        apply(kube, service("app:2"), CANARY)
    apply(kube, service("app:1"))
    tried = apply(kube, service("app:2"), CANARY)
    assert (tried.state, tried.revision) == ("on trial", 2)
    assert (image(objects), image(objects, "app-canary")) == ("app:1", "app:2")
    counts = [objects[f"{APPS}/deployments/{name}"]["spec"]["replicas"] for name in ("app", "app-canary")]
    assert counts == [3, 1]
    pods = objects[f"{APPS}/deployments/app-canary"]["spec"]["template"]["metadata"]["labels"]
    assert objects[f"{CORE}/services/app"]["spec"]["selector"].items() <= pods.items()
    assert states(kube) == [(1, "good", True), (2, "on trial", False)]
    assert not apply(kube, service("app:2"), CANARY).changed
    with pytest.raises(UsageError, match="revision 2 is on trial as canary 25%"):
        apply(kube, service("app:3"), BLUE_GREEN)
    services.promote_service(kube, "app", timeout_s=0.1)
    assert image(objects) == "app:2"
    assert objects[f"{APPS}/deployments/app"]["spec"]["replicas"] == 4
    assert f"{APPS}/deployments/app-canary" not in objects
    assert states(kube) == [(1, "good", False), (2, "good", True)]
    with pytest.raises(UsageError, match="no revision is on trial"):
        services.promote_service(kube, "app")


def test_a_canary_is_taken_back_by_hand_and_by_itself(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    apply(kube, service("app:2"), CANARY)
    back = services.rollback_service(kube, "app", timeout_s=0.1)
    assert (back.state, back.problem) == ("rolled back", "")
    assert services.read_history(kube, "app")[1].reason == "taken back by hand"
    with pytest.raises(GedgeError, match="revision 1 runs again"):
        apply(kube, service("broken"), CANARY)
    assert f"{APPS}/deployments/app-canary" not in objects
    assert objects[f"{APPS}/deployments/app"]["spec"]["replicas"] == 4
    assert states(kube) == [(1, "good", True), (2, "failed", False), (3, "failed", False)]
    with pytest.raises(UsageError, match="other ports"):
        apply(kube, service("app:2", port=81), CANARY)


def test_a_preview_gets_the_traffic_at_one_moment(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    apply(kube, service("app:2", port=81), BLUE_GREEN)
    assert objects[f"{APPS}/deployments/app-next"]["spec"]["replicas"] == 4
    pods = objects[f"{APPS}/deployments/app-next"]["spec"]["template"]["metadata"]["labels"]
    assert not objects[f"{CORE}/services/app"]["spec"]["selector"].items() <= pods.items()
    assert objects[f"{CORE}/services/app-next"]["spec"]["selector"].items() <= pods.items()
    services.promote_service(kube, "app", timeout_s=0.1)
    assert image(objects) == "app:2"
    pods = objects[f"{APPS}/deployments/app"]["spec"]["template"]["metadata"]["labels"]
    assert objects[f"{CORE}/services/app"]["spec"]["selector"].items() <= pods.items()
    assert objects[f"{CORE}/services/app"]["spec"]["ports"][0]["port"] == 81
    assert not [path for path in objects if "app-next" in path]


def test_a_plain_apply_ends_a_trial(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    apply(kube, service("app:2"), CANARY)
    apply(kube, service("app:3"))
    assert not [path for path in objects if "app-canary" in path]
    assert states(kube) == [(1, "good", False), (2, "superseded", False), (3, "good", True)]


def test_pods_with_state_have_no_trial(kube: Kube) -> None:
    apply(kube, service("app:1", volumes=[{"name": "a", "claimTemplate": {"size": "1Gi"}}]))
    with pytest.raises(UsageError, match="volumes of their own"):
        apply(kube, service("app:2", volumes=[{"name": "a", "claimTemplate": {"size": "1Gi"}}]), BLUE_GREEN)


def test_a_rollout_that_was_ended_in_the_middle_goes_on(kube: Kube, objects: Objects) -> None:
    """As after `kill -9`: the revision is kept as one whose rollout began, and nothing more was sent."""
    apply(kube, service("app:1"))
    before = {path: dict(item) for path, item in objects.items()}
    apply(kube, service("app:2"))
    kept = f"{CORE}/configmaps/app-revision-2"
    objects[kept]["metadata"]["annotations"]["gedge.dev/state"] = "rolling out"
    objects[f"{APPS}/deployments/app"] = before[f"{APPS}/deployments/app"]
    assert states(kube) == [(1, "good", True), (2, "rolling out", False)]
    assert services.resume_service(kube, "app", timeout_s=0.1).revision == 2
    assert image(objects) == "app:2"
    assert states(kube) == [(1, "good", False), (2, "good", True)]


def test_one_that_was_ended_on_its_way_back_goes_on_with_that(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    services.apply_services(kube, [service("broken")], timeout_s=0.1, rollback=False)
    told = objects[f"{CORE}/configmaps/app-revision-2"]["metadata"]["annotations"]
    told["gedge.dev/state"], told["gedge.dev/reason"] = "going back", "it broke"
    with pytest.raises(GedgeError, match=r"it broke\nit was taken back: revision 1 runs again"):
        services.resume_service(kube, "app", timeout_s=0.1)
    assert image(objects) == "app:1"
    assert states(kube) == [(1, "good", True), (2, "failed", False)]


def test_a_paused_rollout_waits_for_resume(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    assert services.pause_service(kube, "app")
    assert not services.pause_service(kube, "app")
    assert objects[f"{APPS}/deployments/app"]["spec"]["paused"]
    with pytest.raises(GedgeError, match="paused"):
        services.restart_service(kube, "app")


def test_services_begin_after_those_that_they_need(kube: Kube, objects: Objects) -> None:
    shop = service(name="shop", dependsOn=["db", "cache"])
    with pytest.raises(UsageError, match="depends on db, which is not in namespace default"):
        services.apply_services(kube, [shop, service(name="cache")])
    assert list(objects) == ["/api/v1/nodes/gedgew01"]
    applied = services.apply_services(
        kube, [shop, service("broken", name="db"), service(name="cache", dependsOn=["db"])], timeout_s=0.1
    )
    assert [(one.name, one.state) for one in applied] == [
        ("shop", "not begun"),
        ("db", "failed"),
        ("cache", "not begun"),
    ]
    assert not [path for path in objects if "shop" in path]
    applied = services.apply_services(kube, [shop, service(name="db"), service(name="cache", dependsOn=["db"])])
    assert {one.state for one in applied} == {"ready"}
    begun = [path for path in objects if path.startswith(f"{APPS}/deployments/")]
    assert [path.rsplit("/", 1)[1] for path in begun] == ["db", "cache", "shop"]


def test_a_circle_and_a_name_given_twice_are_refused(kube: Kube) -> None:
    with pytest.raises(UsageError, match=r"a waits for b waits for a|b waits for a waits for b"):
        services.apply_services(kube, [service(name="a", dependsOn=["b"]), service(name="b", dependsOn=["a"])])
    with pytest.raises(UsageError, match="two documents describe service a"):
        services.apply_services(kube, [service(name="a"), service(name="a")])


def test_an_external_port_has_one_owner_among_those_that_are_applied(kube: Kube) -> None:
    port = {"containerPort": 80, "externalPort": 8080}
    both = [service(name=name, containers=[{"image": "i", "ports": [port]}]) for name in ("a", "b")]
    with pytest.raises(UsageError, match="external port 8080/TCP is wanted by a too"):
        services.apply_services(kube, both)


def test_a_service_does_not_take_the_place_of_a_trial_or_of_a_part_of_a_mesh(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    apply(kube, service("app:2"), CANARY)
    with pytest.raises(ConflictError, match="the trial of service app has that name"):
        apply(kube, service(name="app-canary"))
    objects[f"{APPS}/deployments/app"]["metadata"]["labels"]["gedge.dev/mesh"] = "shop"
    with pytest.raises(ConflictError, match="a version of mesh shop has that name"):
        apply(kube, service("app:2"))


def test_a_trial_does_not_take_the_place_of_a_service(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    apply(kube, service("own:1", name="app-canary"))
    with pytest.raises(ConflictError, match="the trial of app would have the name app-canary"):
        apply(kube, service("app:2"), CANARY)
    assert image(objects, "app-canary") == "own:1"
    services.delete_service(kube, "app-canary", timeout_s=5)
    apply(kube, service("app:2"), CANARY)
    with pytest.raises(UsageError, match="this is the trial of service app"):
        services.delete_service(kube, "app-canary")
    with pytest.raises(UsageError, match="revision 2 is on trial as canary 25%"):
        services.scale_service(kube, "app", 3)
    assert services.read_status(kube, "default", "app-canary").rollout.startswith("the trial of app")
    (line,) = [one for one in services.list_services(kube, "default") if one.name == "app-canary"]
    assert line.detail == "1/1 ready, the trial of app"


class Notes(SilentReporter):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def test_what_a_user_would_not_expect_is_told(kube: Kube) -> None:
    notes = Notes()
    services.apply_service(kube, service("app:1"), reporter=notes)
    services.apply_service(kube, service("app:2"), reporter=notes, strategy=CANARY)
    assert notes.texts == []
    services.apply_service(kube, service("app:2"), reporter=notes, strategy=Strategy("canary", 10))
    assert notes.texts == ["app: of 4 pods 1 will be new, 25% for 10%"]
    services.apply_service(kube, service("app:3"), reporter=notes)
    assert notes.texts[1:] == ["app: revision 2, on trial as canary 25%, ends by this"]
    large = {"image": "a:1", "resources": {"requests": {"cpu": "3"}}}
    services.apply_service(kube, service(name="large", containers=[large]), reporter=notes)
    assert notes.texts[2].startswith("large: 1 of 4 pods fit now, the rest will wait -> gedge service fit")


def test_one_that_is_deleted_meanwhile_ends_at_once(
    kube: Kube, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(kube, service("app:1"))
    real = rollout._engine.observe_all

    def later(*args: Any, **options: Any) -> Any:
        objects[f"{APPS}/deployments/app"]["metadata"]["deletionTimestamp"] = "2026-11-30T00:00:00Z"
        return real(*args, **options)

    monkeypatch.setattr(rollout._engine, "observe_all", later)
    with pytest.raises(GedgeError, match="app was deleted meanwhile"):
        services.apply_service(kube, service("broken"), timeout_s=60)


def test_another_rollout_took_its_place(kube: Kube, objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(kube, service("app:1"))
    real = rollout._engine.observe_all

    def later(*args: Any, **options: Any) -> Any:
        objects[f"{APPS}/deployments/app"]["metadata"]["annotations"]["gedge.dev/revision"] = "7"
        return real(*args, **options)

    monkeypatch.setattr(rollout._engine, "observe_all", later)
    with pytest.raises(GedgeError, match="revision 7 took the place of revision 2"):
        apply(kube, service("app:2"))


def test_a_namespace_that_is_not_there_is_told(kube: Kube, objects: Objects) -> None:
    for call in (
        lambda: services.apply_service(kube, service(), "nope"),
        lambda: services.list_services(kube, "nope"),
        lambda: services.delete_service(kube, "app", "nope"),
    ):
        with pytest.raises(UsageError, match="the cluster has no namespace nope"):
            call()
    assert list(objects) == ["/api/v1/nodes/gedgew01"]


def test_deleting_takes_revisions_and_trials_too(kube: Kube, objects: Objects) -> None:
    apply(kube, service("app:1"))
    apply(kube, service("app:2"), BLUE_GREEN)
    assert services.delete_service(kube, "app", timeout_s=5)
    assert list(objects) == ["/api/v1/nodes/gedgew01"]
    assert not services.delete_service(kube, "app", timeout_s=5)


def test_a_busy_api_server_is_endured_while_waiting(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    real, refused = rollout._engine.observe_all, []

    def busy(*args: Any, **options: Any) -> Any:
        if len(refused) < 3:
            refused.append("429")
            raise BusyError("the API server has too much to do", place="here", remedy="wait")
        return real(*args, **options)

    monkeypatch.setattr(rollout._engine, "observe_all", busy)
    assert services.apply_service(kube, service(), timeout_s=60).state == "ready"
    assert len(refused) == 3
    monkeypatch.setattr(rollout._engine, "observe_all", lambda *_, **__: refused.clear() or busy())
    with pytest.raises(GedgeError, match="too much to do; what was sent goes on in the cluster"):
        services.apply_service(kube, service("app:2"), timeout_s=0.3)


def test_what_ended_is_let_go_of(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many services take no more memory than their outcomes while the last ones are waited for."""
    kept: list[Any] = []
    real = rollout._engine.Engine._end

    def ended(engine: Any, one: Any, outcome: Any) -> None:
        real(engine, one, outcome)
        kept.append(one)

    monkeypatch.setattr(rollout._engine.Engine, "_end", ended)
    services.apply_services(kube, [service(name="one"), service(name="two")])
    assert [(one.outcome, one.stages, one.begin, one.seen) for one in kept] == [("ready", (), None, {})] * 2
