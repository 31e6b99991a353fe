"""Wrong service documents and templates: each is refused with file:line, field and remedy, before anything is done."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gedge_provision.models.errors import DocumentError, Finding
from gedge_provision.provisioning import load_site
from gedge_provision.services import load_service

FIXTURES = Path(__file__).parents[1] / "fixtures" / "services"
GOOD = """\
service:
  name: app
  replicas: 1
  labels: {example.org/team: vision}
  nodeSelector: {gedge.dev/class: ai}
  nodeClasses: [ai]
  imagePullSecrets: [registry]
  volumes:
    - {name: cache, emptyDir: {size: 1Gi, medium: Memory}}
    - {name: settings, configMap: app-settings}
    - {name: state, claimTemplate: {size: 10Gi}}
  containers:
    - image: example.org/app:1
      env:
        - {name: MODE, value: fast}
        - {name: TOKEN, valueFrom: {secret: app, key: token}}
      envFrom: [{configMap: app-variables}]
      ports:
        - {containerPort: 8080, externalPort: 80}
        - {containerPort: 8081}
      readinessProbe: {http: {path: /ready, port: 8081}, periodSeconds: 5}
      livenessProbe: {exec: [/bin/alive]}
      volumeMounts:
        - {name: cache, mountPath: /cache}
        - {name: settings, mountPath: /etc/app}
        - {name: state, mountPath: /state}
      resources:
        requests: {cpu: 200m, memory: 500Mi}
        acceleration:
          topologyAware: true
          compute: [{GPU: 1}]
          communication: [{type: SRIOV, network: sriov-net1, address: 10.10.2.60/24}]
    - image: example.org/side:1
      resources:
        limits: {cpu: 100m, memory: 64Mi}
"""
MAIN = "service.containers[0]"
ACCELERATION = f"{MAIN}.resources.acceleration"

# What is written instead of what; then line, field, message, remedy (each a part of the text).
CASES = [
    # keys that nobody knows, on every level
    ("service:", "services:", 1, "services", "unknown key", "did you mean 'service'?"),
    ("  name: app\n", "  nam: app\n", 2, "service.nam", "unknown key", "did you mean 'name'?"),
    ("  replicas: 1", "  replica: 1", 3, "service.replica", "unknown key", "did you mean 'replicas'?"),
    ("  nodeSelector:", "  node_selector:", 5, "service.node_selector", "unknown key", "'nodeSelector'?"),
    ("emptyDir: {size", "emptydir: {size", 9, "volumes[0].emptydir", "unknown key", "'emptyDir'?"),
    ("size: 1Gi", "sizeLimit: 1Gi", 9, "volumes[0].emptyDir.sizeLimit", "unknown key", "did you mean 'size'?"),
    ("valueFrom: {secret: app", "valueFrom: {secretKeyRef: app", 16, "secretKeyRef", "unknown key", "did you mean"),
    ("containerPort: 8081", "container_port: 8081", 20, "ports[1].container_port", "unknown key", "'containerPort'?"),
    ("{http: {path", "{httpGet: {path", 21, "readinessProbe.httpGet", "unknown key", "did you mean 'http'?"),
    ("livenessProbe:", "livenesProbe:", 22, f"{MAIN}.livenesProbe", "unknown key", "did you mean 'livenessProbe'?"),
    ("mountPath: /cache", "montPath: /cache", 24, "volumeMounts[0].montPath", "unknown key", "'mountPath'?"),
    ("memory: 500Mi", "ephemeral-storage: 1Gi", 28, "requests.ephemeral-storage", "unknown key", "'ephemeralStorage'?"),
    ("topologyAware:", "topologyaware:", 30, f"{ACCELERATION}.topologyaware", "unknown key", "'topologyAware'?"),
    ("{GPU: 1}", "{FPGA: 1}", 31, "compute[0].FPGA", "unknown key", "known keys here: GPU, MIG"),
    ("network: sriov-net1", "net: sriov-net1", 32, "communication[0].net", "unknown key", "did you mean 'network'?"),
    # not YAML, or not one document
    ("  name: app\n", "  name: [app\n", 3, "", "not valid YAML", "mend the indentation or quoting"),
    ("  name: app\n", "  name: app\n  name: app2\n", 3, "service.name", "this key stands twice", "keep one"),
    ("  replicas: 1", "\treplicas: 1", 3, "", "a tab stands where YAML wants spaces", "indent by spaces"),
    ("  replicas: 1", "---\n  replicas: 1", 3, "", "a second document begins here", "keep one document"),
    # what is required, and of what kind
    ("  name: app\n", "", 1, "service.name", "a required key is missing", "add 'name'"),
    (
        "    - image: example.org/app:1\n      env",
        "    - env",
        13,
        f"{MAIN}.image",
        "required key is missing",
        "add 'image'",
    ),
    ("example.org/app:1", "''", 13, f"{MAIN}.image", "'' is no image", "registry.example/app:1.0"),
    ("example.org/app:1", "an image", 13, f"{MAIN}.image", "is no image", "without spaces"),
    ("  name: app\n", "  name: My_App\n", 2, "service.name", "is no name for a service", "use lower-case letters"),
    ("  name: app\n", f"  name: {'a' * 41}\n", 2, "service.name", "is no name for a service", "at most 40"),
    ("replicas: 1", "replicas: 0", 3, "service.replicas", "0 is out of range", "use a number from 1"),
    ("replicas: 1", "replicas: many", 3, "service.replicas", "must be a whole number", "write digits only"),
    ("replicas: 1", "replicas:", 3, "service.replicas", "the key has no value", "give it one, or remove the key"),
    ("[registry]", "registry", 7, "service.imagePullSecrets", "must be a list", "write [ONE, OTHER]"),
    ("[registry]", "[Registry]", 7, "service.imagePullSecrets[0]", "is no name of an object", "lower-case letters"),
    ("value: fast", "value: true", 15, f"{MAIN}.env[0].value", "is read as a bool, not as text", "write it in quotes"),
    ("{name: MODE, value: fast}", "{name: 1MODE}", 15, "env[0].name", "is no name of a variable", "first no digit"),
    ("8080, externalPort", "0, externalPort", 19, "ports[0].containerPort", "0 is out of range", "from 1"),
    ("externalPort: 80", "externalPort: 70000", 19, "ports[0].externalPort", "out of range", "up to 65535"),
    ("{containerPort: 8081}", "{containerPort: 8081, protocol: SCTP}", 20, "protocol", "not possible", "TCP, UDP"),
    ("cpu: 200m", "cpu: -1", 28, "requests.cpu", "no Kubernetes quantity", "write it like 500m"),
    ("memory: 500Mi", "memory: 500MB", 28, "requests.memory", "no Kubernetes quantity", "1Gi"),
    ("memory: 500Mi", "memory: 500m", 28, "requests.memory", "is a fraction of a byte", "write it like 500Mi"),
    ("memory: 500Mi", "memory: 0", 28, "requests.memory", "0 bytes are nothing", "leave it out"),
    ("cpu: 200m", "cpu: 0", 28, "requests.cpu", "cpu is 0", "leave it out"),
    (
        "true\n          compute",
        "strict\n          compute",
        30,
        "topologyAware",
        "'strict' does not say",
        "restricted",
    ),
    ("{GPU: 1}", "{GPU: 0}", 31, "compute[0].GPU", "0 is out of range", "use a number from 1"),
    ("{GPU: 1}", "{MIG: {profile: small}}", 31, "compute[0].MIG.profile", "no MIG profile", "1g.10gb"),
    (
        "type: SRIOV, network",
        "type: ROCE, network",
        32,
        "communication[0].type",
        "not possible",
        "SRIOV, RDMA, MACVLAN",
    ),
    (
        "[{type: SRIOV, network: sriov-net1, address: 10.10.2.60/24}]",
        "ROCE",
        32,
        "communication",
        "no kind",
        "use one of",
    ),
    ("10.10.2.60/24", "10.10.2.60", 32, "communication[0].address", "is no address with its prefix", "10.10.2.60/24"),
    ("10.10.2.60/24", "10.10.2.360/24", 32, "communication[0].address", "is no address", "10.10.2.60/24"),
    ("10.10.2.60/24", "10.10.2.255/24", 32, "communication[0].address", "or the last (broadcast)", "use one between"),
    # one of several
    (
        ", configMap: app-settings",
        "",
        10,
        "volumes[1]",
        "a volume has one kind, this one none",
        "write one of emptyDir",
    ),
    ("configMap: app-settings", "configMap: a, secret: b", 10, "volumes[1]", "configMap and secret", "write one of"),
    ("{secret: app, key: token}", "{key: token}", 16, "env[1].valueFrom", "one source is named", "secret: NAME"),
    ("{secret: app, key: token}", "{secret: app}", 16, "env[1].valueFrom.key", "required key is missing", "add 'key'"),
    ("valueFrom:", "value: x, valueFrom:", 16, "env[1]", "value and valueFrom both", "keep one"),
    ("[{configMap: app-variables}]", "[{}]", 17, "envFrom[0]", "one source is named", "configMap: NAME"),
    (
        "{exec: [/bin/alive]}",
        "{exec: [/bin/alive], tcp: 80}",
        22,
        "livenessProbe",
        "asks in one way",
        "write one of http",
    ),
    ("{exec: [/bin/alive]}", "{periodSeconds: 3}", 22, "livenessProbe", "this one in none", "write one of http"),
    ("{exec: [/bin/alive]}", "{exec: []}", 22, "livenessProbe.exec", "the list is too short", "name at least 1"),
    ("periodSeconds: 5", "periodSeconds: 0", 21, "readinessProbe.periodSeconds", "0 is out of range", "from 1"),
    ("path: /ready", "path: ready", 21, "readinessProbe.http.path", "is no path of a URL", "begin it with /"),
    ("{GPU: 1}", "{}", 31, "compute[0]", "one device stands in an entry", "write {GPU: n}"),
    (
        "{GPU: 1}",
        "{GPU: 1, MIG: {profile: 1g.10gb}}",
        31,
        "compute[0]",
        "one device stands in an entry",
        "write {GPU: n}",
    ),
    (
        "{GPU: 1}",
        "{MIG: {profile: 1g.10gb}, shared: true}",
        31,
        "compute[0]",
        "belong to one container",
        "leave shared out",
    ),
    ("{GPU: 1}", "{GPU: 1, shared: true, allocation: dra}", 31, "compute[0]", "for whole devices", "leave shared out"),
    ("network: sriov-net1, ", "", 32, "communication[0]", "address is nothing without a network", "add network: NAME"),
    (
        "[{type: SRIOV, network: sriov-net1, address: 10.10.2.60/24}]",
        "MACVLAN",
        32,
        "communication[0]",
        "MACVLAN is nothing without a network",
        "{type: MACVLAN, network: NAME}",
    ),
    # across fields
    ("{GPU: 1}", "{GPU: 1}, {GPU: 2}", 31, "compute[1]", "GPU stands twice", "the number of GPUs in one entry"),
    (
        "{GPU: 1}",
        "{MIG: {profile: 1g.10gb}}, {MIG: {profile: 1g.10gb}}",
        31,
        "compute[1]",
        "MIG 1g.10gb stands twice",
        "the number of parts",
    ),
    (
        "{example.org/team: vision}",
        "{gedge.dev/service: x}",
        4,
        "gedge.dev/service",
        "set by the platform",
        "own domain",
    ),
    ("{gedge.dev/class: ai}", "{'a b': ai}", 5, "service.nodeSelector.a b", "is no label key", "gedge.dev/accelerator"),
    ("value: fast}", "value: fast}\n        - {name: MODE}", 16, "env[1].name", "MODE is set twice", "keep one"),
    ("externalPort: 80", "externalPort: 22", 19, "ports[0].externalPort", "belongs to SSH", "publish another port"),
    ("externalPort: 80", "externalPort: 6443", 19, "externalPort", "belongs to the API server", "publish another port"),
    ("8081}\n", "8080}\n", 20, "ports[1].containerPort", "is taken by containers[0].ports[0]", "its own port"),
    (
        "{containerPort: 8081}",
        "{containerPort: 9, externalPort: 80}",
        20,
        "externalPort",
        "80/TCP is taken",
        "own number",
    ),
    (
        "    - image: example.org/side:1",
        "    - name: app\n      image: a",
        33,
        "[1].name",
        "app is the name of",
        "own name",
    ),
    (
        "name: settings, configMap",
        "name: cache, configMap",
        10,
        "volumes[1].name",
        "the name of volumes[0]",
        "another name",
    ),
    (
        "{name: state, mountPath: /state}",
        "{name: stat, mountPath: /s}",
        26,
        "[2].name",
        "no volume stat",
        "name one of",
    ),
    (
        "        - {name: state, mountPath: /state}\n",
        "",
        11,
        "volumes[2].name",
        "no container mounts state",
        "take it out",
    ),
    (
        "mountPath: /state",
        "mountPath: /cache/",
        26,
        "[2].mountPath",
        "another volume is mounted at /cache",
        "own folder",
    ),
    ("mountPath: /state", "mountPath: state", 26, "[2].mountPath", "is no absolute path", "begin it with /"),
    ("mountPath: /state", "mountPath: /state, subPath: ../x", 26, "subPath", "no path inside a volume", "no .."),
    ("medium: Memory", "medium: HugePages-1Gi", 9, "emptyDir.medium", "no container asks for hugepages-1Gi", "add"),
    ("medium: Memory", "medium: tmpfs", 9, "emptyDir.medium", "'tmpfs' is not possible here", "Memory"),
    (
        "cpu: 200m, memory: 500Mi",
        "cpu: 1, memory: 1Gi, hugepages-2Mi: 3Mi",
        28,
        "hugepages-2Mi",
        "pages of 2Mi",
        "whole",
    ),
    ("200m, memory: 500Mi}", "2, memory: 1Gi}\n        limits: {cpu: 1}", 28, "cpu", "more than the limit 1", "raise"),
    ("memory: 500Mi}\n", "}\n", 28, "requests", "topologyAware needs memory", "add memory"),
    (
        "    limits: {cpu: 100m, memory: 64Mi}",
        "    limits: {memory: 1Gi}",
        34,
        "resources.requests",
        "needs cpu",
        "add cpu",
    ),
    (
        "memory: 500Mi}\n",
        "memory: 500Mi}\n        limits: {cpu: 4}\n",
        29,
        "limits.cpu",
        "topologyAware means Guaranteed QoS",
        "leave the limit out",
    ),
    ("replicas: 1", "replicas: 2", 32, "communication[0].address", "2 pods cannot have one address", "replicas: 1"),
    (
        "address: 10.10.2.60/24}]",
        "address: 10.10.2.60/24}, {type: SRIOV, network: sriov-net1, address: 10.10.2.60/16}]",
        32,
        "communication[1].address",
        "10.10.2.60 is taken",
        "its own address",
    ),
]

# The same on the site of fixtures/services/site.yml.
ON_SITE = [
    (
        "nodeClasses: [ai]",
        "nodeClasses: [big]",
        6,
        "nodeClasses[0]",
        "site plant has no class big",
        "ai, manager, plain",
    ),
    ("sriov-net1,", "sriov-net2,", 32, "[0].network", "has no network sriov-net2", "did you mean sriov-net1?"),
    ("sriov-net1,", "elsewhere,", 32, "[0].network", "has no network elsewhere", "name one of cameras, fast"),
    ("sriov-net1,", "sriov-net1, namespace: vision,", 32, "[0].network", "in namespace vision", "resources: [PREFIX/"),
    ("type: SRIOV", "type: MACVLAN", 32, "communication[0].type", "is of type sriov", "write type: SRIOV"),
    ("sriov-net1,", "sriov-net1, vlan: 5,", 32, "[0].vlan", "has no VLAN", "a pod cannot choose it"),
    (", address: 10.10.2.60/24", "", 32, "communication[0].network", "leaves the address to the pod", "add address"),
    ("SRIOV, network: sriov-net1", "MACVLAN, network: cameras", 32, "[0].address", "its ipam is whereabouts", "leave"),
    ("{GPU: 1}", "{GPU: 1, shared: true}", 31, "[0].shared", "offers nvidia.com/gpu.shared", "rename: true"),
    ("{GPU: 1}", "{GPU: 1, allocation: dra}", 31, "[0].allocation", "by device-plugin", "leave allocation out"),
    ("ai]\n", "plain]\n", 30, "topologyAware", "topology policy restricted or a stricter", "profile: pinned-numa"),
]


def on_site(old: str, new: str) -> str:
    text = GOOD.replace("nodeSelector: {gedge.dev/class: ai}", "nodeSelector: {}")
    if old == "ai]\n":
        text = text.replace("topologyAware: true", "topologyAware: restricted")
    return text.replace(old, new, 1)


TEMPLATE = """\
template:
  name: base
  service:
    labels: {example.org/team: vision}
    containers:
      - image: example.org/app:1
        ports:
          - {containerPort: 8080, externalPort: 80}
        resources:
          requests: {cpu: 200m, memory: 500Mi}
          acceleration: {toploygyAware: true}
"""
ON_TEMPLATE = """\
service:
  name: app
  template: base
  labels: {example.org/line: a}
  containers:
    - env: [{name: MODE, value: fast}]
    - name: side
      image: example.org/side:1
      resources:
        limits: {cpu: 100m, memory: 64Mi}
"""
# In which file what is written instead of what; then the place, field, message, remedy.
OF_TWO_FILES = [
    (
        "app",
        "template: base",
        "template: bas",
        "app.yaml:3",
        "service.template",
        "there is no template bas",
        "name one of base",
    ),
    (
        "app",
        "template: base",
        "template: Base",
        "app.yaml:3",
        "service.template",
        "is no name for a service",
        "lower-case",
    ),
    ("app", "labels:", "label:", "app.yaml:4", "service.label", "unknown key", "did you mean 'labels'?"),
    ("app", "env:", "enf:", "app.yaml:6", "containers[0].enf", "unknown key", "did you mean 'env'?"),
    ("app", "value: fast", "value: 1", "app.yaml:6", "env[0].value", "is read as a int", "write it in quotes"),
    (
        "app",
        "      image: example.org/side:1\n",
        "",
        "app.yaml:7",
        "containers[1].image",
        "key is missing (the template is base.yaml:1)",
        "add 'image'",
    ),
    ("app", "cpu: 100m, ", "", "app.yaml:9", "containers[1].resources.requests", "topologyAware needs cpu", "add cpu"),
    (
        "app",
        "env: [",
        "ports: [{containerPort: 1, externalPort: 22}]\n      env: [",
        "app.yaml:6",
        "[0].ports[0].externalPort",
        "to SSH (the template is base.yaml:1)",
        "publish another",
    ),
    (
        "app",
        "      resources:\n        limits",
        "      ports: [{containerPort: 8080}]\n      resources:\n        limits",
        "app.yaml:9",
        "[1].ports[0].containerPort",
        "is taken by containers[0].ports[0] (the template is base.yaml:1)",
        "own port",
    ),
    ("app", "name: side", "name: app", "app.yaml:7", "containers[1].name", "the name of containers[0] too", "own name"),
    (
        "base",
        "externalPort: 80",
        "externalPort: 6443",
        "base.yaml:8",
        "[0].ports[0].externalPort",
        "the API server (the service is app.yaml:3)",
        "publish another",
    ),
    (
        "base",
        ", memory: 500Mi",
        "",
        "base.yaml:10",
        "containers[0].resources.requests",
        "needs memory for every container of the service (the service is app.yaml:3)",
        "add memory",
    ),
    (
        "base",
        "  name: base",
        "  nam: base",
        "app.yaml:3",
        "service.template",
        "there is no template base",
        "or give it by --template FILE",
    ),
    ("base", "  service:", "  servce:", "base.yaml:3", "template.servce", "unknown key", "did you mean 'service'?"),
    ("base", "image:", "imag:", "base.yaml:6", "template.service.containers[0].imag", "unknown key", "'image'?"),
    (
        "base",
        "    labels",
        "    name: x\n    labels",
        "base.yaml:4",
        "template.service.name",
        "unknown key",
        "known keys here",
    ),
    (
        "base",
        "cpu: 200m",
        "cpu: much",
        "base.yaml:10",
        "template.service.containers[0].resources.requests.cpu",
        "no Kubernetes quantity",
        "500m",
    ),
    (
        "base",
        "  service:",
        "\t service:",
        "app.yaml:3",
        "service.template",
        "there is no template base (base.yaml cannot be read)",
        "--template FILE",
    ),
]


def findings_of(path: Path, **options: Any) -> tuple[Finding, ...]:
    with pytest.raises(DocumentError) as caught:
        load_service(path, **options)
    assert caught.value.exit_code == 2
    assert len({(finding.place, finding.path) for finding in caught.value.findings}) == len(caught.value.findings)
    return caught.value.findings


def document(folder: Path, text: str, name: str = "app") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def check(findings: tuple[Finding, ...], place: str, field: str, message: str, remedy: str) -> None:
    match = [one for one in findings if one.place == place and one.path.endswith(field) and message in one.message]
    assert match, "\n".join(map(str, findings))
    assert remedy in match[0].remedy


def test_the_documents_that_the_cases_spoil_are_good(tmp_path: Path) -> None:
    site = load_site(FIXTURES / "site.yml")
    assert load_service(document(tmp_path, GOOD)).name == "app"
    assert load_service(document(tmp_path, on_site("", "")), site=site).name == "app"
    document(tmp_path, TEMPLATE, "base")
    assert len(load_service(document(tmp_path, ON_TEMPLATE)).containers) == 2


@pytest.mark.parametrize(("old", "new", "line", "field", "message", "remedy"), CASES)
def test_a_wrong_service_names_place_and_remedy(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path, old: str, new: str, line: int, field: str, message: str, remedy: str
) -> None:
    assert old in GOOD
    path = document(tmp_path, GOOD.replace(old, new, 1))
    check(findings_of(path), f"{path}:{line}", field, message, remedy)


@pytest.mark.parametrize(("old", "new", "line", "field", "message", "remedy"), ON_SITE)
def test_what_the_site_does_not_have_is_refused(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path, old: str, new: str, line: int, field: str, message: str, remedy: str
) -> None:
    assert on_site(old, new) != on_site("", "")
    path = document(tmp_path, on_site(old, new))
    check(findings_of(path, site=load_site(FIXTURES / "site.yml")), f"{path}:{line}", field, message, remedy)
    load_service(path, accelerated=False, site=load_site(FIXTURES / "site.yml"))


@pytest.mark.parametrize(("file", "old", "new", "place", "field", "message", "remedy"), OF_TWO_FILES)
def test_what_is_wrong_on_a_template_names_both_places(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    old: str,
    new: str,
    place: str,
    field: str,
    message: str,
    remedy: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {"app": ON_TEMPLATE, "base": TEMPLATE}
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new, 1)
    document(tmp_path, texts["base"], "base")
    document(tmp_path, texts["app"])
    check(findings_of(Path("app.yaml")), place, field, message, remedy)


def test_two_templates_of_one_name_are_refused(tmp_path: Path) -> None:
    path = document(tmp_path, ON_TEMPLATE)
    first, second = document(tmp_path, TEMPLATE, "base"), document(tmp_path, TEMPLATE, "copy")
    (finding,) = findings_of(path)
    assert f"2 templates have the name base: {first}:2, {second}:2" in finding.message
    assert load_service(path, templates=[second]).name == "app"


def _leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*path, key)
        yield from _leaves(value, (*path, key))


@pytest.mark.parametrize("wrong", [None, [], {}, "", "x", -1, 0.5, True], ids=repr)
def test_no_english_of_pydantic_reaches_the_user(tmp_path: Path, wrong: Any) -> None:
    """Every value of a full document is replaced by one of another kind: it is taken, or refused in our words."""
    good = yaml.safe_load((FIXTURES / "everything.yaml").read_text(encoding="utf-8"))
    for place in _leaves(good):
        spoilt = copy.deepcopy(good)
        part = spoilt
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = wrong
        path = document(tmp_path, yaml.safe_dump(spoilt, sort_keys=False))
        try:
            load_service(path)
        except DocumentError as error:
            for finding in error.findings:
                assert finding.remedy, f"{place}: {finding}"
                assert finding.place.rpartition(":")[2].isdigit()
                for phrase in ("Input should", "valid ", "Value error", "pydantic"):
                    assert phrase not in f"{finding.path} {finding.message} {finding.remedy}", f"{place}: {finding}"
