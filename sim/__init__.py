"""A layer on a circuit: results and time."""
