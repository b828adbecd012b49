"""A whole engine as gates: run on streams, with area and energy by component."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost.activity import Activity, Ports, run
from cost.cells import Library
from cost.functions import Words
from cost.netlist import Netlist, build
from cost.power import Energy, energy
from cost.recipe import Recipe, synthesize
from cost.stimulus import pack, unpack
from cost.timing import analyze
from hwgen.config import HardwareConfig

RESET = 2
"""Cycles of reset before anything else."""

ONES = ~np.uint64(0)

COMPONENTS = {
    "array.pe_": "elements", "array.": "array's controls", "scaling.scaler_": "scalers",
    "scaling.requantizer_": "requantizers", "scaling.": "scaling's controls",
    "sequencer.": "sequencer", "weights.": "buffers", "activations.": "buffers",
    "coefficients.": "buffers", "offsets.": "buffers", "scales.": "buffers", "outputs.": "buffers",
}  # fmt: skip
"""By how the names of instances begin; what a buffer holds is not in it."""

OTHER = "other"


def component_of(name: str) -> str:
    """Return the component that an instance belongs to, from its name."""
    path = name.replace("$flatten", "").replace("\\", "")
    return next((to for start, to in COMPONENTS.items() if path.startswith(start)), OTHER)


@dataclass(frozen=True)
class Streams:
    """Words of the input streams, of many sequences that have the same controls.

    Attributes
    ----------
    words : dict of str to uint8, (sequences, words, bytes)
        By stream.
    out : int
        Words of the output stream that are due.
    cycles : int
        In which they have left.
    """

    words: Mapping[str, NDArray[np.uint8]]
    out: int
    cycles: int


class Feed:
    """Give each stream's next word as soon as the one before is taken."""

    def __init__(self, streams: Streams, netlist: Netlist) -> None:
        self._words = {
            name: _packed(words, len(netlist.ports[f"i_{name}__payload"]))
            for name, words in streams.words.items()
        }
        self._at = dict.fromkeys(streams.words, 0)

    def __call__(self, cycle: int, seen: Ports) -> Ports:
        """Return the inputs of a cycle; see :data:`cost.activity.Feed`."""
        resets = cycle < RESET
        words = next(iter(self._words.values())).shape[-1]
        ports = {"rst": _flag(resets, words), "o__ready": _flag(True, words)}
        for name, held in self._words.items():
            if cycle > RESET and self._at[name] < len(held):
                self._at[name] += is_set(seen[f"i_{name}__ready"])
            at = self._at[name]
            ports[f"i_{name}__valid"] = _flag(not resets and at < len(held), words)
            if len(held):
                ports[f"i_{name}__payload"] = held[min(at, len(held) - 1)]
        return ports


def is_set(flag: Words) -> bool:
    """Return a flag that is the same in all sequences."""
    if not (flag == flag[0, 0]).all() or flag[0, 0] not in (0, ONES):
        raise RuntimeError("controls must be the same in all sequences, they differ")
    return bool(flag[0, 0])


def _flag(value: bool, words: int) -> Words:
    return np.full((1, words), ONES if value else 0, np.uint64)


def _packed(words: NDArray[np.uint8], bits: int) -> NDArray[np.uint64]:
    """Pack words of sequences, (sequences, words, bytes), to (words, bits, sequences / 64)."""
    spread = np.unpackbits(words, axis=-1, count=bits, bitorder="little")
    return pack(spread.transpose(1, 2, 0))


@dataclass(frozen=True)
class Whole:
    """What an engine costs.

    Attributes
    ----------
    areas : dict of str to float
        Square micrometers of each component.
    cycle : dict of str to float
        Joules a cycle of each component, without leakage.
    memories : dict of str to tuple of float
        Of each block of memory: its words, their bits, words read and written a cycle.
    leakage : float
        Watts.
    works : float
        Share of cycles in which the array works.
    """

    areas: dict[str, float]
    cycle: dict[str, float]
    memories: dict[str, tuple[int, int, float, float]]
    leakage: float
    critical: float
    works: float


def record(config: HardwareConfig, whole: Whole, work: dict[str, Any]) -> dict[str, Any]:
    """Return figures of an engine with what they depend on, to keep as JSON."""
    return {
        "config": asdict(config),
        **work,
        "area_um2": {name: round(area, 2) for name, area in whole.areas.items()},
        "cycle_fJ": {name: round(joules * 1e15, 2) for name, joules in whole.cycle.items()},
        "memories": {
            name: {"words": size, "bits": width, "reads": round(reads, 6),
                   "writes": round(writes, 6)}
            for name, (size, width, reads, writes) in whole.memories.items()
        },
        "leakage_nW": round(whole.leakage * 1e9, 4),
        "critical_ns": round(whole.critical * 1e9, 4),
        "works": round(whole.works, 6),
    }  # fmt: skip


def config_of(one: Mapping[str, Any]) -> HardwareConfig:
    """Return the configuration of a record; what it does not have is as by default."""
    known = {field.name for field in fields(HardwareConfig)}
    return HardwareConfig(**{key: value for key, value in one["config"].items() if key in known})


def same(one: Mapping[str, Any], config: HardwareConfig, library: str) -> bool:
    """Whether a record is of an engine on a library."""
    return one["library"] == library and config_of(one) == config


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Return records as text: square micrometers and femtojoules a cycle by component."""
    lines = []
    for one in records:
        config = config_of(one)
        lines.append(
            f"{config.kind}, {config.pe} PEs of {config.lanes} lanes, {config.digit} of "
            f"{config.act_bits} bits: {one['integers_equal']} integers equal; "
            f"{one['critical_ns']:.1f} ns; the array works in {100 * one['works']:.1f} % of cycles"
        )
        for figure, unit in (("area_um2", "um2"), ("cycle_fJ", "fJ a cycle")):
            total = sum(one[figure].values())
            lines += [f"  {unit:<20}{total:>12.0f}"]
            lines += [
                f"    {name:<18}{value:>12.0f}{100 * value / total:>8.1f} %"
                for name, value in one[figure].items()
            ]
    return "\n".join(lines)


def measure_whole(
    verilog: str,
    library: Library,
    recipe: Recipe,
    dont_use: list[str],
    streams: Streams,
) -> tuple[Whole, NDArray[np.uint8]]:
    """Synthesize an engine, run its streams gate by gate, and add up its energy.

    Returns
    -------
    Whole
    uint8, (sequences, words, bytes)
        What it put out, to be compared.

    Raises
    ------
    RuntimeError
        Yosys failed, or fewer words came out than are due.
    """
    module = synthesize(verilog, "top", library, recipe, dont_use, parts=True)
    netlist = build(module, library)
    timing = analyze(netlist, library)
    counted = range(RESET, streams.cycles)
    activity = run(netlist, Feed(streams, netlist), counted, streams.cycles)
    put_out = _outputs(activity, streams)
    spent = energy(netlist, library, timing, activity)
    works = activity.outputs["works"][RESET:, 0, 0] & np.uint64(1)
    return Whole(
        _by_component({i.name: i.cell.area for i in netlist.instances}),
        _by_component(_without_inputs(spent)),
        {
            m.name: (m.size, m.width, activity.reads[m.name], activity.writes[m.name])
            for m in netlist.memories
        },
        netlist.leakage, timing.critical, float(works.mean()),
    ), put_out  # fmt: skip


def _without_inputs(spent: Energy) -> dict[str, float]:
    """Leave out nets that ports and memories drive, the clock's root among them."""
    return {name: joules for name, joules in spent.by_instance.items() if name != "inputs"}


def _by_component(values: Mapping[str, float]) -> dict[str, float]:
    found = dict.fromkeys([*COMPONENTS.values(), OTHER], 0.0)
    for name, value in values.items():
        found[component_of(name)] += value
    return {name: value for name, value in found.items() if value}


def _outputs(activity: Activity, streams: Streams) -> NDArray[np.uint8]:
    valid = activity.outputs["o__valid"]
    at = [cycle for cycle in range(RESET, len(valid)) if is_set(valid[cycle])]
    if len(at) != streams.out:
        raise RuntimeError(f"gates must put out {streams.out} words, got {len(at)}")
    bits = unpack(activity.outputs["o__payload"][at])  # (words, bits, sequences)
    return np.packbits(bits.transpose(2, 0, 1), axis=-1, bitorder="little")
