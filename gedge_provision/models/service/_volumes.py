"""Volumes of a service, and where its containers see them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from gedge_provision.models.base import Boolean
from gedge_provision.models.service._words import AbsolutePath, ByteAmount, CamelCase, Name, ObjectName, RelativePath

__all__ = ["ClaimTemplate", "EmptyDir", "Volume", "VolumeMount"]


class EmptyDir(CamelCase):
    """A folder that is empty when a pod starts, and goes with the pod."""

    size: ByteAmount | None = Field(None, description="Most that it holds; a pod that writes more is evicted.")
    medium: Literal["Memory", "HugePages-2Mi", "HugePages-1Gi"] | None = Field(
        None, description="Where it lies; unset: on the node's disk. `Memory` counts for the container that writes."
    )


class ClaimTemplate(CamelCase):
    """A persistent volume of each pod's own; it makes the service a StatefulSet, and stays when the service goes."""

    size: ByteAmount = Field(description="How much it holds at least.")
    storage_class: ObjectName | None = Field(None, description="Kind of storage; unset: the cluster's default.")
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = Field(
        "ReadWriteOnce", description="Who may mount it: pods of one node, one pod, or pods of all nodes."
    )


class Volume(CamelCase):
    """A volume: a name, and one kind."""

    name: Name
    empty_dir: EmptyDir | None = Field(None, description="A folder of the pod's; `{}` takes the defaults.")
    config_map: ObjectName | None = Field(None, description="Files of a ConfigMap, by its name.")
    secret: ObjectName | None = Field(None, description="Files of a Secret, by its name.")
    persistent_volume_claim: ObjectName | None = Field(
        None, description="A PersistentVolumeClaim that is there, by its name; all pods share it."
    )
    claim_template: ClaimTemplate | None = Field(None, description="A persistent volume of each pod's own.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        kinds = {
            key: name for name, field in type(self).model_fields.items() if name != "name" and (key := field.alias)
        }
        given = [key for key, name in kinds.items() if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"a volume has one kind, this one {' and '.join(given) or 'none'}"
            raise ValueError(f"{said} -> write one of {', '.join(kinds)}")
        return self


class VolumeMount(CamelCase):
    """Where a container sees a volume."""

    name: Name = Field(description="Name of the volume.")
    mount_path: AbsolutePath = Field(description="Folder in the container.")
    read_only: Boolean = Field(default=False, description="The container cannot write there.")
    sub_path: RelativePath | None = Field(None, description="Part of the volume instead of all.")
