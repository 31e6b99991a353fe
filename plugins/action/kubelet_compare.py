"""Controller side of a change of kubelet settings: the host tells what differs, what it means is decided here."""

from __future__ import annotations

from pathlib import PurePosixPath

import yaml
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Compare the kubelet's files of a node that has joined, and say what their change asks for.

    Without the Python package the change is taken for one that asks for everything.
    """

    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(
            argument_spec={
                "files": {"type": "list", "elements": "dict", "required": True},
                "settings": {"type": "dict", "required": True},
                "touched": {"type": "bool", "default": False},
                "former": {"type": "str", "default": ""},
                "huge_pages": {"type": "str", "choices": ["same", "more", "fewer"], "default": "same"},
                "drain": {"type": "bool", "default": False},
            }
        )
        prefix = self._task.action.rpartition(".")[0]
        told = self._execute_module(
            module_name="%s.managed_files" % prefix if prefix else "managed_files",
            module_args={"files": args["files"], "units": [{"name": "kubelet.service"}]},
            task_vars=task_vars,
        )
        if told.get("failed"):
            return {**result, **told}
        held = {file["path"]: file["before"] for file in told["held"]}
        differs = held or args["touched"] or args["huge_pages"] != "same"
        nothing = {"drain": False, "disturbs": False, "resets": [], "settings": []}
        change = _change(held, args) if differs else nothing
        return {**result, "changed": False, "held": list(held), "objects": told["objects"], "change": change}


def _change(held, args):
    """Return what a change asks for."""
    moving = "drain" if args["drain"] else "under pods"
    words = "what it ran with is not known (%s, new states of both managers)" % moving
    everything = {
        "drain": args["drain"],
        "disturbs": not args["drain"],
        "resets": ["cpu", "memory"],
        "settings": [words],
    }
    patch = args["files"][-1]["path"]
    # A change that was cut off has left no patch, but what was kept: it is still the one that was agreed to.
    cut_off = args["former"] and not held.get(patch)
    before = _parsed(args["former"] if cut_off else held[patch]) if patch in held else args["settings"]
    if (args["touched"] and not cut_off) or before is None:
        return everything
    try:
        from gedge_provision.planning.kubelet_changes import compare_settings
    except ImportError:
        return everything
    found = compare_settings(before, args["settings"], huge_pages=args["huge_pages"], drains=args["drain"])
    units = [path for path in held if PurePosixPath(path).suffix == ".service"]
    settings = [*found.settings, *("its unit %s (restart)" % PurePosixPath(path).name for path in units)]
    disturbs = not args["drain"] and (found.drain or bool(found.resets))
    drain = found.drain and args["drain"]
    return {"drain": drain, "disturbs": disturbs, "resets": list(found.resets), "settings": settings}


def _parsed(text):
    """Return the settings of a patch; None when somebody has made something else of it, or it is gone."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, dict) else None
