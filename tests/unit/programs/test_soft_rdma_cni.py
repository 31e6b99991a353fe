"""The CNI plugin for software RDMA, as the container runtime calls it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.adapters.locations import content_dir
from gedge_provision.adapters.programs import pack_program, read_programs

NAME = "soft-rdma-cni"
FOLDER = content_dir() / "programs" / NAME
BEFORE = {"cniVersion": "1.0.0", "interfaces": [{"name": "net1", "sandbox": "/run/netns/x"}], "ips": []}
CONFIGURATION = {"cniVersion": "1.0.0", "name": "data", "type": "soft-rdma", "prevResult": BEFORE}
VARIABLES = {"CNI_CONTAINERID": "abc", "CNI_IFNAME": "net1", "CNI_NETNS": "/run/netns/none", "CNI_PATH": "/opt/cni/bin"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cni") / "soft-rdma"
    pack_program(read_programs(FOLDER.parent, {NAME: None})[NAME], path)
    return path


def call(program: Path, command: str, configuration: Any = CONFIGURATION, **variables: str) -> tuple[int, Any]:
    environment = {"PATH": os.environ["PATH"], **VARIABLES, "CNI_COMMAND": command, **variables}
    text = configuration if isinstance(configuration, str) else json.dumps(configuration)
    done = subprocess.run(
        [sys.executable, program], input=text, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout) if done.stdout else None


def test_it_tells_the_versions_that_it_speaks(program: Path) -> None:
    code, answer = call(program, "VERSION", {"cniVersion": "1.0.0"})
    assert code == 0
    assert answer == {"cniVersion": "1.0.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]}


@pytest.mark.parametrize(
    ("command", "configuration", "variables", "wanted"),
    [
        ("ADD", "{", {}, (6, "no JSON")),
        ("ADD", "[]", {}, (6, "no JSON object")),
        ("ADD", {"cniVersion": "1.0.0"}, {}, (7, "after the one that makes the interface")),
        ("ADD", CONFIGURATION, {"CNI_IFNAME": ""}, (4, "CNI_IFNAME is not set")),
        ("ADD", CONFIGURATION, {"CNI_CONTAINERID": ""}, (4, "CNI_CONTAINERID is not set")),
        ("MOVE", CONFIGURATION, {}, (4, "CNI_COMMAND=MOVE is not known")),
        ("CHECK", CONFIGURATION, {}, (100, "network namespace is gone")),
    ],
)
def test_errors_are_those_of_the_specification(
    program: Path, command: str, configuration: Any, variables: dict[str, str], wanted: tuple[int, str]
) -> None:
    exit_code, answer = call(program, command, configuration, **variables)
    assert exit_code == 1
    assert answer["code"] == wanted[0]
    assert wanted[1] in f"{answer['msg']}; {answer['details']}"


def test_del_of_a_pod_that_is_gone_succeeds(program: Path) -> None:
    assert call(program, "DEL") == (0, None)
    assert call(program, "DEL", CNI_NETNS="") == (0, None)
    # A namespace without links, or a kernel without RDMA.
    assert call(program, "DEL", CNI_NETNS="/proc/self/ns/net") == (0, None)


def test_add_is_refused_where_links_in_pods_carry_nothing(program: Path) -> None:
    links = _links()
    if links.supported(os.uname().release):
        pytest.skip("this kernel has rxe per network namespace")
    for command in ("ADD", "STATUS"):
        exit_code, answer = call(program, command)
        assert (exit_code, answer["code"]) == (1, 50)
        assert f"needs Linux 7.1, this node runs {os.uname().release}" in answer["msg"]


def _links() -> Any:
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("soft_rdma_links", FOLDER / "links.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(FOLDER))
        sys.modules.pop("errors", None)


@pytest.mark.parametrize(
    ("release", "fits"),
    [
        ("7.1.0", True),
        ("7.3.4+deb13-amd64", True),
        ("8.0-rc1", True),
        ("7.0.9", False),
        ("6.12.1", False),
        ("10.0", True),
        ("?", False),
    ],
)
def test_kernels_with_rxe_per_namespace(release: str, fits: bool) -> None:
    assert _links().supported(release) is fits


def test_names_of_links_are_short_and_differ_between_pods_and_interfaces() -> None:
    name = _links().link_name
    names = {name(container, interface) for container in ("a", "b", "a/net1") for interface in ("net1", "net2")}
    assert len(names) == 6
    assert all(len(text) == 14 and text.startswith("rxe_") for text in names)
