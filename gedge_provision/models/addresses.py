"""IPv4 addresses and ranges as documents write them."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import BeforeValidator

__all__ = ["IPv4Address", "IPv4Network"]


def _not_a_number(value: object) -> object:
    # ipaddress takes 19216811 for 1.37.46.59
    if isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no address -> write four numbers with dots, like 192.168.40.21")  # noqa: TRY004
    return value


IPv4Address = Annotated[ipaddress.IPv4Address, BeforeValidator(_not_a_number)]
IPv4Network = Annotated[ipaddress.IPv4Network, BeforeValidator(_not_a_number)]
