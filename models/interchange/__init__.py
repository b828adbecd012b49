"""Layers of other programs' files as bitplane layers, and back."""
