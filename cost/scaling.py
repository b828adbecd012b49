"""Scaling of energy between technology nodes: Stillmaker and Baas, Integration 58 (2017).

Energy at a node is ``a V**2 + b V + c`` in units of their own, so an energy known at one node and
voltage is divided by its value there and multiplied by that at the other. From 45 nm on the paper
has two families of transistors; these are the high-performance ones throughout, as in the authors'
corrigendum. The coefficients are those in UCLA NanoCAD's ``nodeScale`` at commit a912c607.
(Accelergy's table at commit ba4e9dac has low-power rows at 45 and 32 nm beside high-performance
ones below, which makes the step between them too large.)
"""

from models.checks import require

ENERGY = {
    130: (7.171, -6.709, 2.904),
    90: (4.762, -4.781, 2.092),
    65: (3.755, -4.398, 1.975),
    45: (1.018, -0.3107, 0.1539),
    32: (0.8367, -0.4341, 0.1701),
    20: (0.373, -0.1582, 0.04104),
    16: (0.2958, -0.1241, 0.03024),
    14: (0.2363, -0.09675, 0.02239),
    10: (0.2068, -0.09311, 0.02375),
    7: (0.1776, -0.09097, 0.02447),
}
"""Coefficients by node in nm."""

AREA = {
    130: 6.4, 90: 2.8, 65: 1.5, 45: 1.0, 32: 0.46, 20: 0.21, 16: 0.19, 14: 0.17, 10: 0.10,
    7: 0.059,
}  # fmt: skip
"""Area relative to 45 nm."""


def polynomial(coefficients: tuple[float, float, float], voltage: float) -> float:
    """Return ``a V**2 + b V + c``."""
    a, b, c = coefficients
    return a * voltage**2 + b * voltage + c


def energy_factor(source: tuple[int, float], target: tuple[int, float]) -> float:
    """Return energy at the target by energy at the source.

    Parameters
    ----------
    source, target : tuple of int and float
        Node in nm and voltage.

    Raises
    ------
    ValueError
        A node is not in the table.
    """
    for node, _ in (source, target):
        known = ", ".join(map(str, ENERGY))
        require(node in ENERGY, "node", f"be one of the scaling table's ({known} nm)", node)
    return polynomial(ENERGY[target[0]], target[1]) / polynomial(ENERGY[source[0]], source[1])


def area_factor(source: int, target: int) -> float:
    """Return area at the target by area at the source, nodes in nm.

    Raises
    ------
    ValueError
        A node is not in the table.
    """
    for node in (source, target):
        known = ", ".join(map(str, AREA))
        require(node in AREA, "node", f"be one of the area table's ({known} nm)", node)
    return AREA[target] / AREA[source]


def warning(source: int, target: int) -> str | None:
    """Return what must be said of a step between nodes, if anything."""
    if source >= 45 > target:
        return (
            f"scaling from {source} to {target} nm is kinder than chips: an 8-bit multiplier gains "
            "4 to 6 times less from 45 to 7 nm (Jouppi et al., ISCA 2021)"
        )
    return None
