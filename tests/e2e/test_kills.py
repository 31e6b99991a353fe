"""Runs that are killed at random moments: the next one ends in the state that an undisturbed run brings.

A few kills by default. `GEDGE_KILLS=100 GEDGE_SEED=7` draws another series, `GEDGE_KILLS_RECORD=FILE` appends a JSON
line for each kill to a file, and `-k 7-013` repeats the thirteenth of that series alone.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from final_state import State, settled, state, wait_for_state
from kill_draws import Kill, Scenario, Settings, draws
from processes import descendants, ssh_clients, ssh_connections, wait_for_end

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

SEED = int(os.environ.get("GEDGE_SEED", "1400"))
LONG = "GEDGE_KILLS" in os.environ
COUNT = int(os.environ.get("GEDGE_KILLS", "2"))
RECORD = os.environ.get("GEDGE_KILLS_RECORD")
SERIES = list(itertools.islice(draws(SEED), COUNT))

APPLY = ("apply", "--drain-ok", "--kubelet-restart-ok")
# Seconds of undisturbed runs, here where an install takes 36; a run that ends before its kill tells its own length.
LENGTHS: dict[Scenario, float] = {"join": 15, "kubelet": 14, "port": 11, "install": 36}


@dataclass
class Ground:
    """The lab, what its site file says now, and what undisturbed runs were like.

    Attributes:
        lab: the cluster.
        original: the site file's text as it was.
        settings: what the site has now.
        lengths: seconds of undisturbed runs.
        states: what undisturbed runs brought, by settings.
        sound: whether the last kill came to its end; else the next one begins with a reset.
    """

    lab: LabCluster
    original: str
    settings: Settings
    lengths: dict[Scenario, float]
    states: dict[Settings, State] = field(default_factory=dict)
    sound: bool = True

    def write(self, settings: Settings) -> None:
        """Write the site file."""
        text = self.original.replace("cpu: 500m", f"cpu: {settings.cpu}")
        flannel = f"networks: {{flannel: {{port: {settings.port}}}, "
        text = text.replace("networks: {", flannel) if settings.port != 8472 else text
        self.lab.site_path.write_text(text, encoding="utf-8")

    def bring(self, settings: Settings) -> None:
        """Bring the site to settings without any disturbance."""
        if not self.sound:
            self.lab.gedge("reset", "--yes")
            self.states.clear()  # what the failed one left behind is its failure alone
        if settings != self.settings or not self.sound:
            self.write(settings)
            self.lab.gedge(*APPLY)
        self.settings, self.sound = settings, True

    def undisturbed(self, settings: Settings) -> State:
        """Return the state that an undisturbed run brings; the site has these settings then."""
        if settings not in self.states or not self.sound:
            self.bring(settings)
            settled(self.lab)
            self.states[settings] = state(self.lab)
        return self.states[settings]


@pytest.fixture(scope="module")
def ground(lab: LabCluster, first_apply: dict[str, Any]) -> Iterator[Ground]:
    settled(lab)
    speed = first_apply["seconds"] / LENGTHS["install"]
    lengths = {scenario: seconds * speed for scenario, seconds in LENGTHS.items()}
    settings = Settings("500m", 8472)
    ground = Ground(lab, lab.site_path.read_text(encoding="utf-8"), settings, lengths)
    try:
        ground.undisturbed(settings)
        yield ground
    finally:
        ground.bring(settings)
        lab.site_path.write_text(ground.original, encoding="utf-8")
        settled(lab)


@pytest.mark.long
@pytest.mark.parametrize("kill", SERIES, ids=str)
def test_a_killed_run_is_resumed_to_the_state_of_an_undisturbed_one(
    ground: Ground, kill: Kill, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    told: dict[str, Any] = {"outcome": "failed"}
    wanted = ground.undisturbed(kill.after)
    try:
        while not disturb(ground, kill, told):
            pass
        told["then"] = go_on(ground.lab) if told["exit_code"] else "went on by itself"
        if LONG:
            settled(ground.lab)
        wait_for_state(ground.lab, wanted)
        told["outcome"] = "same state"
    except BaseException as error:
        ground.sound = False
        told["why"] = str(error)[-2000:]
        raise
    finally:
        told["seconds"] = round(time.monotonic() - began, 1)
        with capsys.disabled():
            print(f"\n{kill}: {told}", end=" ")  # noqa: T201 - whoever waits for a hundred of them sees them pass
        if RECORD:
            with Path(RECORD).open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(kill) | told) + "\n")


def disturb(ground: Ground, kill: Kill, told: dict[str, Any]) -> bool:
    """Start the run and kill, and note in which second and how the run ended; tell whether it ran still."""
    lab = ground.lab
    ground.bring(kill.before)
    workers = [name for name in lab.hosts if name.startswith("gedgew")]
    if kill.scenario == "join":
        lab.gedge("reset", "--yes", "--only", workers[int(kill.host * len(workers))])
    if kill.scenario == "install":
        lab.gedge("reset", "--yes")
    ground.write(kill.after)
    ground.settings = kill.after
    began = time.monotonic()
    process = lab.start_apply(*APPLY[1:])
    try:
        hit = strike(lab, kill, process, began + kill.moment * ground.lengths[kill.scenario])
        told["moment_s"] = round(time.monotonic() - began, 2)
        code = process.wait(timeout=300)
    finally:
        process.kill()
        process.wait()
    if not hit:
        assert code == 0, "the run failed before it was killed"
        ground.lengths[kill.scenario] = told["moment_s"]
        return False
    told["exit_code"] = code
    assert code in ((-signal.SIGKILL,) if kill.victim == "controller" else (0, 1))
    return True


def strike(lab: LabCluster, kill: Kill, process: subprocess.Popen[bytes], when: float) -> bool:
    """Wait for the moment and kill; tell whether there was anything to kill."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=when - time.monotonic())
    if kill.victim == "controller":
        below = descendants(process.pid)
        if process.poll() is not None:
            return False
        process.kill()
        wait_for_end(below, "ansible")  # nothing of ours works on behind the user's back
        return True
    addresses = [host.address for host in lab.hosts.values()]
    address = addresses[int(kill.host * len(addresses))]
    while process.poll() is None:  # from the moment on, the first one that is there
        victims = ssh_connections(address) if kill.victim == "connection" else ssh_clients(process.pid, address)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        if victims:
            return True
        time.sleep(0.02)
    return False


def go_on(lab: LabCluster) -> str:
    """Resume; a run that was killed before it had noted that it began is begun again."""
    last = json.loads(lab.gedge("runs", "list", "--output", "json").stdout)[0]
    if last["state"] == "successful":
        assert "nothing to resume" in lab.gedge("resume").stdout
        lab.gedge(*APPLY)
        return "applied"
    assert f"{last['id']}: gedge apply, {last['state']}" in lab.gedge("runs", "show").stdout
    result = json.loads(lab.gedge("resume", "--output", "json").stdout)
    assert result["status"] == "successful"
    return f"resumed as {last['state']}"
