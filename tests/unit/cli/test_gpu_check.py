"""`gedge gpu check --from`: answers and exit codes without a cluster, and what is refused before one is asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gedge_provision.cli import main

SITE = Path(__file__).parents[2] / "fixtures" / "gpu" / "preinstalled.site.yml"
PLATFORM = """\
image: example/app:1
cuda: ['10.1.243']
cudnn: '7.6.5'
tensorrt: '6.0.1'
frameworks:
  - {name: tensorflow, version: '2.1.0'}
"""


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEDGE_STATE_DIR", str(tmp_path / "state"))


class Check:
    """`gedge gpu check` on one site, with its exit code and what it prints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._monkeypatch, self._capsys, self.folder = monkeypatch, capsys, folder

    def __call__(self, *words: str | Path, code: int = 0) -> tuple[str, str]:
        words = ("gedge", "gpu", "check", *words, "--site", SITE)
        self._monkeypatch.setattr(sys, "argv", list(map(str, words)))
        with pytest.raises(SystemExit) as caught:
            main()
        printed = self._capsys.readouterr()
        assert (caught.value.code or 0) == code, printed.out + printed.err
        return printed.out, printed.err

    def written(self, text: str) -> Path:
        path = self.folder / "report.yml"
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Check:
    return Check(monkeypatch, capsys, tmp_path)


def test_the_platforms_stack_fits_and_says_why(check: Check) -> None:
    said, errors = check("--from", check.written(PLATFORM), "--class", "ready", "--class", "bare")
    rows = [line.split() for line in said.splitlines()]
    assert ["CUDA", "10.1.243"] in rows
    assert ["tensorflow", "2.1.0"] in rows
    assert [row[:3] for row in rows if row[:1] in (["ready"], ["bare"])] == [
        ["ready", "570.211.01", "fits"],
        ["bare", "580.126.20", "fits"],
    ]
    assert "ready, bare: note: this is the platform's stack" in said
    assert errors == ""


def test_what_does_not_fit_is_told_with_a_remedy(check: Check) -> None:
    report = check.written("image: example/new:1\ncuda: ['13.0.2']\n")
    said, _ = check("--from", report, code=3)
    assert "CUDA 13.0.2 needs driver 580.65.06 or later, and this is 570.211.01" in said
    assert "ready: -> install driver 580.65.06 or later on the hosts, and say so in driver_version" in said
    assert "passed-on: -> look on a node of the class: --node NODE" in said
    check("--from", report, "--class", "bare")


def test_what_is_not_known_is_no_success(check: Check) -> None:
    check("--from", check.written(PLATFORM), "--class", "passed-on", code=3)


def test_json_is_a_report_again(check: Check) -> None:
    said, _ = check("--from", check.written(PLATFORM), "-o", "json", code=3)
    answer = json.loads(said)
    assert answer["fits"] is False
    assert {one["node_class"]: one["answer"] for one in answer["classes"]} == {
        "bare": "fits",
        "passed-on": "not known",
        "ready": "fits",
    }
    again, _ = check("--from", check.written(said), "-o", "json", code=3)
    assert json.loads(again) == answer


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("image: x\ncuda: [10.1]\n", "report.yml:2: cuda[0]", "write its numbers, in quotes: '10.1.243'"),
        ("image: x\ncudnn: v8\n", "report.yml:2: cudnn", "'v8' is no version"),
        ("cuda: ['10.1']\n", "report.yml:1: image", "a required key is missing"),
        ("image: x\ncudann: '8'\n", "report.yml:2: cudann", "did you mean 'cudnn'?"),
        ("image: x\nframeworks: [{name: torch}]\n", "frameworks[0].version", "a required key is missing"),
        ("{}\n", "report.yml:1: image", "a required key is missing"),
    ],
)
def test_a_wrong_report_is_refused_with_its_place(check: Check, text: str, place: str, said: str) -> None:
    _, errors = check("--from", check.written(text), code=2)
    assert place in errors
    assert said in errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "an image is missing"),
        (("",), "IMAGE: '' is no image"),
        (("example/app 1",), "IMAGE: 'example/app 1' is no image"),
        (("https://example.org/app?x=1",), "write it as nodes pull it: registry.example.org/app:1.0"),
        (("example/app:1", "--from", "report.yml"), "leave IMAGE, --node, --on-gpu out"),
        (("--on-gpu", "--from", "report.yml"), "leave IMAGE, --node, --on-gpu out"),
        (("--from", "nowhere.yml"), "no such file"),
        (("example/app:1", "--class", "fast"), "name one of bare, passed-on, plain, ready"),
        (("example/app:1", "--node", "w9"), "name one of m1, w1, w2, w3"),
        (("example/app:1",), "there is no kubeconfig of this site here"),
    ],
)
def test_what_cannot_begin(check: Check, words: tuple[str, ...], said: str) -> None:
    _, errors = check(*words, code=2)
    assert said in errors


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("gpu: {}", "gpu: {driver: none}"), "no node of this site has a GPU for the operator"),
        (("gpu: {}", "gpus: {}"), "did you mean 'gpu'?"),
        (("driver: operator", "driver: nouveau"), "use one of operator, preinstalled, none"),
        (("26.7.0", "99.1.1"), "use one of 26.7.0"),
        (("gpu: {}", "gpu: {driver: preinstalled, driver_version: 570.1}"), "in quotes: '595.91.07'"),
        (("timeout_s: 900", "timeout_s: 5"), "gpu_operator.timeout_s"),
    ],
)
def test_values_of_a_wrong_site_are_refused_with_its_place(
    change: tuple[str, str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = tmp_path / "site.yml"
    text = """\
name: seoul-1
gpu_operator: {version: 26.7.0, timeout_s: 900}
node_classes:
  plain: {}
  other: {gpu: {driver: operator}}
  ai: {gpu: {}}
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
"""
    assert change[0] in text
    site.write_text(text.replace(*change), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["gedge", "gpu", "values", "--site", str(site)])
    with pytest.raises(SystemExit) as caught:
        main()
    printed = capsys.readouterr()
    assert (caught.value.code, printed.out) == (2, "")
    assert str(site) in printed.err.replace("\n", "")
    assert said in printed.err
