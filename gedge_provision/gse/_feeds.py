"""What happens in the cluster, as lists that keep themselves up to date: clients with one token share their watches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter

from gedge_provision.adapters.kube import ForbiddenError, GoneError, Kube, KubeError
from gedge_provision.models.autoscalers import AutoscalerState
from gedge_provision.models.cluster import (
    AUTOSCALER,
    DEPLOYMENT,
    NODE,
    SERVICE,
    STATEFUL_SET,
    Kind,
    Manifest,
    Metadata,
    ServiceState,
)
from gedge_provision.models.errors import GedgeError
from gedge_provision.planning.manifests import MANAGED
from gedge_provision.services import NodeLine, ServiceLine, node_line
from gedge_provision.services.status import controller_state, service_key, service_line

__all__ = ["Change", "Feed", "Subject"]

log = logging.getLogger("gedge.gse")

Subject = Literal["services", "nodes"]
Key: TypeAlias = tuple[str, ...]
Line: TypeAlias = bytes
Objects: TypeAlias = Mapping[Kind, Mapping[str, Manifest]]

_WATCH_S = 60.0
_AGAIN_S, _SELDOM_S = 0.5, 10.0
_LINGER_S = 30.0
_CONTROLLERS = (DEPLOYMENT, STATEFUL_SET)
_KINDS: Mapping[Subject, tuple[Kind, ...]] = {
    "services": (DEPLOYMENT, STATEFUL_SET, SERVICE, AUTOSCALER),
    "nodes": (NODE,),
}
_SERVICE_LINE = TypeAdapter(ServiceLine)
_NODE_LINE = TypeAdapter(NodeLine)


@dataclass(frozen=True)
class Change:
    """A change of a list.

    Attributes:
        number: of the change; each is higher than that before.
        type: added, modified or deleted.
        line: what the list has now, of one that is deleted what it had; JSON.
    """

    number: int
    type: Literal["added", "modified", "deleted"]
    line: Line


class Feed:
    """A list of services or nodes that follows the cluster, as one caller sees it."""

    def __init__(self, kube: Kube, subject: Subject, namespace: str | None) -> None:
        self._kube = kube
        self._subject: Subject = subject
        self._namespace = namespace
        self._labels = MANAGED if subject == "services" else None
        self._lock = threading.Lock()
        self._objects: dict[Kind, dict[str, Manifest]] = {kind: {} for kind in _KINDS[subject]}
        self._lines: dict[Key, Line] = {}
        self._number = 0
        self._listeners: dict[int, Callable[[Change | GedgeError], None]] = {}
        self._left_at = time.monotonic()
        self._opening = threading.Lock()
        self._opened = False
        self._error = GedgeError("the watch is over", remedy="watch again")
        self.over = False

    def open(self) -> None:
        """Read the lists, and follow them from there; a second time nothing is done.

        Raises:
            KubeError: the caller may not, or the API server does not answer.
        """
        with self._opening:
            if self._opened:
                return
            try:
                self._open()
            except BaseException:
                self.over = True
                raise
            self._opened = True

    def _open(self) -> None:
        versions = {kind: self._list(kind) for kind in self._objects}
        for kind, version in versions.items():
            name = f"watch {kind.plural}"
            threading.Thread(target=self._follow, args=(kind, version), name=name, daemon=True).start()

    def listen(self, number: int, listener: Callable[[Change | GedgeError], None]) -> tuple[int, list[Line]]:
        """Have a listener told of changes; return the number of the last one before, and what the list has.

        Args:
            number: of the listener.
            listener: is called in any thread; with an error when there will be no more changes.
        """
        with self._lock:
            if self.over:
                listener(self._error)
            else:
                self._listeners[number] = listener
            return self._number, list(self._lines.values())

    def leave(self, number: int) -> None:
        """Tell a listener nothing more."""
        with self._lock:
            self._listeners.pop(number, None)
            self._left_at = time.monotonic()

    @property
    def unheard(self) -> bool:
        """Whether nobody has listened for a while."""
        return not self._listeners and time.monotonic() - self._left_at > _LINGER_S

    def end(self, error: GedgeError) -> None:
        """Tell every listener that there will be no more changes."""
        with self._lock:
            self.over, self._error = True, error
            listeners, self._listeners = list(self._listeners.values()), {}
        for listener in listeners:
            listener(error)

    def _list(self, kind: Kind) -> str:
        items, version = self._kube.listed(kind, self._namespace, labels=self._labels)
        with self._lock:
            found = {_name(item): _slim(item) for item in items}
            former, self._objects[kind] = self._objects[kind], found
            for item in [*former.values(), *found.values()]:
                self._renew(_key(item))
        return version

    def _follow(self, kind: Kind, version: str) -> None:
        pause = _AGAIN_S
        while not self.over:
            if self.unheard:
                self.over = True
                return
            try:
                for event in self._kube.watch(kind, version, _WATCH_S, self._namespace, labels=self._labels):
                    version, pause = event.version, _AGAIN_S
                    if self.over:
                        return
                    if event.type != "BOOKMARK":
                        self._take(kind, event.type, event.object)
            except GoneError:
                version = self._list_again(kind) or version
            except ForbiddenError as error:
                self.end(error)
                return
            except KubeError:
                time.sleep(pause)
                pause = min(2 * pause, _SELDOM_S)
            except Exception as error:
                log.exception("a watch of %s failed", kind.plural)
                self.end(GedgeError(f"the watch failed ({type(error).__name__})"))
                return

    def _list_again(self, kind: Kind) -> str:
        try:
            return self._list(kind)
        except ForbiddenError as error:
            self.end(error)
        except KubeError:
            time.sleep(_AGAIN_S)
        return ""

    def _take(self, kind: Kind, event: str, item: Manifest) -> None:
        item = _slim({**item, "apiVersion": kind.api_version, "kind": kind.name})
        with self._lock:
            if event == "DELETED":
                self._objects[kind].pop(_name(item), None)
            else:
                self._objects[kind][_name(item)] = item
            self._renew(_key(item))

    def _renew(self, key: Key) -> None:
        """Make a line anew, and tell of it if it is another one; the lock is held."""
        before = self._lines.get(key)
        after = self._line(key)
        if after == before:
            return
        if after is None:
            del self._lines[key]
        else:
            self._lines[key] = after
        self._number += 1
        type_: Literal["added", "modified", "deleted"] = (
            "added" if before is None else "deleted" if after is None else "modified"
        )
        change = Change(self._number, type_, after or before or b"")
        for listener in self._listeners.values():
            listener(change)

    def _line(self, key: Key) -> Line | None:
        if self._subject == "nodes":
            item = self._objects[NODE].get("/" + key[-1])
            return None if item is None else _NODE_LINE.dump_json(node_line(item))
        own = {kind: [item for item in found.values() if _key(item) == key] for kind, found in self._near(key).items()}
        controllers = [controller_state(item) for kind in _CONTROLLERS for item in own[kind]]
        if not controllers:
            return None
        # Where a StatefulSet takes the place of a Deployment, or the other way, the one that stays counts.
        controller = min(controllers, key=lambda one: one.metadata.deletion_timestamp is not None)
        published = [ServiceState.model_validate(item) for item in own[SERVICE]]
        scaled = [AutoscalerState.model_validate(item) for item in own[AUTOSCALER]]
        return _SERVICE_LINE.dump_json(service_line(controller, published, scaled[0] if scaled else None))

    def _near(self, key: Key) -> dict[Kind, dict[str, Manifest]]:
        """Return the objects whose names may be those of a service: its own, or with an end."""
        prefix = f"{key[0]}/{key[1]}"
        ends = ("", "-external", "-headless")
        return {
            kind: {name: found[name] for name in (f"{prefix}{end}" for end in ends) if name in found}
            for kind, found in self._objects.items()
        }


def _name(item: Manifest) -> str:
    metadata = item["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


def _key(item: Manifest) -> Key:
    if item["kind"] == NODE.name:
        return (str(item["metadata"]["name"]),)
    return service_key(Metadata.model_validate(item["metadata"]))


def _slim(item: Manifest) -> Manifest:
    """Return an object without what no line tells of, and what may be large."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    slim: dict[str, Any] = {**item, "metadata": metadata}
    if "template" in slim.get("spec", {}):
        slim["spec"] = {key: value for key, value in slim["spec"].items() if key != "template"}
    if item["kind"] == NODE.name:
        slim["status"] = {key: value for key, value in slim.get("status", {}).items() if key != "images"}
    return slim
