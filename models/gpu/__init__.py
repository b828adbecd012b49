"""Bitplane layers on NVIDIA GPUs: kernels, modules for PyTorch, and their measurement."""
