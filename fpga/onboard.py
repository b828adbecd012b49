"""Stages on a board: laid out in its memory, run, and read back."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpga.frames import STREAMS, Register, State
from fpga.gateware.parameters import BoardConfig, stream_bits
from fpga.host import Host
from hwgen.config import HardwareConfig
from hwgen.image import Image, Words, activation_words, image, results, row_tiles
from hwgen.layouts import output_layout
from models.checks import require
from models.stage import Stage

IMAGE = tuple(name for name in STREAMS if name != "activations")
"""Streams of the layer, which a board keeps for all vectors."""

Progress = Callable[[int], object]


@dataclass(frozen=True)
class Plan:
    """Where the words of a run lie in the memory, in beats.

    Attributes
    ----------
    begins : dict of str to int
        First beat of each stream, and of the results.
    tokens : int
        Most vectors of a run.
    """

    begins: dict[str, int]
    tokens: int


@dataclass
class Tally:
    """What runs did, in all.

    Attributes
    ----------
    runs, cycles : int
    starved, stalled : int
        Cycles in which the engine waited for weights, and in which a result waited.
    sent, received : int
        Bytes of the memory.
    """

    runs: int = 0
    cycles: int = 0
    starved: int = 0
    stalled: int = 0
    sent: int = 0
    received: int = 0


class OnBoard:
    """Runs stages on a board, a row tile at a time.

    Attributes
    ----------
    tally : Tally
    """

    def __init__(self, host: Host, config: HardwareConfig, board: BoardConfig) -> None:
        self.tally = Tally()
        self._host = host
        self._config = config
        self._board = board
        self._beats = {name: board.beats(bits) for name, bits in stream_bits(config).items()}

    def run(
        self,
        stage: Stage,
        codes: NDArray[np.integer],
        *,
        exponents: NDArray[np.integer] | None = None,
        chain_bits: int = 16,
        progress: Progress = lambda sent: None,
    ) -> NDArray[np.int64]:
        """Run a stage on input vectors.

        Parameters
        ----------
        codes : integers, (tokens, columns) or (tokens, views, columns)
        exponents : integers, (tokens, groups), or None
            Those of the codes of groups.
        chain_bits : int
            Bits of the codes of a chain's second stage.
        progress : callable
            Told the bytes of each frame sent.

        Returns
        -------
        int64, (tokens, out), or (tokens, views, out) of several views of results

        Raises
        ------
        ValueError
            The circuit cannot run the stage, or the memory cannot hold a row tile of it.
        OSError
            The board does not answer.
        RuntimeError
            The engine got stuck, or a result is not where it should be.
        """
        low, high = self._config.code_range
        require(
            low <= codes.min() and codes.max() <= high,
            "activations", f"be from {low} to {high}", f"{codes.min()} to {codes.max()}",
        )  # fmt: skip
        whole = image(stage, self._config, chain_bits)
        tiles = row_tiles(whole, stage, self._config)
        words = activation_words(codes, stage, self._config, exponents)
        row_words = len(words) // len(codes)
        plan = self._plan(tiles[0], row_words, stage.result_views)
        self._host.stop()
        found = []
        for tile in tiles:
            for name in IMAGE:
                self._send(plan.begins[name], name, getattr(tile, name), progress)
            parts = []
            for start in range(0, len(codes), plan.tokens):
                tokens = min(plan.tokens, len(codes) - start)
                if len(codes) > plan.tokens or tile is tiles[0]:
                    part = words[start * row_words : (start + tokens) * row_words]
                    self._send(plan.begins["activations"], "activations", part, progress)
                self._start(plan, tile, row_words, tokens)
                parts.append(self._results(plan, tokens, stage.result_views))
            found.append(np.concatenate(parts))
        return np.concatenate(found, axis=-1)[..., : stage.out]

    def _plan(self, tile: Image, row_words: int, views: int) -> Plan:
        begins, at = {}, 0
        for name in IMAGE:
            begins[name] = at
            at += len(getattr(tile, name)) * self._beats[name]
        inputs = row_words * self._beats["activations"]
        outputs = self._config.slots * views * self._beats["results"]
        tokens = min((self._board.depth - at) // (inputs + outputs), (1 << 16) - 1)
        need, have = at + inputs + outputs, self._board.depth
        require(
            tokens > 0, "memory of the board",
            f"hold a row tile of the layer, {need} beats (less pe or more depth)", f"{have} beats",
        )  # fmt: skip
        begins["activations"] = at
        begins["results"] = at + tokens * inputs
        return Plan(begins, tokens)

    def _send(self, beat: int, name: str, words: Words, progress: Progress) -> None:
        size = self._beats[name] * self._board.beat_bytes
        padded = np.zeros((len(words), size), np.uint8)
        padded[:, : words.shape[1]] = words
        self._host.write(beat * self._board.banks, padded.tobytes(), progress)
        self.tally.sent += padded.size

    def _start(self, plan: Plan, tile: Image, row_words: int, tokens: int) -> None:
        values = []
        for name in STREAMS:
            own = name == "activations"
            count = row_words * tokens if own else len(getattr(tile, name))
            first = plan.begins[name]
            end = (first + count * self._beats[name]) % self._board.depth
            values += [first, end, (1 if own else tokens) if count else 0]
        self._host.set_registers(Register.VECTORS, [tokens, plan.begins["results"]])
        self._host.set_registers(Register.STREAMS, values)
        self._host.start()

    def _results(self, plan: Plan, tokens: int, views: int) -> NDArray[np.int64]:
        host, board = self._host, self._board
        while (state := host.register(Register.STATE)) & State.BUSY:
            time.sleep(0.001)
        if state & State.STUCK:
            raise RuntimeError("the engine must go on, got a run that the watchdog ended")
        self.tally.runs += 1
        self.tally.cycles += host.register(Register.CYCLES)
        self.tally.starved += host.register(Register.STARVED)
        self.tally.stalled += host.register(Register.STALLED)
        count = tokens * self._config.slots * views
        size = self._beats["results"] * board.beat_bytes
        data = host.read(plan.begins["results"] * board.banks, count * size // 4)
        self.tally.received += len(data)
        words = np.frombuffer(data, np.uint8).reshape(count, size)
        layout = output_layout(self._config)
        byte, bit = divmod(layout.size - 1, 8)
        marks = (words[:, byte] >> bit & 1).reshape(tokens, -1)
        if marks[:, :-1].any() or not marks[:, -1].all():
            raise RuntimeError("the last word of each vector, and only it, must be marked last")
        return results(words[:, : -(-layout.size // 8)], self._config.pe, self._config, views)
