"""The catalog's rules: what it refuses, and where things go."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from gedge_provision.adapters.catalog_file import CATALOG, load_catalog
from gedge_provision.adapters.files import read_document
from gedge_provision.models.catalog import Catalog

SMALL: dict[str, Any] = {
    "products": {"demo": {"module": "example.org/demo", "version": "v1.2.3"}},
    "bases": {"shell": {"purpose": "a shell", "release": "bookworm", "packages": ["busybox-static"]}},
    "artifacts": [
        {
            "name": "demo",
            "kind": "binary",
            "version": "v1.2.3",
            "purpose": "demo",
            "needed_on": ["all"],
            "build": {"product": "demo", "package": "example.org/demo"},
            "upstream": {"url": "https://example.org/demo", "sha256": "0" * 64},
        },
        {
            "name": "demo-image",
            "kind": "image",
            "version": "v1.2.3",
            "purpose": "demo",
            "needed_on": ["lab"],
            "reference": "example.org/demo:1",
            "build": {"product": "demo", "package": "example.org/demo"},
            "image": {"program": "/demo", "entrypoint": ["/demo"], "base": "shell"},
            "upstream": {"reference": "example.org/demo:1"},
        },
    ],
}


def test_the_shipped_catalog_is_valid_and_says_what_everything_is_for() -> None:
    catalog = load_catalog()
    assert {"kubelet", "containerd", "runc", "bridge", "kube-proxy", "pause"} <= {a.name for a in catalog.artifacts}
    assert all(artifact.purpose for artifact in catalog.artifacts)


def test_names_in_the_shipped_file_are_unique_and_sorted() -> None:
    names = [entry["name"] for entry in read_document(CATALOG).data["artifacts"]]
    assert names == sorted(set(names))


def test_targets_follow_from_the_kind() -> None:
    catalog = load_catalog()
    targets = {name: catalog.artifact(name).target for name in ("kubelet", "bridge", "pause")}  # type: ignore[union-attr]
    assert targets == {
        "kubelet": "/usr/local/bin/kubelet",
        "bridge": "/opt/cni/bin/bridge",
        "pause": "registry.k8s.io/pause:3.10.2",
    }


def test_the_stand_in_says_so() -> None:
    echoserver = load_catalog().artifact("echoserver")
    assert echoserver is not None
    assert echoserver.image is not None
    assert echoserver.image.stand_in_for
    assert echoserver.purpose.startswith("Stand-in")
    assert [place.value for place in echoserver.needed_on] == ["lab"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("artifacts", 0, "colour"), "red", "Extra inputs"),
        (("artifacts", 0, "kind"), "deb", "kind"),
        (("artifacts", 0, "name"), "../demo", "name"),
        (("artifacts", 0, "version"), "v1.2.4", "is not v1.2.3 of its product"),
        (("artifacts", 0, "name"), "zzz", "not sorted"),
        (("artifacts", 0, "name"), "demo-image", "stands twice"),
        (("artifacts", 0, "needed_on"), [], "needed_on"),
        (("artifacts", 0, "reference"), "a:1", "nothing else"),
        (("artifacts", 0, "build", "product"), "other", "unknown product"),
        (("artifacts", 0, "build", "c_source"), "a.c", "exactly one of package, c_source, program and module"),
        (("artifacts", 0, "build", "defines"), {"A": "1"}, "for c_source only"),
        (("artifacts", 0, "upstream", "sha256"), "abc", "sha256"),
        (("artifacts", 0, "upstream", "url"), "ftp://example.org", "url"),
        (("artifacts", 0, "upstream", "reference"), "a:1", "exactly one of url and reference"),
        (("artifacts", 1, "upstream"), {"url": "https://example.org"}, "upstream of an image"),
        (("artifacts", 0, "build"), {"program": "demo", "product": "demo"}, "belong to a product"),
        (("artifacts", 0, "build"), {"program": "../demo"}, "program"),
        (("artifacts", 0, "build"), {"package": "example.org/demo"}, "belong to a product"),
        (("artifacts", 0, "build"), None, "a file needs a build section"),
        (("artifacts", 0, "upstream"), {"reference": "example.org/demo:1"}, "upstream of an image"),
        (("artifacts", 0, "feature"), "unheard-of", "feature"),
        (("artifacts", 1, "upstream", "member"), "/x", "upstream of an image"),
        (("artifacts", 1, "build"), None, "no other, has a program"),
        (("artifacts", 1, "image"), {"entrypoint": ["/demo"], "base": "shell"}, "no other, has a program"),
        (("artifacts", 1, "image", "files"), {"/a": "/etc/passwd"}, "files"),
        (("artifacts", 1, "image", "files"), {"/a": "../a"}, "files"),
        (("artifacts", 1, "image", "base"), "other", "unknown base"),
        (("artifacts", 1, "image", "program"), "demo", "program"),
        (("artifacts", 1, "image"), None, "nothing else"),
        (("artifacts", 1, "image", "user"), "nobody", "user"),
    ],
)
def test_refused(path: tuple[str | int, ...], value: object, message: str) -> None:
    data: Any = deepcopy(SMALL)
    Catalog.model_validate(data)
    node = data
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(ValidationError, match=message):
        Catalog.model_validate(data)


def test_an_image_needs_a_program_or_a_base() -> None:
    data: Any = deepcopy(SMALL)
    entry = data["artifacts"][1]
    del entry["build"]
    entry["image"] = {"entrypoint": ["/bin/sh"], "base": "shell"}
    assert Catalog.model_validate(data).artifacts[1].product is None
    entry["image"]["files"] = {"/a": "a"}
    with pytest.raises(ValidationError, match="files are those of a product's Go module"):
        Catalog.model_validate(data)
    entry["image"] = {"entrypoint": ["/bin/sh"]}
    with pytest.raises(ValidationError, match="needs a base"):
        Catalog.model_validate(data)


def test_a_file_that_is_published_inside_an_image_has_a_member() -> None:
    data: Any = deepcopy(SMALL)
    data["artifacts"][0]["upstream"] = {"reference": "example.org/demo:1", "member": "/bin/demo"}
    upstream = Catalog.model_validate(data).artifacts[0].upstream
    assert upstream is not None
    assert not upstream.is_image
