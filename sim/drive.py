"""Ready/valid streams of a Verilated module, fed and read by compiled code: see ``drive.cpp``."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from ctypes import POINTER, Structure, addressof, byref, c_uint64, c_void_p
from dataclasses import dataclass

import numpy as np

from hwgen.image import Words
from sim.memory import Behind
from sim.verilated import Verilated

Feed = Sequence[tuple[Words, int]]
"""What a stream gets: words, all of them so many times; then the next ones."""

Event = tuple[int, Callable[[], object]]
"""Something to do before a cycle."""

PATIENCE = 100_000
"""Cycles without a transfer after which the module counts as stuck."""

_ALL = 2**64 - 1

_CYCLES_PER_CALL = 1 << 15  # how many an interrupt waits for


class _Segment(Structure):
    _fields_ = (("words", c_void_p), ("count", c_uint64), ("times", c_uint64))


class _Source(Structure):
    _fields_ = (
        ("valid", c_void_p), ("ready", c_void_p), ("payload", c_void_p), ("bytes", c_uint64),
        ("segments", POINTER(_Segment)), ("segments_left", c_uint64),
        ("time", c_uint64), ("word", c_uint64),
        ("moved", c_uint64), ("first", c_uint64), ("last", c_uint64), ("offered", c_uint64),
        ("room", c_uint64), ("requested", c_uint64), ("arrived", c_uint64),
    )  # fmt: skip


class _Sink(Structure):
    _fields_ = (
        ("valid", c_void_p), ("ready", c_void_p), ("payload", c_void_p), ("bytes", c_uint64),
        ("words", c_void_p), ("wanted", c_uint64), ("moved", c_uint64), ("last", c_uint64),
    )  # fmt: skip


class _Drive(Structure):
    _fields_ = (
        ("clk", c_void_p), ("memory", c_void_p),
        ("sources", POINTER(_Source)), ("source_count", c_uint64), ("sink", _Sink),
        ("cycle", c_uint64), ("idle", c_uint64), ("stall", c_uint64), ("random", c_uint64),
    )  # fmt: skip


@dataclass(frozen=True)
class Driven:
    """What a module put out.

    Attributes
    ----------
    words : Words
    cycles : int
        From the first cycle to that of the last output word.
    first : dict of str to int
        The cycle in which the first word of each input stream passed, if any did.
    """

    words: Words
    cycles: int
    first: dict[str, int]


def drive(
    dut: Verilated,
    feeds: Mapping[str, Feed],
    output: str,
    wanted: int,
    *,
    idle: float = 0.0,
    stall: float = 0.0,
    seed: int = 0,
    memory: Behind | None = None,
    events: Sequence[Event] = (),
    progress: Callable[[int], object] = lambda words: None,
) -> Driven:
    """Feed streams until so many words have come out.

    A stream ``s`` is the ports ``s__valid``, ``s__ready`` and ``s__payload``. Inputs are settled
    before each rising edge of ``clk``; a word passes in each cycle in which valid and ready are
    high there.

    Parameters
    ----------
    feeds : dict of str to Feed
        Input streams.
    output : str
        The output stream.
    idle, stall : float
        Probability that an input pauses before a word, and that the output refuses one, in a
        cycle.
    memory : Behind or None
        Where the words of some streams come from, numbered as in ``feeds``; all others are there.
    events : sequence of (cycle, callable)
        What to do before a cycle, cycles in order; none after the last output word.
    progress : callable
        Told the number of output words from time to time.

    Raises
    ------
    RuntimeError
        The module is stuck, or stopped itself.
    """
    rows = [  # the compiled code reads words one after the other
        [(np.ascontiguousarray(words), times) for words, times in feed if words.size]
        for feed in feeds.values()
    ]
    keep = [
        [_Segment(words.ctypes.data, len(words), times) for words, times in feed] for feed in rows
    ]
    sources = (_Source * len(feeds))(*[
        _Source(
            *_stream(dut, name),
            segments=(_Segment * len(segments))(*segments),
            segments_left=len(segments),
            arrived=_ALL,
        )
        for name, segments in zip(feeds, keep, strict=True)
    ])
    if memory:
        for number in memory.sources:
            sources[number].arrived = 0
            tile = int(memory.tile_words[number])
            sources[number].room = memory.spec.room(sources[number].bytes, tile)
    ports = _stream(dut, output)
    words = np.zeros((wanted, ports[-1]), np.uint8)
    state = _Drive(
        clk=dut.address("clk"),
        memory=addressof(memory.state) if memory else None,
        sources=sources,
        source_count=len(sources),
        sink=_Sink(*ports, words=words.ctypes.data, wanted=wanted),
        idle=round(idle * 2**32),
        stall=round(stall * 2**32),
        random=seed,
    )
    waiting = deque(events)
    while state.sink.moved < wanted:
        while waiting and waiting[0][0] <= state.cycle:
            waiting.popleft()[1]()
        most = waiting[0][0] - state.cycle if waiting else _CYCLES_PER_CALL
        dut.call("dut_drive", byref(state), min(most, _CYCLES_PER_CALL))
        progress(state.sink.moved)
        latest = max(state.sink.last, *(source.last for source in sources))
        if state.cycle - latest > PATIENCE:
            raise RuntimeError(f"the circuit must go on, got {PATIENCE} cycles of nothing")
    first = {
        name: source.first for name, source in zip(feeds, sources, strict=True) if source.moved
    }
    return Driven(words, state.cycle, first)


def _stream(dut: Verilated, name: str) -> tuple[int, int, int, int]:
    """Return the addresses of a stream's ports, and the bytes of its words."""
    valid, ready, payload = (dut.address(f"{name}__{part}") for part in _PARTS)
    return valid, ready, payload, -(-dut.ports[f"{name}__payload"].width // 8)


_PARTS = ("valid", "ready", "payload")
