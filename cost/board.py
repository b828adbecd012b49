"""A board: time by its clock and memory; joules by the watts that it draws, as measured.

No price of an FPGA's logic is known to us.
"""

from functools import cache

from cost.engine import Chip, Token, cache_bytes, feeding, work_of
from cost.gpu import model_bytes
from cost.interval import Interval
from cost.prices import Price, Prices
from cost.storage import Storage
from cost.technology import memories
from cost.terms import Term
from cost.workload import Shape
from fpga.boards import board_of
from models.checks import require


@cache
def memory_of(name: str) -> Prices:
    """Return how fast a board's memory is; what its bits cost is not known, and not to be read.

    Raises
    ------
    ValueError
        There is no such board, or it has no memory.
    """
    memory = board_of(name).memory
    if memory is None:
        raise ValueError(f"board {name} must have a memory to stream weights from, got none")
    reached = memories()["ddr3-1600x16"]["reached"]
    bandwidth = Price("bandwidth", Interval.of(memory.bytes_per_second), "B/s", memory.source)
    free = Price("energy", Interval(0, 0), "pJ", "not known")
    return Prices(memory.name, {"bandwidth": bandwidth, "reached": reached, "energy": free})


def on_board(
    model: Shape, storage: Storage, head: Storage, chip: Chip, context: int, watts: Price
) -> Token:
    """Return what one token costs on a board, batch 1.

    Parameters
    ----------
    chip : Chip
        With the board's memory; of its technology the name is the board's, prices are not asked.
    watts : Price
        Of the whole board.

    Raises
    ------
    ValueError
        The weights and the cache do not fit the board's memory.
    """
    name = chip.technology.name
    memory = board_of(name).memory
    size = memory.size if memory else 0
    held = model_bytes(model, storage, head) + cache_bytes(model, context)
    rule = f"fit the {size / 1e6:.4g} MB of {name}"
    require(held <= size, f"{model.name} in {storage.name}", rule, f"{held / 1e6:.4g} MB")
    work = work_of(model, storage, head, chip, context)
    terms = [Term("board", "power of the whole board: s", work.seconds, watts)]
    return Token(work.seconds, terms, work.compute, work.transfer, work.bytes, Interval(0, 0),
                 feeding(work, chip))  # fmt: skip
