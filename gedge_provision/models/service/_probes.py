"""How Kubernetes finds out whether a container lives and is ready."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gedge_provision.models.base import Integer
from gedge_provision.models.service._words import CamelCase, PortNumber, Text
from gedge_provision.models.wording import Form

__all__ = ["HttpProbe", "Probe"]

UrlPath = Annotated[str, Form(r"/\S*", "path of a URL", "begin it with /, without spaces")]


class HttpProbe(CamelCase):
    """Well is who answers a GET with a status from 200 to 399."""

    path: UrlPath = "/"
    port: PortNumber
    scheme: Literal["HTTP", "HTTPS"] = Field("HTTP", description="HTTPS does not check the certificate.")


class Probe(CamelCase):
    """One way to ask, and how often; what is unset is the kubelet's default."""

    http: HttpProbe | None = Field(None, description="Ask by HTTP.")
    tcp: PortNumber | None = Field(None, description="Connect to a port.")
    exec: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        None, description="Run a program in the container: well is 0."
    )
    initial_delay_seconds: Annotated[Integer, Field(ge=0, le=3600)] | None = Field(
        None, description="Seconds before the first time (0)."
    )
    period_seconds: Annotated[Integer, Field(ge=1, le=3600)] | None = Field(
        None, description="Seconds from one time to the next (10)."
    )
    timeout_seconds: Annotated[Integer, Field(ge=1, le=3600)] | None = Field(
        None, description="Seconds after which no answer is a failure (1)."
    )
    failure_threshold: Annotated[Integer, Field(ge=1, le=1000)] | None = Field(
        None, description="Failures in a row that count (3)."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("http", "tcp", "exec") if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"a probe asks in one way, this one in {' and '.join(given) or 'none'}"
            raise ValueError(f"{said} -> write one of http: {{path, port}}, tcp: PORT, exec: [PROGRAM, ...]")
        return self
