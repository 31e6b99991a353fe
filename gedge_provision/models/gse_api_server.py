"""The GSE API server in the site file: how many run in the cluster, and how they are reached."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from gedge_provision.models.base import Document, Integer
from gedge_provision.models.paths import HomePath

__all__ = ["GseApiServer"]


class GseApiServer(Document):
    """The GSE API server of a site."""

    replicas: Annotated[Integer, Field(ge=1, le=9)] = Field(
        2, description="Pods of it, on different nodes where there are some; with one, an upgrade has no spare."
    )
    external_port: Annotated[Integer, Field(ge=1, le=65535)] | None = Field(
        None, description="Port on the address of every node; unset means that it is reached inside the cluster only."
    )
    certificate: HomePath | None = Field(
        None,
        description="File on this machine with its certificate, and those between it and its CA (PEM); unset means one "
        "that is made and signed by nobody, whose SHA-256 fingerprint `gedge apply` shows.",
    )
    key: HomePath | None = Field(None, description="File on this machine with the key of that certificate (PEM).")

    @model_validator(mode="after")
    def _whole_pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"certificate and key belong together -> name the file of the {missing} too, or none")
        return self
