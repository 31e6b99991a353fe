"""From a site to what the chart of the GPU operator is told. Pure."""

from gedge_provision.planning.gpu._plan import CHART, NAMESPACE, GpuPlan, plan_gpus
from gedge_provision.planning.gpu._variables import role_variables

__all__ = ["CHART", "NAMESPACE", "GpuPlan", "plan_gpus", "role_variables"]
