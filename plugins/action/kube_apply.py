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
NO_KIND = ("no matches for kind", "doesn't have a resource type", "could not find the requested resource")
UNKNOWN_KIND = ()
KEEP_USED = "gedge.dev/keep-while-used"  # on a definition of a kind: objects of others keep it
OWNER_LABEL = "gedge.dev/role"  # the role that applied an object
FIELD_MANAGER = "gedge"
# Of Secrets only whose they are is asked: what is in them stays at the API server.
PLACE = '"namespace":"{.metadata.namespace}","name":"{.metadata.name}"'
NAMES = '{range .items[*]}{"{"}"kind":"{.kind}","metadata":{"{"}%s{"}"}{"}"}{end}' % PLACE
CORDON_MANAGER = "gedge-cordon"  # of node_drain
# Kubernetes notes there that a node is not ready, cordoned, out of memory and the like.
TAINTS_OF_KUBERNETES = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
# What others may write into our objects: nobody's settings, and the word of `kubectl rollout restart`.
FREE_FIELDS = ("f:metadata", "f:status", ".")
FREE_ANNOTATION = "f:kubectl.kubernetes.io/restartedAt"
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
                "prune": {
                    "type": "dict",
                    "options": {
                        "owner": {"type": "str"},
                        "not_owners": {"type": "list", "elements": "str", "default": []},
                        "kinds": {"type": "list", "elements": "str", "required": True},
                    },
                },
                "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            }
        )
        self._args = args
        self._nodes = {}
        self._published = {}
        self._read_nodes()
        self._read_published()
        objects = self._would_change() if self._task.check_mode else self._change()
        objects += self._prune()
        return {**result, "changed": bool(objects), "objects": objects}

    def _read_nodes(self):
        """Take out of Node objects what is not applied: taints, and whether a node is open.

        Taints are one list, in which Kubernetes notes the state of nodes too: to apply it would be to fight over it.
        """
        if "kind: Node" not in self._args["manifests"]:
            return
        wanted = [document for document in yaml.safe_load_all(self._args["manifests"]) if document]
        for item in wanted:
            if item["kind"] == "Node":
                self._nodes[item["metadata"]["name"]] = {
                    "labels": item["metadata"].get("labels", {}),
                    "annotations": item["metadata"].get("annotations", {}),
                    **item.pop("spec", {}),
                }
        self._args["manifests"] = yaml.safe_dump_all(wanted)

    def _read_published(self):
        """Take out of Services on which addresses they are published: a subresource, which `apply` leaves alone."""
        if "\nstatus:" not in self._args["manifests"]:
            return
        wanted = [document for document in yaml.safe_load_all(self._args["manifests"]) if document]
        for item in wanted:
            if item["kind"] == "Service" and "status" in item:
                self._published[name_of(item)] = item.pop("status")["loadBalancer"]
        self._args["manifests"] = yaml.safe_dump_all(wanted)

    def _publish(self, live):
        """Write where Services are published, and return what differed."""
        late = [item for item in live.values() if self._published.get(name_of(item), place_of(item)) != place_of(item)]
        for item in [] if self._task.check_mode else late:
            self._patch(item, "merge", {"status": {"loadBalancer": self._published[name_of(item)]}}, "status")
        return [{"kind": item["kind"], "name": name_of(item)[1], "action": "change"} for item in late]

    def _started(self):
        return self._low_level_execute_command("test -e %s" % shlex.quote(self._args["kubeconfig"]))["rc"] == 0

    def _would_change(self):
        """Return what would change: everything, where no cluster has been started yet."""
        if not self._started():
            wanted = [item for item in yaml.safe_load_all(self._args["manifests"]) if item]
            return differences({}, by_name(wanted)) + node_changes(self._nodes, {})
        live = by_name(self._kubectl(GET))
        self._keep_annotations(live)
        documents = [item for item in yaml.safe_load_all(self._args["manifests"]) if item]
        spaces = {item["metadata"]["name"] for item in documents if item["kind"] == "Namespace"}
        missing = {name for name in spaces if ("Namespace", name) not in live}
        new = [item for item in documents if item["metadata"].get("namespace") in missing]
        old = [item for item in documents if item not in new]
        after = self._call((*APPLY, "--dry-run=server"), yaml.safe_dump_all(old)) if old else []
        if after is UNKNOWN_KIND:  # what defines the kind is to be made in the same run
            after = old
        found = differences(live, by_name([*after, *new]))
        return told(merged(found, self._publish(live)), live) + node_changes(self._nodes, live)

    def _change(self):
        live = by_name(self._kubectl(GET))
        self._keep_annotations(live)
        self._keep_to_nodes_that_are_there(live)
        after = by_name(self._kubectl(APPLY))
        if self._take_over_additions(after):
            after = by_name(self._kubectl(APPLY))
        found = differences(live, after)
        self._change_nodes(live)
        return told(merged(found, self._publish(after)), live) + node_changes(
            {name: self._nodes[name] for kind, name in live if kind == "Node"}, live
        )

    def _keep_annotations(self, live):
        """Ask for the annotations that nodes have from us, where none are asked for."""
        kept = {name: own_notes(item, "annotations") for (kind, name), item in live.items() if kind == "Node"}
        kept = {name: notes for name, notes in kept.items() if notes and not self._nodes[name]["annotations"]}
        if not kept:
            return
        wanted = [document for document in yaml.safe_load_all(self._args["manifests"]) if document]
        for item in wanted:
            name = item["metadata"]["name"]
            if item["kind"] == "Node" and "annotations" not in item["metadata"] and name in kept:
                item["metadata"]["annotations"] = self._nodes[name]["annotations"] = kept[name]
        self._args["manifests"] = yaml.safe_dump_all(wanted)

    def _keep_to_nodes_that_are_there(self, live):
        """Leave out Node objects that do not exist: a kubelet makes its own, a made-up one would never be ready."""
        if set(self._nodes) <= {name for _, name in live}:
            return
        wanted = [document for document in yaml.safe_load_all(self._args["manifests"]) if document]
        kept = [item for item in wanted if item["kind"] != "Node" or name_of(item) in live]
        self._args["manifests"] = yaml.safe_dump_all(kept)

    def _take_over_additions(self, applied):
        """Make what others have added to our objects ours: what we own and do not ask for goes with the next apply.

        Returns:
            Whether there was something.
        """
        added = [item for item in applied.values() if additions(item)]
        for item in added:
            extra, entries = additions(item), item["metadata"].get("managedFields", [])
            mine = [entry for entry in our_entries(item) if entry["operation"] == "Apply"]
            others = [entry for entry in entries if entry is not mine[0] and not foreign(entry)]
            claim = dict(mine[0], fieldsV1=united(mine[0]["fieldsV1"], extra))
            self._patch(item, "json", [{"op": "replace", "path": "/metadata/managedFields", "value": [*others, claim]}])
        return bool(added)

    def _prune(self):
        """Delete what an earlier run applied under an owner's label and this one does not want.

        A definition of a kind stays while there are objects of that kind which are not ours.
        """
        asked = self._args["prune"]
        if not asked or (self._task.check_mode and not self._started()):
            return []
        label = "%s=%s" % (OWNER_LABEL, asked["owner"]) if asked["owner"] else OWNER_LABEL
        others = ",%s notin (%s)" % (OWNER_LABEL, ",".join(asked["not_owners"])) if asked["not_owners"] else ""
        wanted = {name_of(item) for item in yaml.safe_load_all(self._args["manifests"]) if item}
        gone = []
        for kinds in asked["kinds"]:
            form = "jsonpath=" + NAMES if kinds == "secrets" else "json"
            found = self._call(("get", kinds, "-A", "-l", label + others, "-o", form))
            gone += [item for item in found if name_of(item) not in wanted]
        for item in [found for found in gone if KEEP_USED in found["metadata"].get("annotations", {})]:
            ours, others = self._objects_of(item)
            if others:
                self._display.warning("%s stays: %s uses it" % (item["metadata"]["name"], name_of(others[0])[1]))
                gone = [found for found in gone if found is not item] + ours
        for item in [] if self._task.check_mode else gone:
            place = ("-n", item["metadata"]["namespace"]) if "namespace" in item["metadata"] else ()
            self._call(("delete", item["kind"].lower(), item["metadata"]["name"], *place, "--ignore-not-found"))
        return [{"kind": name_of(item)[0], "name": name_of(item)[1], "action": "remove"} for item in gone]

    def _objects_of(self, definition):
        """Return the objects of a kind that is defined here, ours and those of others."""
        found = self._call(("get", definition["metadata"]["name"], "-A", "-o", "json"))
        ours = [item for item in found if OWNER_LABEL in item["metadata"].get("labels", {})]
        return ours, [item for item in found if item not in ours]

    def _change_nodes(self, live):
        for name, wanted in sorted(self._nodes.items()):
            item = live.get(("Node", name))
            if item is None:
                continue
            have = item["spec"].get("taints", [])
            asked = wanted_taints(wanted, have)
            if not same_taints(asked, have):
                test = [{"op": "test", "path": "/spec/taints", "value": have}] if have else []
                # "add" replaces a field that is there
                self._patch(item, "json", [*test, {"op": "add", "path": "/spec/taints", "value": asked}])
            if left_cordoned(wanted, item):
                self._patch(item, "merge", {"spec": {"unschedulable": None}})

    def _patch(self, item, form, patch, subresource=""):
        meta = item["metadata"]
        place = ("-n", meta["namespace"]) if "namespace" in meta else ()
        what = (item["kind"].lower(), meta["name"], *place)
        how = ("--type=" + form, "--field-manager=" + FIELD_MANAGER, "-o", "json", "-p", json.dumps(patch))
        how = ("--subresource=" + subresource, *how) if subresource else how
        self._kubectl(("patch", *what, *how))

    def _kubectl(self, arguments):
        """Run kubectl on the manifests."""
        return self._call(arguments, self._args["manifests"]) if self._args["manifests"].strip() else []

    def _call(self, arguments, stdin="\n"):
        """Run kubectl and return the objects that it prints; UNKNOWN_KIND where the cluster lacks a kind."""
        argv = [KUBECTL, "--kubeconfig", self._args["kubeconfig"], "--request-timeout=20s", *arguments]
        # A proxy that the host's environment names is not for its own API server.
        command = "NO_PROXY=* no_proxy=* KUBECACHEDIR=/run/gedge/kubectl " + shlex.join(argv)
        for attempt in range(ATTEMPTS):
            # With something on stdin there is no terminal, which would mix both outputs.
            done = self._low_level_execute_command(command, in_data=stdin.encode())
            if done["rc"] == 0:
                return items(done["stdout"]) if "delete" not in arguments else []
            said = (done["stderr"] or done["stdout"]).strip()
            # A namespace that the same manifests create does not exist yet for `get`.
            if arguments is GET and "namespaces" in said and "not found" in said:
                return []
            # Nor a kind that was defined a moment ago, for the API server's list of kinds.
            unknown = any(word in said for word in NO_KIND)
            if unknown and (self._task.check_mode or arguments[0] == "get"):
                return UNKNOWN_KIND
            if attempt + 1 == ATTEMPTS or not (unknown or any(word in said for word in TRANSIENT)):
                raise AnsibleActionFail("kubectl %s: %s" % (arguments[0], said[-800:]))
            time.sleep(1)
        return []


def items(text):
    """Read kubectl's output: nothing, one object, a List, or several objects one after the other."""
    decoder, position, found = json.JSONDecoder(), 0, []
    text = text.strip()
    while position < len(text):
        try:
            value, end = decoder.raw_decode(text, position)
        except ValueError:
            value = None
        if not isinstance(value, dict):  # a message may begin with a number
            raise AnsibleActionFail(
                "kubectl prints no JSON on the control-plane node: %s -> run it there; a wrapper of it, or a message "
                "of the login shell, is in the way" % text[position : position + 300]
            )
        position = end
        found += value["items"] if value.get("kind") == "List" else [value]
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def name_of(item):
    meta = item["metadata"]
    return item["kind"], "/".join(part for part in (meta.get("namespace"), meta["name"]) if part)


def place_of(item):
    """Return on which addresses a Service is published."""
    return item.get("status", {}).get("loadBalancer", {})


def merged(found, more):
    """Add changes of objects to what is described already."""
    known = {(entry["kind"], entry["name"]) for entry in found}
    return found + [entry for entry in more if (entry["kind"], entry["name"]) not in known]


def last_change(item):
    """Tell who changed an object after us (or took all its fields), and when; empty when its managed fields do not."""
    entries = [entry for entry in item["metadata"].get("managedFields", []) if not entry.get("subresource")]
    ours = max((entry.get("time", "") for entry in our_entries(item)), default="")
    times = [(entry.get("time", ""), entry["manager"]) for entry in entries if entry["manager"] != FIELD_MANAGER]
    later = [(moment, manager) for moment, manager in times if moment >= ours]
    return latest(later)


def differences(before, after):
    """Describe the objects that are new or differ, but for nodes."""
    return [
        {"kind": kind, "name": name, "action": "change" if (kind, name) in before else "create"}
        for (kind, name), item in sorted(after.items())
        if kind != "Node" and ((kind, name) not in before or not same_claims(before[kind, name], item))
    ]


def told(found, live):
    """Add objects to which others have added something to what is described already, and who changed each."""
    known = {(entry["kind"], entry["name"]) for entry in found}
    added = [name for name, item in live.items() if name not in known and additions(item)]
    found = found + [{"kind": kind, "name": name, "action": "change"} for kind, name in added]
    by = {name: last_change(item) for name, item in live.items()}
    found = [dict(entry, by=by.get((entry["kind"], entry["name"]), "")) for entry in found]
    return sorted(found, key=lambda entry: (entry["kind"], entry["name"]))


def additions(item):
    """Return the fields that others have added to an object of ours, as managed fields note them."""
    if item["kind"] == "Node":  # its kubelet's, and everybody's
        return {}
    ours, found = {}, {}
    for entry in our_entries(item):
        ours = united(ours, entry["fieldsV1"])
    for entry in item["metadata"].get("managedFields", []) if ours else []:
        if foreign(entry):
            found = united(found, beyond(entry["fieldsV1"], ours, FREE_FIELDS))
    return found


def foreign(entry):
    """Tell whether managed fields are those of somebody else; controllers write the status, a subresource."""
    return entry["manager"] != FIELD_MANAGER and not entry.get("subresource")


def beyond(theirs, ours, free=(".", FREE_ANNOTATION)):
    """Return the part of a tree of fields that another one has not; a leaf of ours owns all that is below it."""
    found = {}
    for field, below in theirs.items():
        if field in free or (field in ours and not ours[field]):
            continue
        more = beyond(below, ours.get(field, {}))
        if more and "." in below and field not in ours:
            more["."] = {}  # the item itself, not only what is in it
        if more or (field not in ours and not below):
            found[field] = more
    return found


def united(one, other):
    """Return a tree of fields with everything of two."""
    return {field: united(one.get(field, {}), other.get(field, {})) for field in [*one, *other]}


def node_changes(nodes, live):
    """Describe what differs of nodes, in the words of `kubectl label` and `kubectl taint`.

    Args:
        nodes: labels, taints and unschedulable (false: what a run of ours left cordoned is opened) by name.
        live: objects by kind and name; a node that is not there yet comes with its taints, not with its labels.
    """
    found = []
    for name, wanted in sorted(nodes.items()):
        item = live.get(("Node", name), {"metadata": {}, "spec": {"taints": wanted.get("taints", [])}})
        told = [
            *note_changes("label", wanted["labels"], item),
            *note_changes("annotation", wanted["annotations"], item),
        ]
        told += [*taint_changes(wanted, item["spec"].get("taints", []))]
        for kind, what, action, field in told:
            entry = {"kind": kind, "name": "%s %s" % (name, what), "action": action}
            found.append(dict(entry, by=owner(item, field)))
        if left_cordoned(wanted, item):
            found.append({"kind": "node", "name": name, "action": "uncordon"})
    return found


def note_changes(kind, wanted, item):
    """Yield kind, name, action and field of labels (annotations) that differ; of those not asked for, ours count.

    The value of an annotation is not told: it may be long.
    """
    part = kind + "s"
    have = item["metadata"].get(part, {})
    for key, value in sorted(wanted.items()):
        if have.get(key) != value:
            action = "change" if key in have else "create"
            words = "%s=%s" % (key, value) if kind == "label" else key
            yield kind, words, action, ("f:metadata", "f:" + part, "f:" + key)
    for key in sorted(set(own_notes(item, part)) - set(wanted)):
        yield kind, key, "remove", ("f:metadata", "f:" + part, "f:" + key)


def own_notes(item, part):
    """Return the labels (annotations) of an object that we own."""
    fields = [entry["fieldsV1"].get("f:metadata", {}).get("f:" + part, {}) for entry in our_entries(item)]
    have = item["metadata"].get(part, {})
    return {key: have[key] for entry in fields for key in (field[2:] for field in entry) if key in have}


def taint_changes(wanted, have):
    """Yield kind, name, action and field of the taints that differ."""
    asked = wanted_taints(wanted, have)
    if same_taints(asked, have):
        return
    field = ("f:spec", "f:taints")
    before, after = (
        {(taint["key"], taint["effect"]): taint.get("value") or "" for taint in taints} for taints in (have, asked)
    )
    for key, effect in sorted({**before, **after}):
        value = after.get((key, effect))
        if value is None:
            yield "taint", "%s:%s" % (key, effect), "remove", field
        elif value != before.get((key, effect)):
            words = "%s=%s:%s" % (key, value, effect) if value else "%s:%s" % (key, effect)
            yield "taint", words, "change" if (key, effect) in before else "create", field


def wanted_taints(wanted, have):
    """Return the taints that a node shall have: what is asked for, and what Kubernetes notes of it."""
    if "taints" not in wanted:
        return have
    return [taint for taint in have if taint["key"].startswith(TAINTS_OF_KUBERNETES)] + wanted["taints"]


def left_cordoned(wanted, item):
    """Tell whether a node shall be open, and a run of ours that ended before its time has cordoned it."""
    if not item["spec"].get("unschedulable") or wanted.get("unschedulable") is not False:
        return False
    entries = [entry for entry in item["metadata"].get("managedFields", []) if entry["manager"] == CORDON_MANAGER]
    return any(has_field(entry, ("f:spec", "f:unschedulable")) for entry in entries)


def owner(item, path):
    """Tell who else wrote a field last, and when; empty when nobody owns it."""
    entries = [
        entry for entry in item["metadata"].get("managedFields", []) if foreign(entry) and has_field(entry, path)
    ]
    return latest([(entry.get("time", ""), entry["manager"]) for entry in entries])


def latest(writes):
    return "%s %s" % tuple(reversed(max(writes))) if writes else ""


def has_field(entry, path):
    """Tell whether managed fields hold one."""
    fields = entry["fieldsV1"]
    for part in path:
        fields = (fields or {}).get(part)
    return fields is not None


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


def same_taints(one, other):
    """Compare lists of taints as Kubernetes does: by key, value and effect."""
    keys = ("key", "value", "effect")
    plain = [sorted(tuple(taint.get(key) or "" for key in keys) for taint in taints) for taints in (one, other)]
    return plain[0] == plain[1]


def our_entries(item):
    entries = item["metadata"].get("managedFields", [])
    return [entry for entry in entries if entry["manager"] == FIELD_MANAGER and not entry.get("subresource")]
