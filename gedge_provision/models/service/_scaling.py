"""By what the number of a service's pods goes up and down."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from gedge_provision.models.base import Integer
from gedge_provision.models.quantities import Quantity
from gedge_provision.models.service._words import CamelCase, Name

__all__ = ["Metric", "MetricResource", "ScaleDown", "Scaling"]

MetricResource = Literal["cpu", "memory"]
Replicas = Annotated[Integer, Field(ge=1, le=1000)]
_PERCENT = r"[1-9]\d{0,2}%"


def _parsed(units: str, example: str) -> Callable[[object], object]:
    """Return what reads a target: a part of the request, or an amount in one of the units (a pattern)."""

    def parse(value: object) -> object:
        if value is None or isinstance(value, bool) or not isinstance(value, (str, int, float)):
            return value
        text = str(value)
        if re.fullmatch(_PERCENT, text):
            return text
        if "%" in text:
            raise ValueError(f"{text!r} is no part of the request -> write whole percents from 1% to 999%, like 70%")
        try:
            amount = Quantity(text)
        except ValueError:
            amount = None
        if amount is None or not re.fullmatch(units, amount.unit):
            raise ValueError(
                f"{text!r} is no target -> write a part of the request like 70%, or an amount like {example}"
            )
        if amount.amount == 0:
            raise ValueError(f"{text} for each pod is never kept -> write more than nothing, like {example}")
        return text

    return parse


def _described(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^({_PERCENT}|{pattern})$"}, {"type": "number"}]})


CpuTarget = Annotated[str, BeforeValidator(_parsed("m?", "500m")), _described(r"\d+(\.\d+)?m?")]
MemoryTarget = Annotated[
    str, BeforeValidator(_parsed("(k|[KMGTP]i|[MGTP])?", "500Mi")), _described(r"\d+(\.\d+)?(k|[KMGTP]i|[MGTP])?")
]


class Metric(CamelCase):
    """What the pods are to use of one resource on average: more of it makes more pods."""

    cpu: CpuTarget | None = Field(None, description="CPU time: a part of the request (70%), or an amount (500m).")
    memory: MemoryTarget | None = Field(None, description="Memory: a part of the request (80%), or an amount (500Mi).")
    container: Name | None = Field(None, description="Count this container alone; unset: all of the pod.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.cpu is None) == (self.memory is None):
            said = "cpu and memory" if self.cpu is not None else "no resource"
            raise ValueError(f"a metric is of one resource, this one of {said} -> write cpu: 70%, or memory: 500Mi")
        return self

    @property
    def resource(self) -> MetricResource:
        """Of which resource it is."""
        return "cpu" if self.cpu is not None else "memory"

    @property
    def target(self) -> str:
        """What is to be kept: a part of the request, or an amount."""
        return self.cpu or self.memory or ""

    @property
    def percent(self) -> int | None:
        """The part of the request that is to be kept; None where the target is an amount."""
        return int(self.target[:-1]) if self.target.endswith("%") else None


class ScaleDown(CamelCase):
    """How soon pods are taken away."""

    stabilization_seconds: Annotated[Integer, Field(ge=0, le=3600)] = Field(
        300, description="Seconds for which fewer pods must have been enough."
    )


class Scaling(CamelCase):
    """Bounds of the number of pods, and what moves it between them."""

    min: Replicas = Field(1, description="Fewest pods.")
    max: Replicas = Field(description="Most pods.")
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] = Field(
        description="The one that asks for the most pods counts."
    )
    scale_down: ScaleDown = Field(default_factory=ScaleDown)
