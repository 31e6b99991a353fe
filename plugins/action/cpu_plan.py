"""Controller side of the plan of a host's CPUs: the host tells its topology, the plan is computed here."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Read a host's topology and compute the plan of its CPUs, memory and interrupts."""

    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            argument_spec={
                "intent": {"type": "dict", "required": True},
                "kubelet": {"type": "dict", "default": {}},
                "kernel_arguments": {"type": "list", "elements": "str", "default": []},
            }
        )
        try:
            import pydantic

            from gedge_provision.models.cpu_intent import CpuIntent
            from gedge_provision.models.cpu_plan import InfeasibleError
            from gedge_provision.models.kubelet import KubeletSettings
            from gedge_provision.models.topology import Topology
            from gedge_provision.models.wording import in_plain_words
            from gedge_provision.planning.node_plans import plan_host
        except ImportError as error:
            raise AnsibleActionFail(
                "a plan needs the Python package gedge-provision beside ansible-core: %s" % error
            ) from error
        name = "%s.topology" % self._task.action.rpartition(".")[0] if "." in self._task.action else "topology"
        told = self._execute_module(module_name=name, module_args={}, task_vars=task_vars)
        if told.get("failed"):
            return {**result, **told}
        found = told["ansible_facts"]["gedge_topology"]
        try:
            intent = CpuIntent.model_validate(args["intent"])
            settings = KubeletSettings.model_validate(args["kubelet"])
            plan = plan_host(Topology.model_validate(found), intent, settings, tuple(args["kernel_arguments"]))
        except pydantic.ValidationError as error:
            raise AnsibleActionFail(" -> ".join(in_plain_words(error.errors(include_url=False)[0]))) from error
        except InfeasibleError as error:
            raise AnsibleActionFail("; ".join(map(str, error.problems))) from error
        facts = {
            **plan.cpus.model_dump(mode="json"),
            "kernel_arguments": list(plan.kernel_arguments),
            "alignment": dict(plan.alignment),
        }
        return {**result, "changed": False, "ansible_facts": {"gedge_topology": found, "gedge_cpu_plan": facts}}
