"""The GSE API server of a site: what its role is told and applies, what is planned of it, and what its rights are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

from gedge_provision.gse import openapi_document
from gedge_provision.models import cluster
from gedge_provision.models.changes import Change
from gedge_provision.models.cluster import APPLIED_KINDS, Kind
from gedge_provision.models.selection import Selection
from gedge_provision.models.site import Role, Site
from gedge_provision.models.site_records import HostRecord, SiteRecord
from gedge_provision.planning.features import GSE_API_SERVER, site_features
from gedge_provision.planning.gse_api_server import documents_site, server_urls
from gedge_provision.planning.inventory import Inventory, compile_inventory
from gedge_provision.planning.offline import recorded_changes
from gedge_provision.planning.offline_gse_api_server import OBJECTS
from gedge_provision.provisioning import load_site

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles" / "gse_api_server"
SPACE = "kube-system/gse-api-server"
# Kinds of the model that the API itself never reads: those of provisioning, and what anybody may ask of himself.
OF_OTHERS = {
    "ClusterPolicy",
    "DaemonSet",
    "GPUCluster",
    "IPPool",
    "NetworkAttachmentDefinition",
    "NodeMetrics",
    "PodDisruptionBudget",
    "RuntimeClass",
    "SelfSubjectReview",
    "ServiceAccount",
}


def site(wanted: dict[str, Any] | None = None, **more: Any) -> Site:
    nodes = [
        {"name": "m1", "address": "192.0.2.1", "roles": ["control_plane"], "ssh_host": "m1.example.org"},
        {"name": "w1", "address": "192.0.2.2"},
    ]
    server = {} if wanted is None else {"gse_api_server": wanted}
    return Site.model_validate({"name": "edge", "nodes": nodes} | server | more)


def compiled(described: Site, digest: str = "d1") -> Inventory:
    image = {"name": "gse-api-server", "sha256": digest, "target": "a:1", "kind": "image"}
    artifacts: dict[Role, list[dict[str, Any]]] = {"control_plane": [image], "worker": [image]}
    return compile_inventory(described, artifacts, "/k", images={"gse-api-server": "a:1"})


def planned(before: Site, now: Site, digest: str = "d1") -> list[str]:
    hosts = {
        node.name: HostRecord(
            connection={},
            node_class="default",
            control_plane="control_plane" in node.roles,
            made=(Change("node", node.name, "join"),),
        )
        for node in before.nodes
    }
    record = SiteRecord(site=before, hosts=hosts)
    concern = Selection(concerns=("gse",))
    changes = recorded_changes(record, now, compiled(before), compiled(now, digest), concern)
    return [f"{change.action} {change.kind} {change.name}" for change in changes.get("m1", [])]


def objects(described: Site) -> dict[str, dict[str, Any]]:
    """Return what the role applies for a site, by kind and name."""
    environment = Environment(autoescape=False)  # noqa: S701 - YAML
    environment.filters["to_json"] = json.dumps
    environment.filters["hash"] = lambda text, kind: hashlib.new(kind, text.encode()).hexdigest()
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    shown = {"fingerprint": "AB:CD", "not_after": "2028-01-01T00:00:00+00:00"}
    facts = {"ansible_facts": {"gedge_serving_certificate": shown}}
    text = (ROLE / "templates" / "gse_api_server.yml.j2").read_text(encoding="utf-8")
    rendered = environment.from_string(text).render(defaults | dict(compiled(described).variables) | facts)
    found = {}
    for item in yaml.safe_load_all(rendered):
        name = "/".join(filter(None, (item["metadata"].get("namespace"), item["metadata"]["name"])))
        found[f"{item['kind']} {name}"] = item
    return found


def test_only_sites_that_ask_for_it_have_it() -> None:
    assert GSE_API_SERVER in site_features(site({}))
    assert GSE_API_SERVER not in site_features(site())
    assert not [
        name for name in compiled(site()).variables if name.startswith("gse_api_server_") and "image" not in name
    ]


def test_the_role_applies_what_is_planned_and_labels_all_of_it() -> None:
    found = objects(site({"external_port": 9443}))
    # The Secret has a task of its own.
    assert sorted({*found, f"Secret {SPACE}-certificate"}) == sorted(OBJECTS)
    assert {item["metadata"]["labels"]["gedge.dev/role"] for item in found.values()} == {"gse_api_server"}


@pytest.mark.parametrize(("before", "now", "action"), [(None, {}, "create"), ({}, None, "remove")])
def test_its_objects_come_and_go_with_the_section(
    before: dict[str, Any] | None, now: dict[str, Any] | None, action: str
) -> None:
    inside = [title for title in OBJECTS if not title.endswith("-external")]
    assert planned(site(before), site(now)) == [f"{action} {title}" for title in inside]


@pytest.mark.parametrize(
    ("before", "now", "changes"),
    [
        ({}, {"replicas": 3}, ["change Deployment"]),
        ({}, {"external_port": 9443}, ["create Service -external"]),
        ({"external_port": 9443}, {}, ["remove Service -external"]),
        ({"external_port": 9443}, {"external_port": 9444}, ["change Service -external"]),
        ({}, {"certificate": "/a", "key": "/b"}, ["change Deployment", "change Secret -certificate"]),
        (
            {"certificate": "/a", "key": "/b"},
            {"certificate": "/c", "key": "/b"},
            ["change Deployment", "change Secret -certificate"],
        ),
        ({"certificate": "/a", "key": "/b"}, {"certificate": "/a", "key": "/b"}, []),
    ],
)
def test_a_change_of_the_section_changes_what_follows_it(
    before: dict[str, Any], now: dict[str, Any], changes: list[str]
) -> None:
    wanted = []
    for change in changes:
        action, kind, *suffix = change.split()
        wanted.append(f"{action} {kind} {SPACE}{''.join(suffix)}")
    assert planned(site(before), site(now)) == wanted


def test_other_code_under_the_same_name_starts_its_pods_anew() -> None:
    assert planned(site({}), site({}), "d2") == [f"change Deployment {SPACE}"]
    pod = objects(site({}))[f"Deployment {SPACE}"]["spec"]["template"]
    assert pod["metadata"]["annotations"]["gedge.dev/image-sha256"] == "d1"


def test_a_new_node_needs_a_certificate_with_its_address_and_one_that_left_does_not() -> None:
    small = Site.model_validate(site({}).model_dump() | {"nodes": [site().nodes[0].model_dump()]})
    more = planned(small, site({}))
    assert f"change Secret {SPACE}-certificate" in more
    assert f"change Deployment {SPACE}" in more
    assert f"change Secret {SPACE}-certificate" not in planned(site({}), small)


def test_a_certificate_of_the_site_does_not_follow_its_nodes() -> None:
    own = {"certificate": "/a", "key": "/b"}
    small = Site.model_validate(site(own).model_dump() | {"nodes": [site().nodes[0].model_dump()]})
    assert f"change Secret {SPACE}-certificate" not in planned(small, site(own))


def test_it_is_published_on_every_node_or_in_the_cluster_only() -> None:
    found = objects(site({"external_port": 9443}))
    external = found[f"Service {SPACE}-external"]
    assert [one["ip"] for one in external["status"]["loadBalancer"]["ingress"]] == ["192.0.2.1", "192.0.2.2"]
    assert {one["ipMode"] for one in external["status"]["loadBalancer"]["ingress"]} == {"VIP"}
    assert external["spec"]["ports"][0]["port"] == 9443
    assert server_urls(site({"external_port": 9443})) == ("https://192.0.2.1:9443", "https://192.0.2.2:9443")
    assert f"Service {SPACE}-external" not in objects(site({}))
    assert server_urls(site({})) == ("https://gse-api-server.kube-system.svc",)


def test_its_pods_are_restricted_and_have_no_token() -> None:
    found = objects(site({}))
    spec = found[f"Deployment {SPACE}"]["spec"]["template"]["spec"]
    assert found[f"ServiceAccount {SPACE}"]["automountServiceAccountToken"] is False
    assert spec["automountServiceAccountToken"] is False
    assert "projected" not in json.dumps(spec["volumes"])
    (container,) = spec["containers"]
    # Pod Security Standards, restricted.
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert all("hostPort" not in port for port in container["ports"])
    assert {next(key for key in volume if key != "name") for volume in spec["volumes"]} <= {"configMap", "secret"}
    # Beyond that.
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    # No binding is among its objects: it has no rights.
    assert not [title for title in found if "Binding" in title]


def test_no_request_is_lost_while_its_pods_change() -> None:
    found = objects(site({"replicas": 3}))
    spec = found[f"Deployment {SPACE}"]["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    away, ending = container["lifecycle"]["preStop"]["sleep"]["seconds"], 30
    # While the Kubernetes API is away its callers are told so, by pods that stay in the Service.
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {"startupProbe": "/readyz", "readinessProbe": "/healthz", "livenessProbe": "/healthz"}
    # Longer than a pod that does not get ready counts for kube-proxy, and enough for what is under way then.
    assert away > container["readinessProbe"]["periodSeconds"]
    assert pod["terminationGracePeriodSeconds"] > away + ending
    assert found[f"PodDisruptionBudget {SPACE}"]["spec"]["maxUnavailable"] == 1


def test_pods_start_anew_with_another_certificate_or_site_part() -> None:
    notes = objects(site({}))[f"Deployment {SPACE}"]["spec"]["template"]["metadata"]["annotations"]
    assert notes["gedge.dev/certificate-sha256"] == "AB:CD"
    other = site({}, node_classes={"default": {"labels": {"a": "b"}}})
    changed = objects(other)[f"Deployment {SPACE}"]["spec"]["template"]["metadata"]["annotations"]
    assert notes["gedge.dev/site-sha256"] != changed["gedge.dev/site-sha256"]
    assert planned(site({}), other)[:2] == [f"change ConfigMap {SPACE}-site", f"change Deployment {SPACE}"]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in (ROOT / "inventories").glob("*/site.yml")))
def test_its_part_of_the_site_file_completes_documents_as_the_whole_does(name: str, tmp_path: Path) -> None:
    whole = load_site(ROOT / "inventories" / name / "site.yml")
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(documents_site(whole)), encoding="utf-8")
    part = load_site(path)
    for field in ("name", "networks", "node_classes", "lab"):
        assert getattr(part, field) == getattr(whole, field)
    assert [node.model_copy(update={"ssh_host": None}) for node in whole.nodes] == list(part.nodes)


def test_its_part_of_the_site_file_says_nothing_of_how_hosts_are_reached() -> None:
    ssh = {"user": "operator", "become": True, "private_key": "/home/operator/.ssh/id", "known_hosts": "/known"}
    described = site({"certificate": "/srv/a", "key": "/srv/b"}, ssh=ssh, kubeconfig="/root/k")
    text = yaml.safe_dump(documents_site(described))
    assert not [word for word in ("operator", "/known", "example.org", "/srv", "/root", "ssh") if word in text]


def rights(name: str) -> set[tuple[str, str, str]]:
    """Return what a ClusterRole of the template allows: API group, resource, verb."""
    rules = objects(site({}))[f"ClusterRole {name}"]["rules"]
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def words(kind: Kind) -> tuple[str, str]:
    group, slash, _ = kind.api_version.partition("/")
    return (group if slash else ""), kind.plural


def test_viewers_read_every_kind_that_the_api_reads_and_change_nothing() -> None:
    kinds = [one for one in vars(cluster).values() if isinstance(one, Kind) and one.name not in OF_OTHERS]
    assert len(kinds) > 15
    wanted = {(*words(kind), verb) for kind in kinds for verb in ("get", "list")}
    found = rights("gedge-viewer")
    assert wanted <= found
    assert {(group, resource) for group, resource, _ in found} == {words(kind) for kind in kinds} | {("", "pods/log")}
    assert {verb for _, _, verb in found} == {"get", "list", "watch"}


def test_editors_change_every_kind_that_is_applied_and_nothing_else() -> None:
    more = rights("gedge-editor") - rights("gedge-viewer")
    wanted = {(*words(kind), verb) for kind in APPLIED_KINDS.values() for verb in ("create", "delete", "patch")}
    assert more == wanted | {("", "services/status", "patch")}
    assert rights("gedge-viewer") <= rights("gedge-editor")


@pytest.mark.parametrize("name", ["gedge-viewer", "gedge-editor"])
def test_nobody_reads_secrets_or_enters_pods_by_them(name: str) -> None:
    resources = {resource for _, resource, _ in rights(name)}
    assert not resources & {
        "*",
        "secrets",
        "pods/exec",
        "pods/attach",
        "pods/portforward",
        "nodes/proxy",
        "services/proxy",
    }
    assert not {verb for _, _, verb in rights(name)} & {"*", "impersonate", "escalate", "bind"}


READING = ("/check", "/render", "/fit", "/schedule-hint")


def test_the_rights_are_those_that_the_operations_of_the_api_name() -> None:
    named: dict[str, set[tuple[str, str, str]]] = {"gedge-viewer": set(), "gedge-editor": set()}
    for path, operations in openapi_document()["paths"].items():
        for method, told in operations.items():
            reads = method == "get" or path.endswith(READING)
            for text in told.get("x-gse-permissions", ()) if isinstance(told, dict) else ():
                verb, resource = text.removesuffix(" @cluster").split()
                plural, _, group = resource.partition(".")
                named["gedge-editor"].add((group, plural, verb))
                if reads:
                    named["gedge-viewer"].add((group, plural, verb))
    assert len(named["gedge-editor"]) > 25
    assert named["gedge-viewer"] <= rights("gedge-viewer")
    assert named["gedge-editor"] <= rights("gedge-editor")
