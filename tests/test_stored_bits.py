"""Stored bits of every kind of layer, counted by hand."""

import numpy as np
from builders import KINDS


def test_stored_bits_of_planes_and_row_scales() -> None:
    layer = KINDS["bitnet"](np.random.default_rng(0), 4, 33)
    # two planes without padding; 2 coefficients; 1 scale; 4 biases
    assert layer.stored_bits == 2 * 4 * 33 + 2 * 16 + 32 + 4 * 32
    assert layer.bits_per_weight == layer.stored_bits / 132


def test_stored_bits_in_base_3() -> None:
    layer = KINDS["ternary_base3"](np.random.default_rng(0), 4, 33)
    # 7 bytes a row; a byte for each of 5 groups; the mix; row scales
    assert layer.stored_bits == 4 * 7 * 8 + 4 * 5 * 8 + 3 * 8 + 4 * 32


def test_stored_bits_of_a_table() -> None:
    layer = KINDS["sbvr"](np.random.default_rng(0), 4, 33)
    # four planes; 9 entries of 4; an index for each of 5 groups; row scales
    assert layer.stored_bits == 4 * 4 * 33 + 9 * 4 * 16 + 4 * 5 * 8 + 4 * 32
    wide = KINDS["sbvr_uint16"](np.random.default_rng(0), 4, 33)
    assert wide.stored_bits == layer.stored_bits + 4 * 5 * 8


def test_stored_bits_of_a_mix() -> None:
    layer = KINDS["mixed_signs"](np.random.default_rng(0), 4, 33)
    # three planes; 3 bytes for each of 4 groups; the mix; row scales
    assert layer.stored_bits == 3 * 4 * 33 + 4 * 4 * 3 * 8 + 3 * 4 * 8 + 4 * 32
    table = KINDS["mixed_table"](np.random.default_rng(0), 4, 33)
    assert table.stored_bits == 2 * 4 * 33 + 7 * 2 * 8 + 4 * 6 * 8 + 2 * 3 * 8 + 4 * 32


def test_stored_bits_of_chains() -> None:
    layer = KINDS["mdbf"](np.random.default_rng(0), 4, 33)
    inner = 6
    first = inner * 33 + 2 * inner * (16 + 16) + 2 * 33 * 32  # planes; factors; column scales
    last = 4 * inner + 2 * 4 * (16 + 16)
    assert layer.stored_bits == first + 2 * inner * 16 + last + 32  # row scales; one output scale


def test_stored_bits_of_everything_else() -> None:
    rng = np.random.default_rng(0)
    routed = KINDS["binary_mos"](rng, 4, 33)
    assert routed.stored_bits == 4 * 33 + 16 + 16 + 4 * 32 * (33 + 33 + 4)
    turned = KINDS["sdq_hadamard"](rng, 4, 33)
    assert turned.stored_bits == 2 * 4 * 40 + 4 * 5 * 3 * 16 + 8 * 8 + 4 * 32
    mapped = KINDS["sdq_matrix"](rng, 4, 33)
    assert mapped.stored_bits == 2 * 4 * 54 + 4 * 6 * 3 * 16 + 9 * 6 * 16 + 4 * 32
    gathered = KINDS["billm"](rng, 4, 33)
    salient = 2 * 4 * 12 + 4 * 3 * 16 + 12 * 32 + 4 * 32
    assert gathered.stored_bits == 2 * 4 * 33 + 4 * 3 * 4 * 16 + 4 * 32 + salient
    counted = KINDS["xnor"](rng, 4, 33)
    assert counted.stored_bits == 4 * 33 + 16 + 16 + 4 * 64 + 4 * 32
