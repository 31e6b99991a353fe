"""On which classes of nodes an image can run: by driver, GPU, and what its frameworks were built for."""

from __future__ import annotations

from typing import Any

import pytest

from gedge_provision.adapters.cuda_versions import load_cuda_versions
from gedge_provision.adapters.gpu_versions import load_gpu_versions
from gedge_provision.models.documents import parse_yaml, validate
from gedge_provision.models.errors import UsageError
from gedge_provision.models.gpu_images import ClassAnswer, ImageReport
from gedge_provision.models.gpu_versions import numbers
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu_images import answer_classes, chosen_classes
from gedge_provision.planning.site_checks import check_site

SITE = """\
name: seoul-1
gpu_operator: {driver: {version: "DRIVER"}}
node_classes:
  plain: {}
  ai: {gpu: {}}
  old: {gpu: {driver: preinstalled, driver_version: 535.183.01}}
  unsaid: {gpu: {driver: preinstalled}}
  others: {gpu: {driver: none}}
nodes:
  - {name: m1, address: 192.168.40.11, roles: [control_plane], node_class: plain}
  - {name: w1, address: 192.168.40.21, node_class: ai}
  - {name: w2, address: 192.168.40.22, node_class: old}
  - {name: w3, address: 192.168.40.23, node_class: unsaid}
  - {name: w4, address: 192.168.40.24, node_class: others}
  - {name: w5, address: 192.168.40.25, node_class: ai}
"""
PLATFORM = {
    "cuda": ["10.1.243"],
    "cudnn": "7.6.5",
    "tensorrt": "6.0.1",
    "frameworks": [{"name": "tensorflow", "version": "2.1.0"}],
}

TORCH = {"name": "torch", "version": "1.13.1", "cuda": "11.7"}
OWN_BUILD = {"name": "tensorflow", "version": "2.1.0+nv20.03", "cuda": "11.4"}


def site(installed: str = "580.126.20") -> Site:
    return validate(parse_yaml(SITE.replace("DRIVER", installed), "site.yml"), Site, check_site)


def report(**found: Any) -> ImageReport:
    return ImageReport.model_validate({"image": "example/app:1", **found})


def answer(node_class: str = "ai", installed: str = "580.126.20", **found: Any) -> ClassAnswer:
    (one,) = answer_classes(site(installed), report(**found), [node_class], load_gpu_versions(), load_cuda_versions())
    return one


def told(one: ClassAnswer) -> str:
    return "\n".join([one.reason, one.remedy, *one.notes])


@pytest.mark.parametrize(
    ("cuda", "driver", "expected", "said"),
    [
        ("13.0.2", "580.126.20", "fits", "580.65.06 or later"),
        ("13.3.0", "580.126.20", "fits", "runs each CUDA 13.x, as do all from 580.65.06 on"),
        ("13.5.37", "610.43.02", "fits", "the driver of its own time"),
        ("14.0", "610.43.02", "not known", "of CUDA 14.0 it is not known here"),
        ("13.0.1", "575.57.08", "does not fit", "version to 580.65.06 or later, or take an image with CUDA 12.9"),
        ("12.9.1", "575.51.03", "fits", "575.51.03 or later"),
        ("12.9.1", "550.54.14", "fits", "may need driver 575.51.03"),
        ("12.0", "525.60.13", "fits", "525.60.13 or later"),
        ("12.0", "525.60.12", "does not fit", "CUDA 12.0 needs driver 525.60.13 or later, and this is 525.60.12"),
        ("12", "535.183.01", "fits", "which CUDA 12 the image has is not known"),
        ("11.8.89", "535.183.01", "fits", "520.61.05 or later"),
        ("11.8.89", "470.256.02", "fits", "runs each CUDA 11.x, as do all from 450.80.02 on"),
        ("11.8.89", "450.51.06", "does not fit", "needs driver 450.80.02"),
        ("10.2.89", "440.33.01", "fits", "440.33 or later"),
        ("10.2.89", "418.226.00", "does not fit", "needs driver 440.33"),
        ("10.1.243", "418.39", "fits", "418.39 or later"),
        ("9.2", "535.183.01", "fits", "418.39 or later"),
        ("9.2", "396.37", "not known", "of CUDA 9.2 it is not known here"),
    ],
)  # fmt: skip
def test_drivers_and_versions_of_cuda(cuda: str, driver: str, expected: str, said: str) -> None:
    one = answer(installed=driver, cuda=[cuda])
    assert (one.driver, one.answer) == (driver, expected), told(one)
    assert said in told(one)
    assert bool(one.remedy) == (expected != "fits")


def test_the_newest_of_several_is_what_counts() -> None:
    assert answer(installed="535.183.01", cuda=["13.0.1", "12.2.1"]).answer == "does not fit"


def test_forward_compatibility_is_not_promised() -> None:
    one = answer(installed="550.54.15", cuda=["13.0.1"], compat="580.65.06")
    assert (one.answer, "data-centre GPUs" in one.reason) == ("not known", True)
    assert answer(installed="550.54.15", cuda=["13.0.1"], compat="570.26").answer == "does not fit"


def test_the_platforms_stack_goes_together() -> None:
    one = answer(**PLATFORM)
    assert one.answer == "fits"
    assert "this is the platform's stack" in told(one)
    assert "compute capability 3.0 to 7.5 (Kepler to Turing)" in told(one)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cuda": ["10.2.89"]}, "tensorflow 2.1.0 was built for CUDA 10.1, and the image has CUDA 10.2.89"),
        ({"cuda": []}, "the image has no CUDA runtime: it would run on CPUs only"),
        ({"cudnn": "7.4.2"}, "built for cuDNN 7.6, and the image has cuDNN 7.4.2"),
        ({"cudnn": "8.0.5"}, "built for cuDNN 7.6, and the image has cuDNN 8.0.5"),
        ({"cudnn": None}, "built for cuDNN 7.6, and the image has no cuDNN"),
        ({"cuda": ["12.4"], "frameworks": [TORCH]}, "torch 1.13.1 was built for CUDA 11.7"),
    ],
)  # fmt: skip
def test_libraries_that_do_not_go_together_are_no_question_of_the_driver(change: dict[str, Any], said: str) -> None:
    one = answer(**(PLATFORM | change))
    assert one.answer == "does not fit"
    assert said in one.reason
    assert one.remedy


@pytest.mark.parametrize(
    "change",
    [
        {"cudnn": "7"},
        {"cuda": ["11.2.152", "10.1.243"]},
        {"tensorrt": None},
        {"cuda": ["11.8.89"], "cudnn": "8.6.0", "frameworks": [OWN_BUILD]},
        {"cuda": ["10.2.89"], "frameworks": [{"name": "tensorflow", "version": "2.1.0", "cuda": "10.2"}]},
        {"cuda": ["12.9.1"], "cudnn": "9.5.1", "frameworks": [{"name": "tensorflow", "version": "2.18.0"}]},
    ],
)  # fmt: skip
def test_libraries_that_go_together(change: dict[str, Any]) -> None:
    one = answer(**(PLATFORM | change))
    assert one.answer == "fits", told(one)


def test_another_tensorrt_is_told_and_not_refused() -> None:
    one = answer(**(PLATFORM | {"tensorrt": "7.0.0"}))
    assert one.answer == "fits"
    assert "built for TensorRT 6: it does not use 7.0.0" in told(one)


@pytest.mark.parametrize(
    ("cuda", "capability", "expected"),
    [
        ("10.1.243", "9.0", "not known"),
        ("10.1.243", "7.5", "fits"),
        ("11.0.3", "8.6", "fits"),
        ("13.0.2", "7.0", "does not fit"),
        ("13.0.2", "9.0", "fits"),
    ],
)
def test_gpus_that_a_container_saw(cuda: str, capability: str, expected: str) -> None:
    seen = {"name": "NVIDIA X", "driver": "580.126.20", "compute_capability": capability}
    one = answer(cuda=[cuda], node="w1", gpus=[seen])
    assert one.answer == expected
    assert "has code for GPUs" not in "".join(one.notes)
    assert answer(cuda=[cuda], node="w2", gpus=[seen]).answer == "fits"  # of another class


def test_classes_without_a_known_driver() -> None:
    assert answer("unsaid", cuda=["12.4"]).answer == "not known"
    assert "node_classes.unsaid.gpu.driver_version" in answer("unsaid", cuda=["12.4"]).remedy
    assert answer("others", cuda=["12.4"]).answer == "not known"
    assert answer("plain", cuda=["12.4"]).answer == "does not fit"
    seen = answer("unsaid", cuda=["12.4"], node="w3", driver="550.54.15")
    assert (seen.answer, seen.driver) == ("fits", "550.54.15")
    assert "the driver is that of w3" in told(seen)


def test_emulated_gpus_run_nothing() -> None:
    text = SITE.replace("DRIVER", "580.126.20").replace("plain: {}", "plain: {emulated_gpus: [{count: 1}]}")
    described = validate(parse_yaml(text, "site.yml"), Site, check_site)
    (one,) = answer_classes(described, report(cuda=["12.4"]), ["plain"], load_gpu_versions(), load_cuda_versions())
    assert one.answer == "does not fit"
    assert told(one) == "the GPUs of this class are emulated: nothing can compute on them\nrun it on another class"


def test_a_node_with_another_driver_than_the_site_file_says() -> None:
    one = answer("old", cuda=["12.2"], node="w2", driver="525.60.13")
    assert (one.answer, one.driver) == ("fits", "535.183.01")
    assert "the kernel of w2 has driver 525.60.13, and the site file says 535.183.01" in told(one)
    assert "w2" not in told(answer("old", cuda=["12.2"], node="w2", driver="535.183.01"))


@pytest.mark.parametrize("node_class", ["ai", "old", "unsaid", "plain"])
def test_an_image_without_cuda_runs_everywhere(node_class: str) -> None:
    one = answer(node_class)
    assert (one.answer, one.reason) == ("fits", "no CUDA in this image: it needs no driver")


def test_requirements_of_the_image_count_without_cdi() -> None:
    text = SITE.replace('{driver: {version: "DRIVER"}}', "{cdi: false, toolkit: {nri: false}}")
    plain = validate(parse_yaml(text, "site.yml"), Site, check_site)
    found = report(cuda=["12.4"], require="cuda>=12.4")
    (one,) = answer_classes(plain, found, ["ai"], load_gpu_versions(), load_cuda_versions())
    assert "cuda>=12.4" in told(one)
    assert "NVIDIA_REQUIRE_CUDA" not in told(answer(cuda=["12.4"], require="cuda>=12.4"))


def test_which_classes_are_asked_about() -> None:
    assert chosen_classes(site()) == ("ai", "old", "others", "unsaid")
    assert chosen_classes(site(), ["old", "ai", "old"]) == ("old", "ai")
    assert chosen_classes(site(), (), "m1") == ("plain",)
    assert chosen_classes(site(), ["ai"], "m1") == ("ai",)
    with pytest.raises(UsageError, match="no node has the class 'x'"):
        chosen_classes(site(), ["x"])
    with pytest.raises(UsageError, match="there is no node 'x'"):
        chosen_classes(site(), (), "x")


def test_the_table_is_in_order_and_each_row_has_its_source() -> None:
    table = load_cuda_versions()
    releases = list(table.releases.drivers.items())
    assert releases == sorted(releases, key=lambda pair: numbers(pair[0]))
    assert [numbers(driver) for _, driver in releases] == sorted(numbers(driver) for _, driver in releases)
    assert {"10.1", "11.0", "12.0", "13.0"} <= {cuda for cuda, _ in releases}
    assert [row.cuda for row in table.gpus] == sorted((row.cuda for row in table.gpus), key=numbers)
    assert {row.major for row in table.families} == {numbers(cuda)[0] for cuda, _ in releases} - {10}
    assert all(row.source for row in (*table.families, *table.gpus, *table.stacks))
