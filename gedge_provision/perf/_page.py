"""A run as one page: charts, figures, conditions; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from gedge_provision.adapters.pages import render_page
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
    return render_page(
        "perf.html.j2",
        run=results,
        charts=charts(results, planning.comparable_runs(results, tuple(earlier))),
        labels=planning.path_labels(results),
        rows=planning.table_rows(results),
    )
