"""The one door to ansible-runner: runs a playbook of ours, turns its events into typed progress and a typed result."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gedge_provision.adapters.files import write_atomically
from gedge_provision.adapters.locations import content_dir
from gedge_provision.adapters.run_records import Journal
from gedge_provision.models.changes import Change, Difference
from gedge_provision.models.progress import WAITS, Outcome, Reporter
from gedge_provision.models.runs import HostFailure, PhaseTiming, RunResult, Server, phase_name
from gedge_provision.models.selection import Selection

__all__ = ["run_playbook"]

_ALL = Selection()
_SECONDS_TO_END = 5.0
_NO_MESSAGE = "failed, the reason is not shown, because the task handles secrets -> look at the host's journal"
_FAILURES = {"runner_on_failed", "runner_on_unreachable"}


@dataclass
class _Recorder:
    """Collects the events of one run; ansible-runner calls it from its own thread."""

    reporter: Reporter
    journal: Journal
    check: bool = False
    phases: list[PhaseTiming] = field(default_factory=list)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    failures: list[HostFailure] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    topologies: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)
    _play: str = ""
    _batch: int = 1
    _phase: str = ""
    _phase_began: float = 0.0
    _phase_failed: bool = False
    _phase_changed: bool = False
    _task: str = ""
    _task_began: float = 0.0
    _tasks: dict[str, float] = field(default_factory=dict)
    _waiting: set[str] = field(default_factory=set)
    _in_phase: dict[str, str] = field(default_factory=dict)
    _noted: set[str] = field(default_factory=set)

    def __call__(self, event: Mapping[str, Any]) -> bool:
        kind = event["event"]
        data = event.get("event_data", {})
        if kind == "playbook_on_play_start":
            self.end_phase()
            play = str(data.get("name", ""))
            self._batch = self._batch + 1 if play == self._play else 1  # a play with `serial` begins once a batch
            self._play = play
        elif kind == "playbook_on_task_start":
            self._begin_phase()  # not with the play: a play without hosts, or after a failure, is none
            self._end_task()
            self._task, self._task_began = str(data.get("name", "")), time.monotonic()
            self._waiting = set()
            self._show()
        elif kind == "runner_on_start":
            self._host_begins(str(data.get("host", "")))
        elif kind.startswith("runner_on_"):
            self._host_done(kind, data)
        elif kind == "verbose":
            self._task_tells(str(event.get("stdout", "")))
        return True

    def _host_begins(self, host: str) -> None:
        self._waiting.add(host)
        if host not in self._in_phase:
            self._in_phase[host] = "unchanged"
            self.journal.write("begin", self._phase, host)
        self._show()

    def _host_done(self, kind: str, data: Mapping[str, Any]) -> None:
        host = str(data.get("host", ""))
        self._waiting.discard(host)
        self._show()
        result = data.get("res") or {}
        if kind == "runner_on_ok" and result.get("changed"):
            self._phase_changed = True
            self._in_phase[host] = "changed"
            self.changes.setdefault(host, []).extend(
                _changes(str(data.get("task", "")), data.get("task_action"), result)
            )
        if not str(data.get("task_action", "")).startswith("ansible."):
            for warning in result.get("warnings", ()):  # of our modules: what does not apply on a host, what it lacks
                self._note(f"{host}: {warning}")
        if kind == "runner_on_ok":
            told = result.get("ansible_facts", {})
            for name, kept in (
                ("gedge_host", self.facts),
                ("gedge_networks", self.networks),
                ("gedge_topology", self.topologies),
                ("gedge_pod_resources", self.pods),
            ):
                kept.update({host: told[name]} if name in told else {})
            if (server := told.get("gedge_serving_certificate")) is not None:
                self.servers.append(Server(**server | {"urls": tuple(server["urls"])}))
        if kind == "runner_on_ok" and data.get("task_action", "").endswith("cluster_verify"):
            self.differences += [Difference(**found) for found in result["problems"]]
        # The loop that looks at hosts that left the site file goes on without those that do not answer.
        looks_elsewhere = "results" in result and str(data.get("task_action", "")).endswith("preflight")
        elsewhere = kind == "runner_on_unreachable" and looks_elsewhere
        if kind in _FAILURES and not data.get("ignore_errors") and not elsewhere:
            self._phase_failed |= kind == "runner_on_failed"
            if kind == "runner_on_unreachable":
                self.reporter.note(f"{host} cannot be reached")
            failure = HostFailure(host, self._phase, self._task, _message(result), kind == "runner_on_unreachable")
            # What a rescue tells again, with how it ended, is told once.
            again = [
                other for other in self.failures if other.host == host and failure.message.startswith(other.message)
            ]
            self.failures = [other for other in self.failures if other not in again]
            self.failures.append(failure)
            self._in_phase.pop(host, None)
            self.journal.write("failed", self._phase, host, failure.message)

    def _note(self, text: str) -> None:
        """Tell something once in a run, however many tasks say it."""
        if text not in self._noted:
            self._noted.add(text)
            self.reporter.note(text)

    def _show(self) -> None:
        hosts = sorted(self._waiting)
        shown = ", ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "")  # noqa: PLR2004
        self.reporter.update(self._phase, f"{self._task}  {shown}")

    def _task_tells(self, line: str) -> None:
        """Show what a task waits for; other lines that belong to no event are for the log."""
        if line.startswith(WAITS):
            self.reporter.update(self._phase, f"{self._task}  {line.removeprefix(WAITS)}")

    def _end_task(self) -> None:
        if self._task:
            self._tasks[self._task] = round(self._tasks.get(self._task, 0.0) + time.monotonic() - self._task_began, 2)
        self._task = ""

    def _begin_phase(self) -> None:
        if not self._phase:
            self._phase = phase_name(self._play, self._batch)
            self._phase_began = time.monotonic()
            self.reporter.start(self._phase)

    def end_phase(self, *, cut_off: bool = False) -> None:
        """Close the running phase, if any."""
        self._end_task()
        if self._phase:
            words = {"changed": "to do"} if self.check else {}
            for host, outcome in sorted(self._in_phase.items()):
                self.journal.write("end", self._phase, host, "cut off" if cut_off else words.get(outcome, outcome))
            seconds = round(time.monotonic() - self._phase_began, 2)
            changed = list(self._in_phase.values()).count("changed")
            self.phases.append(PhaseTiming(self._phase, seconds, self._tasks, changed))
            self.reporter.finish(self._phase, "cut off" if cut_off else self._outcome())
        self._in_phase = {}
        self._phase, self._tasks, self._phase_failed, self._phase_changed = "", {}, False, False

    def _outcome(self) -> Outcome:
        if self._phase_failed:
            return "failed"
        if not self._phase_changed:
            return "unchanged"
        return "to do" if self.check else "done"


def run_playbook(  # noqa: PLR0913 - what ansible-playbook takes
    name: str,
    inventory: Path,
    folder: Path,
    reporter: Reporter,
    *,
    variables: Mapping[str, object] | None = None,
    check: bool = False,
    selection: Selection = _ALL,
) -> RunResult:
    """Run one of our playbooks and return what it did; failures are in the result, nothing is raised for them.

    Args:
        name: name of the playbook, without .yml.
        inventory: a site file, or any inventory of Ansible's.
        folder: the run's record is written here (journal, log, timings, events).
        reporter: receives each play as a step.
        variables: extra variables; they travel in a file that only this user can read.
        check: change nothing, say what would change.
        selection: hosts and concerns that it is limited to.

    Raises:
        KeyboardInterrupt: after the run has been ended.
    """
    content = content_dir()
    journal = Journal(folder)
    recorder = _Recorder(reporter, journal, check)
    stop = _Stop(folder / "ansible-playbook.pid")
    outcome: dict[str, Any] = {}
    began = time.monotonic()

    def work() -> None:
        import ansible_runner  # noqa: PLC0415 - an inventory is compiled without it, and it is slow to import

        runner = ansible_runner.interface.init_runner(
            private_data_dir=str(folder),
            project_dir=str(content / "playbooks"),
            playbook=f"{name}.yml",
            inventory=str(inventory.resolve()),
            envvars=_environment(content),
            extravars=dict(variables or {}),
            cmdline=" ".join(_options(selection, check=check)) or None,
            event_handler=recorder,
            cancel_callback=stop.overdue,
            quiet=True,
            ident="run",
            omit_event_data=False,
        )
        runner.config.command = [
            *(sys.executable, "-m", "gedge_provision.adapters.playbook_process", str(stop.pid_file)),
            *runner.config.command,
        ]
        outcome["runner"] = runner
        runner.run()

    thread = threading.Thread(target=work, name="ansible-runner")
    with _interrupt_once(stop):
        thread.start()
        while thread.is_alive():
            thread.join(0.2)
    recorder.end_phase(cut_off=stop.asked)
    runner = outcome.get("runner")
    result = RunResult(
        status="canceled" if stop.asked else runner.status if runner else "failed",
        seconds=round(time.monotonic() - began, 2),
        phases=tuple(recorder.phases),
        changed={host: len(changes) for host, changes in sorted(recorder.changes.items())},
        changes={host: tuple(changes) for host, changes in sorted(recorder.changes.items())},
        differences=tuple(recorder.differences),
        failures=tuple(recorder.failures) or _failure_before_tasks(runner, folder),
        facts=dict(sorted(recorder.facts.items())),
        folder=folder,
        networks=dict(sorted(recorder.networks.items())),
        topologies=dict(sorted(recorder.topologies.items())),
        pods=dict(sorted(recorder.pods.items())),
        servers=tuple(recorder.servers),
    )
    _write_record(result, folder)
    journal.write("run", detail=result.status)
    journal.close()
    if stop.asked:
        raise KeyboardInterrupt
    return result


def _options(selection: Selection, *, check: bool) -> list[str]:
    options = ["--check"] if check else []
    options += [f"--limit {','.join(selection.hosts)}"] if selection.hosts else []
    options += [f"--tags {','.join(selection.concerns)}"] if selection.concerns else []
    return options


class _Stop:
    """Ends a run on request: Ansible is asked to (it then ends its workers and their ssh), and killed when it does not.

    ansible-runner's own way is to kill at once, which leaves the workers running.
    """

    def __init__(self, pid_file: Path) -> None:
        self.pid_file = pid_file
        self._asked_at: float | None = None
        self._told = False

    @property
    def asked(self) -> bool:
        return self._asked_at is not None

    def ask(self, _number: int = 0, _frame: object = None) -> None:
        """Ask once; it has the form of a signal handler."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()

    def overdue(self) -> bool:
        """Pass the request on, and tell whether Ansible has had enough time; ansible-runner calls it often."""
        if self._asked_at is None:
            return False
        if not self._told:
            with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
                os.kill(int(self.pid_file.read_text(encoding="ascii")), signal.SIGTERM)
                self._told = True
        return time.monotonic() - self._asked_at > _SECONDS_TO_END


@contextlib.contextmanager
def _interrupt_once(stop: _Stop) -> Iterator[None]:
    """Turn ^C into a request to end the run; it is raised again when the run has ended."""
    if threading.current_thread() is not threading.main_thread():  # only that one receives signals
        yield
        return
    former = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _environment(content: Path) -> dict[str, str]:
    # Ansible's programs of the environment that runs us, whatever PATH says; the package must be importable for the
    # inventory plugin.
    return {
        "ANSIBLE_CONFIG": str(content / "ansible.cfg"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "ANSIBLE_NOCOLOR": "1",
        # ansible-runner switches it off
        "ANSIBLE_HOST_KEY_CHECKING": "True",
    }


def _changes(task: str, action: object, result: Mapping[str, Any]) -> list[Change]:
    """Return what a task changed: our modules say it object by object, of other modules the task's name is known."""
    if "objects" in result:
        return [Change(**entry) for entry in result["objects"]]
    if str(action).endswith("package"):
        asked = result.get("invocation", {}).get("module_args", {})
        names = asked.get("name") or asked.get("package") or []
        return [Change("package", str(name), "install") for name in ([names] if isinstance(names, str) else names)]
    return [Change("task", task, "run")]


def _message(result: Mapping[str, Any]) -> str:
    text = str(result.get("msg") or result.get("stderr") or result.get("exception") or _NO_MESSAGE)
    failed_items = [item for item in result.get("results", []) if isinstance(item, dict) and item.get("failed")]
    if failed_items:
        text = "; ".join(str(item.get("msg", "")) for item in failed_items)
    # What stands where an answer should be (sudo, the login shell) says why there is none.
    names = ("stderr", "stdout") if result.get("rc") and "module_stdout" not in result else ()
    printed = [str(result.get(name) or "") for name in ("module_stderr", "module_stdout", *names)]
    return "\n".join(part for part in (text.strip(), *map(str.strip, printed)) if part)


def _failure_before_tasks(runner: Any, folder: Path) -> tuple[HostFailure, ...]:  # noqa: ANN401
    """Explain a run that died before its first task: the inventory or the playbook does not load."""
    if runner is not None and runner.status == "successful":
        return ()
    text = _output(folder)
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or line.startswith("fatal:")]
    return (HostFailure("controller", "ansible-playbook", "start", "\n".join((errors or lines)[-8:]) or "no output"),)


def _output(folder: Path) -> str:
    path = folder / "artifacts" / "run" / "stdout"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _write_record(result: RunResult, folder: Path) -> None:
    result.log.write_text(_output(folder), encoding="utf-8")
    # ansible-runner's note of the call holds the caller's whole environment.
    (folder / "artifacts" / "run" / "command").unlink(missing_ok=True)
    record = {
        "status": result.status,
        "seconds": result.seconds,
        "phases": [asdict(phase) for phase in result.phases],
        "changed": result.changed,
        "changes": {host: [asdict(change) for change in changes] for host, changes in result.changes.items()},
    }
    write_atomically(folder / "timings.json", json.dumps(record, indent=2) + "\n", 0o600)
