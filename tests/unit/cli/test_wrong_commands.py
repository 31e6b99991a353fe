"""A person who types the wrong thing is told what and what to do, and nothing is done."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.certificates import LIFE, self_signed
from gedge_provision.adapters.store import INDEX_FIELDS
from gedge_provision.cli import main
from gedge_provision.models.runs import RunResult
from gedge_provision.provisioning import reset
from gedge_provision.provisioning.inventories import site_inventory

SITE = """\
name: nowhere
ssh: {private_key: KEY, known_hosts: KEY}
nodes:
  - {name: m1, address: 192.0.2.11, roles: [control_plane]}
  - {name: w1, address: 192.0.2.21}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cache and state of this test alone, and a site with keys."""
    monkeypatch.setenv("GEDGE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GEDGE_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "key").touch()
    (tmp_path / "site.yml").write_text(SITE.replace("KEY", str(tmp_path / "key")), encoding="utf-8")
    return tmp_path


def fill_store(cache: Path, leave_out: str = "", cut: str = "") -> None:
    """Write a store that has every artifact of the catalog, by index; its files are empty."""
    entries = {}
    blobs = cache / "store" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for number, artifact in enumerate(load_catalog().artifacts):
        digest = f"{number:064x}"
        entry = dict.fromkeys(INDEX_FIELDS, "")
        size = 10 if artifact.name == cut else 0
        entry |= {"kind": artifact.kind, "version": artifact.version, "target": artifact.target, "sha256": digest}
        entries[artifact.name] = {**entry, "size": size}
        (blobs / digest).touch()
    entries.pop(leave_out, None)
    index = {"format": 1, "artifacts": entries}
    (cache / "store" / "index.json").write_text(json.dumps(index, default=str), encoding="utf-8")


def gedge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    """Run the command line and return exit code and what it says on standard error."""
    monkeypatch.setattr(sys, "argv", ["gedge", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr().err
    assert len(said.splitlines()) < 24
    return int(caught.value.code or 0), said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("aply",), "Did you mean 'apply'?"),
        (("apply", "--limti", "x"), "No such option: --limti"),
        (("apply", "--output", "yaml"), "'yaml' is not one of"),
        (("apply", "--site"), "requires an argument"),
        (("apply", "--site", "/nowhere/site.yml"), "/nowhere/site.yml: no such file\n-> check the path"),
        (("status", "--site", "HOME"), "this is a folder\n-> name a file in it"),
        (("status", "--site", "HOME/site.yml"), "there is no kubeconfig of this site here\n-> install it: gedge apply"),
        (("verify", "--site", "HOME/site.yml"), "there is no kubeconfig of this site here\n-> install it: gedge apply"),
        (("verify", "--site", "HOME/site.yml", "--out", "x.txt"), "x.txt: a report is a page or JSON\n-> name it"),
        (("service", "list", "--site", "HOME/site.yml"), "kubeconfig"),
        (("service", "apply", "HOME/none.yaml", "--site", "HOME/site.yml"), "none.yaml: no such file"),
        (("reset", "--site", "HOME/site.yml", "--yes", "--only", "w9"), "--only: no node 'w9' in this site"),
        (("apply", "--site", "HOME/site.yml", "--only", "w9"), "use names of m1, w1"),
        (("apply", "--site", "HOME/site.yml", "--only", ""), "--only: no node or concern '' in this site"),
        (("apply", "--site", "HOME/site.yml", "--only", "all:!m1"), "no node or concern 'all:!m1' in this site"),
        (("plan", "--offline", "--site", "HOME/site.yml"), "the site file is valid; no whole run of site nowhere is"),
        (("schema", "nothing"), "'nothing' is not one of"),
        (("lab", "up", "HOME/site.yml", "--name", "x"), "exclude each other"),
        (("lab", "snapshots", "--delete", "a"), "--delete needs a node\n-> gedge lab snapshots NODE --delete a"),
        (("artifacts", "pack", "HOME"), "this is a folder\n-> name a file in it: "),
        (("artifacts", "unpack", "HOME"), "this is a folder\n-> name a file in it that"),
        (("artifacts", "build", "nothing"), "nothing: the catalog has no artifact of this name"),
    ],
)
def test_a_wrong_command_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    fill_store(home / "cache")
    code, text = gedge(monkeypatch, capsys, *(word.replace("HOME", str(home)) for word in words))
    assert code == 2, text
    assert said in " ".join(text.split(" "))
    assert not (home / "state").exists()


@pytest.mark.parametrize(
    ("leave_out", "cut", "said"),
    [("kubelet", "", "the artifact store lacks kubelet"), ("", "runc", "the artifact store lacks runc")],
)
def test_a_store_that_lacks_something_is_refused(  # noqa: PLR0913, PLR0917 - a row of the table
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    leave_out: str,
    cut: str,
    said: str,
) -> None:
    fill_store(home / "cache", leave_out, cut)
    code, text = gedge(monkeypatch, capsys, "apply", "--site", home / "site.yml")
    assert (code, said in text) == (2, True), text
    assert "-> run: gedge artifacts build" in text


def test_an_empty_store_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = gedge(monkeypatch, capsys, "apply", "--site", home / "site.yml")
    assert code == 2
    assert f"{home}/cache/store: the artifact store is empty\n-> run: gedge artifacts build" in text


def test_a_damaged_index_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_store(home / "cache")
    (home / "cache/store/index.json").write_text("{", encoding="utf-8")
    code, text = gedge(monkeypatch, capsys, "apply", "--site", home / "site.yml")
    assert code == 1
    assert "index.json: the artifact index is damaged" in text


def test_a_version_that_the_catalog_lacks_is_refused_with_its_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (home / "site.yml").open("a", encoding="utf-8") as file:
        file.write("kubernetes:\n  version: 1.29.0\n")
    code, text = gedge(monkeypatch, capsys, "apply", "--site", home / "site.yml")
    assert code == 2
    assert (
        f"{home}/site.yml:7: kubernetes.version: the artifact catalog has 1.36.4, not 1.29.0\n  -> write 1.36.4" in text
    )


def test_such_a_version_does_not_keep_from_looking_and_removing(home: Path) -> None:
    fill_store(home / "cache")
    with (home / "site.yml").open("a", encoding="utf-8") as file:
        file.write("kubernetes:\n  version: 1.29.0\n")
    inventory = site_inventory(home / "site.yml")
    assert "the artifact catalog has 1.36.4, not 1.29.0" in inventory.variables["artifacts_problem"]
    assert inventory.host_variables["w1"]["artifacts_items"] == []


OURS = "contexts:\n- {context: {cluster: nowhere}, name: kubernetes-admin@nowhere}\n"
NOT_OURS = [
    "my notes\n",
    "[",
    "contexts: []\n",
    OURS.replace("@nowhere", "@nowhere-2"),
    OURS + "- {context: {cluster: other}, name: me@other}\n",
]


@pytest.mark.parametrize("content", [None, *NOT_OURS])
@pytest.mark.parametrize("verb", [("apply",), ("plan",), ("kubeconfig", "--fetch")])
def test_a_kubeconfig_that_is_not_of_this_site_is_kept(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: tuple[str, ...],
    content: str | None,
) -> None:
    fill_store(home / "cache")
    site = home / "site.yml"
    site.write_text(f"{site.read_text()}kubeconfig: {home}/mine\n", encoding="utf-8")
    if content is None:
        (home / "mine").mkdir()
    else:
        (home / "mine").write_text(content, encoding="utf-8")
    code, text = gedge(monkeypatch, capsys, *verb, "--site", site)
    assert code == 2, text
    assert f"{site}:6: kubeconfig: {home}/mine is " in text
    assert "-> name another place" in text
    assert not (home / "state").exists()


@pytest.mark.parametrize(("content", "stays"), [(OURS, False), *((text, True) for text in NOT_OURS)])
def test_a_reset_removes_only_the_kubeconfig_of_its_site(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: str, stays: bool
) -> None:
    done = RunResult("successful", 0.0, (), {}, {}, (), (), {}, home)
    monkeypatch.setattr(sys.modules[reset.__module__], "run_playbook", lambda *_, **__: done)
    (home / "mine").write_text(content, encoding="utf-8")
    site = home / "site.yml"
    site.write_text(f"{site.read_text()}kubeconfig: {home}/mine\n", encoding="utf-8")
    reset(site)
    assert (home / "mine").exists() == stays


def test_a_key_that_is_missing_is_named_with_its_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_store(home / "cache")
    (home / "key").unlink()
    code, text = gedge(monkeypatch, capsys, "apply", "--site", home / "site.yml")
    assert code == 2
    assert f"{home}/site.yml:2: ssh.private_key: no such file: {home}/key\n  -> correct the path" in text


@pytest.mark.parametrize(
    ("certificate", "key", "field", "message"),
    [
        ("", "", "certificate", "it cannot be read: No such file or directory"),
        ("first", "second", "key", "this key is not that of"),
        ("old", "old", "certificate", "this certificate ended on"),
    ],
)
def test_a_certificate_that_cannot_serve_is_named_before_anything_is_changed(  # noqa: PLR0913, PLR0917 - a table
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    certificate: str,
    key: str,
    field: str,
    message: str,
) -> None:
    fill_store(home / "cache")
    now = datetime.now(UTC)
    made = {name: self_signed("x", ["x"], now) for name in ("first", "second")}
    made["old"] = self_signed("x", ["x"], now - LIFE)
    if certificate:
        (home / "server.pem").write_bytes(made[certificate].certificate)
        (home / "server.key").write_bytes(made[key].key)
    site = home / "site.yml"
    section = f"gse_api_server:\n  certificate: {home}/server.pem\n  key: {home}/server.key\n"
    site.write_text(site.read_text() + section)
    code, text = gedge(monkeypatch, capsys, "apply", "--site", site)
    assert code == 2
    line, file = (7, "server.pem") if field == "certificate" else (8, "server.key")
    assert f"{site}:{line}: gse_api_server.{field}: {home}/{file}: {message}" in text
    assert not (home / "state").exists()


def test_a_lab_that_is_not_up_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_store(home / "cache")
    site = home / "site.yml"
    site.write_text(SITE.replace("ssh: {private_key: KEY, known_hosts: KEY}", "lab: {subnet: 192.0.2.0/24}"))
    code, text = gedge(monkeypatch, capsys, "apply", "--site", site)
    assert code == 2
    assert "the lab nowhere is not up" in text
    assert f"-> make it: gedge lab up {site}" in text


def test_a_state_folder_that_cannot_be_made_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_store(home / "cache")
    monkeypatch.setenv("GEDGE_STATE_DIR", str(home / "key" / "below"))
    code, text = gedge(monkeypatch, capsys, "apply", "--site", home / "site.yml")
    assert code == 2
    assert f"{home}/key/below/sites/nowhere" in text
    assert "GEDGE_STATE_DIR" in text
