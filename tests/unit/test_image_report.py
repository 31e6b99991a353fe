"""The script that looks into an image, run by real shells on trees of files, and what is made of its words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from gedge_provision.adapters.cuda_versions import IMAGE_SCRIPT, image_script
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.gpu_images import ImageReport
from gedge_provision.planning.gpu_images import Place, read_report

TOOLS = ("sh", "find")
NVIDIA = "usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127"
KERNELS = {
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  418.39  Sat Feb  9 19:19:37 CST 2019": "418.39",
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.91.07  Release Build": "595.91.07",
}


def tree(root: Path, files: Iterable[str]) -> Path:
    root.mkdir()
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def run(
    root: Path, folder: Path, env: Mapping[str, str] | None = None, tools: Iterable[str] = TOOLS, shell: str = "sh"
) -> str:
    """Run the script as the pod does, with no programs but those that are named."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for tool in tools:
        found = shutil.which(tool)
        assert found
        (programs / tool).symlink_to(found)
    done = subprocess.run(
        [shutil.which(shell) or shell, "-c", image_script(), "gedge", str(root)],
        env={"PATH": str(programs), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def report(text: str, resource: str | None = None) -> ImageReport:
    return read_report(text, "example/app:1", Place("w1", resource))


@pytest.mark.parametrize("shell", [name for name in ("dash", "bash", "ksh", "mksh") if shutil.which(name)])
def test_an_image_of_nvidias_by_each_shell_that_is_here(tmp_path: Path, shell: str) -> None:
    root = tree(
        tmp_path / "root",
        [
            NVIDIA,
            "usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12",
            "usr/lib/x86_64-linux-gnu/libcudnn.so.9",
            "usr/lib/x86_64-linux-gnu/libcudnn.so.9.1.0",
            "usr/local/cuda-12.4/compat/libcuda.so.550.54.15",
            "usr/local/cuda-12.4/targets/x86_64-linux/lib/stubs/libcudart.so.99.9",
            "proc/self/root/usr/lib/libcudart.so.8.0.61",
        ],
    )
    env = {"CUDA_VERSION": "12.4.1", "NV_CUDNN_VERSION": "9.1.0.70-1", "NVIDIA_REQUIRE_CUDA": "cuda>=12.4 brand=tesla"}
    found = report(run(root, tmp_path, env, shell=shell))
    assert found == ImageReport(
        image="example/app:1",
        cuda=("12.4.1",),
        cudnn="9.1.0.70",
        compat="550.54.15",
        require="cuda>=12.4 brand=tesla",
        node="w1",
    )


def test_an_image_without_anything(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", ["usr/bin/curl", "usr/lib/libc.so.6"])
    assert report(run(root, tmp_path)) == ImageReport(image="example/app:1", node="w1")


def test_an_image_without_find(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", [NVIDIA, "usr/lib/x86_64-linux-gnu/libnvinfer.so.6.0.1", "srv/libcudart.so.9.0"])
    found = report(run(root, tmp_path, tools=("sh",)))
    assert (found.cuda, found.tensorrt) == (("12.4.127",), "6.0.1")
    assert found.notes == ("the image has no find: only the usual folders were looked at",)


def test_wheels_of_an_image_without_python_stand_in_folders(tmp_path: Path) -> None:
    site = "opt/app/lib/python3.12/site-packages"
    root = tree(
        tmp_path / "root",
        [
            f"{site}/nvidia/cuda_runtime/lib/libcudart.so.12",
            f"{site}/nvidia_cuda_runtime_cu12-12.6.77.dist-info/METADATA",
            f"{site}/nvidia/cudnn/lib/libcudnn.so.9",
            f"{site}/nvidia_cudnn_cu12-9.5.1.17.dist-info/METADATA",
            f"{site}/tensorrt_cu12_libs-10.7.0.dist-info/METADATA",
            f"{site}/torch-2.6.0+cu126.dist-info/METADATA",
            f"{site}/torchvision-0.21.0.dist-info/METADATA",
            f"{site}/tensorflow_estimator-2.15.0.dist-info/METADATA",
        ],
    )
    found = report(run(root, tmp_path))
    assert (found.cuda, found.cudnn, found.tensorrt) == (("12.6.77",), "9.5.1.17", "10.7.0")
    assert [(one.name, one.version) for one in found.frameworks] == [("torch", "2.6.0+cu126")]


def test_names_of_libraries_alone_tell_the_family(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", ["opt/torch/lib/libcudart-d0da41ae.so.11.0", "opt/x/libcudart.so.12"])
    assert report(run(root, tmp_path)).cuda == ("12", "11")


@pytest.mark.parametrize(
    ("inside", "text", "built"),
    [
        (
            "build_info.py",
            "is_cuda_build = True\ncuda_version_number = '10.1'\ncudnn_version_number = '7'\n",
            ("10.1", "7"),
        ),
        (
            "build_info.py",
            "build_info = collections.OrderedDict([('cuda_compute_capabilities', ['sm_60', 'compute_90']), "  # noqa: ISC004
            "('cuda_version', '12.5.1'), ('cudnn_version', '9'), ('is_cuda_build', True)])\n",
            ("12.5.1", "9"),
        ),
        ("build_info.py", "build_info = collections.OrderedDict([('is_cuda_build', False)])\n", (None, None)),
    ],
)
def test_python_tells_what_tensorflow_was_built_for(
    tmp_path: Path, inside: str, text: str, built: tuple[str | None, str | None]
) -> None:
    packages = tmp_path / "packages"
    (packages / "tensorflow-2.1.0.dist-info").mkdir(parents=True)
    (packages / "tensorflow-2.1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.1.0\n", encoding="utf-8"
    )
    platform = packages / "tensorflow" / "python" / "platform"
    platform.mkdir(parents=True)
    (platform / inside).write_text(text, encoding="utf-8")
    (one,) = report(run(tmp_path / "packages", tmp_path, *_with_python(tmp_path, packages))).frameworks
    assert (one.name, one.version, one.cuda, one.cudnn) == ("tensorflow", "2.1.0", *built)


def test_python_tells_what_torch_was_built_for(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    (packages / "torch-2.6.0+cu124.dist-info").mkdir(parents=True)
    (packages / "torch-2.6.0+cu124.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: torch\nVersion: 2.6.0+cu124\n", encoding="utf-8"
    )
    (packages / "torch").mkdir()
    (packages / "torch" / "version.py").write_text(
        "__version__ = '2.6.0+cu124'\ndebug = False\ncuda: Optional[str] = '12.4'\nhip: Optional[str] = None\n",
        encoding="utf-8",
    )
    (one,) = report(run(packages, tmp_path, *_with_python(tmp_path, packages))).frameworks
    assert (one.name, one.version, one.cuda, one.cudnn) == ("torch", "2.6.0+cu124", "12.4", None)


def _with_python(folder: Path, packages: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    return {"PYTHONPATH": str(packages)}, TOOLS


@pytest.mark.parametrize(("line", "driver"), KERNELS.items())
def test_the_kernels_driver_and_the_gpus_that_nvidia_smi_sees(tmp_path: Path, line: str, driver: str) -> None:
    root = tmp_path / "root"
    (root / "proc/driver/nvidia").mkdir(parents=True)
    (root / "proc/driver/nvidia/version").write_text(f"{line}\nGCC version:  gcc 12\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.write_text(
        "#!/bin/sh\necho '595.91.07, 9.0, NVIDIA H200'\necho '595.91.07, [N/A], NVIDIA X, new'\necho Failed\n"
    )
    smi.chmod(0o755)
    found = report(run(root, tmp_path))
    assert found.driver == driver
    assert [(gpu.name, gpu.driver, gpu.compute_capability) for gpu in found.gpus] == [
        ("NVIDIA H200", "595.91.07", "9.0"),
        ("NVIDIA X, new", "595.91.07", None),
    ]


def test_a_container_that_got_a_gpu_and_sees_none(tmp_path: Path) -> None:
    said = run(tree(tmp_path / "root", []), tmp_path)
    assert report(said).notes == ()
    (note,) = report(said, "nvidia.com/gpu").notes
    assert "the pod got nvidia.com/gpu of w1, and nvidia-smi shows no GPU" in note


def test_an_emulated_gpu_is_told(tmp_path: Path) -> None:
    said = run(tree(tmp_path / "root", []), tmp_path, {"GEDGE_EMULATED_GPU": "emulated-0"})
    (note,) = report(said, "nvidia.com/gpu").notes
    assert note == "EMULATED: what w1 gives as nvidia.com/gpu is no GPU (emulated-0)"


@pytest.mark.parametrize("text", ["", "sh: find: Killed\n", "gedge-image-report 1\nfile /usr/lib/libcudart.so.12\n"])
def test_a_look_that_was_cut_off_is_no_report(text: str) -> None:
    with pytest.raises(GedgeError, match="did not come to its end"):
        report(text)


def test_the_script_changes_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", [NVIDIA])
    before = [(path, path.stat().st_mtime_ns) for path in sorted(root.rglob("*"))]
    run(root, tmp_path)
    assert [(path, path.stat().st_mtime_ns) for path in sorted(root.rglob("*"))] == before


def test_the_script_fits_into_a_command() -> None:
    # The longest single argument that Linux takes (MAX_ARG_STRLEN), and far from it.
    assert IMAGE_SCRIPT.stat().st_size < os.sysconf("SC_PAGE_SIZE") * 4
