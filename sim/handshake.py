"""Pictures of handshakes: valid, ready and payload of streams, cycle by cycle, as a circuit ran."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from yowasp_wavedrom import render

from hwgen.config import HardwareConfig
from hwgen.image import Words
from hwgen.layouts import activation_layout, output_layout, weight_layout
from sim.cases import random_job
from sim.engine import build
from sim.jobs import STREAMS, Job, feeds_of, from_integers, read_results, to_integers
from sim.streams import Sink, Source
from sim.verilated import Verilated

CIRCUIT = HardwareConfig(
    k=1, pe=2, lanes=2, act_bits=2, columns=4, coef_bits=4, acc_bits=16, requantize_bits=0,
    weight_words=2,
)  # fmt: skip
"""Words of few bits, so that a picture can show them."""

IDLE, STALL = 0.3, 0.5
"""Probabilities of pauses of each source and of the sink."""

CYCLES = 16
"""Of a picture."""

WAITS, PASSES = "3", "4"
"""WaveDrom's colors of a word that is offered and not taken, and of one that passes."""


@dataclass(frozen=True)
class Beat:
    """A stream in one cycle.

    Attributes
    ----------
    valid, ready : bool
    payload : int
        Whatever it is where it is not valid.
    """

    valid: bool
    ready: bool
    payload: int


@dataclass(frozen=True)
class Observed:
    """What was seen of a run.

    Attributes
    ----------
    streams : dict of str to list of Beat
        Of each input and of ``o``, from the first cycle after the reset.
    config : HardwareConfig
    job : Job
        What ran, on which circuit.
    """

    streams: dict[str, list[Beat]]
    config: HardwareConfig
    job: Job


def pictures(seed: int) -> dict[str, str]:
    """Return SVG of one run: of inputs from its first cycle, and of results from their first."""
    seen = observe(CIRCUIT, job_of(CIRCUIT, seed), seed)
    first = next(n for n, beat in enumerate(seen.streams["o"]) if beat.valid)
    starts = {"inputs": (("i_weights", "i_activations"), 0), "results": (("o",), first - 1)}
    return {
        name: picture(seen, streams, range(start, start + CYCLES))
        for name, (streams, start) in starts.items()
    }


def job_of(config: HardwareConfig, seed: int) -> Job:
    """Return a layer of two row tiles and two input vectors."""
    rng = np.random.default_rng(seed)
    out, columns = 2 * config.pe, 2 * config.lanes
    return random_job(rng, config, out=out, columns=columns, group=config.lanes, tokens=2)


def observe(config: HardwareConfig, job: Job, seed: int) -> Observed:
    """Run a job on the Verilated circuit, with random pauses of all sources and of the sink.

    Raises
    ------
    AssertionError
        A result differs from the reference.
    """
    rng = np.random.default_rng(seed)
    feeds = feeds_of([job], config)
    sources = {name: Source(_integers(feeds[name]), IDLE, rng) for name in STREAMS}
    sink = Sink(STALL, rng)
    seen: dict[str, list[Beat]] = {f"i_{name}": [] for name in STREAMS} | {"o": []}
    with Verilated(build(config)) as dut:
        for name in STREAMS:
            dut[f"i_{name}__valid"] = 0
        dut["o__ready"] = 0
        dut.reset(2)
        while len(sink.words) < job.output_words(config):
            for name, source in sources.items():
                word = source.offer()
                dut[f"i_{name}__valid"] = int(word is not None)
                dut[f"i_{name}__payload"] = word or 0
            dut["o__ready"] = int(sink.ready())
            dut.eval()
            for name, beats in seen.items():
                valid, ready = bool(dut[f"{name}__valid"]), bool(dut[f"{name}__ready"])
                beats.append(Beat(valid, ready, dut[f"{name}__payload"]))
            for name, source in sources.items():
                source.end_cycle(seen[f"i_{name}"][-1].ready)
            sink.end_cycle(seen["o"][-1].payload if seen["o"][-1].valid else None)
            dut.clock()
    (got,) = read_results(from_integers(sink.words, config), [job], config)
    if not np.array_equal(got, job.expected()):
        raise AssertionError("results must equal the reference")
    return Observed(seen, config, job)


def _integers(feed: Sequence[tuple[Words, int]]) -> list[int]:
    return [word for words, times in feed for word in to_integers(words) * times]


def shown(name: str, payload: int, config: HardwareConfig) -> str:
    """Return a payload in the terms of its stream: bits, or the integers that it holds."""
    if name == "i_weights":
        return f"{payload:0{weight_layout(config).size}b}"
    layout = activation_layout(config) if name == "i_activations" else output_layout(config)
    word = layout.from_bits(payload)
    text = ", ".join(map(str, word["values"]))
    return f"{text} last" if word["last"] else text


def picture(seen: Observed, names: Sequence[str], cycles: range) -> str:
    """Return SVG of some streams in some cycles of a run.

    A payload is drawn while it is valid: in one color while it waits, in another where it passes.
    """
    groups = [_lanes(name, [seen.streams[name][n] for n in cycles], seen.config) for name in names]
    signals = [{"name": "clk", "wave": _held("p" * len(cycles))}, *groups]
    head = {"tick": cycles.start, "every": 2}
    return render({"signal": signals, "head": head, "config": {"hscale": 2}}) + "\n"


def _lanes(name: str, beats: list[Beat], config: HardwareConfig) -> list[object]:
    """Return the three signals of a stream for WaveDrom."""
    states = [(PASSES if one.ready else WAITS) if one.valid else "x" for one in beats]
    boxes = [
        None if n and state == states[n - 1] == WAITS else state for n, state in enumerate(states)
    ]
    return [
        name,
        {"name": "valid", "wave": _held("".join(str(int(one.valid)) for one in beats))},
        {"name": "ready", "wave": _held("".join(str(int(one.ready)) for one in beats))},
        {
            "name": "payload",
            "wave": "".join("." if box is None else box for box in boxes),
            "data": [
                shown(name, one.payload, config)
                for one, box in zip(beats, boxes, strict=True)
                if box in (WAITS, PASSES)
            ],
        },
    ]


def _held(wave: str) -> str:
    """Write what stays as it was the way WaveDrom does."""
    pairs = zip(" " + wave, wave, strict=False)
    return "".join("." if new == old else new for old, new in pairs)
