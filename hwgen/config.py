"""Parameters of the generated circuit, and the widths that follow from them."""

from dataclasses import dataclass, field
from math import ceil
from typing import TypeVar

from models.checks import require
from models.integers import code_magnitude, code_range

T = TypeVar("T")

KINDS = ("popcount", "addsub", "lut")
"""What a processing element does with a digit of each activation: see ``docs/architecture.md``."""

MAPPINGS = ("plain", "ecp5")
"""How its adders are written: as sums, or in the cells of a technology."""

BUSES = ("stream", "axi")
"""What the outermost module speaks: plain streams, or AXI4-Stream and AXI4-Lite."""


def parameter(default: T, text: str, choices: tuple[str, ...] = ()) -> T:
    """Declare a parameter with its default, its help text, and the words it may be."""
    return field(default=default, metadata={"help": text, "choices": choices})


def signed_width(low: int, high: int) -> int:
    """Bits of a two's complement number from ``low`` to ``high``."""
    return 1 + max((end if end >= 0 else ~end).bit_length() for end in (low, high))


@dataclass(frozen=True)
class HardwareConfig:
    """Everything that decides the shape of the circuit, and nothing about a particular layer."""

    k: int = parameter(2, "weight planes in a word: up to 16, or as many pairs of ternary ones")
    pe: int = parameter(64, "processing elements, one output row each")
    lanes: int = parameter(32, "activations per processing element and cycle")
    act_bits: int = parameter(8, "bits of an activation")
    act_signed: bool = parameter(True, "activations are two's complement")
    kind: str = parameter("popcount", "what a processing element does with activations", KINDS)
    digit: int = parameter(0, "activation bits a cycle; 0 is 1 for popcount, else all")
    ternary: bool = parameter(True, "weights of addsub and lut are ternary, of two planes each")
    table: int = parameter(2, "lanes that share a table of lut")
    stage_every: int = parameter(0, "adder levels between registers; 0 is all of them")
    mapping: str = parameter("plain", "what adders are made of", MAPPINGS)
    terms: int = parameter(0, "most terms of a layer; 0 is as many as weights in a word")
    views: int = parameter(1, "most views of a layer's activations")
    exponents: int = parameter(0, "largest exponent of a group's activations; 0 for none")
    columns: int = parameter(2048, "most inputs of a layer")
    rows: int = parameter(1 << 18, "most outputs of a layer")
    coef_bits: int = parameter(16, "bits of a coefficient, an offset and a row scale")
    acc_bits: int = parameter(48, "bits of an accumulator")
    share: int = parameter(0, "most rows that share a scaler; 0 is as many as never make it wait")
    requantize_bits: int = parameter(8, "bits of a requantized output; 0 leaves the unit out")
    weight_words: int = parameter(16, "weight words held ahead")
    link: bool = parameter(False, "results of a chain's first stage go to its second inside")
    bus: str = parameter("stream", "what the outermost module speaks", BUSES)
    stream_bits: int = parameter(0, "bits of an AXI4-Stream port; 0 is as many as its word has")
    layer_queue: int = parameter(4, "layers that wait behind the bus")

    def __post_init__(self) -> None:
        self._check("pe", 1, 4096)
        self._check("lanes", 1, 1024)
        self._check("act_bits", 1, 16)
        self._check_kind()
        self._check("digit", 1, self.act_bits)
        self._check("share", 0, 4096)
        most = (1 << self.k) - 1 if self.kind == "popcount" else self.weights
        self._check("terms", 0, min(64, most))
        self._check("views", 1, 16)
        self._check("exponents", 0, 15)
        self._check("columns", 1, 1 << 17)
        self._check("rows", 1, 1 << 24)
        self._check("coef_bits", 2, 16)
        if self.requantize_bits:
            self._check("requantize_bits", 2, 16)
        self._check("acc_bits", max(self.dot_bits, self.requantize_bits), 64)
        self._check("weight_words", 2, 1 << 16)
        self._check_bus()
        if self.act_bits == 1 and self.act_signed:
            raise ValueError("act_bits must be 2 or more for signed activations, got 1")
        if self.link:
            self.check_link()

    def check_link(self) -> None:
        """Raise ``ValueError`` unless results can be linked to activations."""
        pe, lanes, scalers, bits = self.pe, self.lanes, self.scalers, self.requantize_bits
        rule = f"be at most the {self.digits} digits of an activation to link"
        require(not self.gathers, "share", rule, self.share)
        rule = f"be a multiple of the {scalers} scalers to link"
        require(pe % scalers == 0, "pe", rule, pe)
        require(lanes % scalers == 0, "lanes", rule, lanes)
        rule = f"divide the {pe} processing elements or be a multiple of them to link"
        require(pe % lanes == 0 or lanes % pe == 0, "lanes", rule, lanes)
        rule = f"be from 2 to the activations' {self.act_bits} to link"
        require(2 <= bits <= self.act_bits, "requantize_bits", rule, bits)
        require(self.act_signed, "act_signed", "be True to link", self.act_signed)

    def _check(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise ValueError(f"{name} must be from {low} to {high}, got {value}")

    def _check_kind(self) -> None:
        require(self.kind in KINDS, "kind", f"be one of {', '.join(KINDS)}", self.kind)
        require(
            self.mapping in MAPPINGS, "mapping", f"be one of {', '.join(MAPPINGS)}", self.mapping
        )
        if self.digit == 0:
            object.__setattr__(self, "digit", 1 if self.kind == "popcount" else self.act_bits)
        self._check("k", 1, 32 if self.signed_weights else 16)
        if self.signed_weights:
            rule = "be even for ternary weights (or use --no-ternary)"
            require(self.k % 2 == 0, "k", rule, self.k)
        self._check("table", 2, 4)
        self._check("stage_every", 0, 10)

    def _check_bus(self) -> None:
        require(self.bus in BUSES, "bus", f"be one of {', '.join(BUSES)}", self.bus)
        self._check("stream_bits", 0, 4096)
        whole = self.stream_bits % 8 == 0
        require(whole, "stream_bits", "be a multiple of 8", self.stream_bits)
        rule = "be 0 on plain streams (or use --bus axi)"
        require(self.bus == "axi" or not self.stream_bits, "stream_bits", rule, self.stream_bits)
        self._check("layer_queue", 1, 255)
        require(self.bus == "stream" or not self.link, "bus", "be stream to link", self.bus)

    @property
    def signed_weights(self) -> bool:
        """Weights are -1, 0 or +1; otherwise 0 or 1."""
        return self.kind != "popcount" and self.ternary

    @property
    def top(self) -> str:
        """Name of the outermost Verilog module."""
        return "top" if self.bus == "stream" else f"top_{self.bus}"

    @property
    def weights(self) -> int:
        """Weights of each row and column in a word: one for each term, but for monomials."""
        return self.k // 2 if self.signed_weights else self.k

    @property
    def most_terms(self) -> int:
        """Terms that a layer can have: passes over its words."""
        return self.terms or self.weights

    @property
    def view_bits(self) -> int:
        """Bits of the number of a view."""
        return (self.views - 1).bit_length()

    @property
    def digits(self) -> int:
        """Digits of an activation: the cycles of a term."""
        return ceil(self.act_bits / self.digit)

    @property
    def scalers(self) -> int:
        """Rows scaled at once: unless rows share them, as many as keep up with the array."""
        return ceil(self.pe / (self.share or self.digits))

    @property
    def slots(self) -> int:
        """Cycles in which the scalers take one sum from every processing element."""
        return ceil(self.pe / self.scalers)

    @property
    def gathers(self) -> bool:
        """Rows add up the words of a group themselves, as scalers take only sums of groups."""
        return self.slots > self.digits

    @property
    def buffer_words(self) -> int:
        """Activation words of one input vector, all views together, that fit the buffer."""
        return ceil(self.columns / self.lanes)

    @property
    def most_row_tiles(self) -> int:
        """Row tiles that a layer can have."""
        return ceil(self.rows / self.pe)

    @property
    def code_magnitude(self) -> int:
        """Largest magnitude of an activation."""
        return code_magnitude(self.act_bits, self.act_signed)

    @property
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest activation."""
        return code_range(self.act_bits, self.act_signed)

    @property
    def digit_range(self) -> tuple[int, int]:
        """Smallest and largest digit: two's complement in the top one of signed activations.

        A single bit is 0 or 1, also where it is the sign.
        """
        if self.digit == 1:
            return 0, 1
        if self.digits == 1:
            return self.code_range
        return code_range(self.digit, self.act_signed)[0], (1 << self.digit) - 1

    @property
    def lane_range(self) -> tuple[int, int]:
        """Smallest and largest product of an activation and a weight."""
        low, high = self.code_range
        return (-max(-low, high), max(-low, high)) if self.signed_weights else (low, high)

    @property
    def dot_bits(self) -> int:
        """Signed width of the sum of one word's products, or activations."""
        low, high = self.lane_range
        return signed_width(self.lanes * low, self.lanes * high)

    @property
    def sum_bits(self) -> int:
        """Signed width of the sum of a group's products, or activations."""
        low, high = self.lane_range
        most = self.buffer_words * self.lanes
        return signed_width(most * low, most * high)

    @property
    def counts(self) -> bool:
        """Processing elements count ones in carry cells, with three lanes and more to a cell."""
        return self.mapping == "ecp5" and self.kind == "popcount" and self.digit == 1

    @property
    def table_groups(self) -> int:
        """Tables of lut: groups of lanes."""
        return ceil(self.lanes / self.table)

    @property
    def levels(self) -> int:
        """Levels of the adder tree."""
        if self.counts:
            return max(1, (self.lanes - 1).bit_length() - 1)
        nodes = self.table_groups if self.kind == "lut" else self.lanes
        return (nodes - 1).bit_length()

    @property
    def select_stages(self) -> int:
        """Cycles in which weights choose among operands before these are added up."""
        if self.counts:
            return 0
        return int(self.kind == "lut" or self.mapping == "ecp5")

    @property
    def depth(self) -> int:
        """Cycles of a processing element beyond the three that every kind needs."""
        registers = ceil(self.levels / self.stage_every) if self.stage_every else 1
        return self.select_stages + max(1, registers) - 1

    @property
    def weight_places(self) -> int:
        """Words that the weight buffer holds: a place is free for the next word after 3 cycles."""
        return max(self.weight_words, 3) if self.digits == 1 else self.weight_words

    @property
    def output_bundles(self) -> int:
        """Row tiles that the output buffer holds: enough to hide the way through the pipeline."""
        return 2 + ceil((self.latency + 2) / max(self.digits, self.slots))

    @property
    def parameter_bundles(self) -> int:
        """Row tiles' worth of coefficients, offsets or scales held ahead: as many as of results."""
        return self.output_bundles

    @property
    def latency(self) -> int:
        """Cycles of a layer beyond its steps: from the first input to the last output, both in."""
        more = (self.exponents > 0) + self.gathers + self.requantize_cycles
        return 18 + self.depth + self.slots + more

    @property
    def requantize_cycles(self) -> int:
        """Cycles from a total to its result."""
        return 7 if self.requantize_bits else 1
