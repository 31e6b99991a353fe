#!/usr/bin/python
"""Bring one release of helm to what is wanted, or take it away with what it leaves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: helm_release
short_description: One release of helm - installed, upgraded when chart or values differ, or removed with what it leaves
description:
  - Runs C(helm) on a control-plane node. Nothing is done where the release has the version and the values that are
    asked for.
  - Values travel in a file that only root can read, and that goes when helm has ended. What helm keeps for itself goes
    too.
  - A revision that a killed run has left half done is forgotten and made again.
  - The removal also deletes definitions of kinds of O(leaves.groups), unless they were there before or somebody has
    objects of them; labels and annotations of nodes by O(leaves.prefixes) and O(leaves.managers), but for those of the
    site file; and the namespace, if it came with the release.
options:
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  chart:
    description: A file on the host, or the name of a chart of O(chart_server).
    type: str
    default: ""
  chart_name:
    description: The chart's own name.
    type: str
    default: ""
  chart_server:
    description: Where C(index.yaml) lies; empty where O(chart) is a file.
    type: str
    default: ""
  version:
    description: The chart's version, as it writes it.
    type: str
    default: ""
  values:
    description: Values of the chart. Those of an earlier revision do not count.
    type: dict
    default: {}
  state:
    description: Whether it shall be there.
    type: str
    choices: [present, absent]
    default: present
  leaves:
    description: What the release leaves in the cluster.
    type: dict
    default: {}
    suboptions:
      groups:
        description: API groups of kinds that it defines.
        type: list
        elements: str
        default: []
      managers:
        description: Field managers whose labels and annotations of nodes are all its own.
        type: list
        elements: str
        default: []
      prefixes:
        description: Beginnings of labels and annotations that it writes at nodes.
        type: list
        elements: str
        default: []
  timeout_s:
    description: Seconds for jobs of the chart, and for its removal.
    type: int
    default: 300
  kubeconfig:
    description: Credentials on the host.
    type: path
    default: /etc/kubernetes/admin.conf
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Install an operator
  gedge.provision.helm_release:
    name: gpu-operator
    namespace: gpu-operator
    chart: gpu-operator
    chart_name: gpu-operator
    chart_server: https://charts.example.org
    version: v26.7.0
    values: {driver: {enabled: false}}
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
"""

import contextlib
import json
import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import kube_leftovers
from ..module_utils.helm import PENDING, Helm, HelmError
from ..module_utils.host_state import host_lock, made, read_record, write_record
from ..module_utils.kube_client import ADMIN_CONF, KubeError

LEAVES = ("groups", "managers", "prefixes")
RECORD = "helm.json"


def main():
    strings = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "chart": {"type": "str", "default": ""},
            "chart_name": {"type": "str", "default": ""},
            "chart_server": {"type": "str", "default": ""},
            "version": {"type": "str", "default": ""},
            "values": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "leaves": {"type": "dict", "default": {}, "options": dict.fromkeys(LEAVES, strings)},
            "timeout_s": {"type": "int", "default": 300},
            "kubeconfig": {"type": "path", "default": ADMIN_CONF},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    wanted["leaves"] = {**{part: [] for part in LEAVES}, **wanted["leaves"]}
    title = "%s/%s" % (wanted["namespace"], wanted["name"])
    if module.check_mode and not os.path.exists(wanted["kubeconfig"]):  # no cluster yet
        objects = [made("Release", title, "create")] if wanted["state"] == "present" else []
        module.exit_json(changed=bool(objects), objects=objects)
    try:
        helm = Helm(wanted["kubeconfig"], wanted["namespace"], wanted["name"], wanted["timeout_s"])
        lock = contextlib.nullcontext() if module.check_mode else host_lock(module, 300)
        with lock, helm.home():
            work = Release(module, helm, title)
            objects, diff = work.bring() if wanted["state"] == "present" else work.take_away()
    except (HelmError, KubeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(objects), objects=objects, diff=diff)


class Release:
    """What is wanted of the release, and what is there."""

    def __init__(self, module, helm, title):
        self.module, self.helm, self.title = module, helm, title
        self.wanted = module.params

    def bring(self):
        """Install or upgrade; return what was done, and what differs."""
        wanted = self.wanted
        try:
            found = self.helm.find()
        except HelmError:
            if not self.module.check_mode:
                raise
            found = None  # the program comes in the same run
        after = {"chart": "%s-%s" % (wanted["chart_name"], wanted["version"]), "values": wanted["values"]}
        before = {"chart": found["chart"], "values": found["values"]} if found else {}
        if before == after and found["status"] == "deployed":
            return [], {}
        action = "change" if found else "create"
        if not self.module.check_mode:
            self.note()
            if found and found["status"] in PENDING:
                self.helm.forget_pending(found)
            elif found and found["status"] == "uninstalling":
                self.helm.uninstall()
            self.helm.install(wanted["chart"], wanted["chart_server"], wanted["version"], wanted["values"])
        return [made("Release", self.title, action)], self.diff(before, after)

    def note(self):
        """Record what is there before the release, so that the removal leaves it."""
        record = read_record(RECORD)
        if self.title not in record:
            client = self.helm.client
            record[self.title] = {
                "namespace": kube_leftovers.namespace_is_there(client, self.wanted["namespace"]),
                "definitions": sorted(kube_leftovers.definitions(client, self.wanted["leaves"]["groups"])),
            }
            write_record(RECORD, record)

    def take_away(self):
        """Remove the release and what it leaves; return what was done, and what differs."""
        client, leaves = self.helm.client, self.wanted["leaves"]
        former = read_record(RECORD).get(self.title, {"namespace": True, "definitions": []})
        found = self.helm.find()
        objects = [made("Release", self.title, "remove")] if found else []
        if found and not self.module.check_mode:
            self.helm.uninstall()
        space = self.wanted["namespace"]
        if not former["namespace"] and kube_leftovers.namespace_is_there(client, space):
            objects.append(made("Namespace", space, "remove"))
            if not self.module.check_mode and not kube_leftovers.delete_namespace(
                client, space, self.wanted["timeout_s"]
            ):
                self.module.fail_json(
                    msg="the namespace %s does not go: something in it has a finalizer and nobody who ends it -> look "
                    "at kubectl get all -n %s, then apply again" % (space, space)
                )
        kinds = kube_leftovers.definitions(client, leaves["groups"])
        kinds = {name: item for name, item in kinds.items() if name not in former["definitions"]}
        names = sorted(kinds) if self.module.check_mode else kube_leftovers.unused(client, kinds)
        for name in sorted(set(kinds) - set(names)):
            self.module.warn("%s stays, somebody has objects of it -> delete them, then: kubectl delete crd" % name)
        noted = list(kube_leftovers.notes(client, leaves["prefixes"], leaves["managers"]))
        if not self.module.check_mode:
            kube_leftovers.clear(client, names, noted)
            record = {title: one for title, one in read_record(RECORD).items() if title != self.title}
            write_record(RECORD, record)
        objects += kube_leftovers.described(names, noted)
        return objects, self.diff({"chart": found["chart"], "values": found["values"]} if found else {}, {})

    def diff(self, before, after):
        texts = [json.dumps(one, indent=1, sort_keys=True) + "\n" if one else "" for one in (before, after)]
        header = "release %s" % self.title
        return {"before_header": header, "after_header": header, "before": texts[0], "after": texts[1]}


if __name__ == "__main__":
    main()
