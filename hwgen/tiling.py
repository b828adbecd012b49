"""The loop nest that runs a layer: row tiles, groups, words, views, terms, activation digits.

The sequencer counts with it, the memory image is ordered by it, and the cycle count is its
product; the order of the loops is written nowhere else.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig, signed_width
from hwgen.folded import folded
from hwgen.weights import passes
from models.codes import Activation
from models.integers import code_magnitude
from models.stage import Stage


def _must(holds: bool, subject: str, rule: str, got: object) -> None:
    if not holds:
        raise ValueError(f"{subject} must {rule}, got {got}")


@dataclass(frozen=True)
class Tiling:
    """How often each loop runs, outermost first.

    One innermost step is one cycle in which every processing element works. A weight word (``k``
    planes of ``pe`` rows and ``lanes`` columns) is fetched once and serves ``views * terms *
    digits`` steps. A group takes whole words; the last group of a row may take fewer. Scalers take
    a sum of every row in ``slots`` cycles.
    """

    row_tiles: int
    groups: int
    group_words: int
    tail_words: int
    terms: int
    digits: int
    views: int = 1
    slots: int = 1

    @classmethod
    def of(cls, stage: Stage, config: HardwareConfig, chain_bits: int = 16) -> "Tiling":
        """Lay a stage over a circuit.

        Parameters
        ----------
        chain_bits : int
            Bits of the inputs of a chain's second stage.

        Raises
        ------
        ValueError
            The circuit cannot run the stage; the text says which parameter it would need.
        """
        stage = folded(stage, config.coef_bits)
        if config.kind == "popcount":
            rule = f"be at most the circuit's {config.k}"
            _must(stage.k <= config.k, "k of the layer", rule, stage.k)
        rule = f"be at most the circuit's {config.views}"
        _must(stage.views <= config.views, "views of the layer", rule, stage.views)
        terms, most = len(passes(stage, config)), config.most_terms
        what = (
            "terms of the layer, opposite ones together,"
            if config.signed_weights
            else "terms of the layer"
        )
        _must(terms <= most, what, f"be at most {most}", terms)
        _must(stage.out <= config.rows, "rows of the layer", f"be at most {config.rows}", stage.out)
        cls._check_codes(stage, config, chain_bits)
        tiling = cls.shaped(stage.out, stage.columns, stage.group, terms, config, stage.views)
        words, rule = config.buffer_words, "fit the activation buffer of"
        need = tiling.row_words * tiling.views
        _must(need <= words, "inputs of the layer", f"{rule} {words} words", f"{need} words")
        need = stage.accumulator_bits(config.code_magnitude)
        rule = f"be at least {need} for the layer"
        _must(need <= config.acc_bits, "acc_bits", rule, config.acc_bits)
        cls._check_coefficients(stage, config)
        return tiling

    @classmethod
    def shaped(
        cls,
        out: int,
        columns: int,
        group: int,
        terms: int,
        config: HardwareConfig,
        views: int = 1,
    ) -> "Tiling":
        """Lay a matrix of such a shape over a circuit, whether the circuit can run it or not."""
        groups = ceil(columns / group)
        return cls(
            row_tiles=ceil(out / config.pe),
            groups=groups,
            group_words=ceil(group / config.lanes),
            tail_words=ceil((columns - group * (groups - 1)) / config.lanes),
            terms=terms,
            digits=config.digits,
            views=views,
            slots=config.slots,
        )

    @staticmethod
    def _check_coefficients(stage: Stage, config: HardwareConfig) -> None:
        words: list[NDArray[np.integer]] = [stage.spread_coefficients(), stage.spread_offset()]
        if stage.requantize is not None:
            bits, views = config.requantize_bits, len(stage.requantize.row_scale)
            _must(
                stage.requantize.bits == bits,
                "requantized bits of the layer", f"be the circuit's {bits}", stage.requantize.bits,
            )  # fmt: skip
            rule = f"be the layer's {stage.views} on a circuit"
            _must(views == stage.views, "views of the next layer", rule, views)
            words.append(stage.requantize.row_scale)
        need = max(signed_width(int(w.min()), int(w.max())) for w in words)
        rule = f"be at least {need} for the layer"
        _must(need <= config.coef_bits, "coef_bits", rule, config.coef_bits)

    @staticmethod
    def _check_codes(stage: Stage, config: HardwareConfig, chain_bits: int) -> None:
        codes = stage.codes
        signed = codes.signed if isinstance(codes, Activation) else True
        bits = chain_bits if codes is None else codes.bits
        _must(
            bits <= config.act_bits,
            "activation bits of the layer", f"be at most the circuit's {config.act_bits}", bits,
        )  # fmt: skip
        fits = not signed and code_magnitude(bits, signed) <= config.code_range[1]
        _must(
            signed == config.act_signed or fits,
            "act_signed", f"be {signed} for the layer", config.act_signed,
        )  # fmt: skip
        exponents = codes.exponents if isinstance(codes, Activation) else 0
        rule = f"be at most the circuit's {config.exponents}"
        _must(exponents <= config.exponents, "exponents of the layer", rule, exponents)

    @property
    def row_words(self) -> int:
        """Weight words of a row tile, and activation words of each view of an input vector."""
        return (self.groups - 1) * self.group_words + self.tail_words

    @property
    def words(self) -> int:
        """Weight words of the layer."""
        return self.row_tiles * self.row_words

    @property
    def steps(self) -> int:
        """Cycles in which the array works."""
        return self.words * self.views * self.terms * self.digits

    @property
    def pauses(self) -> int:
        """Cycles in which a vector that follows another waits for scalers.

        The sums of a group's terms end ``slots`` cycles apart at least, in each view; those of the
        last word come ``digits`` steps apart, and the first of them after all words before.
        """
        groups = (self.groups - 1) * self._pause(self.group_words) + self._pause(self.tail_words)
        between = max(0, self.slots - self.digits) * (self.views * self.terms - 1)
        return self.row_tiles * (groups + self.groups * between)

    @property
    def first_pause(self) -> int:
        """What of these a vector does not wait that comes first.

        No sums are before its own, but the coefficients of those take ``slots`` cycles to come.
        """
        return min(2, self._pause(self.group_words if self.groups > 1 else self.tail_words))

    def _pause(self, words: int) -> int:
        """Return how long the first sums of a group wait for those of the group before."""
        passes = self.views * self.terms
        return max(0, self.slots - self.digits * ((words - 1) * passes + 1))

    @property
    def cycles(self) -> int:
        """Cycles of a vector that follows another."""
        return self.steps + self.pauses
