"""A picture of a campaign of bit flips."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.files import whole_file
from sim.faults import Campaign, perplexity
from sim.upsets import SITES

MOST = 1e9
"""Perplexities above are drawn here."""


def picture(campaign: Campaign, title: str, path: Path) -> None:
    """Draw perplexity and changed predictions over the number of wrong bits, a point a trial."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    base = perplexity(campaign.loss)
    left.axhline(base, color="gray", linewidth=1, label="without faults")
    for number, site in enumerate(SITES):
        trials = [trial for trial in campaign.done if trial.site == site]
        bits = [trial.bits * (0.9 + 0.1 * number) for trial in trials]
        style = {"marker": "osD"[number], "linestyle": "", "alpha": 0.7, "label": site}
        left.plot(bits, [min(MOST, perplexity(trial.loss)) for trial in trials], **style)
        right.plot(bits, [100 * trial.changed for trial in trials], **style)
    left.set(xscale="log", yscale="log", xlabel="wrong bits", ylabel="perplexity")
    right.set(xscale="log", xlabel="wrong bits", ylabel="most likely next token changed, %")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.suptitle(title)
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=120)
