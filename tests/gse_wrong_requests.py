"""Wrong requests to the GSE API server, byte by byte: `TABLE`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gse_server import TOKEN

__all__ = ["CLOSED", "HEAVY", "JSON", "NS", "SERVICES", "TABLE", "Wrong", "document", "request"]

NS = "/gse/v1/namespaces/default"
SERVICES = f"{NS}/services"
ONE = f"{SERVICES}/app"
CLOSED = 0
JSON, YAML = "application/json", "application/yaml"


@dataclass(frozen=True)
class Wrong:
    """A wrong request.

    Attributes:
        name: what is wrong.
        data: what is sent, byte by byte.
        expected: statuses that are right; CLOSED is a closed connection without an answer.
    """

    name: str
    data: bytes
    expected: tuple[int, ...]


def request(
    method: str, path: str | bytes, body: bytes = b"", media_type: str = "", headers: tuple[str | bytes, ...] = ()
) -> bytes:
    """Return a request; headers beginning with `-` leave that one of the usual ones out."""
    target = path if isinstance(path, bytes) else path.encode()
    usual = {
        "Host": "gse",
        "Authorization": f"Bearer {TOKEN}",
        "Connection": "close",
        "Content-Length": str(len(body)) if body or method in {"POST", "PUT", "PATCH"} else "",
        "Content-Type": media_type,
    }
    left_out = {one[1:] for one in headers if isinstance(one, str) and one.startswith("-")}
    lines: list[bytes] = [f"{key}: {value}".encode() for key, value in usual.items() if value and key not in left_out]
    lines += [
        one if isinstance(one, bytes) else one.encode("latin-1")
        for one in headers
        if isinstance(one, bytes) or not one.startswith("-")
    ]
    return b"%s %s HTTP/1.1\r\n%s\r\n\r\n%s" % (method.encode(), target, b"\r\n".join(lines), body)


HEAVY: dict[str, Any] = {
    "40000 unknown keys": {"service": {f"k{number}": 1 for number in range(40_000)}},
    "4900 unknown keys": {"service": {f"key-{number:05}-of-many": 1 for number in range(4900)}},
    "9900 numbers for containers": {"service": {"name": "app", "containers": [1] * 9900}},
    "9900 empty containers": {"service": {"name": "app", "containers": [{}] * 9900}},
    "3200 volumes of nothing": {"service": {"name": "app", "volumes": [{"name": "x"}] * 3200, "containers": []}},
    "4900 labels": {"service": {"name": "app", "labels": {f"-bad{number}": "x y" for number in range(4900)}}},
}
"""Small requests that are much to judge."""


def table() -> Iterator[Wrong]:
    """Yield the requests."""
    for make in (
        _paths, _queries, _methods, _tokens, _media_types, _broken_json, _broken_yaml, _documents, _bodies_of_models,
        _headers, _framing, _no_http,
    ):  # fmt: skip
        yield from make()


def _paths() -> Iterator[Wrong]:
    tricks: dict[str, int | tuple[int, ...]] = {
        "/gse/v1/namespaces/..%2f..%2fapi": 404,
        "/gse/v1/namespaces/%2e%2e/services": (400, 404),
        "/gse/v1/namespaces/../../etc/passwd": (400, 404),
        "/gse/v1/namespaces/default%2Fservices": 404,
        "/page/../_server.py": (404, 405),
        "/page/..%2f_server.py": 404,
        "/page/%2e%2e/_server.py": 404,
        "/page/..%5c_server.py": 404,
        "/page//etc/passwd": 404,
        "/page/%2fetc%2fpasswd": 404,
        "/page/%00": 404,
        "/page/index.html%00.js": 404,
        "/page/....//....//etc/passwd": 404,
        "/page/" + "a" * 1900: 404,
        "/page/" + "a/" * 900: 404,
        "//gse/v1/nodes": 404,
        "/gse//v1/nodes": 404,
        "/gse/v1//nodes": 404,
        "/gse/v1/nodes/": (400, 404),
        "/gse/v1/nodes//images": 404,
        "/gse/v1/nodes/%00": 400,
        "/gse/v1/nodes/a%00b": 400,
        "/gse/v1/nodes/%0a": 400,
        "/gse/v1/nodes/gedgew01%0d%0aX-A:%20b": 400,
        "/gse/v1/nodes/%ff%fe": 400,
        "/gse/v1/nodes/%c0%ae%c0%ae": 400,
        "/gse/v1/nodes/%ed%a0%80": 400,
        "/gse/v1/nodes/%zz": 400,
        "/gse/v1/nodes/%": 400,
        "/gse/v1/nodes/..%2f..%2fsecrets": 404,
        "/gse/v1/nodes/..": (400, 404),
        "/gse/v1/nodes/UPPER": 400,
        "/gse/v1/nodes/-a": 400,
        "/gse/v1/nodes/a..b": 400,
        "/gse/v1/nodes/" + "a" * 254: 400,
        "/gse/v1/nodes/long/" + "a" * 3000: 413,
        "/gse/v1/nodes?" + "a" * 3000: 413,
        "/gse/v1/nodes/n%C3%B6de": 400,
        "/gse/v1/nodes/%F0%9F%92%A9": 400,
        "/gse/v1/nodes/a;b=c": 400,
        "/gse/v1/nodes/*": 400,
        "/gse/v1/nodes/${jndi:ldap://a}": (400, 404),
        "/gse/v1/nodes/<script>": 400,
        "/gse/v1/namespaces/a_b": 400,
        "/gse/v1/namespaces/A": 400,
        "/gse/v1/namespaces/" + "a" * 64: 400,
        f"{SERVICES}/1app": 400,
        f"{SERVICES}/" + "a" * 41: 400,
        f"{SERVICES}/app%2fstatus": 404,
        f"{SERVICES}/app/status/more": 404,
        f"{SERVICES}/app%20": 400,
        f"{SERVICES}/%E2%80%AEppa": 400,
        "/gse/v2/nodes": 404,
        "/GSE/V1/NODES": 404,
        "/api/v1/secrets": 404,
        "/gse/v1/problems/..%2fx": 404,
        "/gse/v1/problems/UPPER": 400,
        "/gse/v1/problems/no-such-kind": 404,
        "*": (400, 404),
        "http://other.example/gse/v1/nodes": (400, 404),
        "nodes": (400, 404),
    }
    for path, expected in tricks.items():
        yield _case(f"path {path[:60]}", request("GET", path), expected)
    yield _case("path in bytes of Latin-1", request("GET", b"/gse/v1/nodes/\xe4"), 400)
    yield _case("path with a control byte", request("GET", b"/gse/v1/nodes/\x01"), 400)
    yield _case("path with a space", request("GET", "/gse/v1/nodes/a b"), 400)


def _queries() -> Iterator[Wrong]:
    for query in (
        "limit=0", "limit=501", "limit=-1", "limit=abc", "limit=1.5", "limit=1e2", "limit=", "limit=%00", "limit=+5",
        "limit=0x10", "limit=05", "limit=9999999999999999999999", "limit=" + "9" * 1000, "limit=%EF%BC%95",
        "limit=NaN", "limit=1&limit=2", "limit[]=1", "nothing=1", "Limit=1", "%00=1", "%ff=1", "a" * 500 + "=1",
        "cursor=!!", "cursor=%ff", "cursor=AAAA", "cursor=bnVsbA", "cursor=e30", "cursor=W10", "cursor=" + "A" * 1025,
        "sort=size", "sort=", "sort=name&sort=-name", "name=UPPER", "name=%00", "name=" + "a" * 64, "name=a%2fb",
        "ready=yes", "ready=1", "ready=True", "ready=", "label=novalue", "label==", "label=a=b,c=d", "label=a=%00",
        "label=" + "a" * 320, "label=a!=b", "detail=everything", "detail=", "dry_run=true",
    ):  # fmt: skip
        yield _case(f"services?{query[:50]}", request("GET", f"{SERVICES}?{query}"), 400)
    for cursor in ("WzFd", "W1tdXQ", "W05hTl0", "WzFlOTk5XQ", "W251bGxd"):  # [1], [[]], [NaN], [1e999], [null]
        yield _case(f"nodes?cursor={cursor}", request("GET", f"/gse/v1/nodes?cursor={cursor}"), 400)
    yield _case("query in Latin-1", request("GET", SERVICES.encode() + b"?name=\xe4"), 400)
    for query in ("tail=-1", "tail=10001", "tail=x", "follow=maybe", "pod=A", "pod=..%2fx", "container=a/b", "since=1"):
        yield _case(f"logs?{query}", request("GET", f"{ONE}/logs?{query}"), 400)
    for query in ("old=0", "old=x", "new=-1", "new=99999999999"):
        yield _case(f"diff?{query}", request("GET", f"{ONE}/diff?{query}"), 400)
    for query in ("replicas=0", "replicas=1001", "replicas=many"):
        yield _case(f"fit?{query}", request("GET", f"{ONE}/fit?{query}"), 400)
    for query in ("namespace=A", "namespace=", "namespace=a/b", "namespace=" + "a" * 64, "since=1"):
        yield _case(f"watch?{query[:40]}", request("GET", f"/gse/v1/watch/services?{query}"), 400)
    good = json.dumps(document()).encode()
    for query in (
        "canary=0", "canary=100", "canary=x", "blue_green=1", "canary=5&blue_green=true", "timeout_s=0",
        "timeout_s=3601", "timeout_s=1.5", "dry_run=yes", "rollback=", "take_over=2", "force=true",
    ):  # fmt: skip
        yield _case(f"create?{query}", request("POST", f"{SERVICES}?{query}", good, JSON), 400)


def _methods() -> Iterator[Wrong]:
    for method, path in (
        ("POST", "/gse/v1/nodes"), ("DELETE", "/gse/v1/nodes"), ("PUT", "/gse/v1/nodes/gedgew01"),
        ("PATCH", "/gse/v1/namespaces/default"), ("DELETE", SERVICES), ("PUT", SERVICES), ("POST", ONE),
        ("GET", f"{ONE}/scale"), ("DELETE", f"{ONE}/status"), ("POST", "/gse/v1/whoami"), ("POST", "/healthz"),
        ("TRACE", "/gse/v1/nodes"), ("CONNECT", "/gse/v1/nodes"), ("PROPFIND", "/gse/v1/nodes"), ("get",
        "/gse/v1/nodes"),
        ("X" * 200, "/gse/v1/nodes"), ("OPTIONS", SERVICES), ("POST", "/"), ("DELETE", "/page/index.html"),
    ):  # fmt: skip
        yield _case(f"{method[:20]} {path}", request(method, path), 405)
    yield _case("method with a brace", request("G{T", "/gse/v1/nodes"), 400)
    yield _case("no method", request("", "/gse/v1/nodes"), 400)


def _tokens() -> Iterator[Wrong]:
    for name, header in {
        "none": (), "empty": ("Authorization: ",), "no scheme": ("Authorization: abc",),
        "basic": ("Authorization: Basic YTpi",), "bearer without": ("Authorization: Bearer",),
        "bearer of spaces": ("Authorization: Bearer    ",), "with a space": ("Authorization: Bearer a b",),
        "with a comma": ("Authorization: Bearer a,b",), "with a quote": ('Authorization: Bearer "a"',),
        "Latin-1": ("Authorization: Bearer ä",), "too long": ("Authorization: Bearer " + "a" * 17_000,),
        "digest": ("Authorization: Digest a=b",), "only equals": ("Authorization: Bearer ==",),
        "in a cookie": ("Cookie: token=abc",),
    }.items():  # fmt: skip
        yield _case(f"token {name}", request("GET", "/gse/v1/nodes", headers=("-Authorization", *header)), 401)
    twice = request("GET", "/gse/v1/nodes", headers=(f"Authorization: Bearer {TOKEN}",))
    yield _case("two tokens", twice, 400)
    yield _case(
        "token in the query", request("GET", "/gse/v1/nodes?access_token=a", headers=("-Authorization",)), (400, 401)
    )
    for path in (ONE, f"{ONE}/logs", "/gse/v1/watch/services", "/gse/v1/whoami", f"{NS}/templates"):
        yield _case(f"no token for {path}", request("GET", path, headers=("-Authorization",)), 401)


def _media_types() -> Iterator[Wrong]:
    good = json.dumps(document()).encode()
    for media_type in (
        "", "text/plain", "text/html", "application/xml", "multipart/form-data; boundary=x", "application/octet-stream",
        "application/x-www-form-urlencoded", "application", "/", "application/json-patch+json", "image/png", "json",
        "application/jsonx", "*/*", "a" * 500,
    ):  # fmt: skip
        yield _case(f"document as {media_type[:40]}", request("POST", SERVICES, good, media_type), 415)
    for media_type in ("application/yaml", "text/json", "application/merge-patch", ""):
        yield _case(f"scale as {media_type}", request("POST", f"{ONE}/scale", b'{"replicas": 1}', media_type), 415)
    for charset in ("latin-1", "utf-16", "utf-7", "x" * 500):
        media_type = f"{JSON}; charset={charset}"
        yield _case(f"document in {charset[:10]}", request("POST", SERVICES, good, media_type), 415)
    yield _case("media type in bytes", request("POST", SERVICES, good, "", (b"Content-Type: \xff\xfe",)), (400, 415))


def _broken_json() -> Iterator[Wrong]:
    for body in (
        b"", b"{", b"}", b"[", b"nul", b'{"service": }', b'{"service": {"name": "a"', b'{"a": 1,}', b"{'a': 1}",
        b"\x00",
        b"\xff\xfe{\x00}\x00", b'{"service": "\xff"}', b'{"service": "\xed\xa0\x80"}', b'"\xc3\x28"', b"\xef\xbb\xbf",
        b"NaN", b"Infinity", b"-", b"1e", b"01", b"//", b'{"a" 1}', b"[" * 100_000, b'{"a":' * 50_000,
        b"[" * 5000 + b"]" * 5000, b'{"a":' * 500 + b"1" + b"}" * 500,
    ):  # fmt: skip
        yield _case(f"JSON {body[:20]!r} {body[-8:]!r} {len(body)}", request("POST", SERVICES, body, JSON), (400, 422))
        yield _case(
            f"JSON of scale {body[:20]!r} {body[-8:]!r} {len(body)}",
            request("POST", f"{ONE}/scale", body, JSON),
            (400, 413),
        )


def _broken_yaml() -> Iterator[Wrong]:
    bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + index, 98 + index, b",".join([b"*%c" % (97 + index)] * 9)) for index in range(9)
    )
    bodies = {
        "tab": b"\tservice:", "open quote": b'service: "', "two documents": b"--- {}\n--- {}\n",
        "alias to nothing": b"*a",
        "a tag of Python": b"!!python/object/apply:os.system ['true']", "another tag": b"service: !x {}",
        "the bomb of nine": bomb + b"service: *j\n", "a key twice": b"service: {name: a, name: b}",
        "a list as key": b"? [a]\n: b", "a mapping as key": b"{{a: b}: c}", "itself": b"&a [*a]",
        "bomb of one key": bomb.replace(b"[", b"{k: ").replace(b",", b", k: ").replace(b"]", b"}"),
        "bomb as a key": bomb + b"? *j\n: x", "deep by aliases": b"".join(
            b"a%d: &a%d %s%s%s\n" % (i, i, b"[" * 40, b"*a%d" % (i - 1) if i else b"x", b"]" * 40) for i in range(40)
        ),
        "itself in a document": b"service: &a {name: app, containers: [*a]}",
        "merge of itself": b"service: &a {<<: *a}",
        "deep": b"[" * 2000 + b"]" * 2000, "deep blocks": b"".join(b" " * i + b"a:\n" for i in range(600)),
        "binary": b"service: !!binary aGVsbG8=", "date": b"2026-11-30", "control bytes": b"service: \x07",
        "UTF-16": "service: {}".encode("utf-16"), "number": b"12", "text": b"hello", "null": b"null", "list": b"[]",
        "long number": b"service: {name: app, replicas: " + b"9" * 5000 + b"}", "float": b"service: .nan",
        "sexagesimal": b"service: 1:2:3", "set": b"!!set {a, b}", "omap": b"!!omap [a: 1]",
        "only a comment": b"# nothing",
        "directive": b"%YAML 9.9\n---\nservice: {}", "many anchors": b"".join(b"- &a%d x\n" % i for i in range(20_000)),
        "merge bomb": b"a: &a {k: v}\n" + b"".join(b"b%d: {<<: [*a, *a, *a, *a]}\n" % i for i in range(3000)),
        "surrogates": b'service: {name: "\\ud800"}', "NUL": b'service: {name: "a\\0b"}',
    }  # fmt: skip
    for name, body in bodies.items():
        yield _case(f"YAML {name}", request("POST", SERVICES, body, YAML), (400, 422))
    for name in ("the bomb of nine", "itself", "deep", "a list as key", "surrogates"):
        yield _case(f"YAML {name}, apply", request("POST", f"{NS}/apply", bodies[name], YAML), (400, 415, 422))
        yield _case(f"YAML {name}, template", request("POST", f"{NS}/templates", bodies[name], YAML), (400, 422))
        yield _case(f"YAML {name}, check", request("POST", f"{NS}/check", bodies[name], YAML), (400, 422))


def _documents() -> Iterator[Wrong]:
    wrong: dict[str, Any] = {
        "nothing in it": {}, "a list": [], "null": None, "text": "service", "true": True, "a number": 1,
        "another root": {"services": {}}, "two roots": {**document(), "template": {}},
        "service null": {"service": None},
        "service a list": {"service": []}, "service text": {"service": "app"}, "no name": document(name=None),
        "name a number": document(name=5), "name a list": document(name=["a"]), "name upper": document(name="App"),
        "name long": document(name="a" * 100), "name with NUL": document(name="a\x00b"),
        "name with a surrogate": document(name="\ud800"), "name of emoji": document(name="\U0001f4a9"),
        "name huge": document(name="a" * 400_000), "replicas text": document(replicas="two"),
        "replicas negative": document(replicas=-1), "replicas huge": document(replicas=10**400),
        "replicas a fraction": document(replicas=1.5), "replicas true": document(replicas=True),
        "containers none": document(containers=[]), "containers null": document(containers=None),
        "containers a mapping": document(containers={}), "containers of text": document(containers=["a"]),
        "containers of null": document(containers=[None]), "image a number": document(containers=[{"image": 1}]),
        "image empty": document(containers=[{"image": ""}]), "unknown key": document(powers="all"),
        "port 0": _ports(0), "port 65536": _ports(65536), "port text": _ports("http"), "port huge": _ports(10**30),
        "labels a list": document(labels=["a"]), "label a mapping": document(labels={"a": {}}),
        "label key wrong": document(labels={"!!": "a"}), "nodeSelector text": document(nodeSelector="a=b"),
        "template not there": document(template="nowhere"), "template a path": document(template="../../etc/passwd"),
        "cpu wrong": _requests(cpu="many"), "cpu negative": _requests(cpu=-1), "memory NaN": _requests(memory="NaN"),
        "memory huge": _requests(memory="9" * 5000), "memory a list": _requests(memory=[]),
    }  # fmt: skip
    for name, data in {**wrong, **HEAVY}.items():
        body = json.dumps(data).encode()
        yield _case(f"document: {name}", request("POST", SERVICES, body, JSON), 422)
    for name, body in {
        "replicas NaN": b'{"service": {"name": "app", "replicas": NaN, "containers": [{"image": "a"}]}}',
        "replicas Infinity": b'{"service": {"name": "app", "replicas": Infinity, "containers": [{"image": "a"}]}}',
        "replicas 1e999": b'{"service": {"name": "app", "replicas": 1e999, "containers": [{"image": "a"}]}}',
        "keys twice": b'{"service": {"name": "app", "name": "app", "containers": [{"image": "a"}]}}',
    }.items():
        yield _case(f"document: {name}", request("POST", SERVICES, body, JSON), (400, 422))
    yield _case("another name than the path", _json("PUT", ONE, document(name="other")), 400)
    yield _case("a template where a service is due", _json("POST", SERVICES, {"template": {"name": "a"}}), 422)
    yield _case("a mesh of nothing", _json("PUT", f"{NS}/meshes/shop", {"serviceMesh": {}}), (400, 422))
    yield _case("a mesh of text", _json("PUT", f"{NS}/meshes/shop", {"serviceMesh": "x"}), (400, 422))
    yield _case("a mesh of another name", _json("PUT", f"{NS}/meshes/shop", {"serviceMesh": {"name": "b"}}), 400)
    yield _case(
        "a canary of a mesh", _json("PUT", f"{NS}/meshes/shop?canary=5", {"serviceMesh": {"name": "shop"}}), (400, 422)
    )
    yield _case("a template of nothing", _json("PUT", f"{NS}/templates/web", {"template": {}}), 422)
    yield _case("a template of another name", _json("PUT", f"{NS}/templates/web", {"template": {"name": "b"}}), 400)
    yield _case(
        "a template of a service of a number", _json("POST", f"{NS}/templates", {"from_service": 1, "name": "a"}), 422
    )
    yield _case("a template of a service without name", _json("POST", f"{NS}/templates", {"from_service": "app"}), 422)


def _bodies_of_models() -> Iterator[Wrong]:
    for body in (
        [], "x", None, 1, {}, {"replicas": None}, {"replicas": "2"}, {"replicas": 0}, {"replicas": -1},
        {"replicas": 1001}, {"replicas": 10**100}, {"replicas": 1.0}, {"replicas": 1.5}, {"replicas": True},
        {"replicas": [1]}, {"replicas": 1, "more": 1}, {"Replicas": 1},
    ):  # fmt: skip
        yield _case(f"scale {str(body)[:40]}", _json("POST", f"{ONE}/scale", body), 400)
    for body in ({"to": 0}, {"to": "1"}, {"to": 10**20}, {"to": 1.5}, {"back": 1}, [], {"take_over": "yes"}):
        yield _case(f"rollback {str(body)[:40]}", _json("POST", f"{ONE}/rollback", body), 400)
    for body in (
        [], "x", {"labels": []}, {"labels": {"a": 1}}, {"labels": {"a": ["b"]}}, {"labels": "a=b"},
        {"nodeSelector": {"a": True}}, {"node_selector": {}}, {"replicas": 2}, {"labels": {"a": {"b": "c"}}},
    ):  # fmt: skip
        yield _case(f"patch {str(body)[:40]}", _json("PATCH", ONE, body), 400)
    for body in (
        [], {}, {"documents": []}, {"documents": {}}, {"documents": [1]}, {"documents": [None]}, {"documents": [[]]},
        {"documents": [{}] * 201}, {"documents": [document()], "more": 1}, {"documents": [document(), document()]},
    ):  # fmt: skip
        yield _case(f"apply {str(body)[:60]} {len(str(body))}", _json("POST", f"{NS}/apply", body), (400, 409, 422))
    limits = f"{NS}/limit-ranges/bounds"
    good: dict[str, Any] = {"name": "bounds", "limits": [{"type": "Container", "max": {"cpu": "1"}}]}
    for change in (
        {"name": "other"}, {"name": None}, {"limits": []}, {"limits": None}, {"limits": [{}]},
        {"limits": good["limits"] * 9},
        {"limits": [{"type": "Node"}]}, {"limits": [{"type": "Container", "max": {"cpu": 1}}]}, {"more": 1},
        *({"limits": [{"type": "Container", "max": {"cpu": amount}}]} for amount in ("abc", "", "1e", "Ki", "1m1")),
        {"limits": [{"type": "Container", "max": []}]}, {"limits": [{"type": "Container", "most": {}}]}, {"name": 1},
    ):  # fmt: skip
        yield _case(f"limit range {str(change)[:70]}", _json("PUT", limits, {**good, **change}), 400)


def _headers() -> Iterator[Wrong]:
    yield _case(
        "a thousand headers",
        request("GET", "/gse/v1/nodes", headers=tuple(f"X-{n}: a" * 4 for n in range(4000))),
        (400, 413),
    )
    yield _case("a header of 64 KiB", request("GET", "/gse/v1/nodes", headers=("X-A: " + "a" * 65_536,)), (400, 413))
    yield _case(
        "a header of 1 MiB", request("GET", "/gse/v1/nodes", headers=("X-A: " + "a" * 1_048_576,)), (400, 413, CLOSED)
    )
    yield _case("a name of 40 KiB", request("GET", "/gse/v1/nodes", headers=("X" * 40_000 + ": a",)), (400, 413))
    yield _case("a header without colon", request("GET", "/gse/v1/nodes", headers=("nothing",)), 400)
    yield _case("a header without name", request("GET", "/gse/v1/nodes", headers=(": a",)), 400)
    yield _case("a name with a space", request("GET", "/gse/v1/nodes", headers=("X A: a",)), 400)
    yield _case("a space before the colon", request("GET", "/gse/v1/nodes", headers=("X-A : a",)), 400)
    yield _case("a NUL in a header", request("GET", "/gse/v1/nodes", headers=(b"X-A: a\x00b",)), 400)
    yield _case("a carriage return in a header", request("GET", "/gse/v1/nodes", headers=(b"X-A: a\rb",)), 400)
    yield _case("a folded first header", b"GET /gse/v1/nodes HTTP/1.1\r\n X: a\r\nHost: gse\r\n\r\n", 400)
    yield _case("no host", request("GET", "/gse/v1/nodes", headers=("-Host",)), 400)
    yield _case("two hosts", request("GET", "/gse/v1/nodes", headers=("Host: other",)), 400)
    yield _case("If-Match of nothing", request("DELETE", ONE, headers=('If-Match: "x"',)), 412)
    yield _case("If-Match in Latin-1", request("DELETE", ONE, headers=("If-Match: ä",)), 412)


def _framing() -> Iterator[Wrong]:
    good = json.dumps(document()).encode()
    left = ("-Content-Length",)

    def post(body: bytes, *headers: str | bytes) -> bytes:
        return request("POST", f"{SERVICES}?dry_run=true", body, JSON, (*left, *headers))

    chunk = b"%x\r\n%s\r\n" % (len(good), good)
    yield _case(
        "both lengths", post(chunk + b"0\r\n\r\n", f"Content-Length: {len(good)}", "Transfer-Encoding: chunked"), 400
    )
    yield _case(
        "both, the length short", post(chunk + b"0\r\n\r\n", "Content-Length: 4", "Transfer-Encoding: chunked"), 400
    )
    yield _case("two lengths", post(good, f"Content-Length: {len(good)}", "Content-Length: 1"), 400)
    yield _case("two lengths in one", post(good, f"Content-Length: {len(good)}, 1"), 400)
    yield _case("length negative", post(good, "Content-Length: -1"), 400)
    yield _case("length with plus", post(good, f"Content-Length: +{len(good)}"), 400)
    yield _case("length in words", post(good, "Content-Length: many"), 400)
    yield _case("length of hex", post(good, "Content-Length: 0x10"), 400)
    yield _case("length empty", post(good, "Content-Length: "), 400)
    yield _case("length huge", post(good, "Content-Length: 99999999999999999999"), (400, 413))
    yield _case("length enormous", post(good, "Content-Length: " + "9" * 5000), (400, 413))
    yield _case("length above the bound", post(b"x", "Content-Length: 600000"), 413)
    yield _case("body above the bound", request("POST", SERVICES, b"x" * 600_000, JSON), 413)
    yield _case("chunks above the bound", post(b"10000\r\n" + b"x" * 65_536 + b"\r\n",
    "Transfer-Encoding: chunked")[:-1]
                + (b"\n10000\r\n" + b"x" * 65_536 + b"\r") * 10, 413)  # fmt: skip
    yield _case("chunk of no size", post(b"zz\r\nab\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400)
    yield _case("chunk of negative size", post(b"-1\r\nab\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400)
    yield _case("chunk of huge size", post(b"f" * 30 + b"\r\nab", "Transfer-Encoding: chunked"), 400)
    yield _case("chunk without its end", post(b"2\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400)
    yield _case(
        "chunk with a long extension",
        post(b"2;" + b"a" * 70_000 + b"\r\nab\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        (400, 422),
    )
    yield _case(
        "trailers without end", post(chunk + b"0\r\n" + b"X: " + b"a" * 70_000, "Transfer-Encoding: chunked"), 400
    )
    yield _case("encoding gzip", post(good, "Transfer-Encoding: gzip"), 400)
    yield _case("encoding twice", post(chunk + b"0\r\n\r\n", "Transfer-Encoding: chunked, chunked"), 400)
    yield _case("encoding xchunked", post(chunk + b"0\r\n\r\n", "Transfer-Encoding: xchunked"), 400)
    yield _case(
        "encoding twice in two",
        post(chunk + b"0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        400,
    )
    yield _case("encoding behind a tab", post(chunk + b"0\r\n\r\n", "Transfer-Encoding:\x0bchunked"), 400)
    yield _case("body compressed", post(good, f"Content-Length: {len(good)}", "Content-Encoding: gzip"), 415)
    yield _case("body and no length", post(good), (400, 415, 422))


def _no_http() -> Iterator[Wrong]:
    yield _case("HTTP/0.9", b"GET /gse/v1/nodes\r\n\r\n", 400)
    yield _case("HTTP/0.9 with version", b"GET /gse/v1/nodes HTTP/0.9\r\n\r\n", 400)
    yield _case("HTTP/2 by word", b"GET /gse/v1/nodes HTTP/2.0\r\nHost: gse\r\n\r\n", 400)
    yield _case("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400)
    yield _case("HTTP/9", b"GET /gse/v1/nodes HTTP/9.9\r\nHost: gse\r\n\r\n", 400)
    yield _case("no version", b"GET /gse/v1/nodes HTTP\r\nHost: gse\r\n\r\n", 400)
    yield _case("lower case http", b"GET /gse/v1/nodes http/1.1\r\nHost: gse\r\n\r\n", 400)
    yield _case("NUL bytes", b"\x00" * 100 + b"\r\n\r\n", 400)
    yield _case("noise", bytes(range(256)) * 8 + b"\r\n\r\n", 400)
    yield _case("SSH", b"SSH-2.0-OpenSSH_9\r\n\r\n", 400)
    yield _case("SMTP", b"EHLO a\r\n\r\n", 400)
    yield _case("JSON alone", b'{"a": 1}\r\n\r\n', 400)
    yield _case("line feeds alone, no host", b"GET /gse/v1/nodes HTTP/1.1\n\n", 400)
    yield _case("a request line of 100 KB", request("GET", "/" + "a" * 100_000), (400, 413))
    yield _case("a request line without end", b"A" * 100_000, 400)
    yield _case("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400)


def _case(name: str, data: bytes, expected: int | tuple[int, ...]) -> Wrong:
    return Wrong(name, data, (expected,) if isinstance(expected, int) else expected)


def _json(method: str, path: str, body: Any) -> bytes:
    return request(method, path, json.dumps(body).encode(), JSON)


def document(**changes: Any) -> dict[str, Any]:
    service = {"name": "app", "containers": [{"image": "app:1"}]} | changes
    return {"service": {key: value for key, value in service.items() if value is not None or key == "containers"}}


def _ports(port: Any) -> dict[str, Any]:
    return document(containers=[{"image": "app:1", "ports": [{"containerPort": port}]}])


def _requests(**amounts: Any) -> dict[str, Any]:
    return document(containers=[{"image": "app:1", "resources": {"requests": amounts}}])


TABLE = tuple(table())
