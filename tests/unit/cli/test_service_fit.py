"""`gedge service fit` as it is printed, and what it refuses before any cluster is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from looks import PINNED, node, running, service
from typer.testing import CliRunner

from gedge_provision.cli._main import app
from gedge_provision.cli.service_fit import show
from gedge_provision.models.errors import UsageError
from gedge_provision.models.fit import ServiceFit
from gedge_provision.planning.fit import fit_service

_UNKNOWN = "only amounts were compared, since the nodes do not say how their kubelets align -> --look asks the kubelets"
SAMPLE = Path(__file__).parents[3] / "examples/services/app2-pinned.yaml"


def test_nodes_reasons_and_variants_stand_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    given = [node("w1", PINNED), node("w2")]
    show(fit_service(service(4, replicas=3), given, [running("old", cpu=4)]))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "NODE  TAKES  WHY NO MORE                          WOULD FIT",
        "w1    0      cpu: 4 is asked for, 2 of 6 is free  2 CPUs instead of 4",
        "             it fits once other pods have ended",
        "w2    1      cpu: 4 is asked for, 2 of 6 is free  -",
        "",
        "app: 1 of 3 replicas fit now",
        f"note: w2: {_UNKNOWN}",
    ]


def test_all_that_fits_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    show(fit_service(service(4), [node("w1", PINNED)], []))
    assert capsys.readouterr().out.splitlines()[-1] == "app: all fit now"


def test_what_is_printed_for_programs_can_be_read_again() -> None:
    found = fit_service(service(8, replicas=2), [node("w1", PINNED), node("w2")], [])
    again = ServiceFit.model_validate(json.loads(json.dumps(found.model_dump(mode="json"))))
    assert [one.text for one in again.nodes[0].obstacles] == [one.text for one in found.nodes[0].obstacles]
    assert (again.placed, again.fits) == (found.placed, found.fits) == (0, False)


def test_hosts_behind_a_kubeconfig_cannot_be_looked_at() -> None:
    done = CliRunner().invoke(app, ["service", "fit", str(SAMPLE), "--look", "--kubeconfig", "x"])
    assert isinstance(done.exception, UsageError)
    assert "-> name the site" in str(done.exception)
