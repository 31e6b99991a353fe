"""A host drawn as text: a line for each cache of each NUMA node, a mark at each CPU that is not shared."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from gedge_provision.cli import _ui
from gedge_provision.models.cpu_plan import CpuPlan
from gedge_provision.models.cpusets import format_cpuset
from gedge_provision.models.topology import Topology
from gedge_provision.planning.cpu_plans import device_name, lay_out, summary
from gedge_provision.planning.cpu_plans.layout import CacheGroup, CpuUse, DrawnCore, DrawnNode

__all__ = ["draw"]

_MARKS: dict[CpuUse, tuple[str, str]] = {
    "reserved": ("r", "bold yellow"),
    "isolated": ("i", "bold green"),
    "shared": ("", ""),
}
_INDENT = 4
_LEGEND = "[a b]: CPUs of one core; r: reserved for the system, i: isolated, e: efficiency core, no mark: shared"


def draw(topology: Topology, plan: CpuPlan | None) -> None:
    """Print a host."""
    _ui.console.print(Text.assemble((topology.host or "a host", "bold"), f": {summary(topology)}"))
    if topology.container:
        _ui.console.print("a container: it shows the CPUs and devices of the machine that carries it", style="dim")
    for socket in lay_out(topology, plan):
        _ui.console.print(f"socket {socket.number}" if socket.number is not None else "in no socket", style="bold")
        for node in socket.nodes:
            for line in _node(node):
                _ui.console.print(line)
        for device in socket.devices:
            _ui.console.print(f"  {device_name(device)} (on no NUMA node that is known)")
    if topology.offline:
        _ui.console.print(f"offline: CPUs {format_cpuset(topology.offline)}")
    _ui.console.print(Text(_LEGEND, style="dim"))


def _node(drawn: DrawnNode) -> Iterator[Text]:
    memory = f"{drawn.node.memory_kib / 2**20:.1f} GiB" if drawn.node.memory_kib else "no memory"
    pages = [
        f"{page.free} of {page.total} huge pages of {page.size_kib} KiB free"
        for page in drawn.node.huge_pages
        if page.total
    ]
    alone = [] if drawn.groups else ["no CPUs"]
    yield Text(f"  NUMA node {drawn.node.id}: {', '.join([memory, *alone, *pages])}")
    for group in drawn.groups:
        yield from _group(group)
    for device in drawn.devices:
        yield Text(f"{' ' * _INDENT}{device_name(device)}", style="cyan")


def _group(group: CacheGroup) -> Iterator[Text]:
    """Yield the cores of a cache, in lines as wide as the terminal; columns stand below one another."""
    size = f" {group.size_kib // 1024} MiB" if group.size_kib else ""
    label = f"L{group.level}{size}" if group.level else ""
    start = " " * _INDENT + f"{label}  " * bool(label)
    cells = [_core(core) for core in group.cores]
    width = max(len(cell) for cell in cells) + 1
    fitting = max((_ui.console.width - len(start)) // width, 1) if _ui.console.is_terminal else len(cells)
    for place in range(0, len(cells), fitting):
        line = Text(start if place == 0 else " " * len(start))
        for cell in cells[place : place + fitting]:
            cell.pad_right(width - len(cell))
            line.append_text(cell)
        line.rstrip()
        yield line


def _core(core: DrawnCore) -> Text:
    cell = Text("e" if core.efficient else "", style="dim")
    several = len(core.cpus) > 1
    cell.append("[" * several)
    for place, (cpu, use) in enumerate(core.cpus):
        mark, style = _MARKS[use]
        cell.append(" " * bool(place))
        cell.append(f"{mark}{cpu}", style=style)
    cell.append("]" * several)
    return cell
