"""One run: checks, pods, rounds, results; and nothing left in the cluster whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gedge_provision.adapters.interrupts import sigterm_interrupts
from gedge_provision.adapters.kube import Kube, connect
from gedge_provision.adapters.locks import held_by, holder
from gedge_provision.adapters.perf_files import new_perf_run, write_results
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.perf import PerfResults, PerfSettings, PerfState
from gedge_provision.models.progress import SILENT, Reporter, step
from gedge_provision.models.wording import counted
from gedge_provision.perf._measure import Found, Work, measure_all
from gedge_provision.perf._pods import Wanted
from gedge_provision.perf._prepare import Choice, Ground, choose, look
from gedge_provision.planning import perf as planning
from gedge_provision.planning.durations import spoken
from gedge_provision.provisioning.own_space import own_space
from gedge_provision.provisioning.sites import site_folder

__all__ = ["measure_network"]

_READY_S, _SLOW_READY_S = 60.0, 300.0
_SPARE_S = 180


def measure_network(  # noqa: PLR0913 - the choices of a user
    site_path: Path,
    reporter: Reporter = SILENT,
    *,
    client: str | None = None,
    server: str | None = None,
    same_node: bool = False,
    networks: Sequence[str] = (),
    addresses: Sequence[str] = (),
    image: str | None = None,
    settings: PerfSettings | None = None,
) -> PerfResults:
    """Measure the network between two nodes in every configuration that both may use.

    Pods are started in the namespace gedge-perf, which is removed at the end, whatever that is. What was found is kept
    in the site's state folder.

    Args:
        site_path: the site file.
        reporter: receives each phase.
        client: the node that sends; the first worker if left out.
        server: the node that answers; the second worker if left out, or the only one.
        same_node: measure between two pods of one node.
        networks: host, flannel and names of attachments; all if left out.
        addresses: fixed addresses for attachments that give none, `NETWORK=SERVER/LENGTH,CLIENT/LENGTH`.
        image: another image that has the tools; the nodes may pull it.
        settings: durations, rounds, rates, sizes, CPUs.

    Raises:
        DocumentError: the site file is wrong.
        UsageError: something that was asked for cannot be measured; nothing was started.
        GedgeError: another run is at work, or nothing could be measured.
    """
    choice = choose(
        site_path,
        client,
        server,
        same_node=same_node,
        networks=networks,
        addresses=addresses,
        image=image,
        settings=settings or PerfSettings(),
    )
    what = f"measurements of site {choice.site.name}"
    with (
        sigterm_interrupts(),
        held_by(choice.folder, what, "gedge perf net"),
        connect(choice.kubeconfig) as kube,
    ):
        with step(reporter, "Look at the cluster"):
            ground = look(kube, choice)
        return _run(kube, choice, ground, reporter)


def _run(kube: Kube, choice: Choice, ground: Ground, reporter: Reporter) -> PerfResults:
    expected = planning.expected_seconds(ground.batches, choice.settings, emulated=ground.slow)
    ready_s = _SLOW_READY_S if ground.slow else _READY_S
    limit_s = int(2 * expected + ready_s * planning.starts(ground.batches, choice.settings) + _SPARE_S)
    _announce(choice, ground, expected, limit_s, reporter)
    began = datetime.now(UTC)
    folder = new_perf_run(choice.folder)
    wanted = Wanted(
        choice.ends,
        choice.image,
        choice.pull,
        choice.settings,
        limit_s,
        ready_s,
    )
    work = Work(kube, choice.settings, wanted, folder, reporter, Found(problems=list(ground.problems)))
    pairs = tuple(pair for batch in ground.batches for pair in batch)
    results: PerfResults | None = None
    ended = False
    try:
        with own_space(kube, planning.space(pairs), choice.folder, limit_s + _SPARE_S, reporter, slow=ground.slow):
            try:
                measure_all(work, ground.batches)
                ended = True
            finally:  # before the pods go, which takes its time
                if work.found.samples:
                    results = _results(choice, ground, work.found, folder, began, interrupted=not ended)
                    write_results(folder, results)
    except GedgeError as error:
        if results is None or not ended:
            raise
        reporter.note(str(error).replace("\n", " "))  # of the namespace, which is still going
    assert results is not None  # noqa: S101 - without a sample, measure_all ends with an error
    return results


def _announce(choice: Choice, ground: Ground, expected: int, limit_s: int, reporter: Reporter) -> None:
    ends = choice.ends
    where = f"on {ends.client.name}" if ends.same else f"from {ends.client.name} to {ends.server.name}"
    pairs = [pair for batch in ground.batches for pair in batch]
    count = counted(len(list(planning.schedule(ground.batches, choice.settings))), "measurement")
    reporter.note(
        f"{count} {where} over {', '.join(pair.label for pair in pairs)}: {spoken(expected)}, "
        f"{spoken(limit_s).removeprefix('about ')} at most"
    )
    for problem in ground.problems:
        remedy = f" -> {problem.remedy}" if problem.remedy else ""
        reporter.note(f"{problem.path} is {problem.what}: {problem.message}{remedy}")
    if ground.emulation:
        reporter.note(f"EMULATED: {ground.emulation}; the figures say nothing about real hardware")
    other = holder(site_folder(choice.site))
    if other is not None:
        reporter.note(f"process {other} works on the site's hosts meanwhile: the figures may suffer")


def _results(  # noqa: PLR0913 - the parts of a run
    choice: Choice, ground: Ground, found: Found, folder: Path, began: datetime, *, interrupted: bool
) -> PerfResults:
    failed = [problem for problem in found.problems if problem not in choice.left_out]
    state: PerfState = "interrupted" if interrupted else "partial" if failed else "complete"
    return PerfResults(
        id=folder.name,
        site=choice.site.name,
        began=began,
        ended=datetime.now(UTC),
        state=state,
        emulated=bool(ground.emulation),
        emulation=ground.emulation,
        server=choice.ends.server.name,
        client=choice.ends.client.name,
        settings=choice.settings,
        image=choice.image,
        cluster_version=ground.version,
        nodes=tuple(node.model_copy(update={"cpu_model": found.models.get(node.name, "")}) for node in ground.nodes),
        paths=tuple(facts for _, facts in sorted(found.paths.items())),
        samples=tuple(found.samples),
        problems=tuple(found.problems),
    )
