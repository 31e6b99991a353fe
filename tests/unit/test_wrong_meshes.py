"""Wrong mesh documents: each is refused with file:line, field and remedy, before anything is done."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gedge_provision.models.errors import DocumentError, Finding, UsageError
from gedge_provision.services import check_meshes, load_mesh

GOOD = """\
serviceMesh:
  name: shop
  gatewayClass: traefik
  services:
    - {name: front, template: web, labels: {version: v1}, externalAccess: true}
    - {name: front, template: web, labels: {version: v2}, externalAccess: true, replicas: 2}
    - name: stock
      template: two
      labels: {version: v1}
      containers:
        - env: [{name: MODE, value: fast}]
  serviceRoutes:
    - name: beta
      match: [{uri: {exact: /beta}}]
      destination: {host: front, subset: v2}
    - name: most
      match: [{uri: {prefix: /cart}}, {uri: {prefix: /}}]
      destination: {host: front, subset: v1, weight: 90}
    - name: some
      match: [{uri: {prefix: /}}]
      destination: {host: front, subset: v2, weight: 10}
    - name: stock
      match: [{uri: {regex: "/items/[0-9]+"}}]
      destination: {host: stock, subset: v1, port: 9000}
"""
TEMPLATES = {
    "web": "template: {name: web, service: {containers: [{image: 'a:1', ports: [{containerPort: 8080}]}]}}\n",
    "two": """\
template:
  name: two
  service:
    containers:
      - image: a:1
        ports: [{containerPort: 8080}, {containerPort: 9000}, {containerPort: 53, protocol: UDP}]
""",
    "mute": "template: {name: mute, service: {containers: [{image: 'a:1'}]}}\n",
    "other": "template: {name: other, service: {containers: [{image: 'a:1', ports: [{containerPort: 9999}]}]}}\n",
    "kubelet": "template: {name: kubelet, service: {containers: [{image: 'a:1', ports: [{containerPort: 10250}]}]}}\n",
    "udp": """\
template:
  name: udp
  service:
    containers:
      - image: a:1
        ports: [{containerPort: 8080}, {containerPort: 53, protocol: UDP, externalPort: 53}]
""",
    "broken": "template: {name: broken, service: {containers: [{imag: 'a:1'}]}}\n",
}
MESH = "serviceMesh"
SERVICE = f"{MESH}.services"
ROUTE = f"{MESH}.serviceRoutes"
FRONT_V1 = "{name: front, template: web, labels: {version: v1}, externalAccess: true}"
FRONT_V2 = "{name: front, template: web, labels: {version: v2}, externalAccess: true, replicas: 2}"

# What is written instead of what; then line, field, message, remedy (each a part of the text).
CASES = [
    # keys, kinds and what is required
    ("serviceMesh:", "serviceMash:", 1, "serviceMash", "unknown key", "did you mean 'serviceMesh'?"),
    ("  gatewayClass:", "  gatewayclass:", 3, f"{MESH}.gatewayclass", "unknown key", "'gatewayClass'?"),
    (
        "externalAccess: true}",
        "externalAcces: true}",
        5,
        f"{SERVICE}[0].externalAcces",
        "unknown key",
        "'externalAccess'?",
    ),
    ("serviceRoutes:", "serviceRoute:", 12, f"{MESH}.serviceRoute", "unknown key", "did you mean 'serviceRoutes'?"),
    ("{prefix: /cart}", "{prefx: /cart}", 17, "match[0].uri.prefx", "unknown key", "did you mean 'prefix'?"),
    ("subset: v2}", "version: v2}", 15, "destination.version", "unknown key", "known keys here"),
    ("  name: shop\n", "", 1, f"{MESH}.name", "a required key is missing", "add 'name'"),
    ("template: web, ", "", 5, f"{SERVICE}[0].template", "a required key is missing", "add 'template'"),
    (", subset: v2}", "}", 15, f"{ROUTE}[0].destination.subset", "a required key is missing", "add 'subset'"),
    ("      match: [{uri: {exact: /beta}}]\n", "", 13, f"{ROUTE}[0].match", "required key is missing", "add 'match'"),
    ("  name: shop", "  name: Shop", 2, f"{MESH}.name", "is no name for a service", "use lower-case letters"),
    ("externalAccess: true}", "externalAccess: maybe}", 5, "externalAccess", "must be true or false", "true or false"),
    ("[{uri: {exact: /beta}}]", "{uri: {exact: /beta}}", 14, f"{ROUTE}[0].match", "must be a list", "write [ONE"),
    ("[{uri: {exact: /beta}}]", "[]", 14, f"{ROUTE}[0].match", "the list is too short", "name at least 1"),
    ("replicas: 2", "replicas: 0", 6, f"{SERVICE}[1].replicas", "0 is out of range", "use a number from 1"),
    ("weight: 90", "weight: -1", 18, "destination.weight", "-1 is out of range", "use a number from 0"),
    # paths
    (
        "{exact: /beta}",
        "{exact: /beta, prefix: /b}",
        14,
        "match[0].uri",
        "in one way, this one in prefix and exact",
        "one of",
    ),
    ("{exact: /beta}", "{}", 14, "match[0].uri", "this one in none", "write one of prefix: /PATH"),
    ("exact: /beta", "exact: beta", 14, "uri.exact", "'beta' is no path of a URL", "begin it with /"),
    ("exact: /beta", "exact: /a//b", 14, "uri.exact", "is no path of a URL", "leave out"),
    ("exact: /beta", "exact: /a/../b", 14, "uri.exact", "is no path of a URL", "parts that are . or .."),
    ("exact: /beta", "exact: /beta?x=1", 14, "uri.exact", "is no path of a URL", "'?'"),
    ("/items/[0-9]+", "/items/[0-9", 23, "uri.regex", "is no regular expression", "mend it"),
    ("/items/[0-9]+", "/items/(?!0)[0-9]+", 23, "uri.regex", "looks around or back", "what RE2 knows"),
    # versions and names
    ("labels: {version: v1}, ", "", 5, f"{SERVICE}[0].labels.version", "2 services have that name", "add labels"),
    ("      labels: {version: v1}\n", "", 7, f"{SERVICE}[2].labels.version", "stock has no version", "{version: v1}"),
    ("{version: v2}", "{version: v1}", 6, f"{SERVICE}[1].labels.version", "v1 of front is services[0] too", "its own"),
    ("{version: v1}", "{version: '1.0'}", 5, f"{SERVICE}[0].labels.version", "cannot be part of the name", "like v1"),
    ("{version: v1}", f"{{version: v{'1' * 40}}}", 5, f"{SERVICE}[0].labels.version", "is too long", "at most 39"),
    (
        FRONT_V2,
        FRONT_V2 + "\n    - {name: front-v1, template: web, labels: {version: v1}}",
        5,
        f"{SERVICE}[0].labels.version",
        "the name front-v1, which is that of service front-v1",
        "take another name",
    ),
    (
        "version: v1}, ext",
        "version: external}, ext",
        5,
        f"{SERVICE}[0].labels.version",
        "the name front-external",
        "another",
    ),
    (
        FRONT_V2,
        FRONT_V2 + "\n    - " + FRONT_V1.replace("v1", "v1-headless"),
        7,
        f"{SERVICE}[2].labels.version",
        "front-v1-headless, which is that of v1 of front",
        "take another name or version",
    ),
    # from outside
    (
        "externalAccess: true, replicas",
        "replicas",
        6,
        f"{SERVICE}[1].externalAccess",
        "it is false here and true in",
        "each",
    ),
    (
        "      template: two",
        "      template: two\n      externalAccess: true",
        9,
        f"{SERVICE}[2].externalAccess",
        "front has externalAccess already",
        "make two meshes",
    ),
    # routes
    (
        "- name: some",
        "- name: beta",
        19,
        f"{ROUTE}[2].name",
        "beta is the name of serviceRoutes[0] too",
        "its own name",
    ),
    ("host: front, subset: v2}", "host: frnt, subset: v2}", 15, "destination.host", "has no service frnt", "'front'?"),
    (
        "host: front, subset: v2}",
        "host: front, subset: v3}",
        15,
        "destination.subset",
        "front has no version v3",
        "name one of v1, v2",
    ),
    (
        ", weight: 10",
        "",
        20,
        f"{ROUTE}[2].match[0].uri",
        "it can never match: route most takes prefix / before",
        "weight",
    ),
    ("{prefix: /cart}", "{exact: /beta}", 17, f"{ROUTE}[1].match[0].uri", "route beta takes exact /beta", "take one"),
    (
        "[{uri: {prefix: /cart}}, {uri: {prefix: /}}]",
        "[{uri: {prefix: /}}, {uri: {prefix: /cart}}]",
        17,
        f"{ROUTE}[1].match[1].uri",
        "this route takes prefix / before, and prefix /cart is in that",
        "write it before",
    ),
    (
        "{exact: /beta}",
        "{prefix: /}",
        17,
        f"{ROUTE}[1].match[0].uri",
        "route beta takes prefix / before",
        "write it before",
    ),
    (
        "{uri: {prefix: /cart}}, ",
        "{uri: {prefix: /cart/}}, {uri: {prefix: /cart}}, ",
        17,
        f"{ROUTE}[1].match[1].uri",
        "prefix /cart stands twice in this route",
        "keep one",
    ),
    (
        "subset: v2, weight: 10",
        "subset: v1, weight: 10",
        21,
        f"{ROUTE}[2].destination.subset",
        "route most for prefix /",
        "one",
    ),
    # templates and their ports
    ("template: two", "template: tow", 8, f"{SERVICE}[2].template", "there is no template tow", "name one of"),
    ("template: two", "template: mute", 8, f"{SERVICE}[2].template", "has no TCP port", "add ports"),
    (
        FRONT_V2,
        FRONT_V2.replace("web", "other"),
        5,
        f"{SERVICE}[0].template",
        "no TCP port in common: v1 8080/TCP; v2 9999",
        "let all versions listen",
    ),
    ("template: two", "template: broken", 1, "template.service.containers[0].imag", "unknown key", "'image'?"),
    (", port: 9000", "", 24, f"{ROUTE}[3].destination.port", "stock has several ports: 8080, 9000", "add port"),
    ("port: 9000", "port: 9001", 24, f"{ROUTE}[3].destination.port", "does not listen on 9001/TCP", "use 8080, 9000"),
    (
        "        - env:",
        "        - ports: [{containerPort: 0}]\n          env:",
        11,
        f"{SERVICE}[2].containers[0].ports[0].containerPort",
        "0 is out of range",
        "from 1",
    ),
    (
        "        - env:",
        "        - imag: b\n          env:",
        11,
        f"{SERVICE}[2].containers[0].imag",
        "unknown key",
        "'image'?",
    ),
    (
        FRONT_V2,
        FRONT_V2.replace("replicas: 2", "containers: [{ports: [{containerPort: 8080, externalPort: 81}]}]"),
        6,
        f"{SERVICE}[1].template",
        "externalPort of 8080/TCP is 81 here and unset in v1",
        "write the same for each",
    ),
]


def folder(tmp_path: Path, text: str) -> Path:
    for name, template in TEMPLATES.items():
        (tmp_path / f"template-{name}.yaml").write_text(template, encoding="utf-8")
    path = tmp_path / "mesh.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def findings_of(path: Path) -> tuple[Finding, ...]:
    with pytest.raises(DocumentError) as caught:
        load_mesh(path)
    return caught.value.findings


def test_the_document_that_the_cases_spoil_is_good(tmp_path: Path) -> None:
    mesh = load_mesh(folder(tmp_path, GOOD))
    assert [version.service.name for version in mesh.versions] == ["front-v1", "front-v2", "stock-v1"]
    assert mesh.versions[1].service.replicas == 2
    assert mesh.versions[2].service.containers[0].env[0].value == "fast"


@pytest.mark.parametrize(("old", "new", "line", "field", "message", "remedy"), CASES)
def test_a_wrong_mesh_names_place_and_remedy(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path, old: str, new: str, line: int, field: str, message: str, remedy: str
) -> None:
    assert old in GOOD
    findings = findings_of(folder(tmp_path, GOOD.replace(old, new, 1)))
    fitting = [
        one
        for one in findings
        if field in one.path and message in one.message and remedy in one.remedy and one.place.endswith(f".yaml:{line}")
    ]
    assert fitting, "\n".join(map(str, findings))


def simple(services: str, routes: str = "[]", more: str = "") -> str:
    return f"serviceMesh:\n  name: m\n{more}  services: {services}\n  serviceRoutes: {routes}\n"


ONE = "[{name: a, template: web, labels: {version: v1}}]"
TWO = "[{name: a, template: web, labels: {version: v1}}, {name: a, template: web, labels: {version: v2}}]"
OUTSIDE = "[{{name: a, template: {}, labels: {{version: v1}}, externalAccess: true}}]"


def route(name: str, uri: str, subset: str = "v1", more: str = "") -> str:
    return f"{{name: {name}, match: [{{uri: {uri}}}], destination: {{host: a, subset: {subset}{more}}}}}"


WHOLE = [
    (
        simple(ONE, more="  gatewayClass: traefik\n"),
        3,
        f"{MESH}.gatewayClass",
        "no service has externalAccess",
        "take it out",
    ),
    (
        simple(OUTSIDE.format("kubelet")),
        3,
        f"{SERVICE}[0].externalAccess",
        "10250/TCP on the nodes belongs to the kubelet",
        "add an externalPort",
    ),
    (
        simple(OUTSIDE.format("udp")),
        3,
        f"{SERVICE}[0].externalAccess",
        "no TCP port that all versions of a have has",
        "add",
    ),
    (
        simple(ONE, f"[{route('r', '{prefix: /}', more=', weight: 0')}]"),
        4,
        f"{ROUTE}[0].destination.weight",
        "every weight for prefix / is 0",
        "above 0",
    ),
    (
        simple(TWO, f"[{route('r', '{prefix: /}')}, {route('s', '{regex: a.*}')}]"),
        4,
        f"{ROUTE}[1].match[0].uri",
        "route r takes prefix / before, and regex a.* is in that",
        "write it before",
    ),
    (
        simple(TWO, f"[{route('r', '{regex: /a.*}')}, {route('s', '{exact: /ab}', 'v2')}]"),
        4,
        f"{ROUTE}[1].match[0].uri",
        "route r takes regex /a.* before",
        "write it before",
    ),
    (
        simple(TWO, f"[{route('r', '{prefix: /}')}, {route('s', '{prefix: /x}', 'v2', ', port: 8080')}]"),
        4,
        f"{ROUTE}[1].match[0].uri",
        "route r takes prefix / before, and prefix /x is in that",
        "write it before",
    ),
    (
        simple(TWO, "[" + ", ".join(route(f"r{n}", f"{{exact: /{n}}}", f"v{n % 2 + 1}") for n in range(17)) + "]"),
        4,
        f"{ROUTE}[16]",
        "more than one HTTPRoute takes: 16 rules",
        "shorter prefix",
    ),
]


@pytest.mark.parametrize(("text", "line", "field", "message", "remedy"), WHOLE)
def test_what_is_wrong_with_a_whole_is_refused(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path, text: str, line: int, field: str, message: str, remedy: str
) -> None:
    path = folder(tmp_path, text)
    (finding,) = findings_of(path)
    assert (finding.place, finding.path) == (f"{path}:{line}", field)
    assert message in finding.message
    assert remedy in finding.remedy


def test_mistakes_of_all_services_and_files_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("template: web", "template: none").replace("template: two", "template: tow")
    path, missing = folder(tmp_path, text), tmp_path / "missing.yaml"
    with pytest.raises(DocumentError) as caught:
        check_meshes([path, missing])
    assert [(one.place, one.path) for one in caught.value.findings] == [
        (f"{path}:5", f"{SERVICE}[0].template"),
        (f"{path}:6", f"{SERVICE}[1].template"),
        (f"{path}:8", f"{SERVICE}[2].template"),
        (str(missing), ""),
    ]


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("service: {name: a}\n", "this is a service", "gedge service apply"),
        ("template: {name: a}\n", "this is a template", "name it in a service of a mesh"),
        ("apiVersion: v1\nkind: Pod\n", "this is a Kubernetes manifest", "serviceMesh:"),
    ],
)
def test_other_documents_are_told_by_what_they_are(tmp_path: Path, text: str, said: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_mesh(folder(tmp_path, text))
    message, _, advice = str(caught.value).partition("-> ")
    assert said in message
    assert remedy in advice


def _leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*path, key)
        yield from _leaves(value, (*path, key))


@pytest.mark.parametrize("wrong", [None, [], {}, "", "x", -1, 0.5, True], ids=repr)
def test_no_english_of_pydantic_reaches_the_user(tmp_path: Path, wrong: Any) -> None:
    """Every value of a document is replaced by one of another kind: it is taken, or refused in our words."""
    good = yaml.safe_load(GOOD)
    for place in _leaves(good):
        spoilt = copy.deepcopy(good)
        part = spoilt
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = wrong
        path = folder(tmp_path, yaml.safe_dump(spoilt, sort_keys=False))
        try:
            load_mesh(path)
        except DocumentError as error:
            for finding in error.findings:
                assert finding.remedy, f"{place}: {finding}"
                assert finding.place.rpartition(":")[2].isdigit()
                for phrase in ("Input should", "valid ", "Value error", "pydantic"):
                    assert phrase not in f"{finding.path} {finding.message} {finding.remedy}", f"{place}: {finding}"
