"""Configurations to try: small ones with any parameter anywhere in its range, and wrong ones."""

from typing import Any

from hypothesis import strategies as st

from hwgen.config import BUSES, KINDS, MAPPINGS

WRONG: dict[str, tuple[Any, ...]] = {
    "k": (0, 17),
    "pe": (0, 4097),
    "lanes": (0, 1025),
    "act_bits": (0, 17),
    "kind": ("count",),
    "mapping": ("ice40",),
    "digit": (-1, 17),
    "table": (1, 5),
    "stage_every": (-1, 11),
    "terms": (-1, 65),
    "views": (0, 17),
    "exponents": (-1, 16),
    "columns": (0, 1 << 18),
    "rows": (0, 1 << 25),
    "coef_bits": (1, 17),
    "acc_bits": (1, 65),
    "share": (-1, 4097),
    "requantize_bits": (1, 17),
    "weight_words": (1, 1 << 17),
    "bus": ("wishbone",),
    "stream_bits": (-8, 12, 5000),
    "layer_queue": (0, 256),
}
"""Values of each parameter that no configuration may have."""


@st.composite
def parameters(draw: st.DrawFn) -> dict[str, Any]:
    """Draw parameters; shrinking leads to few lanes and elements, and to the plainest kind."""
    kind = draw(st.sampled_from(KINDS))
    ternary = draw(st.booleans())
    act_bits = draw(st.integers(1, 9))
    lanes = draw(st.integers(1, 13))
    bus = draw(st.sampled_from(BUSES))
    planes = st.sampled_from((2, 4)) if kind != "popcount" and ternary else st.integers(1, 4)
    chosen = {
        "k": draw(planes),
        "pe": draw(st.integers(1, 6)),
        "lanes": lanes,
        "act_bits": act_bits,
        "act_signed": act_bits > 1 and draw(st.booleans()),
        "kind": kind,
        "digit": draw(st.integers(0, act_bits)),
        "ternary": ternary,
        "table": draw(st.integers(2, 4)),
        "stage_every": draw(st.integers(0, 3)),
        "mapping": draw(st.sampled_from(MAPPINGS)),
        "terms": draw(st.integers(0, 3)),
        "views": draw(st.sampled_from((1, 1, 2, 3))),
        "exponents": draw(st.sampled_from((0, 0, 2))),
        "columns": lanes * draw(st.integers(1, 6)) - draw(st.integers(0, lanes - 1)),
        "rows": draw(st.integers(18, 64)),
        "coef_bits": draw(st.integers(2, 16)),
        "acc_bits": draw(st.sampled_from((48, 40, 56, 64))),
        "share": draw(st.sampled_from((0, 0, 1, 2, 3, 5))),
        "requantize_bits": draw(st.sampled_from((0, 8, 2, 13))),
        "weight_words": draw(st.integers(2, 5)),
        "bus": bus,
        "stream_bits": draw(st.sampled_from((0, 8, 24, 64))) if bus == "axi" else 0,
        "layer_queue": draw(st.integers(1, 4)),
    }
    if draw(st.integers(0, 7)) == 7:
        name = draw(st.sampled_from(sorted(WRONG)))
        chosen[name] = draw(st.sampled_from(WRONG[name]))
    return chosen
