"""Exploration: which format on which circuit, by what it costs and how far that is known."""
