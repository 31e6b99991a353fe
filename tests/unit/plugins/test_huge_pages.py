"""Huge pages at run time, on a tree as the kernel shows it; with a kernel that does not give all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils import huge_pages

WANTED = {"0": {"2048": 64}, "1": {"2048": 32}}
IN_USE = 24


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NODES", "ALL", "COMPACT", "NOTED"):
        monkeypatch.setattr(huge_pages, name, f"{tmp_path}{getattr(huge_pages, name)}")
    for node in (0, 1):
        for size in (2048, 1048576):
            put(tmp_path, node, 0, size)
    (tmp_path / "run").mkdir()
    return tmp_path


def path(host: Path, node: int, size: int = 2048) -> Path:
    return host / f"sys/devices/system/node/node{node}/hugepages/hugepages-{size}kB/nr_hugepages"


def put(host: Path, node: int, count: int, size: int = 2048) -> None:
    file = path(host, node, size)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{count}\n", encoding="ascii")


def numbers(host: Path) -> tuple[int, int]:
    first, second = (int(path(host, node).read_text(encoding="ascii")) for node in (0, 1))
    return first, second


def kernel(monkeypatch: pytest.MonkeyPatch, most: int = 10**6, least: int = 0) -> None:
    """Let a kernel give so many pages of a kind at most, and keep so many that are in use."""
    write = huge_pages.write

    def written(due: list[tuple[str, Any, int]]) -> None:
        write([(path, found, max(min(count, most), least)) for path, found, count in due])

    monkeypatch.setattr(huge_pages, "write", written)


def test_pages_are_set_aside_and_go_back_to_what_the_boot_began_with(host: Path) -> None:
    put(host, 1, 8)
    huge_pages.set_aside(huge_pages.targets(WANTED))
    assert numbers(host) == (64, 32)
    huge_pages.set_aside(huge_pages.targets({"0": {"2048": 16}}))
    assert numbers(host) == (16, 8)
    huge_pages.set_aside(huge_pages.targets({}))
    assert numbers(host) == (0, 8)
    assert huge_pages.differing(huge_pages.targets({})) == []


def test_a_kernel_that_gives_fewer_is_told_and_gets_all_back(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(host, 0, 2)
    put(host, 1, 40)
    kernel(monkeypatch, most=40)
    before = huge_pages.noted()["changed_at"]
    with pytest.raises(huge_pages.PagesError) as refused:
        huge_pages.set_aside(huge_pages.targets(WANTED))
    assert str(refused.value) == (
        "asked for 64 huge pages of 2Mi on NUMA node 0, the kernel gave 40; the former numbers are back "
        "-> ask for fewer, or set them aside at boot (at: boot)"
    )
    assert numbers(host) == (2, 40)
    assert huge_pages.noted()["changed_at"] == before, "no kubelet has to count anew"


def test_pages_in_use_are_not_taken(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(host, 0, 64)
    kernel(monkeypatch, least=IN_USE)
    with pytest.raises(
        huge_pages.PagesError, match="24 huge pages of 2Mi on NUMA node 0 are in use, and 8 are to stay"
    ):
        huge_pages.set_aside(huge_pages.targets({"0": {"2048": 8}}))
    assert numbers(host) == (64, 0)


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(("node", "size", "words"), [("7", "2048", "2Mi on NUMA node 7"), ("0", "64", "64Ki on NUMA")])
def test_what_the_host_does_not_have_is_refused(node: str, size: str, words: str) -> None:
    with pytest.raises(huge_pages.PagesError, match=f"this host has no huge pages of {words}.* -> "):
        huge_pages.set_aside(huge_pages.targets({node: {size: 1}}))


def test_a_boot_keeps_what_it_gets_and_notes_what_it_began_with(
    host: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(host, 1, 4)
    settings = host / "huge-pages.json"
    settings.write_text(json.dumps(WANTED), encoding="utf-8")
    kernel(monkeypatch, most=40)
    assert huge_pages.main(str(settings)) == 1
    assert numbers(host) == (40, 32)
    assert "asked for 64 huge pages of 2Mi on NUMA node 0, there are 40" in capsys.readouterr().err
    huge_pages.set_aside(huge_pages.targets({}))
    assert numbers(host) == (0, 4)


def test_a_kernel_without_numa_nodes_has_one_number(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = host / "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    file.parent.mkdir(parents=True)
    file.write_text("0\n", encoding="ascii")
    monkeypatch.setattr(huge_pages, "NODES", f"{host}/none")
    huge_pages.set_aside(huge_pages.targets({"0": {"2048": 3}}))
    assert file.read_text(encoding="ascii") == "3"
    assert huge_pages.spoken(str(file)) == "2Mi on NUMA node 0"
