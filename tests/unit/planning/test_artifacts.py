"""Decisions about artifacts: selection, recipes, order."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gedge_provision.adapters.catalog_file import load_catalog
from gedge_provision.adapters.locations import content_dir
from gedge_provision.artifacts.sources import read_sources
from gedge_provision.models.catalog import Artifact, Catalog, Feature, GoModule, NeededOn, PythonSource, Source, Sources
from gedge_provision.models.stored import StoredArtifact
from gedge_provision.planning import artifacts as planning
from gedge_provision.planning.containerfiles import containerfile

CATALOG = load_catalog()
SOURCES = read_sources(CATALOG, content_dir())
MODULES = SOURCES.modules


def _recipes(catalog: Catalog, sources: Sources = SOURCES) -> dict[str, str]:
    return {a.name: planning.recipe(catalog, a, Source.BUILD, sources) for a in catalog.artifacts}


RECIPES = _recipes(CATALOG)


def _artifact(name: str) -> Artifact:
    found = CATALOG.artifact(name)
    assert found is not None
    return found


def _tools(go_mod: str) -> set[str]:
    block = re.search(r"^tool \(\n(.*?)^\)", go_mod, re.MULTILINE | re.DOTALL)
    lines = block[1].split() if block else re.findall(r"^tool (\S+)$", go_mod, re.MULTILINE)
    return set(lines)


@pytest.mark.parametrize("name", sorted(CATALOG.products))
def test_a_go_module_pins_the_version_and_the_programs_of_the_catalog(name: str) -> None:
    product, go_mod = CATALOG.products[name], MODULES[name].go_mod
    assert re.search(
        rf"^(require )?\s*{re.escape(product.module)} {re.escape(product.version)}\b", go_mod, re.MULTILINE
    )
    packages = {a.build.package for a in CATALOG.artifacts if a.product == name and a.build and a.build.package}
    assert packages == _tools(go_mod)


def test_the_staging_modules_of_kubernetes_have_its_version() -> None:
    version = CATALOG.products["kubernetes"].version.replace("v1.", "v0.", 1)
    replaced = re.findall(r"^\s(k8s\.io/\S+) => (k8s\.io/\S+) (\S+)$", MODULES["kubernetes"].go_mod, re.MULTILINE)
    assert len(replaced) > 30
    assert all(source == target and found == version for source, target, found in replaced)


def test_every_product_and_base_is_used() -> None:
    assert {a.product for a in CATALOG.artifacts} - {None} == set(CATALOG.products)
    assert {a.image.base for a in CATALOG.artifacts if a.image and a.image.base} == set(CATALOG.bases)


def test_select_gives_each_host_what_it_needs_and_no_more() -> None:
    worker = set(planning.select(CATALOG, {NeededOn.ALL}))
    control_plane = set(planning.select(CATALOG, {NeededOn.ALL, NeededOn.CONTROL_PLANE}))
    lab = set(planning.select(CATALOG, {NeededOn.LAB}))
    assert {"kubelet", "kubeadm", "runc", "bridge", "pause", "kube-proxy", "flannel", "coredns"} <= worker
    assert control_plane - worker == {
        "etcd", "etcdctl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl",
    }  # fmt: skip
    assert lab == {"agnhost", "echoserver"}
    assert planning.select(CATALOG, ()) == ()


@pytest.mark.parametrize(
    ("feature", "wanted"),
    [
        (Feature.MULTUS, {"multus", "multus-shim"}),
        (Feature.SRIOV, {"sriov", "sriov-network-device-plugin"}),
        (Feature.WHEREABOUTS, {"whereabouts", "whereabouts-control-loop"}),
        (Feature.RDMA, {"rdma", "rdma-shared-device-plugin"}),
        (Feature.SOFT_RDMA, {"soft-rdma", "soft-rdma-device-plugin"}),
        (Feature.EMULATED_GPUS, {"emulated-gpu-device-plugin"}),
        (Feature.PERF, {"network-tools"}),
        (Feature.GPU, set()),
        (Feature.METRICS_SERVER, set()),
        (Feature.GSE_API_SERVER, {"gse-api-server"}),
    ],
)
def test_a_feature_adds_its_artifacts_and_nothing_else(feature: Feature, wanted: set[str]) -> None:
    core = set(planning.select(CATALOG, {NeededOn.ALL}))
    assert not {a.name for a in CATALOG.artifacts if a.feature} & core
    assert set(planning.select(CATALOG, {NeededOn.ALL}, {feature.value})) - core == wanted


def test_metrics_come_from_the_control_plane() -> None:
    places = {NeededOn.ALL, NeededOn.CONTROL_PLANE}
    added = set(planning.select(CATALOG, places, {"metrics_server"})) - set(planning.select(CATALOG, places))
    assert added == {"metrics-server"}


def test_every_feature_has_artifacts_and_stand_ins_stay_in_labs() -> None:
    assert {a.feature for a in CATALOG.artifacts} - {None} == set(Feature)
    assert "iperf3" in planning.select(CATALOG, {NeededOn.LAB}, set(Feature))
    stand_ins = {a.name for a in CATALOG.artifacts if a.image and a.image.stand_in_for}
    assert not stand_ins & set(planning.select(CATALOG, {NeededOn.ALL, NeededOn.CONTROL_PLANE}, set(Feature)))


def test_the_first_control_plane_node_installs_charts() -> None:
    place = {NeededOn.FIRST_CONTROL_PLANE}
    assert planning.select(CATALOG, place, {"gpu", "gpu_chart"}) == ("gpu-operator", "helm")
    assert planning.select(CATALOG, place, {"gpu"}) == ("helm",)
    assert planning.select(CATALOG, {NeededOn.ALL, NeededOn.CONTROL_PLANE}, {"gpu", "gpu_chart"}) == planning.select(
        CATALOG, {NeededOn.ALL, NeededOn.CONTROL_PLANE}
    )


def test_what_benchmarks_need_goes_to_no_host() -> None:
    assert planning.select(CATALOG, {NeededOn.BENCH}) == ("kwok",)
    assert "kwok" not in planning.select(CATALOG, set(NeededOn) - {NeededOn.BENCH}, set(Feature))
    assert [artifact.name for artifact in CATALOG.artifacts if not artifact.on_hosts] == ["kwok"]


def test_a_chart_is_its_publishers_file_and_nothing_else() -> None:
    chart = _artifact("gpu-operator")
    assert chart.target == "/var/lib/gedge/charts/gpu-operator-v26.7.0.tgz"
    assert planning.sources_of(chart, Source.BUILD) == planning.sources_of(chart, None) == (Source.UPSTREAM,)
    data = chart.model_dump(mode="json", exclude_none=True)
    for more in ({"build": {"product": "helm", "package": "x"}}, {"upstream": {"reference": "x/y:1"}}):
        with pytest.raises(ValueError, match="a chart is its publisher's file"):
            Artifact.model_validate(data | more)


def test_recipes_differ_between_artifacts_and_sources() -> None:
    assert len(set(RECIPES.values())) == len(RECIPES)
    assert planning.recipe(CATALOG, _artifact("kubelet"), Source.UPSTREAM, SOURCES) != RECIPES["kubelet"]


def test_what_is_ours_alone_is_always_built() -> None:
    ours = _artifact("network-tools")
    assert ours.upstream is None
    assert planning.sources_of(ours, Source.UPSTREAM) == (Source.BUILD,)
    assert planning.sources_of(_artifact("kubelet"), Source.UPSTREAM) == (Source.UPSTREAM,)
    assert planning.sources_of(_artifact("kubelet"), None) == (Source.BUILD, Source.UPSTREAM)


@settings(deadline=None)
@given(st.sampled_from(sorted(MODULES)), st.text(min_size=1))
def test_a_changed_module_changes_the_recipes_of_its_product_only(product: str, text: str) -> None:
    other = GoModule(MODULES[product].go_mod, MODULES[product].go_sum + text)
    found = _recipes(CATALOG, replace(SOURCES, modules={**MODULES, product: other}))
    assert {name for name in found if found[name] != RECIPES[name]} == {
        a.name for a in CATALOG.artifacts if a.product == product
    }


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        (("products", "runc", "tags"), {"runc"}),
        (("products", "crictl", "variables"), {"crictl"}),
        (("bases", "shell", "packages"), {"agnhost", "echoserver"}),
        (("bases", "network-tools", "packages"), {"network-tools"}),
    ],
)
def test_what_decides_the_content_changes_the_recipe(path: tuple[str, str, str], changed: set[str]) -> None:
    data = CATALOG.model_dump(mode="json")
    section, name, key = path
    data[section][name][key] = {"x.y": "1"} if key == "variables" else ["other"]
    other = Catalog.model_validate(data)
    differing = {name for name, found in _recipes(other).items() if found != RECIPES[name]}
    assert differing == changed


def test_a_purpose_is_not_content_of_a_binary_but_is_a_label_of_an_image() -> None:
    data = CATALOG.model_dump(mode="json")
    for entry in data["artifacts"]:
        entry["purpose"] += "!"
    other = Catalog.model_validate(data)
    differing = {name for name, found in _recipes(other).items() if found != RECIPES[name]}
    assert differing == {a.name for a in other.artifacts if a.image}


def _stored(source: str = "build", recipe: str = "r", toolchain: str = "go1.26.8") -> StoredArtifact:
    return StoredArtifact("a", "binary", "v1", "0" * 64, 1, content_dir(), "/a", source, recipe, toolchain)


@pytest.mark.parametrize(
    ("stored", "recipes", "toolchain", "wanted"),
    [
        (None, {Source.BUILD: "r"}, "go1.26.8", False),
        (_stored(), {Source.BUILD: "r"}, "go1.26.8", True),
        (_stored(), {Source.BUILD: "r"}, "go1.26.9", False),
        (_stored(), {Source.BUILD: "r"}, None, True),
        (_stored(), {Source.BUILD: "other"}, "go1.26.8", False),
        (_stored("upstream"), {Source.BUILD: "r"}, "go1.26.8", False),
        (_stored("upstream"), {Source.BUILD: "x", Source.UPSTREAM: "r"}, "go1.26.8", True),
    ],
)
def test_up_to_date(
    stored: StoredArtifact | None, recipes: dict[Source, str], toolchain: str | None, wanted: bool
) -> None:
    assert planning.up_to_date(stored, recipes, toolchain) is wanted


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("go1.26.3", True),
        ("go1.27.0", True),
        ("go1.26.10", True),
        ("go1.26.2", False),
        ("go1.25.9", False),
        ("go1.27rc1", False),
        ("devel go1.28-abc", False),
        ("", False),
    ],
)
def test_acceptable_go(version: str, fits: bool) -> None:
    assert planning.acceptable_go(version, "1.26.3") is fits


def test_required_go_is_the_highest_that_a_module_asks_for() -> None:
    modules = [GoModule(f"module a\n\ngo {version}\n", "") for version in ("1.26.0", "1.26.10", "1.26.9")]
    assert planning.required_go(modules) == "1.26.10"


def test_kubernetes_knows_its_version_and_cgo_programs_are_static() -> None:
    kubelet, runc = _artifact("kubelet").build, _artifact("runc").build
    assert kubelet is not None
    assert runc is not None
    flags = planning.link_flags(CATALOG, kubelet)
    version = CATALOG.products["kubernetes"].version
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X={package}.gitVersion={version}" in flags
        assert f"-X={package}.gitMajor=1" in flags
        assert f"-X={package}.gitMinor={version.split('.')[1]}" in flags
    assert "-extldflags=-static" in planning.link_flags(CATALOG, runc)


def test_plan_compiles_a_shared_program_once_and_the_longest_product_first() -> None:
    names = [artifact.name for artifact in CATALOG.artifacts]
    plan = planning.plan_build(CATALOG, names, set(names) - {"crictl", "runc"}, SOURCES)
    assert plan.unchanged == ("crictl", "runc")
    assert next(iter(plan.programs)) == "kubernetes"
    assert "crictl" not in plan.programs
    assert sum(str(build.package).endswith("/agnhost") for build in plan.programs["kubernetes"]) == 1
    assert plan.bases == tuple(sorted(CATALOG.bases))
    assert planning.plan_build(CATALOG, names, set(), SOURCES).programs == {}


def _containerfile(name: str) -> str:
    artifact = _artifact(name)
    assert artifact.image is not None
    return containerfile(CATALOG, artifact, artifact.image)


def test_containerfile_of_an_image_on_a_base() -> None:
    text = _containerfile("echoserver")
    assert text.startswith("FROM localhost/gedge-base/shell\nCOPY program /agnhost\n")
    assert 'LABEL "gedge.provision/stand-in-for"="registry.k8s.io/echoserver:1.10"' in text
    assert f'LABEL "org.opencontainers.image.version"="{_artifact("echoserver").version}"' in text
    assert 'ENTRYPOINT ["/agnhost", "netexec", "--http-port=8080"]' in text


def test_containerfile_of_an_image_that_is_its_base_names_the_packages() -> None:
    text = _containerfile("iperf3")
    assert "COPY" not in text
    assert 'LABEL "gedge.provision/packages"="bookworm: iperf3"' in text
    assert 'LABEL "gedge.provision/stand-in-for"="docker.io/cisdocker/iperf3:2020"' in text


def test_containerfile_with_files_of_the_module() -> None:
    text = _containerfile("whereabouts-control-loop")
    assert "COPY program /ip-control-loop\nCOPY file0 /lib.sh\nCOPY file1 /token-watcher.sh\n" in text


def test_a_tag_can_name_another_version_than_the_label() -> None:
    artifact = _artifact("sriov-network-device-plugin")
    assert artifact.target.endswith(":v3.11.0")
    assert f'LABEL "org.opencontainers.image.version"="{artifact.version}"' in _containerfile(artifact.name)


def test_what_is_ours_has_the_version_of_the_project() -> None:
    project = tomllib.loads((content_dir() / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    ours = [a for a in CATALOG.artifacts if a.upstream is None]
    assert {a.version for a in ours} == {f"v{project}"}
    assert all(a.target.endswith(f":v{project}") for a in ours if a.image)


def test_a_changed_program_of_ours_changes_its_artifact_only() -> None:
    changed = {**SOURCES.programs, "soft-rdma-cni": {"__main__.py": b"pass\n"}}
    found = _recipes(CATALOG, replace(SOURCES, programs=changed))
    assert {name for name in found if found[name] != RECIPES[name]} == {"soft-rdma"}


def test_a_changed_module_of_the_package_or_another_requirement_changes_its_image_only() -> None:
    source = SOURCES.python["gedge_provision.gse"]
    for changed in (
        PythonSource(source.requirements, {**source.files, "gedge_provision/__init__.py": b"pass\n"}),
        PythonSource(source.requirements + "\n", source.files),
    ):
        found = _recipes(CATALOG, replace(SOURCES, python={"gedge_provision.gse": changed}))
        assert {name for name in found if found[name] != RECIPES[name]} == {"gse-api-server"}


def test_images_of_python_hold_the_packages_that_are_tested() -> None:
    tested = set(
        re.findall(r"^(\S+==\S+) ", (content_dir() / "requirements/dev.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for source in SOURCES.python.values():
        pinned = re.findall(r"^(\S+==\S+) ", source.requirements, re.MULTILINE)
        assert pinned
        assert set(pinned) <= tested
