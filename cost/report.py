"""Figures of a unit as text."""

from typing import Any


def text_of(record: dict[str, Any]) -> str:
    """Return what :func:`cost.synth.record` gave, a line for each fact."""
    cycle = record["cycle_fJ"]
    most = cycle["all with glitches"]
    what = ", ".join(f"{key} {record[key]}" for key in WHAT if key in record)
    parts = ", ".join(f"{name} {value:.1f}" for name, value in record["areas_um2"].items())
    energies = ", ".join(f"{name} {cycle[name]:.1f}" for name in CYCLE)
    factor = f" ({most / cycle['all']:.2f} times that with glitches)" if most else ""
    return "\n".join([
        f"{record['unit']}: {what}",
        f"library    {record['library']}, {record['voltage']} V, {record['temperature']} C",
        f"area       {record['area_um2']:.1f} um2: {parts}",
        f"timing     {record['critical_ns']:.2f} ns on the slowest path, no wires",
        f"energy     {cycle['all']:.1f} fJ a cycle, without glitches{factor}: {energies}",
        (f"           {record['fJ_per_mac']:.1f} fJ a MAC, "
        f"{record['fJ_per_bit_mac']:.2f} fJ a bit-MAC"),
        *(
            [f"           {record['layer_nJ']:.1f} nJ for the layer's {record['layer_macs']}"]
            if "layer_nJ" in record else []
        ),
        f"           in it: {record['includes']}; {record['work']}",
        f"density    {record['um2_per_mac_a_cycle']:.1f} um2 for a MAC a cycle",
        f"leakage    {record['leakage_nW']:.3f} nW",
    ])  # fmt: skip


WHAT = ("kind", "k", "lanes", "act_bits", "digit", "table", "stage_every", "weight_bits", "coding")
CYCLE = ("switching", "internal", "clock", "leakage")


def table_of(records: dict[str, dict[str, Any]]) -> str:
    """Return records by name, a line for each."""
    lines = [
        (
            f"{'unit':<50}{'um2':>11}{'ns':>7}{'um2/MAC/cycle':>15}{'fJ/MAC':>10}{'fJ/bit-MAC':>12}"
            f"{'glitches':>10}"
        )
    ]
    for name, one in records.items():
        most = one["cycle_fJ"]["all with glitches"]
        factor = f"x{most / one['cycle_fJ']['all']:.2f}" if most else ""
        lines.append(
            f"{name:<50}{one['area_um2']:>11.1f}{one['critical_ns']:>7.2f}"
            f"{one['um2_per_mac_a_cycle']:>15.1f}{one['fJ_per_mac']:>10.1f}"
            f"{one['fJ_per_bit_mac']:>12.2f}{factor:>10}"
        )
    return "\n".join(lines)
