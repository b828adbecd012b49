"""Flags of measuring: which seeds, and how fast a clock to aim at."""

from argparse import ArgumentParser


def add_flow_flags(parser: ArgumentParser) -> None:
    """Add them."""
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="(default: 1 2 3)")
    parser.add_argument("--freq", type=float, default=250, help="MHz to aim at (default: 250)")
