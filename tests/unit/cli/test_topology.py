"""`gedge topology` as a user calls it, on snapshots; and the drawing."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from topologies import SHAPES, snapshot, topology
from typer.testing import CliRunner, Result

from gedge_provision.cli._main import app
from gedge_provision.models.cpu_plan import CpuPlan, InfeasibleError
from gedge_provision.models.errors import UsageError
from gedge_provision.models.topology import Topology
from gedge_provision.provisioning import asked_of, plan_cpus


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record.json"


def gedge(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["topology", *map(str, arguments)])


def written(path: Path, name: str) -> Path:
    path.write_text(json.dumps(snapshot(name)), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", [name for name in SHAPES if len(topology(name).online) < 200] + ["dgx-a100"])
def test_every_cpu_and_device_is_drawn_once(name: str, record: Path, tmp_path: Path) -> None:
    image = tmp_path / "host.svg"
    done = gedge("show", written(record, name), "--svg", image)
    assert done.exit_code == 0, done.output
    found = topology(name)
    for device in found.devices:
        assert done.output.count(device.address) == 1
    tree = ET.fromstring(image.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    texts = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    numbers = [int(text) for text in texts if text and text.isdigit()]
    assert sorted(numbers) == sorted(found.online)
    for device in found.devices:
        assert sum(device.address in (text or "") for text in texts) == 1


def test_boxes_of_cpus_do_not_cover_one_another(record: Path, tmp_path: Path) -> None:
    image = tmp_path / "host.svg"
    gedge("show", written(record, "dgx-a100"), "--svg", image)
    tree = ET.fromstring(image.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    boxes = [
        tuple(int(box.attrib[side]) for side in ("x", "y", "width", "height"))
        for box in tree.iter("{http://www.w3.org/2000/svg}rect")
        if box.attrib.get("class", "").startswith(("cpu", "device")) and box.attrib["y"] != "56"
    ]
    for place, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[place + 1 :]:
            apart = (
                x + width <= other_x
                or other_x + other_width <= x
                or y + height <= other_y
                or other_y + other_height <= y
            )
            assert apart


def test_efficiency_cores_are_marked(record: Path, tmp_path: Path) -> None:
    image = tmp_path / "host.svg"
    done = gedge("show", written(record, "core-i9-13900k"), "--svg", image)
    page = image.read_text(encoding="utf-8")
    efficient = [cpu for cpu in topology("core-i9-13900k").cpus if cpu.kind == "efficiency"]
    assert page.count('class="cpu shared efficient"') == len(efficient) + 1, "one more in the legend"
    assert f" e{efficient[0].id}" in done.output
    gedge("show", written(record, "xeon-d-2187nt"), "--svg", image)
    assert "efficiency core" not in image.read_text(encoding="utf-8")


def test_a_host_is_drawn_with_what_its_cpus_are_for(record: Path) -> None:
    done = gedge("plan", written(record, "emulated-node"), "--profile", "pinned-numa", "--explain")
    assert done.exit_code == 0, done.output
    assert "[r0 r1] [2 3]" in done.output
    assert "[r4 r5] [6 7]" in done.output
    assert "allocatable" in done.output
    assert "4000m CPU" in done.output
    assert "takes the interrupts of ens1f0" in done.output


def test_what_show_prints_can_be_planned_later(record: Path) -> None:
    done = gedge("show", written(record, "power9-ac922"), "--output", "json")
    assert Topology.model_validate_json(done.stdout) == topology("power9-ac922")
    record.write_text(done.stdout, encoding="utf-8")
    planned = gedge("plan", record, "--output", "json", "--reserve", "6")
    assert CpuPlan.model_validate_json(planned.stdout).reserved == frozenset(range(8))


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, (), "no snapshot can be read: No such file"),
        ("{", (), "this is no snapshot of a topology"),
        ("{}", (), "present: Field required"),
        (
            json.dumps({**snapshot("two-cpus"), "numa": [{"id": 0, "cpus": "0"}]}),
            (),
            "the NUMA nodes have the CPUs 0, online are 0-1",
        ),
        (json.dumps(snapshot("two-cpus")), ("--svg", "host.png"), "name it NAME.svg"),
        (json.dumps(snapshot("two-cpus")), ("--reserve", "half"), "is no Kubernetes quantity"),
        (json.dumps(snapshot("two-cpus")), ("--reserve", "1Gi"), "is no CPU time"),
        (json.dumps(snapshot("two-cpus")), ("--reserve", "2"), "reserve at most 1"),
        (json.dumps(snapshot("two-cpus")), ("--profile", "shared", "--latency", "low"), "choose the profile pinned"),
    ],
)
def test_wrong_input_is_told(content: str | None, arguments: tuple[str, ...], message: str, record: Path) -> None:
    if content is not None:
        record.write_text(content, encoding="utf-8")
    done = gedge("plan", record, *arguments)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert "->" in str(done.exception)


def test_a_name_that_is_neither_node_nor_file_is_told() -> None:
    done = gedge("show", "gedgew99", "--site", "inventories/lab/site.yml")
    assert isinstance(done.exception, UsageError)
    assert "neither a node nor a file 'gedgew99'" in str(done.exception)
    assert "name one of gedgem01" in str(done.exception)


def test_a_node_is_planned_as_its_site_asks(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text(
        "name: edge\n"
        "node_classes: {default: {}, fast: {cpus: {profile: pinned-numa}, kubelet: {kube_reserved: {cpu: 2}},\n"
        "  kernel_arguments: [nohz_full=2-7]}}\n"
        "nodes:\n"
        "  - {name: m, address: 192.0.2.1, roles: [control_plane]}\n"
        "  - {name: w, address: 192.0.2.2, node_class: fast}\n",
        encoding="utf-8",
    )
    asked = asked_of("w", path)
    assert asked.intent is not None
    assert asked.intent.profile == "pinned-numa"
    assert str(asked.settings.kube_reserved.cpu) == "2"
    assert asked.kernel_arguments == ("nohz_full=2-7",)
    with pytest.raises(InfeasibleError, match="write nohz_full=2-3,6-7"):
        plan_cpus(topology("emulated-node"), asked.intent, asked.settings, asked.kernel_arguments)
    assert not asked.control_plane
    assert asked_of("m", path).intent is None
    assert asked_of("m", path).control_plane
    assert asked_of("w.json", path).intent is None
