"""The circuit driven from Python, port by port and cycle by cycle: slow, and plain to read."""

from hwgen.config import HardwareConfig
from sim.jobs import STREAMS, Job, feeds_of, to_integers
from sim.verilated import Verilated

MASK = 2**64 - 1


class SplitMix:
    """Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def happens(self, probability: float) -> bool:
        """Draw, unless the probability is 0; compare the upper half of the number."""
        if not probability:
            return False
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) >> 32 < round(probability * 2**32)


def run(
    dut: Verilated, jobs: list[Job], config: HardwareConfig, idle: float, stall: float, seed: int
) -> tuple[list[int], int]:
    """Return the output words, and the cycles from the first activation to the last of them."""
    random = SplitMix(seed)
    waiting = {
        name: [word for words, times in feed for word in to_integers(words) * times]
        for name, feed in feeds_of(jobs, config).items()
    }
    wanted = sum(job.output_words(config) for job in jobs)
    offered = dict.fromkeys(STREAMS, False)
    for name in STREAMS:
        dut[f"i_{name}__valid"] = 0
    dut["o__ready"] = 0
    dut.reset(2)
    found: list[int] = []
    cycle, first = 0, None
    while len(found) < wanted:
        for name in STREAMS:
            if not offered[name]:
                offered[name] = bool(waiting[name]) and not random.happens(idle)
                dut[f"i_{name}__valid"] = offered[name]
                if offered[name]:
                    dut[f"i_{name}__payload"] = waiting[name][0]
        dut["o__ready"] = not random.happens(stall)
        dut.eval()
        for name in STREAMS:
            if offered[name] and dut[f"i_{name}__ready"]:
                offered[name] = False
                waiting[name].pop(0)
                first = cycle if first is None and name == "activations" else first
        if dut["o__valid"] and dut["o__ready"]:
            found.append(dut["o__payload"])
        dut.clock()
        cycle += 1
    return found, cycle - (first or 0)
