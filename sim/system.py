"""Cycles of layers on a circuit behind a memory: which of the two each one waits for.

The circuit and the memory work side by side, as words are read ahead, so a layer takes as long as
the slower one, and once the way through both. ``tests/test_system.py`` holds it against the RTL
with a memory of just these figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hwgen.config import HardwareConfig
from hwgen.tiling import Tiling
from models.bitplane import BitplaneLayer
from models.stage import Stage
from sim.fit import coded_stages
from sim.memory import Memory
from sim.transfers import word_sizes


@dataclass(frozen=True)
class Duty:
    """What a piece of work asks of who does it, and of the memory.

    Attributes
    ----------
    name : str
    compute : int
        Cycles without a memory limit; on the circuit, from the first activation word to the last
        result.
    memory : int
        Cycles from the first word's request to the last result, if the circuit only had to wait.
    first : int
        Cycles until the first words are there.
    transfer : int
        Cycles that the transfers take.
    transferred : int
        Bytes.
    where : str
        Who does it: ``circuit`` or ``host``.
    """

    name: str
    compute: int
    memory: int
    first: int
    transfer: int
    transferred: int
    where: str = "circuit"

    @property
    def cycles(self) -> int:
        """Cycles from the first word's request to the last result."""
        return max(self.first + self.compute, self.memory)

    @property
    def bound(self) -> str:
        """Which of the two the work waits for: ``compute`` or ``memory``."""
        return "compute" if self.first + self.compute >= self.memory else "memory"

    @property
    def stalled(self) -> int:
        """Cycles in which who does it waits."""
        return self.cycles - self.compute


def duty(
    name: str, stage: Stage, tiling: Tiling, config: HardwareConfig, memory: Memory, tokens: int
) -> Duty:
    """Predict the cycles of a stage for so many tokens, run on its own by one engine.

    The image is read once. Of several tokens, each row tile is a layer of its own, so the
    activations are read once for each tile; see :meth:`sim.laid.Laid.jobs`.
    """
    sizes = word_sizes(config)
    slots = tiling.row_tiles * tiling.views * config.slots
    vectors = tokens * (tiling.row_tiles if tokens > 1 else 1)
    words = {
        "weights": tiling.words,
        "activations": tiling.row_words * tiling.views * vectors,
        "coefficients": slots * tiling.groups * tiling.terms,
        "offsets": slots * tiling.groups * (stage.has_offset or stage.bias is not None),
        "scales": slots * (stage.requantize is not None),
    }
    transferred = sum(sizes[stream] * count for stream, count in words.items())
    transfer = memory.cycles(transferred)
    last_word = tiling.views * tiling.terms * config.digits
    drain = config.latency + (stage.result_views - 1) * config.slots
    return Duty(
        name=name,
        compute=tiling.cycles * tokens + drain,
        memory=memory.latency + transfer + last_word + drain,
        first=memory.latency + memory.cycles(sizes["weights"] + sizes["activations"]),
        transfer=transfer,
        transferred=transferred,
    )


def layer_duties(
    layer: BitplaneLayer, config: HardwareConfig, memory: Memory, tokens: int
) -> list[Duty]:
    """Predict the stages of a layer for so many tokens."""
    stages = list(coded_stages(layer))
    return [
        duty(
            f"{layer.name} stage {number}" if len(stages) > 1 else layer.name,
            stage, Tiling.of(stage, config, codes.bits), config, memory, tokens,
        )
        for number, (stage, codes) in enumerate(stages)
    ]  # fmt: skip


def table(duties: Sequence[Duty], clock_hz: float) -> str:
    """Return what work of each kind, by the last part of its name, takes together."""
    kinds: dict[str, list[Duty]] = {}
    for one in duties:
        kind = one.name.rpartition(".")[2]
        if one.where == "host" and kind != "attention":
            kind = "norms, codes, scales"
        kinds.setdefault(kind, []).append(one)
    lines = [f"{'work':<28}{'number':>7}{'cycles':>12}{'waiting':>10}{'MB':>9}  {'on':<9}bound"]
    for kind, members in kinds.items():
        cycles = sum(member.cycles for member in members)
        stalled = sum(member.stalled for member in members)
        megabytes = sum(member.transferred for member in members) / 1e6
        bound = " and ".join(sorted({member.bound for member in members}))
        figures = f"{len(members):>7}{cycles:>12}{stalled:>10}{megabytes:>9.2f}"
        lines.append(f"{kind:<28}{figures}  {members[0].where:<9}{bound}")
    cycles = sum(one.cycles for one in duties)
    share = 100 * sum(one.stalled for one in duties) / cycles
    megabytes = sum(one.transferred for one in duties) / 1e6
    time = f"{cycles / clock_hz * 1e3:.3f} ms"
    lines.append(f"{cycles} cycles, {share:.1f} % waiting, {megabytes:.2f} MB, {time}")
    return "\n".join(lines)
