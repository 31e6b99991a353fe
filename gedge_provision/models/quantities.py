"""Kubernetes quantities (apimachinery resource.Quantity): 500m, 1Gi, 2."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from functools import total_ordering
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from gedge_provision.models.wording import shown

__all__ = ["Quantity"]

_PATTERN = r"^\d+(\.\d+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"
_LARGEST = 2**63 - 1  # of apimachinery resource.Quantity
_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
}


@total_ordering
class Quantity:
    """An amount with its spelling: compares by amount, prints as it was written."""

    __slots__ = ("amount", "text", "unit")

    def __init__(self, text: str | float) -> None:
        """Parse a quantity.

        Raises:
            ValueError: it is no quantity.
        """
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)", str(text))
        if not match or match[2] not in _UNITS:
            raise ValueError(f"{shown(text)} is no Kubernetes quantity -> write it like 500m, 2 or 1Gi")
        self.text = str(text)
        self.unit = match[2]
        self.amount = Decimal(match[1]) * _UNITS[match[2]]
        if self.amount > _LARGEST:
            raise ValueError(f"{shown(self.text)} is more than Kubernetes can count -> write at most 2^63 - 1")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Quantity({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.amount == other.amount

    def __lt__(self, other: Quantity) -> bool:
        return self.amount < other.amount

    def __add__(self, other: Quantity) -> Quantity:
        """Return the sum, in the smallest common spelling: whole units, else thousandths rounded up."""
        total = self.amount + other.amount
        whole = total == total.to_integral_value()
        return Quantity(f"{total:.0f}" if whole else f"{(total * 1000).to_integral_value(rounding=ROUND_CEILING):.0f}m")

    def __hash__(self) -> int:
        return hash(self.amount)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: type[Any], _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from a string or a number; serialize as it was written."""

        def parse(value: object) -> Quantity:
            if isinstance(value, Quantity):
                return value
            if isinstance(value, bool) or not isinstance(value, (str, int, float)):
                raise ValueError(f"{value!r} is no Kubernetes quantity -> write it like 500m, 2 or 1Gi")  # noqa: TRY004
            return cls(value)  # 0.5 is a number to YAML, and a quantity all the same

        return core_schema.no_info_plain_validator_function(parse, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe it as a string of that form, or a number."""
        return {"anyOf": [{"type": "string", "pattern": _PATTERN}, {"type": "number", "minimum": 0}]}
