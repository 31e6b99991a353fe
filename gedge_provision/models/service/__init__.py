"""Service documents: what a service developer writes, in the platform's own words (camelCase).

The roots are `service:`, or `template:` for what several services have in common.
"""

from gedge_provision.models.service._acceleration import (
    Acceleration,
    Communication,
    CommunicationType,
    Compute,
    Mig,
    TopologyPolicy,
)
from gedge_provision.models.service._containers import (
    Amounts,
    Container,
    ContainerChange,
    EnvFrom,
    EnvSource,
    EnvVar,
    Port,
    Protocol,
    Resources,
)
from gedge_provision.models.service._probes import HttpProbe, Probe
from gedge_provision.models.service._scaling import Metric, MetricResource, ScaleDown, Scaling
from gedge_provision.models.service._service import (
    Service,
    ServiceDocument,
    ServiceFile,
    Template,
    TemplatedService,
    TemplatedServiceFile,
    TemplateFile,
)
from gedge_provision.models.service._volumes import ClaimTemplate, EmptyDir, Volume, VolumeMount
from gedge_provision.models.service._words import (
    MISSPELLINGS,
    CamelCase,
    Name,
    ObjectName,
    PortNumber,
    ServiceName,
)

__all__ = [
    "MISSPELLINGS",
    "Acceleration",
    "Amounts",
    "CamelCase",
    "ClaimTemplate",
    "Communication",
    "CommunicationType",
    "Compute",
    "Container",
    "ContainerChange",
    "EmptyDir",
    "EnvFrom",
    "EnvSource",
    "EnvVar",
    "HttpProbe",
    "Metric",
    "MetricResource",
    "Mig",
    "Name",
    "ObjectName",
    "Port",
    "PortNumber",
    "Probe",
    "Protocol",
    "Resources",
    "ScaleDown",
    "Scaling",
    "Service",
    "ServiceDocument",
    "ServiceFile",
    "ServiceName",
    "Template",
    "TemplateFile",
    "TemplatedService",
    "TemplatedServiceFile",
    "TopologyPolicy",
    "Volume",
    "VolumeMount",
]
