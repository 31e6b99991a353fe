"""What an image has for GPUs, and on which classes of nodes it can run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gedge_provision.models.base import Document
from gedge_provision.models.wording import Form

__all__ = ["Answer", "ClassAnswer", "Framework", "ImageCheck", "ImageReport", "SeenGpu"]

Answer = Literal["fits", "does not fit", "not known"]
Numbers = Annotated[str, Form(r"\d+(\.\d+)*", "version", "write its numbers, in quotes: '10.1.243'")]
Release = Annotated[str, Form(r"\d[\w.+!-]*", "version of a framework", "write it in quotes: '2.1.0'")]


class Framework(Document):
    """A framework in an image."""

    name: Annotated[str, Field(min_length=1, description="As its package is called: tensorflow, torch.")]
    version: Release
    cuda: Numbers | None = Field(None, description="For which CUDA it was built, where it tells.")
    cudnn: Numbers | None = Field(None, description="For which cuDNN it was built, where it tells.")


class SeenGpu(Document):
    """A GPU that a container saw."""

    name: str
    driver: Numbers
    compute_capability: Numbers | None = None


class ImageReport(Document):
    """What an image has for GPUs: read by a pod, or written by hand.

    Attributes:
        image: its name.
        cuda: versions of the CUDA runtime in it, newest first; empty: none was found.
        cudnn: version of cuDNN.
        tensorrt: version of TensorRT.
        frameworks: frameworks in it.
        compat: the driver that its files for forward compatibility are of.
        require: its variable NVIDIA_REQUIRE_CUDA.
        node: on which node it was read.
        driver: which driver the kernel of that node has loaded.
        gpus: the GPUs that the container saw.
        notes: what could not be read.
    """

    image: Annotated[str, Field(min_length=1)]
    cuda: tuple[Numbers, ...] = ()
    cudnn: Numbers | None = None
    tensorrt: Numbers | None = None
    frameworks: tuple[Framework, ...] = ()
    compat: Numbers | None = None
    require: str = ""
    node: str = ""
    driver: Numbers | None = None
    gpus: tuple[SeenGpu, ...] = ()
    notes: tuple[str, ...] = ()


class ClassAnswer(Document):
    """Whether an image can run on the nodes of a class."""

    node_class: str
    driver: str = ""
    answer: Answer
    reason: str
    remedy: str = ""
    notes: tuple[str, ...] = ()


class ImageCheck(Document):
    """What an image has, and where it can run."""

    report: ImageReport
    classes: tuple[ClassAnswer, ...]

    @property
    def fits(self) -> bool:
        """Whether it can run on each class that was asked about."""
        return all(one.answer == "fits" for one in self.classes)
