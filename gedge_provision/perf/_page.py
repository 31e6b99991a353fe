"""A run as one page: charts, figures, conditions; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from gedge_provision.models.perf import PerfResults
from gedge_provision.perf._charts import charts
from gedge_provision.planning import perf as planning

__all__ = ["perf_html"]


def perf_html(results: PerfResults, earlier: Sequence[PerfResults] = ()) -> str:
    """Return a run as an HTML page that needs no other file.

    Args:
        results: the run.
        earlier: runs that stand beside it in the charts over time (`earlier_runs`); of others there is no trace.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - most commands need no page

    environment = Environment(
        loader=PackageLoader("gedge_provision", "data"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("perf.html.j2").render(
        run=results,
        charts=charts(results, planning.comparable_runs(results, tuple(earlier))),
        labels=planning.path_labels(results),
        rows=planning.table_rows(results),
    )
