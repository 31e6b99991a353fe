"""Server-side apply from the controller: runs kubectl on a control-plane node, and tells what it changed.

Not as a module: starting Python on the host would take longer than all calls of kubectl together.
"""

from __future__ import annotations

import json
import shlex
import time

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

KUBECTL = "/usr/local/bin/kubectl"
ATTEMPTS = 10
# What the API server answers in the first seconds of a control plane; asking again is the remedy.
TRANSIENT = ("connection refused", "was refused", "ServiceUnavailable", "etcdserver", "timeout", "EOF", "TLS handshake")
FIELD_MANAGER = "gedge"
# Kubernetes notes there that a node is not ready, cordoned, out of memory and the like.
TAINTS_OF_KUBERNETES = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
NOTES = ("managedFields", "resourceVersion", "generation")
JSON_OF_STDIN = ("--show-managed-fields", "-o", "json", "-f", "-")
GET = ("get", "--ignore-not-found", *JSON_OF_STDIN)
APPLY = ("apply", "--server-side", "--field-manager=" + FIELD_MANAGER, "--force-conflicts", *JSON_OF_STDIN)


class ActionModule(ActionBase):
    """Compare before and after what the API server notes as ours: other writers (status, taints) do not count."""

    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            argument_spec={
                "manifests": {"type": "str", "required": True},
                "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            }
        )
        self._args = args
        self._take_taints()
        if self._task.check_mode:
            objects = self._would_change()
        else:
            live = self._kubectl(GET)
            before = by_name(live)
            self._keep_to_nodes_that_are_there(before)
            objects = differences(before, by_name(self._kubectl(APPLY)))
            objects = with_nodes(objects, self._change_taints(live))
        return {**result, "changed": bool(objects), "objects": objects}

    def _take_taints(self):
        """Take the taints of Node objects out of the manifests.

        They are one list, in which Kubernetes notes the state of nodes too: to apply it would be to fight over it.
        """
        self._taints = {}
        if "taints" not in self._args["manifests"]:
            return
        wanted = [document for document in yaml.safe_load_all(self._args["manifests"]) if document]
        for item in wanted:
            if item["kind"] == "Node" and "taints" in item.get("spec", {}):
                self._taints[item["metadata"]["name"]] = item.pop("spec")["taints"]
        self._args["manifests"] = yaml.safe_dump_all(wanted)

    def _other_taints(self, live):
        """Yield the nodes whose taints differ, with what they have and what they shall have."""
        for item in live:
            name = item["metadata"]["name"]
            if item["kind"] != "Node" or name not in self._taints:
                continue
            have = item["spec"].get("taints", [])
            kept = [taint for taint in have if taint["key"].startswith(TAINTS_OF_KUBERNETES)]
            if not same_taints([*kept, *self._taints[name]], have):
                yield name, have, [*kept, *self._taints[name]]

    def _change_taints(self, live):
        changed = []
        for name, have, wanted in self._other_taints(live):
            patch = [{"op": "test", "path": "/spec/taints", "value": have}] if have else []
            patch.append(
                {"op": "add", "path": "/spec/taints", "value": wanted}
            )  # of a field that is there: replaces it
            self._kubectl(("patch", "node", name, "--type=json", "-o", "json", "-p", json.dumps(patch)))
            changed.append(name)
        return changed

    def _keep_to_nodes_that_are_there(self, before):
        """Leave out Node objects that do not exist: a kubelet makes its own, a made-up one would never be ready."""
        wanted = [document for document in yaml.safe_load_all(self._args["manifests"]) if document]
        kept = [item for item in wanted if item["kind"] != "Node" or name_of(item) in before]
        if len(kept) < len(wanted):
            self._args["manifests"] = yaml.safe_dump_all(kept)

    def _would_change(self):
        """Return what would change: everything, where no cluster has been started yet."""
        if self._low_level_execute_command("test -e %s" % shlex.quote(self._args["kubeconfig"]))["rc"] != 0:
            wanted = [item for item in yaml.safe_load_all(self._args["manifests"]) if item]
            return differences({}, by_name(wanted))
        live = self._kubectl(GET)
        found = differences(by_name(live), by_name(self._kubectl((*APPLY, "--dry-run=server"))))
        found = with_nodes(found, [name for name, _, _ in self._other_taints(live)])
        last = {name_of(item): last_change(item) for item in live}
        return [dict(entry, by=last.get((entry["kind"], entry["name"]), "")) for entry in found]

    def _kubectl(self, arguments):
        if not self._args["manifests"].strip():
            return []
        argv = [KUBECTL, "--kubeconfig", self._args["kubeconfig"], "--request-timeout=20s", *arguments]
        # A proxy that the host's environment names is not for its own API server.
        command = "NO_PROXY=* no_proxy=* KUBECACHEDIR=/run/gedge/kubectl " + shlex.join(argv)
        for attempt in range(ATTEMPTS):
            done = self._low_level_execute_command(command, in_data=self._args["manifests"].encode())
            if done["rc"] == 0:
                return items(done["stdout"])
            said = (done["stderr"] or done["stdout"]).strip()
            # A namespace that the same manifests create does not exist yet for `get`.
            if arguments is GET and "namespaces" in said and "not found" in said:
                return []
            if attempt + 1 == ATTEMPTS or not any(word in said for word in TRANSIENT):
                raise AnsibleActionFail("kubectl %s: %s" % (arguments[0], said[-800:]))
            time.sleep(1)
        return []


def items(text):
    """Read kubectl's output: nothing, one object, a List, or several objects one after the other."""
    decoder, position, found = json.JSONDecoder(), 0, []
    text = text.strip()
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        found += value["items"] if value.get("kind") == "List" else [value]
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def name_of(item):
    meta = item["metadata"]
    return item["kind"], "/".join(part for part in (meta.get("namespace"), meta["name"]) if part)


def last_change(item):
    """Tell who changed an object after us, and when, as its managed fields say; empty when they tell of nobody."""
    entries = [entry for entry in item["metadata"].get("managedFields", []) if not entry.get("subresource")]
    ours = max((entry.get("time", "") for entry in our_entries(item)), default="")
    times = [(entry.get("time", ""), entry["manager"]) for entry in entries if entry["manager"] != FIELD_MANAGER]
    later = [(moment, manager) for moment, manager in times if ours and moment >= ours]
    return "%s %s" % tuple(reversed(max(later))) if later else ""


def differences(before, after):
    """Describe the objects that are new or differ; a Node is made by its kubelet, so it only ever changes."""
    return [
        {"kind": kind, "name": name, "action": "change" if kind == "Node" or (kind, name) in before else "create"}
        for (kind, name), item in sorted(after.items())
        if (kind, name) not in before or not same_claims(before[kind, name], item)
    ]


def by_name(found):
    return {name_of(item): item for item in found}


def same_claims(one, other):
    """Compare the fields that we own: which they are, and unless nothing was written since, their values.

    The time of our last change alone does not tell: the API server may renew it with nothing changed.
    """

    def noted(key):
        return [[entry.get(key) for entry in our_entries(item)] for item in (one, other)]

    fields, times = noted("fieldsV1"), noted("time")
    return fields[0] == fields[1] and (times[0] == times[1] or without_state(one) == without_state(other))


def without_state(item):
    """Return an object without what the API server and controllers note in it."""
    meta = {key: value for key, value in item["metadata"].items() if key not in NOTES}
    return {**item, "metadata": meta, "status": None}


def with_nodes(found, names):
    """Add nodes whose taints differ to what is described already, each once."""
    known = {entry["name"] for entry in found if entry["kind"] == "Node"}
    return found + [{"kind": "Node", "name": name, "action": "change"} for name in names if name not in known]


def same_taints(one, other):
    """Compare lists of taints as Kubernetes does: by key, value and effect."""
    keys = ("key", "value", "effect")
    plain = [sorted(tuple(taint.get(key) or "" for key in keys) for taint in taints) for taints in (one, other)]
    return plain[0] == plain[1]


def our_entries(item):
    entries = item["metadata"].get("managedFields", [])
    return [entry for entry in entries if entry["manager"] == FIELD_MANAGER and not entry.get("subresource")]
