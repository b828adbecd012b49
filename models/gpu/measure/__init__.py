"""Measurements of the kernels on a GPU, stage by stage, and their records."""
