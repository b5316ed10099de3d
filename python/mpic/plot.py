"""Pictures with matplotlib: a front, what layers cost, where cycles went. Each draws into axes and returns them."""

import os
from typing import TYPE_CHECKING, Optional, Union

from ._mpic import Error
from ._records import Prediction, Report, Simulation
from ._search import Run, pareto

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["front", "layers", "stalls"]


def _axes(ax: Optional["Axes"]) -> "Axes":
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise Error("pictures need matplotlib: pip install matplotlib") from None
    return plt.subplots()[1]


def front(run: Union[Run, str, "os.PathLike[str]"], *, x: str = "cycles", ax: Optional["Axes"] = None) -> "Axes":
    """The networks of a run over a cost, those of the front by cycles joined by a line.

    :param x: any column of :func:`mpic.pareto` that is a number, for example "energy_uj" or "weight_bytes".
    """
    run = run if isinstance(run, Run) else Run(run)
    frame, ax = pareto(run), _axes(ax)
    if x not in frame:
        raise Error(f"there is no column '{x}'; there are: {', '.join(frame.columns)}")
    best = frame[frame["front"]].sort_values(x)
    ax.plot(frame[x], frame["accuracy"], "o", color="tab:gray")
    ax.plot(best[x], best["accuracy"], "o-", color="tab:blue")
    ax.set_xlabel(x.replace("_", " "))
    ax.set_ylabel(run.metric + (" %" if run.metric == "accuracy" else ""))
    ax.grid(alpha=0.3)
    return ax


def layers(costs: Union[Simulation, Prediction], *, ax: Optional["Axes"] = None) -> "Axes":
    """Cycles of each layer, the first at the top; of a simulation the mean over its inputs."""
    cycles = costs.layer_cycles if costs.layer_cycles.ndim == 1 else costs.layer_cycles.mean(axis=0)
    ax = _axes(ax)
    ax.barh(costs.layers, cycles)
    ax.invert_yaxis()
    ax.set_xlabel("cycles")
    return ax


def stalls(report: Report, *, ax: Optional["Axes"] = None) -> "Axes":
    """Where the cycles of a run went: instructions, and cycles lost by reason."""
    parts = {"instructions": report.instructions, **{k: v for k, v in report.stalls.items() if v > 0}}
    ax = _axes(ax)
    ax.barh(list(parts), list(parts.values()))
    ax.invert_yaxis()
    ax.set_xlabel("cycles")
    return ax
