"""Picture of builds: how full each board is, and how fast."""

from pathlib import Path
from typing import Any

from models.files import whole_file


def picture(records: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw a PNG.

    Parameters
    ----------
    records : dict of dict
        As :func:`fpga.report.record` gives them, by name.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = list(records)
    kinds = ("lut", "ff", "bram", "spram", "dsp")
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 1.6 + 0.7 * len(names)), sharey=True, width_ratios=(3, 2)
    )
    height = 0.8 / len(kinds)
    for number, kind in enumerate(kinds):
        shares = [_share(records[name]["cells"].get(kind)) for name in names]
        at = [row + (number - 2) * height for row in range(len(names))]
        left.barh(at, shares, height, label=kind)
    left.set_xlim(0, 100)
    left.set_xlabel("% of the board")
    left.set_yticks(range(len(names)), names)
    left.invert_yaxis()
    left.legend(loc="lower right")
    for row, name in enumerate(names):
        one = records[name]
        right.plot(one["fmax"], [row] * len(one["fmax"]), "o", color="tab:blue")
        right.plot([one["clock"]] * 2, [row - 0.4, row + 0.4], color="tab:red")
    right.set_xlim(left=0)
    right.set_xlabel("MHz: of each seed, and the clock (line)")
    figure.tight_layout()
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=120)
    plt.close(figure)


def _share(count: list[int] | None) -> float:
    return 100 * count[0] / count[1] if count and count[1] else 0.0
