"""The sum behind a result, for a reader with a pencil: time layer by layer, energy term by term."""

from cost.compare import Result
from cost.engine import Layer, layers, over
from cost.gpu import GpuToken
from cost.prices import Prices
from cost.storage import Storage
from cost.terms import explain


def why(result: Result, head: Storage) -> str:
    """Return a result's time and energy as sums."""
    chip, token = result.chip, result.token
    names = (result.model.name, result.storage.name, chip.technology.name, chip.memory.name)
    return "\n".join([
        f"\n{', '.join(names)}:",
        _times(result, layers(result.model, result.storage, head, chip)),
        explain(token.terms, "uJ", 1e6),
    ])  # fmt: skip


def why_gpu(gpu: Prices, one: GpuToken) -> str:
    """Return what a roofline's joules are made of; of measured ones, where they are from."""
    if one.measured:
        return f"batch {one.batch}: {one.source}"
    power = gpu["power"]
    which = "" if one.bound == "memory" else "the upper end of "
    return (
        f"batch {one.batch}: {one.seconds.show(1e3)} ms a token, bound by {one.bound}, x {which}"
        f"{power.show()} = {one.read_joules.show(1e3)} mJ\n  source: {power.source}\n"
        f"  bandwidth {gpu['bandwidth'].show()} ({gpu['bandwidth'].source}), "
        f"reached {gpu['reached'].show()} ({gpu['reached'].source})"
    )


def _times(result: Result, found: list[Layer]) -> str:
    """Return the layers' time and energy, a line each, and how they add up."""
    chip, token = result.chip, result.token
    lines = [
        (
            f"{'layer':<28}{'out x in':>15}{'times':>6}{'cycles':>11}{'array us':>11}{'kB':>10}"
            f"{'memory us':>18}{'taken us':>18}{'uJ':>16}"
        )
    ]
    for one in found:
        memory = over(one.bytes, chip.bandwidth).show(1e6, 4)
        joules = one.joules.show(1e6, 4) if one.joules else "-"
        lines.append(
            f"{one.linear.name:<28}{f'{one.linear.out} x {one.linear.inputs}':>15}"
            f"{one.linear.count:>6}{one.cycles:>11}{one.cycles / chip.clock * 1e6:>11.4g}"
            f"{one.bytes / 1e3:>10.4g}{memory:>18}"
            f"{one.seconds.show(1e6, 4):>18}{joules:>16}"
        )
    bandwidth, reached = chip.memory["bandwidth"], chip.memory["reached"]
    return "\n".join([
        *lines,
        f"clock {chip.clock / 1e6:g} MHz",
        f"bandwidth {bandwidth.show()} ({bandwidth.source})",
        f"  reached {reached.show()} of it ({reached.source})",
        f"time: sum of times x taken, then keys and values: {token.seconds.show(1e3, 4)} ms",
    ])  # fmt: skip
