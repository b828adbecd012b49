"""Allocation of bits against all assignments there are, and its bounds."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.allocation import Candidate, Choices, allocate

CANDIDATES = st.lists(
    st.builds(Candidate, st.just("f"), st.integers(0, 40), st.integers(0, 60).map(float)),
    min_size=1, max_size=4,
)  # fmt: skip
LAYERS = st.lists(st.builds(Choices, st.integers(1, 9), CANDIDATES), min_size=1, max_size=4)


def bits_of(chosen: dict[str, Candidate]) -> int:
    return sum(candidate.bits for candidate in chosen.values())


def loss_of(chosen: dict[str, Candidate]) -> float:
    return sum(candidate.loss for candidate in chosen.values())


@given(layers=LAYERS, room=st.integers(0, 80))
def test_the_loss_is_within_a_step_of_the_least(layers: list[Choices], room: int) -> None:
    named = {str(n): layer for n, layer in enumerate(layers)}
    weights = sum(layer.weights for layer in layers)
    least_bits = sum(min(one.bits for one in layer.candidates) for layer in layers)
    chosen = allocate(named, (least_bits + room) / weights)
    assert chosen.keys() == named.keys()
    assert all(chosen[name] in layer.candidates for name, layer in named.items())
    assert bits_of(chosen) <= least_bits + room
    every = product(*(layer.candidates for layer in layers))
    fits = [pick for pick in every if sum(one.bits for one in pick) <= least_bits + room]
    least = min(sum(one.loss for one in pick) for pick in fits)
    step = max(
        max(one.loss for one in layer.candidates) - min(one.loss for one in layer.candidates)
        for layer in layers
    )
    assert least <= loss_of(chosen) <= least + step
    for name, layer in named.items():  # nothing that would fit is left undone
        for other in layer.candidates:
            if bits_of(chosen) - chosen[name].bits + other.bits <= least_bits + room:
                assert other.loss >= chosen[name].loss


@given(layers=LAYERS, room=st.integers(0, 80))
def test_no_assignment_of_as_many_bits_is_better_where_a_step_ends(
    layers: list[Choices], room: int
) -> None:
    """With candidates on their hull in equal steps, as planes are, the choice is the best."""
    even = {
        str(n): Choices(layer.weights, [
            Candidate("f", 10 * k, 100.0 * layer.weights * 0.4**k) for k in range(4)
        ])
        for n, layer in enumerate(layers)
    }  # fmt: skip
    budget = room // 10 * 10
    weights = sum(layer.weights for layer in layers)
    chosen = allocate(even, budget / weights)
    every = product(*(layer.candidates for layer in even.values()))
    least = min(
        sum(one.loss for one in pick) for pick in every if sum(one.bits for one in pick) <= budget
    )
    assert loss_of(chosen) == pytest.approx(least)


def test_bits_go_where_they_are_worth_most() -> None:
    steep = Choices(10, [Candidate("a", 10, 100.0), Candidate("b", 20, 10.0)])
    flat = Choices(10, [Candidate("a", 10, 30.0), Candidate("b", 20, 20.0)])
    chosen = allocate({"flat": flat, "steep": steep}, 1.5)
    assert {name: one.format for name, one in chosen.items()} == {"flat": "a", "steep": "b"}
    assert bits_of(allocate({"flat": flat, "steep": steep}, 9.0)) == 40


def test_candidates_above_the_hull_use_what_is_left() -> None:
    layer = Choices(10, [Candidate("a", 10, 9.0), Candidate("b", 15, 8.0), Candidate("c", 20, 0.0)])
    assert allocate({"x": layer}, 1.9)["x"].format == "b"
    assert allocate({"x": layer}, 2.0)["x"].format == "c"


def test_a_budget_below_the_smallest_is_refused() -> None:
    layers = {"x": Choices(100, [Candidate("a", 150, 1.0), Candidate("b", 120, 2.0)])}
    text = "^budget must be at least the 1.2 bits/weight of the smallest formats, got 1.1$"
    with pytest.raises(ValueError, match=text):
        allocate(layers, 1.1)
    assert allocate(layers, 1.2)["x"].bits == 120
